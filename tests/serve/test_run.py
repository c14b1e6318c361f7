"""An experiment by the command line, on a speech server instead of an engine."""

import json
from functools import partial

import helpers

from harness.experiment import load_experiment
from harness.paths import ROOT
from harness.records import Clip
from harness.store import read_jsonl

harness = partial(helpers.harness, text=True, timeout=300)


def test_a_run_on_a_server_hears_what_the_engine_behind_it_does(espeak, tmp_path):
    shared = ["--limit", 2, "--json", "--jobs", 1]
    cache = f"cache={tmp_path / 'cache'}"
    file = tmp_path / "small.yaml"
    file.write_text(
        'schema: harness.experiment/1\nname: small\nsentences: quick\ntags: ["<pause_long>", "<pitch_high>"]\n'
        "engines: [{name: espeak, voice: en-us}]\n"
    )
    assert load_experiment(file).timeout == 120
    served = harness("run", file, "--base-url", espeak.url, "--option", "model=espeak", "--option", "dialect=prompted",
                     "--option", cache, "--out", tmp_path / "served", *shared)  # fmt: skip
    assert served.returncode == 0, served.stderr
    direct = harness("run", file, "--out", tmp_path / "direct", *shared)
    [theirs] = json.loads(served.stdout)["engines"].values()
    [own] = json.loads(direct.stdout)["engines"].values()
    counts = ("n", "hit", "miss", "wrong_direction", "leaked", "unmeasurable", "not_expressible")
    for tag in ("<pause_long>", "<pitch_high>"):
        assert [theirs["per_tag"][tag][name] for name in counts] == [own["per_tag"][tag][name] for name in counts]
    revisions = [
        json.loads((tmp_path / name / "manifest.json").read_text())["revisions"] for name in ("served", "direct")
    ]
    assert revisions[0]["openai_speech"].endswith(f", engine: {revisions[1]['espeak:en-us']}")
    clips = read_jsonl(tmp_path / "served" / "clips.jsonl", Clip)
    assert clips and all(clip.engine == "openai_speech" for clip in clips)


def test_the_guard_on_requests_stops_the_spending_and_not_the_run(espeak, tmp_path):
    file = ROOT / "data" / "experiments" / "engine.yaml"
    command = ["run", file, "--base-url", espeak.url, "--option", "model=espeak", "--option", "dialect=prompted", "--option",
               f"cache={tmp_path / 'cache'}", "--option", "retries=0", "--limit", 1, "--jobs", 1, "--out", tmp_path / "run"]  # fmt: skip
    stopped = harness(*command, "--max-requests", 2)
    assert stopped.returncode == 1 and "the limit of max_requests" in stopped.stderr
    assert len(list((tmp_path / "cache").rglob("*.json"))) == 2
