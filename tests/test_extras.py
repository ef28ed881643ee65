"""A library that only an extra brings is missed in one sentence."""

import subprocess
import sys

import pytest

from showcase_utils.extras import MissingExtra, extra

WITHOUT = """
import sys
for name in "{libraries}".split():
    sys.modules[name] = None
import {module}
"""
BROUGHT = (
    "nltk sacrebleu bert_score spacy matplotlib seaborn IPython ipywidgets papermill nbformat ray starlette uvicorn"
)


def without(libraries, module):
    code = WITHOUT.format(libraries=libraries, module=module)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_the_sentence_names_purpose_library_and_extra():
    with pytest.raises(MissingExtra) as caught, extra("metrics", "scoring texts"):
        import no_such_library  # noqa: F401
    assert str(caught.value) == "scoring texts needs no_such_library: pip install 'personalized-showcases[metrics]'"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("metrics.text", "metrics"),
        ("metrics.bertscore", "metrics"),
        ("plots.writer", "notebooks"),
        pytest.param("serving.app", "serve", marks=pytest.mark.slow),  # behind torch
    ],
)
def test_what_cannot_do_without_an_extra_says_so(module, name):
    result = without(BROUGHT, f"showcase_utils.{module}")
    assert result.stderr.splitlines()[-1].endswith(f"pip install 'personalized-showcases[{name}]'")


@pytest.mark.slow
def test_a_program_needs_no_extra():
    modules = "showcase cli pipeline alignment.build selection.build generation.build".split()
    result = without(BROUGHT, ", ".join(f"showcase_utils.{module}" for module in modules))
    assert result.returncode == 0, result.stderr
