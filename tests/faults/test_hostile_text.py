"""Every page, and every kind of table that notebooks show, of texts that want to be scripts, in a real browser."""

import asyncio

import nbformat
import numpy as np
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import Image as Shown
from nbconvert import HTMLExporter

from showcase_utils.claims.tables import beside_paper, wide
from showcase_utils.data.statistics import reject_summary
from showcase_utils.plots.tables import text_table
from tests.faults.browser import CHROMIUM, HOSTILE, runs_a_script_of_the_data
from tests.test_html import labelling_page, photo, rating_page, showcase_page  # noqa: F401

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here"),
]


def frame():
    rows = {HOSTILE: [HOSTILE, "ramen"], "n": [1.0, np.nan]}
    return pd.DataFrame(rows, index=pd.Index([HOSTILE, "b"], name=HOSTILE)).rename_axis(columns=HOSTILE)


def tables():
    """What the last lines of notebooks' cells are, with hostile cells, headers, names of rows and of levels."""
    yield frame()
    yield frame()[HOSTILE]
    yield frame().set_index("n", append=True).unstack(fill_value="")
    yield frame().pivot(columns="n", values=HOSTILE)
    yield text_table(frame())
    yield text_table(frame().set_index("n", append=True).unstack())
    yield reject_summary(pd.DataFrame([[HOSTILE, 1, HOSTILE, HOSTILE]], columns=["source", "line", "reason", "raw"]))
    metrics = {"system": HOSTILE, "metric": "BLEU-1", "value": 0.1, "low": 0.0, "high": 0.2, "variant": HOSTILE}
    yield beside_paper(wide(pd.DataFrame([metrics]), ["BLEU-1"]), "generation")
    yield Shown(data=b"\x89PNG\r\n\x1a\n", format="png", alt=HOSTILE)


class Fragment:
    def __init__(self, html):
        self.html = html

    def _repr_html_(self):
        return self.html


def notebook_of(values):
    """A page of nbconvert's, as it shows values that a kernel has formatted, printed and raised."""
    formatter = InteractiveShell.instance().display_formatter
    outputs = [
        nbformat.v4.new_output("stream", name="stdout", text=f"{HOSTILE} \x1b]0;{HOSTILE}\x07 \x1b[31m{HOSTILE}")
    ]
    outputs += [nbformat.v4.new_output("error", ename="ValueError", evalue=HOSTILE, traceback=[HOSTILE])]
    for value in values:
        data, metadata = formatter.format(value)
        outputs.append(nbformat.v4.new_output("display_data", data=data, metadata=metadata))
    cell = nbformat.v4.new_code_cell("pass", outputs=outputs)
    return HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))[0]


@pytest.fixture
def page(tmp_path):
    def write(html):
        path = tmp_path / "page.html"
        path.write_text(html, encoding="utf-8")
        return path

    asyncio.set_event_loop(asyncio.new_event_loop())  # nbconvert looks for one
    return write


def test_the_browser_would_tell(page):
    assert runs_a_script_of_the_data(page(f"<p>{HOSTILE}</p>"))
    assert runs_a_script_of_the_data(page(notebook_of([frame().style])))
    assert runs_a_script_of_the_data(page(notebook_of([frame().style.format(escape="html")]))), "headers too"


def test_tables_of_notebooks(page):
    assert not runs_a_script_of_the_data(page(notebook_of(tables())))


@pytest.mark.parametrize("made", [showcase_page, labelling_page, rating_page])
def test_pages(made, page, photo):  # noqa: F811
    assert not runs_a_script_of_the_data(page(made(photo, HOSTILE)))
