"""What a showcase does not need is not imported: most of the seconds of a command go by on imports."""

import subprocess
import sys

import pytest

from tests.showcase.conftest import DIM

PROGRAM = f"""
import sys
import numpy as np
from showcase_utils import cli
from showcase_utils.artifacts import Artifacts
from showcase_utils.config import Settings

class Clip:
    def encode_texts(self, texts):
        return np.full((len(texts), {DIM}), {DIM} ** -0.5, np.float32)

def load(run):
    from showcase_utils.generation import decoding
    decoding.write_texts = lambda model, tokenizer, samples, **strategy: ["we loved it! try the soup."] * len(samples)
    showcases = whole(run)
    showcases.encoder._clip = Clip()
    return showcases

settings, root = sys.argv[1:]
store = Artifacts(Settings.model_validate_json(settings), root)
cli.Artifacts = lambda *_: store
import showcase_utils.showcase as product
whole, product.Showcases.load = product.Showcases.load, load
cli.app(["explain", "user0", "place1", "--decoding", "sample"], standalone_mode=False)
heavy = {{"spacy", "peft", "scipy", "sklearn", "transformers.trainer", "matplotlib", "open_clip"}}
print(*sorted(heavy & set(sys.modules)), file=sys.stderr)
"""


@pytest.mark.slow
def test_a_generator_that_writes_brings_no_trainer_no_adapters_and_no_spacy(store):
    command = [sys.executable, "-c", PROGRAM, store.settings.model_dump_json(), str(store.root)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Try the soup." in done.stdout or "We loved it!" in done.stdout
    assert done.stderr.strip() == ""
