"""A real browser, which runs what a page holds."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# Whatever of this is run sets the title of the page; it ends texts, tags, attributes, comments and scripts. In small
# letters, for models read and write nothing else.
SVG = """<svg onload="document.title='owned'">"""
HOSTILE = (
    f"""--></script></style></title></textarea>'">{SVG}</svg><img src="x:" onerror="document.title='owned'">"""
    """<script>document.title='owned'</script><details open ontoggle="document.title='owned'">$x</details>"""
)


def runs_a_script_of_the_data(page: Path) -> bool:
    """Whether anything of ``HOSTILE`` or ``SVG`` was run when the page was opened."""
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--dump-dom",
        f"--user-data-dir={page.parent / 'browser'}", page.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert len(shown) > 100, "the browser showed nothing"
    return re.search(r"<title>\s*owned", shown) is not None
