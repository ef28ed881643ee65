"""A real browser, which runs what a page holds."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MARK = "data-owned"
# Whatever of this is run sets an attribute of the page; it ends texts, tags, attributes, comments and scripts.
SCRIPT = f"document.documentElement.setAttribute(&quot;{MARK}&quot;,1)"
PLAIN = SCRIPT.replace("&quot;", "'")
HOSTILE = (
    f"""--></script></style></title></textarea>'"><svg onload="{SCRIPT}"></svg><img src="x:" onerror="{SCRIPT}">"""
    f"""<script>{PLAIN}</script><details open ontoggle="{SCRIPT}">$x</details>"""
)


def runs_a_script_of_the_data(page: Path) -> bool:
    """Whether anything of ``HOSTILE`` was run when the page was opened."""
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=3000", "--dump-dom",
        f"--user-data-dir={page.parent / 'browser'}", page.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert len(shown) > 100, "the browser showed nothing"
    return re.search(rf"<html[^>]*{MARK}", shown) is not None
