"""Where the project is hosted, and how a page of it is run there."""

from __future__ import annotations

import os
import re
import subprocess
from urllib.parse import quote

from harness.paths import ROOT

BRANCH = "main"
COLAB, BINDER = "https://colab.research.google.com", "https://mybinder.org"


def repository_url() -> str:
    """Where this checkout is hosted: from the CI's environment, else from git's `origin`; empty if neither says."""
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
    """Lines of Markdown: how to run a chapter without a clone of one's own; none if nobody knows where the project is hosted.

    Parameters
    ----------
    chapter : str
        Name of the notebook, without its end.
    kernel : str
        Chapters with the kernel ``boson`` need a second environment, which neither service makes.
    url : str
        See `repository_url`. Both services take GitHub's repositories only, as far as these links go.
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
