"""The examples of CONTRIBUTING.md, so that tests can run them."""

import re
from pathlib import Path

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.M | re.S)


def example(word: str) -> str:
    """The only example that holds ``word``."""
    (found,) = (code for code in EXAMPLES if word in code)
    return found
