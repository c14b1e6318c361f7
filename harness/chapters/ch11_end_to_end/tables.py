"""Tables of tagger and engine together, from the summaries of runs made here and elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.engines.higgs.settings import SMALL, TINY
from harness.engines.openai_speech.engine import BOSON_URL, of_service
from harness.experiment.joint import READINGS
from harness.experiment.result_files import FOLDER, ResultFile
from harness.experiment.spec import EngineSpec
from harness.paths import relative
from harness.publish.html import Html
from harness.publish.tables import interval, table, verdict_on_difference

EXPERIMENT = "harness run data/experiments/end_to_end.yaml"
# Engine that could not run here -> the reason, and the command for those who can run it. A result file of that engine replaces its row.
NOT_RUN = {
    "openai_speech": (
        "no network and no key",
        f"{EXPERIMENT} --engine openai_speech --option model=higgs-tts-3 --option dialect=higgs_v3 --option min_interval=1 "
        "--result data/results/boson-api.json",
    ),
    "higgs_native": (
        "no weights (12 GB) and no GPU",
        f"{EXPERIMENT} --engine higgs_native --option checkpoint=FOLDER --option codec=FOLDER --result data/results/higgs-native.json",
    ),
    "higgs_boson": (
        "no weights (12 GB) and no GPU",
        f"{EXPERIMENT} --engine higgs_boson --option checkpoint=FOLDER --option codec=FOLDER --result data/results/higgs-boson.json",
    ),
}  # fmt: skip


def shown(triple: Sequence[float | None]) -> str:
    """Format a value with its interval, as `harness.experiment.joint` keeps them."""
    value, low, high = triple
    return interval(value, low, high)


def rate(row: Mapping[str, Any], key: str) -> str:
    """Format a reading of one source of tags; a source that places no tags has a rate of 0 without an interval."""
    return _rate(row["readings"], key)


def _rate(readings: Mapping[str, Sequence[float | None]], key: str) -> str:
    nothing = readings["some tag"][0] == 0 and readings[key][0] == 0
    return "0 (no tags)" if nothing else shown(readings[key])


def joint_table(end_to_end: Mapping[str, Mapping[str, Any]], engine: str) -> Html:
    """Return recall, hit rate and the joint rates of each source of tags with one engine, best joint F1 first."""
    ranked = sorted(end_to_end.items(), key=lambda item: -(item[1]["f1"] or 0))
    return table(
        [
            {
                "tags from": name,
                "tags scored": row["spoken"],
                "recall": "1, by definition" if name == "gold" else rate(row, "recall"),
                "hit rate": rate(row, "hit rate"),
                "joint recall": rate(row, "joint recall"),
                "joint precision": rate(row, "joint precision"),
                "joint F1": rate(row, "joint f1"),
            }
            for name, row in ranked
        ],
        f"Tags from each source, spoken by {engine}; 95 % intervals by scenario",
    )


def difference_table(differences: Mapping[str, Mapping[str, Sequence[float]]], tagger: str) -> Html:
    """Return the paired differences in joint recall between `tagger` and each other source."""
    return table(
        [
            {
                "against": other,
                "joint recall": verdict_on_difference(
                    value, low, high, better=f"{tagger} more", worse=f"{tagger} fewer"
                ),
            }
            for other, (value, low, high) in differences[tagger].items()
        ],
        f"Joint recall with {tagger} minus that with each other source; paired 95 % intervals",
    )


def readings_table(columns: Mapping[str, Mapping[str, Sequence[float | None]]], family: str, caption: str) -> Html:
    """Return every reading of one family, one per row.

    Parameters
    ----------
    columns : mapping
        Name of the column -> ``readings`` of `harness.experiment.joint.end_to_end`.
    family : str
        ``placement``, ``realisation`` or ``overall``.
    caption : str
        Title of the table.
    """
    rows = [
        {"reading": reading.words, **{name: _rate(values, key) for name, values in columns.items()}}
        for key, reading in READINGS.items()
        if reading.family == family
    ]
    return table(rows, caption)


def per_tag_table(per_tag: Mapping[str, Mapping[str, Any]], caption: str) -> Html:
    """Return recall, hit rate and joint recall of each tag."""
    return table(
        [
            {
                "tag": tag,
                "in the reference": row["n"],
                "recall": shown(row["placement"]),
                "hit rate": shown(row["realisation"]),
                "joint recall": shown(row["both"]),
            }
            for tag, row in per_tag.items()
        ],
        caption,
    )


def of_higgs(result: ResultFile) -> dict[str, str]:
    """Return the engines of a result that are Higgs itself: title in the result -> name, a key of `NOT_RUN`.

    The engine `openai_speech` can also call servers other than Boson's, and without a checkpoint the Higgs engines have other weights.
    """
    found = {}
    for fields in result.provenance.parameters.get("engines", []):
        spec = EngineSpec.model_validate(fields)
        asked = of_service(str(spec.options.get("base_url", BOSON_URL)))
        weights = spec.options.get("checkpoint", TINY) not in (TINY, SMALL)
        if asked if spec.name == "openai_speech" else spec.name in NOT_RUN and weights:
            found[spec.title] = spec.name
    return found


def grid_table(here: Mapping[str, Any], elsewhere: Mapping[str, ResultFile], taggers: Sequence[str]) -> Html:
    """Return the joint F1 by tagger and engine, from this run and result files, and what has not run.

    Parameters
    ----------
    here : mapping
        The field ``engines`` of this run's summary.
    elsewhere : mapping
        From `harness.experiment.result_files.load_results`; those that spoke other sentences are left out.
    taggers : sequence of str
        Names of the columns.
    """
    rows = [_grid_row(engine, figures["end_to_end"], taggers, "this page") for engine, figures in here.items()]
    seen: set[str] = set()
    for name, result in elsewhere.items():
        if result.spoken == "heldout":
            seen |= set(of_higgs(result).values())
            where = f"{relative(FOLDER / f'{name}.json')}, {result.provenance.date}"
            for engine, found in result.engines.items():
                joint = {tagger: one.model_dump() for tagger, one in found.end_to_end.items()}
                rows.append(_grid_row(engine, joint, taggers, where))
    for engine, (reason, command) in NOT_RUN.items():
        if engine not in seen:
            row = {"engine": engine, **dict.fromkeys(taggers, "–"), "measured": f"not run here: {reason}; {command}"}
            rows.append(row)
    return table(rows, "Joint F1: tags from (columns), spoken by (rows); 95 % intervals")


def _grid_row(
    engine: str, joint: Mapping[str, Mapping[str, Any]], taggers: Sequence[str], where: str
) -> dict[str, str]:
    cells = {tagger: rate(joint[tagger], "joint f1") if tagger in joint else "–" for tagger in taggers}
    return {"engine": engine, **cells, "measured": where}


def elsewhere_table(results: Mapping[str, ResultFile]) -> Html:
    """Return the result files from elsewhere, each with its provenance."""
    if not results:
        return Html(
            "<p>There is no result file from elsewhere in <code>data/results/</code>. A file that you put there appears here "
            "after the next build, with its machine, revision and date.</p>"
        )
    return table(
        [
            {
                "file": relative(FOLDER / f"{name}.json"),
                "engines": "; ".join(f"{k}: {v}" for k, v in one.provenance.revisions.items())
                or ", ".join(one.engines),
                "sentences": f"{one.sentences} ({one.spoken})",
                "hit rate": "; ".join(f"{engine} {_hit_rate(one, engine)}" for engine in one.engines),
                "date": one.provenance.date,
                "machine": one.provenance.machine,
                "scored by": f"harness {one.provenance.harness}",
            }
            for name, one in results.items()
        ],
        "Results from elsewhere",
    )


def _hit_rate(result: ResultFile, engine: str) -> str:
    """Return the hit rate on the reference's tags if the run has them, else the hits among all that were counted."""
    figures = result.engines[engine]
    joint = figures.end_to_end.get("gold")
    if joint is not None:
        return shown(joint.readings["hit rate"])
    counted = sum(row.n for row in figures.per_tag.values())
    return f"{sum(row.hit for row in figures.per_tag.values())} of {counted}"
