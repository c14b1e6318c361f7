"""`harness new` and `harness check`."""

import json
import subprocess
import sys

import pytest
from helpers import command

from harness.experiment.selfcheck import try_engine, try_tagger

BROKEN = """
import numpy as np
from harness.audio import Audio
from harness.engines import Speech
from harness.tagged import TaggedText

class Noise:
    name, dialect, deterministic, revision, default_voice = "noise", "ignore", True, "noise 1", "a"
    def voices(self):
        return ["a"]
    def speak(self, request):
        return Speech(Audio(np.random.default_rng(request.seed).normal(0, .1, 16000).astype("float32"), 16000))

class Wrong(Noise):
    expressible = {"pause_short"}

class Shouter:
    name = "shouter"
    def tag(self, texts):
        return [TaggedText.from_plain(text.plain.upper()) for text in texts]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "broken_plugins.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("broken_plugins", "fresh", "fresh_words"):
        sys.modules.pop(name, None)


def test_a_new_engine_works_and_its_pauses_are_heard(folder):
    done = command("new", "engine", "fresh", cwd=folder)
    assert done.stdout == b"fresh.py: works as it is; try it: PYTHONPATH=. harness check fresh:FreshEngine\n", (
        done.stderr
    )
    assert command("new", "engine", "fresh", cwd=folder).returncode == 2
    assert command("new", "engine", "fresh", "--force", cwd=folder).returncode == 0
    done = command("check", "fresh:FreshEngine", "--json")
    found = {one["tag"]: one for one in json.loads(done.stdout)["tags"]}
    assert done.returncode == 0 and len(found) == 7
    assert {tag for tag, one in found.items() if one["expressible"]} == {"<pause_short>", "<pause_long>"}
    assert (
        found["<pause_short>"]["value"] == pytest.approx(0.4, abs=0.03) and found["<pause_short>"]["verdict"] == "hit"
    )
    assert found["<emph>"]["verdict"] == "not expressible" and found["<emph>"]["value"] is None
    longer = {one.tag: one for one in try_engine("fresh:FreshEngine", {"scale": 2.0}).tags}
    assert longer["<pause_short>"].verdict == "too long" and longer["<pause_long>"].verdict == "hit"


def test_a_new_tagger_and_a_new_detector_work(folder):
    assert command("new", "tagger", "fresh_words", cwd=folder).returncode == 0
    assert try_tagger("fresh_words:FreshWordsTagger")[0].tagged.startswith("We guarantee <pause_short> <emph> 30%")
    assert command("new", "detector", "fresh_slow", cwd=folder).returncode == 0
    done = subprocess.run([sys.executable, folder / "fresh_slow.py"], capture_output=True, text=True, check=True)
    assert [line.split(": ")[2][:4] for line in done.stdout.splitlines()] == ["Fals", "True", "True"]


@pytest.mark.parametrize("name", ["espeak", "numpy", "json", "My-Engine"])
def test_a_name_that_cannot_be_used(name, tmp_path):
    assert command("new", "engine", name, cwd=tmp_path).returncode == 2
    assert not list(tmp_path.iterdir())


def test_broken_plugins_are_found(folder):
    done = command("check", "broken_plugins:Noise")
    assert done.returncode == 1 and b"seeds 0 and 1 give different samples" in done.stderr
    done = command("check", "broken_plugins:Wrong")
    assert done.returncode == 2 and b"wrong `expressible`: 'pause_short' is not a valid Tag" in done.stderr
    done = command("check", "broken_plugins:Shouter")
    assert done.returncode == 1 and b"CHANGED" in done.stdout and b"changed the words" in done.stderr
