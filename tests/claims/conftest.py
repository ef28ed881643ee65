from tests.metrics.conftest import tiny_gpt2

__all__ = ["tiny_gpt2"]
