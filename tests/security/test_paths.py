"""Ids and names from data never become a path or an option."""

import json
import os

import numpy as np
import pytest
from helpers import harness
from test_kit import TEXTS, make_run

from harness.audio import Audio, write_wav
from harness.errors import HarnessError
from harness.experiment import validate
from harness.experiment.folder import IDENTITY
from harness.experiment.tiny_training_set import record
from harness.listening.kit import KEY, PAGE, write_kit
from harness.paths import ROOT
from harness.records import Example

IDS = ["../../x", "/etc/passwd", "a\0b", "CON", "x" * 300, "-rf", "$(touch pwned)", "~root", "a\nb", "C:\\x", ".."]


@pytest.fixture
def folder(tmp_path):
    """A place with a fence around it: whatever appears outside of it is found."""
    inner = tmp_path / "fence" / "deep" / "work"
    inner.mkdir(parents=True)
    return inner


def everything(folder):
    fence = folder.parents[1]
    return {str(path.relative_to(fence)) for path in fence.rglob("*")} | {str(path) for path in fence.parent.iterdir()}


def command(folder, *arguments):
    done = harness(*arguments, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_tag_writes_no_file_and_keeps_the_ids(folder):
    rows = [Example(id=one, text="We guarantee it.", group="g", split="train") for one in IDS]
    lines = "".join(row.model_dump_json(by_alias=True) + "\n" for row in rows)
    (folder / "-in.jsonl").write_text(lines)
    before = everything(folder)
    done = command(folder, "tag", "--tagger", "rules", "--json", "--", "-in.jsonl")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == IDS, done.stderr
    assert everything(folder) == before


def test_score_audio_writes_no_file(folder):
    tone = 0.2 * np.sin(np.arange(16000) / 12)
    write_wav(folder / "-a.wav", Audio(tone.astype("float32"), 16000))
    rows = [{"id": one, "audio": "-a.wav", "text": "We <emph> guarantee it"} for one in IDS[:4]]
    (folder / "-m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    before = everything(folder)
    done = command(folder, "score", "audio", "--", "-m.jsonl")
    assert done.returncode in (0, 2) and everything(folder) == before


def test_the_name_of_a_run_is_no_path(folder):
    for name in set(IDS) - {"CON", "x" * 300}:  # these two are valid names
        with pytest.raises(HarnessError, match="field 'name'"):
            validate({"name": name, "engines": ["espeak"], "sentences": "quick"})
    (folder / "e.yaml").write_text("name: ../../x\nengines: [espeak]\nsentences: quick\n")
    before = everything(folder)
    done = command(folder, "run", "e.yaml", "--limit", "1")
    assert done.returncode == 2 and "field 'name'" in done.stderr
    assert everything(folder) == before


def test_recordings_are_numbered(folder):
    rows = [Example(id=one, text="No <emph> way.", group="g", split="train") for one in IDS]
    manifest = record(rows, folder / "recordings")
    before = {"recordings", f"recordings/{manifest.name}", *(f"recordings/{n:04d}.wav" for n in range(1, len(IDS) + 1))}
    assert everything(folder) == everything_but(folder, before)


def everything_but(folder, inside):
    fence = folder.parents[1]
    return {str(fence), "deep", "deep/work"} | {f"deep/work/{name}" for name in inside}


@pytest.mark.parametrize("name", IDS)
def test_a_listening_test_is_two_files(folder, name):
    run = make_run(folder / "run", TEXTS[:3], ["one"])
    for file in ("clips.jsonl", "outcomes.jsonl"):
        lines = [json.loads(line) for line in (run / file).read_text().splitlines()]
        changed = [{**line, "engine": name, "sentence": f"{name}{line['sentence']}"} for line in lines]
        (run / file).write_text("".join(json.dumps(line) + "\n" for line in changed))
    (run / IDENTITY).write_text(json.dumps({"experiment": {"name": name}}))
    before = everything(folder)
    made = write_kit(run, folder / "out", trials=4)
    assert everything(folder) - before == {"deep/work/out", f"deep/work/out/{KEY}", f"deep/work/out/{PAGE}"}
    assert made.run == name
