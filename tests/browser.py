"""A page in headless Chromium: how wide it is, and what it says to the console."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--allow-file-access-from-files",
    "--enable-logging=stderr",
    "--window-size=1700,1000",
    "--virtual-time-budget=5000",
    "--dump-dom",
]
# A frame has any width, a window of the browser has not.
FRAME = """<!doctype html><title>loading</title>
<iframe src="{page}" style="width:{width}px;height:900px;border:0" onload="
  document.title = 'width=' + this.contentDocument.documentElement.scrollWidth
    + ' figures=' + [...this.contentDocument.querySelectorAll('figure svg')]
      .filter(svg => svg.getBoundingClientRect().width > 100).length"></iframe>"""


AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
needs_axe = pytest.mark.skipif(
    not (CHROMIUM and AXE.exists()), reason="needs chromium, and `npm ci` in tests/axe"
)


def look(page: Path, width: int) -> tuple[int, int, str]:
    """Open a page in a frame of this width.

    Returns:
        The width that the page needs, the number of figures that show, and what was written to
        the console.
    """
    with tempfile.TemporaryDirectory() as folder:
        frame = Path(folder) / "frame.html"
        frame.write_text(FRAME.format(page=page.resolve().as_uri(), width=width))
        done = subprocess.run(
            [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder}/profile", frame.as_uri()],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    found = re.search(r"<title>width=(\d+) figures=(\d+)</title>", done.stdout)
    assert found, done.stderr[-2000:]
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return int(found[1]), int(found[2]), console


RUN = """<!doctype html><title>loading</title>
<iframe src="{page}" style="width:1200px;height:900px;border:0"></iframe>
<script>
const frame = document.querySelector("iframe");
frame.onload = () => {{
  const page = frame.contentDocument;
  const press = (element, key) => element.dispatchEvent(
    new frame.contentWindow.KeyboardEvent("keydown", {{ key, bubbles: true, cancelable: true }}));
  const made = {{ origins: "dialog.origin", tools: ".tool form" }};
  const ready = () => Object.entries(made)
    .every(([id, what]) => !page.getElementById(id) || page.querySelector(what));
  const go = () => {{
    if (!ready()) {{ setTimeout(go, 20); return; }}
    try {{ document.title = JSON.stringify((() => {{ {script} }})()); }}
    catch (error) {{ document.title = JSON.stringify({{ error: String(error) }}); }}
  }};
  go();
}};
</script>"""


def run(page: Path, script: str) -> Any:
    """Run a script beside a page, which it sees as `page`; `press(element, key)` types a key.

    It waits for the page's own scripts, which unpack what they know first.

    Returns:
        What the script returns.
    """
    with tempfile.TemporaryDirectory() as folder:
        frame = Path(folder) / "frame.html"
        frame.write_text(RUN.format(page=page.resolve().as_uri(), script=script))
        done = subprocess.run(
            [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder}/profile", frame.as_uri()],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    found = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert found and found[1] != "loading", done.stderr[-2000:]
    return json.loads(html.unescape(found[1]))


# In the page itself: beside a frame, axe would leave out what it asks of whole pages only.
AUDIT = """<script>{axe}</script><script>
addEventListener("load", async () => {{
  const report = {{ dark: matchMedia("(prefers-color-scheme: dark)").matches }};
  try {{
    {before}
    const found = await axe.run();
    report.passed = found.passes.map((rule) => rule.id);
    report.violations = found.violations.flatMap((rule) => rule.nodes.map((node) =>
      [rule.id, rule.help, node.html.slice(0, 300), node.failureSummary].join("\\n  ")));
  }} catch (error) {{ report.error = String(error); }}
  document.title = JSON.stringify(report);
}});
</script>"""


def audit(page: Path, dark: bool, width: int = 1700, before: str = "") -> dict[str, Any]:
    """What axe-core says of a page.

    Args:
        page: One file that loads nothing.
        dark: Whether the reader prefers dark pages.
        width: Of the window, in pixels, from 500.
        before: A script that the page runs first.

    Returns:
        dark (what the page was told), passed (the ids of the rules that hold), violations (a text
        for each element that breaks a rule), error (that stopped the audit, if one did).
    """
    scripts = AUDIT.format(axe=AXE.read_text("utf-8"), before=before)
    scheme = f"--blink-settings=preferredColorScheme={int(not dark)}"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "page.html"
        copy.write_text(page.read_text("utf-8") + scripts, "utf-8")
        done = subprocess.run(
            [str(CHROMIUM), *FLAGS, f"--window-size={width},1000", scheme,
             f"--user-data-dir={folder}/profile", copy.as_uri()],
            capture_output=True, text=True, timeout=300,
        )  # fmt: skip
    found = re.search(r"<title>(\{.*?)</title>", done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    return dict(json.loads(html.unescape(found[1])))
