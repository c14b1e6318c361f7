"""Answers read back: rates, chance, agreement with the detectors, and files that cannot be used."""

import json
import math

import pytest
from helpers import command
from test_kit import make_run

from harness.errors import DataError
from harness.listening.answers import kappa, read_results, score
from harness.listening.kit import KEY, Kit, read_key, write_kit
from harness.listening.trials import SAME, Kind, Trial
from harness.records import Verdict, digest
from harness.stats import wilson
from harness.tagged import Tag


def trial(number, kind=Kind.PAIR, right=0, choices=2, verdict=Verdict.HIT, tag=Tag.EMPH, engine="e"):
    return Trial(trial=digest(number), kind=kind, engine=engine, tagger="gold", sentence=f"s{number}", tag=tag, slot=1,
                 choices=choices, right=right, verdict=verdict, clips=("a" * 16,))  # fmt: skip


def kit_with(*trials):
    return Kit(kit="f" * 16, run="r", seed=0, trials=trials)


def write_answers(folder, kit, listener, answers, changes=None):
    """Write a result file; `answers` maps trials to choices."""
    fields = {
        "schema": "harness.listening/1", "kit": kit.kit, "listener": listener, "started": "2026-01-01T00:00:00Z",
        "finished": "2026-01-01T00:10:00Z",
        "answers": [{"trial": name, "answer": answer, "plays": 2, "seconds": 3.5} for name, answer in answers.items()],
        **(changes or {}),
    }  # fmt: skip
    path = folder / f"listening-{listener}.json"
    path.write_text(json.dumps(fields))
    return path


def test_rates_chance_and_detectors(tmp_path):
    kit = kit_with(
        trial(0, right=0, verdict=Verdict.HIT),
        trial(1, right=1, verdict=Verdict.MISS),
        trial(2, right=1, verdict=Verdict.UNMEASURABLE),
        trial(3, Kind.WORD, right=3, choices=5, verdict=Verdict.LEAKED),
        trial(4, Kind.CATCH, right=None),
    )
    answers = {digest(0): 0, digest(1): 0, digest(2): 1, digest(3): 3, digest(4): 0}
    report = score(read_results([write_answers(tmp_path, kit, "L1", answers)], kit))
    word, pair = report["rows"]
    assert (pair["n"], pair["right"], pair["rate"], pair["chance"]) == (3, 2, pytest.approx(2 / 3), 0.5)
    assert 0 <= pair["low"] < pair["rate"] < pair["high"] <= 1 and pair["clusters"] == "sentence"
    assert (pair["detector_n"], pair["detector_hit"], pair["agreement"], pair["kappa"]) == (2, 0.5, 1.0, 1.0)
    assert (word["n"], word["rate"], word["chance"]) == (1, 1.0, pytest.approx(0.2))
    assert word["low"] is None  # one cluster
    assert (word["detector_hit"], word["agreement"], word["kappa"]) == (0.0, 0.0, 0.0)
    assert (report["catch"]["n"], report["catch"]["share_a"], report["catch"]["expected"]) == (1, 1.0, 0.5)
    assert report["catch"]["same"] is report["catch"]["attention"] is pair["opposite"] is None, "a key from before"


def test_a_pause_that_is_too_long_is_wrong_for_listeners_and_detectors(tmp_path):
    long, short, none = 1, 0, SAME
    pauses = [
        trial(n, Kind.PAUSE, right=short, choices=3, verdict=verdict, tag=Tag.PAUSE_SHORT)
        for n, verdict in enumerate([Verdict.WRONG_DIRECTION, Verdict.HIT, Verdict.MISS])
    ]
    gap = trial(3, Kind.GAP, right=2, choices=4, verdict=Verdict.WRONG_DIRECTION, tag=Tag.PAUSE_SHORT)
    answers = dict(zip(map(digest, range(4)), (long, short, none, 2), strict=True))
    kit = kit_with(*pauses, gap)
    before, row = score(read_results([write_answers(tmp_path, kit, "L1", answers)], kit))["rows"]
    assert (row["right"], row["opposite"], row["detector_opposite"]) == (1, 1, pytest.approx(1 / 3))
    assert (row["agreement"], row["chance"]) == (1.0, pytest.approx(1 / 3))
    assert (before["kind"], before["right"], before["agreement"], before["opposite"]) == ("gap", 1, 0.0, None)


def test_equal_clips_show_who_listens(tmp_path):
    kit = kit_with(*(trial(n, Kind.CATCH, right=SAME, choices=3, verdict=None) for n in range(4)))
    paths = [
        write_answers(tmp_path, kit, name, dict(zip(map(digest, range(4)), answers, strict=True)))
        for name, answers in (("awake", [2, 2, 2, 0]), ("asleep", [0, 1, 0, 2]))
    ]
    catch = score(read_results(paths, kit))["catch"]
    assert (catch["n"], catch["same"], catch["share_same"], catch["a"], catch["expected"]) == (8, 4, 0.5, 3, 0.0)
    assert catch["attention"] == {"awake": {"n": 4, "same": 3}, "asleep": {"n": 4, "same": 1}}
    (tmp_path / KEY).write_text(kit.model_dump_json(by_alias=True))
    said = command("score", "listening", *paths).stdout.decode()
    assert '"No difference" 4 of 8' in said and "listener asleep" in said and "listener awake" not in said


def test_two_listeners_are_the_clusters(tmp_path):
    kit = kit_with(*(trial(n) for n in range(10)))
    good = write_answers(tmp_path, kit, "good", {one.trial: 0 for one in kit.trials})
    poor = write_answers(tmp_path, kit, "poor", {one.trial: int(n >= 2) for n, one in enumerate(kit.trials)})
    (row,) = score(read_results([good, poor], kit))["rows"]
    assert (row["n"], row["right"], row["clusters"]) == (20, 12, "listener")
    assert (row["rate"], row["low"], row["high"]) == (0.6, pytest.approx(0.2), pytest.approx(1.0))
    assert row["clips"] == row["detector_n"] == 10


def test_listeners_who_are_all_alike_are_no_certainty(tmp_path):
    kit = kit_with(trial(0), trial(1))
    paths = [write_answers(tmp_path, kit, name, {digest(0): 0, digest(1): 1}) for name in "ab"]
    (row,) = score(read_results(paths, kit))["rows"]
    assert (row["rate"], row["low"], row["high"]) == (0.5, *map(pytest.approx, wilson(1, 2)))


def test_a_row_for_all_tags_only_where_there_are_several(tmp_path):
    kit = kit_with(trial(0), trial(1, tag=Tag.PITCH_LOW), trial(2, engine="f"))
    report = score(read_results([write_answers(tmp_path, kit, "a", dict.fromkeys(map(digest, range(3)), 0))], kit))
    assert [(row["engine"], row["tag"], row["n"]) for row in report["rows"]] == [
        ("e", "<emph>", 1), ("e", "<pitch_low>", 1), ("e", "all", 2), ("f", "<emph>", 1),
    ]  # fmt: skip


def test_a_trial_without_verdict_leaves_the_detector_columns_empty(tmp_path):
    kit = kit_with(trial(0, verdict=None))
    (row,) = score(read_results([write_answers(tmp_path, kit, "a", {digest(0): 0})], kit))["rows"]
    assert (row["detector_n"], row["detector_hit"], row["agreement"], row["kappa"]) == (0, None, None, None)


def test_kappa():
    assert kappa([]) is None and kappa([(True, True)] * 3) is None
    pairs = [(True, True)] * 20 + [(True, False)] * 5 + [(False, True)] * 10 + [(False, False)] * 15
    assert kappa(pairs) == pytest.approx(0.4)  # agreement 0.7, expected 0.5
    assert not math.isnan(kappa([(True, False)]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kit": "0" * 16}, "found answers to kit"),
        ({"answers": [{"trial": "0" * 16, "answer": 0, "plays": 1, "seconds": 1.0}]}, "is not in the key"),
        (
            {"answers": [{"trial": digest(0), "answer": 2, "plays": 1, "seconds": 1.0}]},
            "out of range: it has 2 choices",
        ),
        ({"answers": [{"trial": digest(0), "answer": -1, "plays": 1, "seconds": 1.0}]}, "answers.0.answer"),
        ({"answers": [{"trial": digest(0), "answer": True, "plays": 1, "seconds": 1.0}]}, "answers.0.answer"),
        (
            {"answers": [{"trial": digest(0), "answer": 0, "plays": 1, "seconds": float("nan")}]},
            "NaN is not a finite number",
        ),
        ({"answers": [{"trial": digest(0), "answer": 0, "plays": 1, "seconds": 1.0}] * 2}, "answered twice"),
        ({"answers": []}, "there are no answers"),
        ({"answers": None}, "field 'answers'"),
        ({"schema": "harness.listening/2"}, "field 'schema'"),
        ({"listener": "../x"}, "field 'listener'"),
        ({"more": 1}, "field 'more'"),
    ],
)
def test_unusable_results_are_refused(tmp_path, changes, message):
    kit = kit_with(trial(0))
    path = write_answers(tmp_path, kit, "L1", {digest(0): 0}, changes)
    with pytest.raises(DataError) as caught:
        read_results([path], kit)
    assert message in str(caught.value) and str(path) in str(caught.value) and caught.value.remedy


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]"])
def test_files_that_are_not_results_are_refused(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_results([path], kit_with(trial(0)))
    assert caught.value.path == str(path) and caught.value.remedy
    with pytest.raises(DataError, match="cannot be read"):
        read_results([tmp_path / "none.json"], kit_with(trial(0)))


def test_the_same_listener_twice(tmp_path):
    kit = kit_with(trial(0))
    path = write_answers(tmp_path, kit, "L1", {digest(0): 0})
    with pytest.raises(DataError, match="listener 'L1' was already read"):
        read_results([path, path], kit)


# --- the commands ----------------------------------------------------------------------------------------------------


def test_from_run_to_rates(tmp_path):
    run = make_run(tmp_path / "run")
    made = command("listen", run, "--trials", 12, "--seed", 3, "--json")
    assert made.returncode == 0 and json.loads(made.stdout)["trials"] == 12
    kit = Kit.model_validate_json((run / "listening" / KEY).read_text())
    path = write_answers(tmp_path, kit, "L1", {one.trial: one.right or 0 for one in kit.trials})
    report = json.loads(command("score", "listening", path, "--run", run, "--json").stdout)
    assert report["run"] == "small" and {row["rate"] for row in report["rows"]} == {1.0}
    assert report["catch"]["share_same"] == 1.0
    shown = command("score", "listening", path, "--key", run / "listening" / KEY)
    assert shown.returncode == 0 and b"<emph>" in shown.stdout and b"tagged or plain" in shown.stdout
    assert max(map(len, shown.stdout.decode().splitlines())) <= 90


def test_the_key_is_looked_for_next_to_the_first_file(tmp_path):
    kit = write_kit(make_run(tmp_path / "run"), tmp_path / "kit", trials=6)
    answers = {one.trial: one.right or 0 for one in kit.trials}
    assert command("score", "listening", write_answers(tmp_path / "kit", kit, "L1", answers)).returncode == 0
    alone = command("score", "listening", write_answers(tmp_path, kit, "L2", answers))
    assert alone.returncode == 2 and b"--key" in alone.stderr


@pytest.mark.parametrize(("content", "message"), [("[]", "not a JSON object"), ('{"seed": "none"}', "field")])
def test_an_invalid_key_is_refused(tmp_path, content, message):
    (tmp_path / KEY).write_text(content)
    with pytest.raises(DataError, match=rf"{KEY}.*{message}.*pass the key.json"):
        read_key(tmp_path / KEY)
