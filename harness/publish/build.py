"""Build the site with Jupyter Book from the staged tree."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from harness.errors import HarnessError
from harness.paths import BOOK, BUILD, ROOT, relative
from harness.processes import killed_with_parent
from harness.publish.stage import STAGE

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
HTML = BUILD / "html"
LOG = BUILD / "logs" / "site.log"
BEGUN = BUILD / "logs" / "site.begun"  # exists while Sphinx writes; a killed build leaves it, with incomplete pages


class SiteFailed(HarnessError):
    """Sphinx warned or failed."""

    exit_code = 1


def build() -> str:
    """Run ``jupyter-book build``, and return a line that says where the site is.

    Raises
    ------
    SiteFailed
        With the warnings; the whole log is in ``_build/logs/site.log``.
    """
    command = [
        str(Path(sys.executable).parent / "jupyter-book"), "build", str(STAGE), "--config", str(ROOT / "_config.yml"),
        "--toc", str(BOOK / "_toc.yml"), "--path-output", str(ROOT), "-W", "-n", "--keep-going",
    ]  # fmt: skip
    LOG.parent.mkdir(parents=True, exist_ok=True)
    if BEGUN.exists() or _everything_is_stale():
        command.append("--all")
    BEGUN.touch()
    with LOG.open("w") as log:
        result = subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, preexec_fn=killed_with_parent)
    if result.returncode >= 0:  # not killed
        BEGUN.unlink()
    if result.returncode:
        lines = _COLOURS.sub("", LOG.read_text(errors="replace")).splitlines()
        warnings = [line for line in lines if "WARNING" in line or "ERROR" in line or "error:" in line.lower()]
        raise SiteFailed("the site was not built cleanly:\n  " + "\n  ".join(warnings[:20] or lines[-10:]),
                         path=relative(LOG))  # fmt: skip
    return f"open {relative(HTML / 'index.html')}"


def _everything_is_stale() -> bool:
    """Return whether something changed that Sphinx does not track per page: style sheets, images, or this extension."""
    index = HTML / "index.html"
    if not index.is_file():
        return False
    files = [path for path in (STAGE / "_static").rglob("*") if path.is_file()]
    copies = [HTML / path.relative_to(STAGE) for path in files]
    extension = ("sphinx_extension.py", "hosting.py", "glossary_links.py")
    shared = [*(ROOT / "harness" / "publish" / name for name in extension), STAGE / "reference" / "glossary.md"]
    return any(path.is_file() and path.stat().st_mtime > index.stat().st_mtime for path in shared) or any(
        not copy.is_file() or copy.read_bytes() != path.read_bytes() for path, copy in zip(files, copies, strict=True)
    )
