"""Looking at a page in headless Chromium, and acting on it: without a driver, by a second page that holds it in a frame."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""

_DRIVER = """<!DOCTYPE html><meta charset="utf-8">
<iframe id="frame" width="{width}" height="900" src="page.html"></iframe><pre id="result"></pre>
<script>
addEventListener("load", () => {{
  const page = document.getElementById("frame").contentDocument;
  const type = (element, value) => {{ element.value = value; element.dispatchEvent(new Event("input", {{ bubbles: true }})); }};
  const visible = (selector) => [...page.querySelectorAll(selector)].filter((one) => one.checkVisibility());
  document.getElementById("result").textContent = JSON.stringify((() => {{ {script} }})());
}});
</script>"""


def dump(page: str, folder: Path) -> str:
    """The document as the browser has it after loading ``page``."""
    (folder / "page.html").write_text(page, "utf-8")
    return _chromium(folder, "page.html", "--dump-dom")


def run(page: str, folder: Path, script: str, width: int = 1200) -> Any:
    """What ``script`` returns, run over ``page`` (a document) with the helpers ``type(element, value)`` and ``visible(selector)``."""
    (folder / "page.html").write_text(page, "utf-8")
    (folder / "driver.html").write_text(_DRIVER.format(width=width, script=script), "utf-8")
    match = re.search(r'<pre id="result">(.*?)</pre>', _chromium(folder, "driver.html", "--dump-dom"), re.DOTALL)
    assert match, "the driver page has no result"
    return json.loads(html.unescape(match[1]))


def sheets(page: str, folder: Path) -> int:
    """How many sheets of paper ``page`` takes."""
    (folder / "page.html").write_text(page, "utf-8")
    _chromium(folder, "page.html", f"--print-to-pdf={folder}/page.pdf")
    return len(re.findall(rb"/Type ?/Page\b", (folder / "page.pdf").read_bytes()))


def _chromium(folder: Path, name: str, *options: str) -> str:
    command = [
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--allow-file-access-from-files",
        f"--user-data-dir={folder}/profile",
    ]
    command += ["--virtual-time-budget=5000", *options, (folder / name).as_uri()]
    return subprocess.run(command, capture_output=True, check=True, timeout=120).stdout.decode()
