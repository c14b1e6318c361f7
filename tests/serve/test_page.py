"""Chapter 09 with another server and its key: the same cells run, and none of their files contains the key."""

import json
import os
import subprocess
import sys

import pytest

from harness.chapters.ch09_higgs_api.background import Background
from harness.paths import ROOT

KEY = "sk-page-0123456789abcdef-not-a-key"


@pytest.mark.notebook
def test_the_page_asks_another_server_and_keeps_the_key_to_itself(monkeypatch):
    monkeypatch.setenv("PAGE_KEY", KEY)
    with Background("espeak", None, "--key-env", "PAGE_KEY") as server:
        values = {"base_url": server.url, "model": "espeak", "dialect": "prompted", "key_env": "PAGE_KEY", "repeats": 2}
        chosen = [part for name, value in values.items() for part in ("-p", name, str(value))]
        done = subprocess.run(
            [sys.executable, "-m", "harness", "chapter", "run", "09", *chosen],
            cwd=ROOT, capture_output=True, text=True, timeout=300, env={**os.environ, "PAGE_KEY": KEY},
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = ROOT / done.stdout.split(":")[0]
    shown = page.read_text()
    assert f"The service at `{server.url}` was asked." in shown and "Bearer ***" in shown
    verdicts = json.loads((page.parent / "verdicts.json").read_text())
    assert verdicts["H2"]["verdict"] == "not run here"  # it was not Boson's service
    left = [path for path in page.parent.rglob("*") if path.is_file()]
    assert len(left) > 5
    for path in left:
        assert KEY.encode() not in path.read_bytes(), path
    assert KEY not in done.stdout + done.stderr
