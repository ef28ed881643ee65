"""Photographs the gallery's page and the app as README shows them: `make screenshots`, after `make demo`.

It needs a Chromium (Debian's package is `chromium`) and the extras `serve` and `test`.
"""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory

from playwright.sync_api import Browser, sync_playwright

from showcase_utils import Showcases
from showcase_utils.serving.app import serve
from showcase_utils.showcase import page

HERE = Path(__file__).parent
WIDE, NARROW = (1440, 1000), (360, 780)
NO_EMOJI = """() => {
  const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (nodes.nextNode()) {
    nodes.currentNode.data = nodes.currentNode.data.replace(/ ?\\p{Extended_Pictographic}/gu, "");
  }
}"""  # a machine without a font for them shows boxes


def take(browser: Browser, address: str, name: str, size: tuple[int, int], scheme: str, click: str) -> None:
    """A picture of the first screen, once ``click`` was clicked."""
    shape = {"width": size[0], "height": size[1]}
    tab = browser.new_page(viewport=shape, color_scheme=scheme)
    tab.goto(address)
    tab.locator(click).first.click()
    tab.wait_for_load_state("networkidle")
    tab.evaluate(NO_EMOJI)
    tab.screenshot(path=HERE / f"{name}.jpg", type="jpeg", quality=88)
    tab.close()


def main() -> None:
    """Writes app.jpg, side_by_side.jpg and telephone.jpg beside this file."""
    showcases = Showcases.load("demo")
    ready: Queue[str] = Queue()
    threading.Thread(target=serve, args=(showcases, 0, ready.put), daemon=True).start()
    made = showcases.explain_many(showcases.library.test_visits(12))
    with TemporaryDirectory() as folder, sync_playwright() as driver:
        gallery = Path(folder) / "gallery.html"
        gallery.write_text(page(made, "Showcases of the demo city"), encoding="utf-8")
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        take(browser, ready.get(), "app", WIDE, "light", ".showcase summary")
        take(browser, gallery.as_uri(), "side_by_side", WIDE, "light", "#side")
        take(browser, gallery.as_uri(), "telephone", NARROW, "dark", "h1")
        browser.close()


if __name__ == "__main__":
    main()
