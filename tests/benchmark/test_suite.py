"""The benchmark suite: which rows are measured, kept, and measured again."""

import inspect
import json

import pytest

from harness.benchmark import suite
from harness.benchmark.suite import SCHEMA, Unit, gather, load, run, units
from harness.benchmark.units import KINDS
from harness.errors import HarnessError, NotAvailable

CHOSEN = [Unit("heldout", {"tagger": tagger, "base_model": "embedded", "seed": 0}) for tagger in ("none", "rules")]


@pytest.fixture
def measured(monkeypatch):
    """Replace the measurement; return the list of measured taggers."""
    asked = []

    def fake(tagger, resamples, **_):
        asked.append(tagger)
        return {"f1": len(asked) / 10}

    monkeypatch.setitem(KINDS, "heldout", fake)
    monkeypatch.setattr(suite, "code_digest", lambda: "this code")
    return asked


def test_finished_rows_are_kept(measured, tmp_path):
    told = []
    rows = run(CHOSEN, tmp_path / "new", progress=lambda *given: told.append(given))
    assert [row["figures"] for row in rows] == [{"f1": 0.1}, {"f1": 0.2}]
    assert rows[0]["kind"] == "heldout" and rows[0]["parameters"] == CHOSEN[0].parameters
    assert set(rows[0]["provenance"]) == {"machine", "python", "packages", "date", "git_revision", "code"}
    assert told == [(CHOSEN[0].name, 0, 2), (CHOSEN[1].name, 1, 2)]
    assert run(reversed(CHOSEN), tmp_path / "new") == rows[::-1] and len(measured) == 2


def test_an_interrupted_suite_resumes(measured, tmp_path, monkeypatch):
    run(CHOSEN[:1], tmp_path)
    assert len(run(CHOSEN, tmp_path)) == 2
    assert measured == ["none", "rules"]

    def cut(**_):
        raise KeyboardInterrupt

    monkeypatch.setitem(KINDS, "heldout", cut)
    with pytest.raises(KeyboardInterrupt):
        run([*CHOSEN, Unit("heldout", {"tagger": "random"})], tmp_path)
    assert len(list(tmp_path.iterdir())) == 2, "no half row"


@pytest.mark.parametrize("change", ["code", "resamples", "parameters"])
def test_other_code_or_settings_are_measured_again(measured, tmp_path, monkeypatch, change):
    run(CHOSEN, tmp_path)
    if change == "code":
        monkeypatch.setattr(suite, "code_digest", lambda: "other code")
    chosen = [Unit(u.kind, {**u.parameters, "seed": 1}) for u in CHOSEN] if change == "parameters" else CHOSEN
    run(chosen, tmp_path, resamples=100 if change == "resamples" else 2000)
    assert len(measured) == 4


def test_an_unavailable_measurement_is_skipped_and_tried_again(measured, tmp_path, monkeypatch):
    works = KINDS["heldout"]

    def missing(tagger, **rest):
        if tagger == "none":
            raise NotAvailable("no model here", remedy="fetch it")
        return works(tagger, **rest)

    monkeypatch.setitem(KINDS, "heldout", missing)
    first, second = run(CHOSEN, tmp_path)
    assert first == {"kind": "heldout", "parameters": CHOSEN[0].parameters, "not_run": "no model here (fetch it)"}
    assert "figures" in second, "the other rows are measured"
    monkeypatch.setitem(KINDS, "heldout", works)
    assert all("figures" in row for row in run(CHOSEN, tmp_path))


def test_gathered_rows_can_be_loaded(tmp_path):
    path = tmp_path / "placement.json"
    first, second = ({"kind": kind, "parameters": {}, "figures": {"f1": 1}} for kind in ("heldout", "crossval"))
    gather([first, second], path)
    assert load(path) == [first, second]
    newer = {**first, "figures": {"f1": 0}}
    gather([newer], path, replace_kinds=["heldout"])
    assert load(path) == [second, newer], "rows of other kinds stay"
    gather([newer], path)
    assert load(path) == [newer]


@pytest.mark.parametrize(
    "content",
    ["{}", "[]", "not JSON", '{"schema": "other/1", "rows": []}', f'{{"schema": "{SCHEMA}"}}',
     *(json.dumps({"schema": SCHEMA, "rows": rows}) for rows in ([{"kind": "horoscope"}], [{}], None, 7, [7], ["heldout"]))],
)  # fmt: skip
def test_a_file_with_another_schema_is_refused(content, tmp_path):
    path = tmp_path / "placement.json"
    path.write_text(content)
    with pytest.raises(HarnessError) as caught:
        load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_the_error_for_a_missing_file_names_the_command_that_creates_it(tmp_path):
    with pytest.raises(NotAvailable, match="harness benchmark suite"):
        load(tmp_path / "placement.json")


@pytest.mark.parametrize("bases", [("embedded",), ("embedded", "smollm2")])
@pytest.mark.parametrize("seeds", [1, 3])
def test_units_are_unique_and_have_valid_parameters(seeds, bases):
    chosen = list(units(seeds, bases))
    names = [unit.name for unit in chosen]
    assert len(set(names)) == len(names)
    assert {unit.kind for unit in chosen} == set(KINDS)
    for unit in chosen:
        inspect.signature(KINDS[unit.kind]).bind(resamples=100, **unit.parameters)
    assert {unit.parameters.get("base_model", "embedded") for unit in chosen} == set(bases)
    for examples in ("development", "heldout", "test"):
        assert {"rules", "hand_features", "gpt2 distilled", "second pass"} <= {
            unit.parameters["tagger"] for unit in chosen if unit.parameters.get("examples") == examples
        }
    for tagger in ("lm_slots", "gpt2"):
        tried = {unit.parameters["seed"] for unit in chosen if unit.kind == "helsinki"
                 and unit.parameters["tagger"] == tagger and "sentences" not in unit.parameters}  # fmt: skip
        assert tried == set(range(seeds))


def test_each_ablation_differs_from_the_first_in_one_setting():
    plain, *others = suite.ablations()
    for settings in others:
        assert len({key for key in {**plain, **settings} if plain.get(key) != settings.get(key)}) == 1
    assert len({str(settings) for settings in (plain, *others)}) == len(others) + 1
