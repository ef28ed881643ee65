"""What a showcase does not need is not imported: most of the seconds of a command go by on imports."""

import subprocess
import sys

import pytest

from tests.showcase.conftest import DIM

PROGRAM = f"""
import sys
import numpy as np
from showcase_utils.artifacts import Artifacts
from showcase_utils.config import Settings
from showcase_utils.generation import decoding
from showcase_utils.showcase import Showcases

class Clip:
    def encode_texts(self, texts):
        return np.full((len(texts), {DIM}), {DIM} ** -0.5, np.float32)

settings, root = sys.argv[1:]
showcases = Showcases.load(Artifacts(Settings.model_validate_json(settings), root))
showcases.encoder._clip = Clip()
decoding.write_texts = lambda model, tokenizer, samples, **strategy: ["we loved it! try the soup."] * len(samples)
print(showcases.explain("user0", "place1", decoding=["sample"]).text)
print(*sorted({{"peft", "sklearn", "transformers.trainer", "matplotlib", "open_clip"}} & set(sys.modules)))
"""


@pytest.mark.slow
def test_a_generator_that_writes_brings_no_trainer_and_no_adapters(store):
    command = [sys.executable, "-c", PROGRAM, store.settings.model_dump_json(), str(store.root)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    text, imported = done.stdout.splitlines()
    assert text and imported == ""
