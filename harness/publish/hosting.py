"""Where the project and its site are hosted, and how to run a page there."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any
from urllib.parse import quote

from harness.paths import ROOT

BRANCH = "main"
SITE_VARIABLE = "HARNESS_SITE_URL"
COLAB, BINDER = "https://colab.research.google.com", "https://mybinder.org"

# Pages whose source is outside of book/.
_SOURCES = {"reference/contributing": "CONTRIBUTING.md", "reference/security": "SECURITY.md"}


def site_url() -> str:
    """Return the address of the published site, with a final slash; empty if it is unknown.

    It comes from ``HARNESS_SITE_URL``, else from the name of the repository, for GitHub Pages.
    """
    if url := os.environ.get(SITE_VARIABLE):
        return url.rstrip("/") + "/"
    owner, _, name = os.environ.get("GITHUB_REPOSITORY", "").partition("/")
    return f"https://{owner.lower()}.github.io/{name}/" if name else ""


def repository_url() -> str:
    """Return the address of the repository, from the CI's environment or git's remote `origin`; empty if it is unknown."""
    if repository := os.environ.get("GITHUB_REPOSITORY"):
        return f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{repository}"
    try:
        origin = subprocess.run(
            ["git", "-C", str(ROOT), "remote", "get-url", "origin"], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
    match = re.fullmatch(r"(?:https://|git@)([\w.-]+\.\w+)[/:]([\w.-]+/[\w.-]+?)(?:\.git)?", origin)
    return f"https://{match.group(1)}/{match.group(2)}" if match else ""


def run_elsewhere(chapter: str, kernel: str, url: str) -> list[str]:
    """Return lines of Markdown that say how to run a chapter without a local clone; none if the repository is not on GitHub.

    Parameters
    ----------
    chapter : str
        Name of the notebook, without its suffix.
    kernel : str
        Name of its kernel. The kernel ``boson`` needs a second environment, which neither service provides.
    url : str
        Address of the repository; see `repository_url`.
    """
    if not url.startswith("https://github.com/"):
        return []
    if kernel == "boson":
        return ["", f"This page needs the second environment: clone [the repository]({url}) and call `make env`."]
    name = url.removeprefix("https://github.com/")
    path = f"notebooks/{chapter}.ipynb"
    binder = f"{BINDER}/v2/gh/{name}/{BRANCH}?urlpath={quote(f'lab/tree/{path}')}"
    colab = f"{COLAB}/github/{name}/blob/{BRANCH}/{path}"
    return [
        "",
        f"Without a clone: [Binder]({binder}), or [Colab]({colab}) with this cell first. Neither was tried here: no network.",
        "",
        "```text",
        f"!git clone --depth 1 {url} book",
        "%cd book",
        '%pip install --quiet -e ".[models,audio,voices,api]"',
        "```",
    ]


def fix_edit_links(pagename: str, buttons: list[dict[str, Any]]) -> None:
    """Point the edit buttons of a page to its source: Sphinx knows only the staged copy."""
    if pagename.startswith("notebooks/"):
        return
    for button in buttons:
        fix_edit_links(pagename, button.get("buttons", []))
        if button.get("label") == "source-edit-button":
            source = _SOURCES.get(pagename, f"book/{pagename}.md")
            button["url"] = button["url"].replace(f"/{pagename}.md", f"/{source}")
