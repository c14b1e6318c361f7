"""Experiment files; what a run writes, resumes and refuses."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from helpers import small

from harness.errors import DataError, HarnessError
from harness.experiment import changed, load_experiment, run, validate
from harness.paths import ROOT
from harness.prosody.leak import names_heard
from harness.records import Arm, Clip, Outcome, Verdict
from harness.store import read_jsonl

CURVE = ROOT / "data" / "experiments" / "higgs_curve.yaml"  # of `harness higgs curve`


def test_a_run_writes_a_complete_folder(finished):
    folder, summary = finished
    names = {path.name for path in folder.iterdir()}
    assert names >= {"manifest.json", "predictions.jsonl", "clips.jsonl", "outcomes.jsonl", "summary.json", "clips"}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["counts"]["sentences"] == 4 and manifest["counts"]["failed"] == 0
    assert manifest["packages"]["pocketsphinx"] and manifest["revisions"]["espeak"].startswith("espeak-ng")
    clips = read_jsonl(folder / "clips.jsonl", Clip)
    assert all((folder / clip.audio).is_file() for clip in clips)
    assert [clip.key for clip in clips] == sorted(clip.key for clip in clips)
    parts = {
        "tagger",
        "per_tag",
        "null",
        "listeners",
        "contrastive",
        "end_to_end",
        "differences",
        "by_tagger",
        "compliance",
    }
    assert set(summary["engines"]["espeak"]) == parts
    assert summary["taggers"]["rules"]["sentences"] == 4
    both = summary["engines"]["espeak"]["end_to_end"]
    # Of nine tags, a rising end is missed: espeak raises "dinosaur" as a whole, and so long a word is its own reference.
    assert both["gold"]["recall"] == both["gold"]["precision"] == pytest.approx(8 / 9)
    assert both["rules"]["recall"] < 1


def test_a_finished_run_is_not_repeated_and_another_is_refused(finished):
    folder, summary = finished
    before = (folder / "manifest.json").stat().st_mtime_ns
    assert run(small(), folder) == summary
    assert (folder / "manifest.json").stat().st_mtime_ns == before
    with pytest.raises(DataError, match="holds another experiment"):
        run(small(seed=1), folder)


def test_other_code_or_data_is_refused_or_replaced(tmp_path, monkeypatch):
    sentences = tmp_path / "s.jsonl"
    sentences.write_text('{"id": "b", "text": "We <pause_long> go on with it"}\n')
    spec, folder = small(sentences=str(sentences), taggers=["gold"]), tmp_path / "run"
    run(spec, folder, jobs=1)
    monkeypatch.setattr("harness.experiment.folder.code_digest", lambda: "other")
    with pytest.raises(DataError, match="results of other code"):
        run(spec, folder)
    before = (folder / "manifest.json").stat().st_mtime_ns
    run(spec, folder, jobs=1, replace=True)
    assert (folder / "manifest.json").stat().st_mtime_ns > before
    sentences.write_text('{"id": "b", "text": "We go on <pause_long> with it"}\n')
    with pytest.raises(DataError, match="results on other data"):
        run(spec, folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"taggers": [{"name": "rules", "options": {"lenght": 8}}]}, "does not take these options"),
        ({"engines": [{"name": "espeak", "voice": "nobody"}]}, "has no voice"),
        ({"engines": [{"name": "espeak", "options": {"speeed": 1}}]}, "does not take these options"),
    ],
)
def test_a_misspelled_option_costs_no_results(finished, tmp_path, change, message):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(HarnessError, match=message):
        run(small(**change), folder, jobs=1, replace=True)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    with pytest.raises(HarnessError, match=message):
        run(small(**change), tmp_path / "new", jobs=1)
    assert [path.name for path in (tmp_path / "new").rglob("*") if path.is_file()] == [".lock"]


def test_a_changed_tagger_of_the_user_is_noticed(tmp_path, monkeypatch):
    source = tmp_path / "helper_here.py"
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "mine_here.py").write_text("from helper_here import Mine\n")
    source.write_text("from harness.taggers.rules import RulesTagger as Mine\n")
    spec, folder = small(taggers=["mine_here:Mine"], limit=1), tmp_path / "run"
    run(spec, folder, jobs=1)
    run(spec, folder, jobs=1)
    source.write_text("from harness.taggers.simple import NoTags as Mine\n")
    with pytest.raises(DataError, match="results of another version of your class"):
        run(spec, folder, jobs=1)


def test_the_number_of_workers_changes_nothing(finished, tmp_path):
    folder, _ = finished
    run(small(), tmp_path / "parallel", jobs=2)
    for name in ("outcomes.jsonl", "clips.jsonl", "predictions.jsonl", "summary.json"):
        assert (tmp_path / "parallel" / name).read_bytes() == (folder / name).read_bytes()


def test_a_failed_sentence_is_counted_and_tried_again(tmp_path, monkeypatch):
    sentences = tmp_path / "s.jsonl"
    texts = {"a": "We <pause_long> fail at first", "b": "We <pause_long> go on"}
    sentences.write_text("".join(json.dumps({"id": name, "text": text}) + "\n" for name, text in texts.items()))
    spec, folder = small(sentences=str(sentences), taggers=["gold"]), tmp_path / "run"
    import harness.experiment.unit as unit

    def fail(request_engine, request):
        if "fail" in request.text.plain:
            raise DataError("the engine is on strike")
        return speak(request_engine, request)

    engine = unit.engine_of(spec.engines[0].model_dump_json(), None)
    speak = type(engine).speak
    monkeypatch.setattr(type(engine), "speak", fail)
    summary = run(spec, folder, jobs=1)
    assert summary["failed_units"] == 1 and summary["failures"] == {"the engine is on strike": 1}
    outcomes = {o.sentence: o for o in read_jsonl(folder / "outcomes.jsonl", Outcome)}
    assert outcomes["a"].verdict is Verdict.UNMEASURABLE and "on strike" in outcomes["a"].reason
    assert outcomes["b"].verdict is Verdict.HIT
    monkeypatch.setattr(type(engine), "speak", speak)
    assert run(spec, folder, jobs=1)["failed_units"] == 0
    tagged = [o for o in read_jsonl(folder / "outcomes.jsonl", Outcome) if o.arm is Arm.TAGGED]
    assert {o.verdict for o in tagged} == {Verdict.HIT}
    run(spec, tmp_path / "clean", jobs=1)
    assert (tmp_path / "clean" / "outcomes.jsonl").read_bytes() == (folder / "outcomes.jsonl").read_bytes()


def test_a_damaged_clip_is_rendered_again(finished, tmp_path):
    reference, _ = finished
    folder = shutil.copytree(reference, tmp_path / "run")
    for name in ("manifest.json", "summary.json", "outcomes.jsonl", "clips.jsonl"):
        (folder / name).unlink()
    for clip in (folder / "clips").glob("*.wav"):
        clip.write_bytes(clip.read_bytes()[:3000])
    run(small(), folder, jobs=1)
    assert (folder / "outcomes.jsonl").read_bytes() == (reference / "outcomes.jsonl").read_bytes()


@pytest.mark.parametrize("name", ["outcomes.jsonl", "clips.jsonl", "nulls.jsonl", "manifest.json"])
def test_a_finished_run_that_lost_records_is_refused(finished, tmp_path, name):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2] if content else b"{}\n")
    with pytest.raises(DataError, match=rf"holds a damaged run: ({name}|its manifest).*--replace"):
        run(small(), folder, jobs=1)


def test_a_folder_of_an_unknown_run_is_refused_and_other_files_stay(finished, tmp_path):
    folder = shutil.copytree(finished[0], tmp_path / "run")
    (folder / "notes.md").write_text("mine")
    (folder / "experiment.json").unlink()
    with pytest.raises(DataError, match="parts of an unknown run"):
        run(small(), folder)
    (folder / "experiment.json").write_text("{torn")
    with pytest.raises(DataError, match="cannot be read"):
        run(small(), folder)
    run(small(), folder, jobs=1, replace=True)
    assert (folder / "notes.md").read_text() == "mine"
    assert (folder / "outcomes.jsonl").read_bytes() == (finished[0] / "outcomes.jsonl").read_bytes()


def test_impossible_settings_are_refused_at_the_start(tmp_path):
    with pytest.raises(DataError, match="--jobs must be -1 or at least 1, got 0"):
        run(small(), tmp_path / "b", jobs=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be created"):
        run(small(), tmp_path / "file")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no fields"),
        ("name: [", "not YAML"),
        ("name: x", "field 'engines'"),
        ("name: ../x\nengines: [espeak]", "field 'name'"),
        ("name: x\nengines: [espeak]\nlimit: 0", "field 'limit'"),
        ("name: x\nengines: [espeak]\ncolour: red", "field 'colour'"),
        ("name: x\nengines: [espeak, espeak]", "two engines have the same name"),
        ("name: x\nengines: 5", "field 'engines'"),
        ("name: x\nengines: [{name: [1]}]", "field 'engines"),
        ("name: x\nengines: []", "field 'engines'"),
    ],
)
def test_an_invalid_experiment_is_explained(tmp_path, text, message):
    path = tmp_path / "e.yaml"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        load_experiment(path)
    assert message in str(caught.value) and "e.yaml" in str(caught.value)


def test_every_experiment_file_is_valid():
    for path in sorted({*Path(ROOT / "data" / "experiments").glob("*.yaml")} - {CURVE}):
        assert load_experiment(path).name
        assert yaml.safe_load(path.read_text())["schema"] == "harness.experiment/1"


def test_an_experiment_changed_from_the_command_line():
    base = small()
    other = changed(base, engine="piper", options=["dialect=prompted"], limit=2)
    assert [spec.name for spec in other.engines] == ["piper"] and other.engines[0].options == {"dialect": "prompted"}
    assert other.limit == 2 and other.name == "small-piper", "a separate run folder"
    assert changed(base, voice="en-gb").engines[0].voice == "en-gb"
    named = changed(base, engine="piper", label="slow Piper", role="negative", sentences="train")
    assert [(spec.title, spec.role) for spec in named.engines] == [("slow Piper", "negative")]
    assert named.sentences == "train" and named.name == "small-train-slow-Piper"
    assert changed(base, engine="my.voice:Engine", options=["speed=1.5"]).engines[0].options == {"speed": 1.5}
    assert changed(base) == base


def test_a_meaningless_change_is_refused():
    two = small(engines=["espeak", {"name": "espeak", "label": "b"}])
    with pytest.raises(DataError, match="2 engines"):
        changed(two, voice="en-gb")
    with pytest.raises(DataError, match="--label and --option: this needs one engine"):
        changed(two, label="x", options=["dialect=ssml"])
    for option in ("speed", "=1", "a b=1"):
        with pytest.raises(DataError, match="not an option"):
            changed(small(), options=[option])
    with pytest.raises(DataError, match="not YAML"):
        changed(small(), options=["speed=["])


def test_a_sentence_set_cannot_be_used_with_taggers():
    with pytest.raises(DataError, match="has its own tags, one per clip"):
        small(sentences="quick")
    assert len(small(sentences="quick", taggers=["gold"]).items()) == 4 * 7


def test_texts_of_one_sentence_share_their_plain_clip(tmp_path):
    spec = small(sentences="quick", limit=2, taggers=["gold"], tags=["<pause_long>", "<emph>"], contrast=2)
    summary = run(spec, tmp_path / "run", jobs=1)
    clips = read_jsonl(tmp_path / "run" / "clips.jsonl", Clip)
    assert sum(clip.arm is Arm.PLAIN for clip in clips) == 2 == summary["sentences"]
    assert sum(clip.arm is Arm.TAGGED for clip in clips) == 4 == summary["texts"]
    assert sum(clip.arm is Arm.CONTRAST for clip in clips) == 8, "two more places for each tagged clip"
    assert summary["engines"]["espeak"]["contrastive"]["<emph>"]["accuracy"] == 1
    assert summary["engines"]["espeak"]["null"]["<emph>"]["threshold_from"] == "not applicable"


def test_a_voice_that_gets_no_tags_is_searched_once_for_all_of_them(tmp_path, monkeypatch):
    """Both taggers' texts are one clip. It holds no name, so no tagger's clip is searched again."""
    from harness.experiment import unit

    searched = []

    def counted(audio, words, candidates):
        searched.append(set(candidates))
        return names_heard(audio, words, candidates)

    monkeypatch.setattr(unit, "names_heard", counted)
    monkeypatch.setattr(unit, "analyse_tagged", lambda *arguments: pytest.fail("searched again"))
    sentences = tmp_path / "s.jsonl"
    sentences.write_text('{"id": "a", "text": "We <pause_long> never <emph> do that, and you know it."}\n')
    voice = {"name": "hibari", "options": {"dialect": "ignore"}, "role": "negative"}
    run(small(sentences=str(sentences), engines=[voice]), tmp_path / "run", jobs=1)
    outcomes = read_jsonl(tmp_path / "run" / "outcomes.jsonl", Outcome)
    assert [{(o.slot, o.tag) for o in outcomes if o.arm is Arm.TAGGED}] == searched
    assert {o.tagger for o in outcomes} == {"gold", "rules"}
    assert {o.verdict for o in outcomes if o.arm is Arm.TAGGED} == {Verdict.MISS}


def test_engines_with_their_own_time_limit_have_no_default_limit():
    assert validate({"name": "a", "engines": ["espeak"]}).timeout == 120
    assert validate({"name": "a", "engines": ["espeak", "higgs_native"]}).timeout is None
    assert validate({"name": "a", "engines": ["openai_speech"], "timeout": 5}).timeout == 5
    file = validate({"name": "a", "engines": ["espeak"]})
    assert changed(file, engine="openai_speech").timeout is None and changed(file, engine="piper").timeout == 120
    assert changed(changed(file, engine="higgs_boson"), engine="espeak").timeout == 120
    for given in (9, 120, None):
        asked = validate({"name": "a", "engines": ["espeak"], "timeout": given})
        assert changed(asked, engine="openai_speech").timeout == changed(asked, engine="piper").timeout == given


def test_both_stacks_of_higgs_in_one_run(tmp_path):
    """Random weights speak noise, so nothing is hit, but every clip is rendered and every tag counted."""
    pytest.importorskip("torch")
    if not (ROOT / ".venv-boson" / "bin" / "python").exists():
        pytest.skip("no environment .venv-boson: make env")
    engines = [
        {"name": "higgs_boson", "options": {"checkpoint": "tiny", "max_seconds": 2, "temperature": 0, "seed": 1}},
        {"name": "higgs_native", "options": {"checkpoint": "tiny", "max_seconds": 2, "temperature": 0}},
    ]
    experiment = validate({"name": "higgs", "sentences": "quick", "limit": 2, "tags": ["<emph>"], "engines": engines})
    summary = run(experiment, tmp_path / "run", jobs=1)
    assert summary["failed_units"] == 0
    for name in ("higgs_boson", "higgs_native"):
        row = summary["engines"][name]["per_tag"]["<emph>"]
        assert row["n"] == 2 == sum(row[end] for end in ("hit", "miss", "wrong_direction", "leaked", "unmeasurable"))
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert "random tiny weights" in manifest["revisions"]["higgs_boson"]
