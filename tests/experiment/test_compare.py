"""Comparison of runs: paired differences, their intervals and marks, and runs that cannot be compared."""

import json

import pytest
from helpers import command

from harness.errors import DataError
from harness.experiment.compare import compare_runs, holm, sentence_of
from harness.records import Outcome, Prediction, RunManifest

EMPH, LOW = "<emph>", "<pitch_low>"
HIT, MISS = "hit", "miss"


def outcome(
    sentence, verdict=HIT, *, engine="a", tagger="gold", arm="tagged", slot=0, tag=EMPH, value=None, unit="JND"
):
    return Outcome(engine=engine, tagger=tagger, sentence=sentence, arm=arm, slot=slot, tag=tag, verdict=verdict,
                   value=value, unit=unit)  # fmt: skip


def emph(verdicts, **fields):
    return [outcome(f"x{n}", {"h": HIT, "m": MISS, "u": "unmeasurable"}[v], **fields) for n, v in enumerate(verdicts)]


@pytest.fixture
def make(tmp_path):
    def folder(name, outcomes, *, run="trial", engines=("a",), taggers=("gold",), words="one two three"):
        path = tmp_path / name
        path.mkdir()
        parameters = {"name": run, "engines": [{"name": e} for e in engines], "taggers": [{"name": t} for t in taggers]}
        manifest = RunManifest(run=run, created="", parameters=parameters, packages={}, git_revision="", git_dirty=None,
                               data={}, seeds=[0], revisions={}, machine="", counts={})  # fmt: skip
        texts = {(o.tagger, o.sentence) for o in outcomes}
        predictions = [Prediction(tagger=t, id=i, text=f"<emph> {words}") for t, i in sorted(texts)]
        for file, records in (("outcomes.jsonl", outcomes), ("predictions.jsonl", predictions)):
            (path / file).write_text("".join(record.line() + "\n" for record in records))
        (path / "manifest.json").write_text(manifest.line())
        (path / "experiment.json").write_text(json.dumps({"experiment": parameters}))
        return path

    return folder


def row_of(*folders, tag=EMPH, **options):
    [comparison] = compare_runs(folders, **options)["comparisons"]
    return comparison["per_tag"][tag] if tag else comparison["all"]


def test_rates_and_differences_count_pairs_only(make):
    first = make("first", emph("hhhhhhmmmu", value=2.0) + emph("mmmh", arm="placebo"))
    second = make("second", emph("hmmmmmhmuh", value=0.5) + emph("mhhh", arm="placebo"))
    row = row_of(first, second)
    assert (row["n"], row["only_baseline"], row["only_other"]) == (8, 1, 1)
    assert (row["baseline"], row["other"], row["difference"]) == (6 / 8, 2 / 8, -4 / 8)
    assert row["baseline_low"] < 6 / 8 < row["baseline_high"] and row["low"] < -4 / 8 < row["high"]
    assert (row["more"], row["fewer"]) == (1, 5)
    assert row["p"] == pytest.approx(2 * (1 + 6) / 2**6)
    assert (row["value_difference"], row["values"], row["unit"]) == (-1.5, 8, "JND")
    placebo = row["placebo"]
    assert (placebo["n"], placebo["baseline"], placebo["other"], placebo["difference"]) == (4, 0.25, 0.75, 0.5)
    assert placebo["p"] == 0.5
    assert row["above_placebo"]["difference"] == -1.0


def test_a_pair_has_the_same_tag_at_the_same_slot(make):
    first = make("first", [outcome("x1"), outcome("x2", slot=1), outcome("x3"), outcome("x4", "not_expressible")])
    second = make("second", [outcome("x1"), outcome("x2", slot=2), outcome("x3", tag=LOW), outcome("x4")])
    row = row_of(first, second, tag=None)
    assert (row["n"], row["only_baseline"], row["only_other"]) == (1, 2, 3)


def test_a_difference_is_marked_only_after_correction_for_the_number_of_tags(make):
    lost = [emph("h" * 6), emph("m" * 6)]  # p = 2 / 2**6 = 0.031
    even = [outcome(f"x{n}", tag=LOW) for n in range(6)]
    alone = row_of(make("a1", lost[0]), make("b1", lost[1]))
    assert alone["excludes_0"] and alone["marked"] and alone["p_holm"] == alone["p"] == 2 / 2**6
    two = row_of(make("a2", lost[0] + even), make("b2", lost[1] + even))
    assert two["excludes_0"] and not two["marked"] and two["p_holm"] == 2 * two["p"]


def test_the_sign_test_counts_sentences_not_pairs(make):
    tags = [EMPH, LOW, "<pitch_high>"]
    names = [(f"s00{n}.{tag[1:-1]}", tag) for n in range(1, 4) for tag in tags]
    first = make("first", [outcome(name, HIT, tag=tag) for name, tag in names])
    second = make("second", [outcome(name, MISS, tag=tag) for name, tag in names])
    pooled = row_of(first, second, tag=None)
    assert (pooled["n"], pooled["sentences"], pooled["fewer"], pooled["p"]) == (9, 3, 3, 0.25)
    assert not pooled["marked"]
    assert (sentence_of("s001.emph"), sentence_of("v1.2")) == ("s001", "v1.2")


def test_intervals_resample_sentences_not_pairs(make):
    tags = ["emph", "pitch_low", "pitch_high", "pause_long"]

    def width(name):  # 8 sentences; side b misses all tags of the last two
        ids = [(n, tag, name(n, tag)) for n in range(1, 9) for tag in tags]
        runs = [
            make(f"{key}-{name(1, 'emph')}",
                 [outcome(i, MISS if n > 6 and key == "b" else HIT, tag=f"<{tag}>") for n, tag, i in ids])
            for key in "ab"
        ]  # fmt: skip
        row = row_of(*runs, tag=None)
        return row["high"] - row["low"]

    clustered, apart = width(lambda n, tag: f"s00{n}.{tag}"), width(lambda n, tag: f"x00{n}-{tag}")
    assert clustered > 1.5 * apart


def test_swapped_runs_give_opposite_differences(make):
    first = make("first", emph("hhhhhmmmhh", value=1.0) + emph("mmhm", arm="placebo"))
    second = make("second", emph("hmmhmmmmhu", value=3.0) + emph("hmhm", arm="placebo"))
    there, back = row_of(first, second), row_of(second, first)
    pairs = [(there, back), (there["placebo"], back["placebo"]), (there["above_placebo"], back["above_placebo"])]
    for a, b in pairs:
        assert a["difference"] == -b["difference"] != 0
        assert (a["low"], a["high"]) == pytest.approx((-b["high"], -b["low"]))
    assert there["p"] == back["p"] and there["value_difference"] == -back["value_difference"] == 2
    assert (there["only_baseline"], there["only_other"]) == (back["only_other"], back["only_baseline"]) == (1, 0)


def test_a_run_does_not_differ_from_itself(make):
    run = make("run", emph("hhmmhm", value=1.5) + emph("mmhm", arm="placebo"))
    row = row_of(run, run)
    for part in (row, row["placebo"], row["above_placebo"]):
        assert (part["difference"], part["low"], part["high"], part["excludes_0"]) == (0, 0, 0, False)
    assert (row["p_holm"], row["marked"], row["value_difference"]) == (1, False, 0)
    assert not row["placebo"]["marked"]


def test_there_is_no_median_over_mixed_units(make):
    run = make("run", [outcome("x1", value=1), outcome("x1", tag=LOW, value=1, unit="st")])
    assert row_of(run, run, tag=None)["value_difference"] is None


def test_engines_and_taggers_of_one_run_are_compared(make):
    sides = [(engine, tagger) for engine in "ab" for tagger in ("gold", "rules")]
    outcomes = [o for engine, tagger in sides for o in emph("hm", engine=engine, tagger=tagger)]
    run = make("run", outcomes, engines=("b", "a"), taggers=("gold", "rules"))
    found = compare_runs([run])
    assert found["baseline"]["title"] == "b x gold"
    assert [c["title"] for c in found["comparisons"]] == ["b x rules", "a x gold", "a x rules"]
    assert compare_runs([run], "a", "rules")["baseline"]["title"] == "a x rules"
    with pytest.raises(DataError, match=r"does not have the engine and tagger.*engines: b, a; taggers: gold, rules"):
        compare_runs([run], "c")


@pytest.mark.parametrize(("names", "title"), [(("old", "new"), "new: a"), (("same", "same"), "second: a")])
def test_the_same_engine_in_two_runs_gets_two_titles(make, names, title):
    first, second = make("first", emph("h"), run=names[0]), make("second", emph("h"), run=names[1])
    found = compare_runs([first, second])
    assert found["comparisons"][0]["title"] == title
    assert compare_runs([first, second], found["baseline"]["title"])["baseline"] == found["baseline"]


def test_runs_that_cannot_be_compared_are_refused(make):
    first = make("first", emph("hh"))
    message = r"'x0' has different words in the two runs.*first.*'one two three'.*others.*'four'"
    with pytest.raises(DataError, match=message):
        compare_runs([first, make("others", emph("hh"), words="four")])
    message = r"first holds 2 tagged texts \(x0, x1\) with emph; .*apart holds 1 .*\(y\) with"
    with pytest.raises(DataError, match=message):
        compare_runs([first, make("apart", [outcome("y", tag=LOW)])])
    with pytest.raises(DataError, match="nothing to compare"):
        compare_runs([first])


def test_a_side_without_pairs_does_not_stop_the_others(make):
    first = make("first", emph("hh"), taggers=("gold", "silent"))
    silent, second = compare_runs([first, make("second", emph("hm"))])["comparisons"]
    assert (silent["all"]["n"], silent["all"]["difference"], silent["all"]["marked"]) == (0, None, False)
    assert second["all"]["difference"] == -0.5


def test_the_error_for_an_unfinished_run_names_the_command_that_finishes_it(make, tmp_path):
    first, second = make("first", emph("h")), make("second", emph("h"), run="quickstart")
    (second / "manifest.json").unlink()
    with pytest.raises(DataError, match=rf"harness run data/experiments/quickstart\.yaml --out {second}") as caught:
        compare_runs([first, second])
    assert caught.value.path == str(second)
    with pytest.raises(DataError, match="this folder holds no run"):
        compare_runs([first, tmp_path])


def test_holm_adjusts_step_by_step():
    assert holm([0.04, 0.01, 0.03, 0.9]) == pytest.approx([0.09, 0.04, 0.09, 0.9])
    assert holm([]) == [] and holm([0.6, 0.7]) == [1, 1]


def test_the_command_prints_tables_or_json(make, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    runs = [make("first", emph("h" * 6), run="old"), make("second", emph("m" * 6), run="new")]
    shown = command("compare", *runs)
    assert shown.returncode == 0, shown.stderr
    assert b"new: a, compared with old: a" in shown.stdout and b"[-1.00, -1.00] *" in shown.stdout
    assert json.loads(command("compare", *runs, "--json").stdout) == compare_runs(runs)
