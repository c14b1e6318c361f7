"""`harness report`: one page about one or several runs, with tables, figures and clips, that works from a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.experiment.compare import FinishedRun, compare_runs, read_run, run_names
from harness.experiment.folder import AUDIO, MANIFEST, SUMMARY
from harness.experiment.spec import GOLD
from harness.prosody.rates import reasons, values_of
from harness.publish.blocks import Block, as_html, as_markdown, bullets, grid, heading, paragraph, rows_table
from harness.publish.run_tables import (
    JOINT_NOTE,
    LISTENED,
    PAUSE_NOTE,
    audio_rows,
    covers,
    difference_rows,
    hints,
    joint_rows,
    listener_rows,
    pause_rows,
    reading_rows,
    threshold_rows,
)
from harness.publish.tables import f1_of
from harness.records import Arm, Clip, Outcome
from harness.store import read_json, read_jsonl
from harness.tagged import Tag

# Characters of all clips with their figures; the rest of a page is about 0.2 MB for each engine, and the whole stays below 5 MB.
CLIP_BUDGET = 3_500_000


@dataclass(frozen=True)
class ReportedRun:
    """What a report shows of a run."""

    title: str
    found: FinishedRun
    summary: dict[str, Any]
    manifest: dict[str, Any]

    def engine(self, name: str) -> dict[str, Any]:
        """Return the figures of an engine; those that an older version did not write are added or empty."""
        empty: dict[str, Any] = {"null": {}, "contrastive": {}, "listeners": {}, "end_to_end": {}, "by_tagger": {}}
        figures = empty | self.summary["engines"][name]
        figures.setdefault("tagger", GOLD if GOLD in self.found.taggers else self.found.taggers[0])
        outcomes = self.outcomes(name, figures["tagger"])
        figures["per_tag"] = {
            tag: row | values_of(mine) | {"reasons": reasons(mine)}
            for tag, row in figures["per_tag"].items()
            for mine in [[o for o in outcomes if o.tag is Tag(tag)]]
        }
        return figures

    def outcomes(self, engine: str, tagger: str) -> list[Outcome]:
        """Return the outcomes of one engine with one tagger."""
        return [o for o in self.found.outcomes if (o.engine, o.tagger) == (engine, tagger)]


def report(folders: Sequence[Path], *, markdown: bool = False) -> str:
    """Return the report of finished runs as an HTML page, or as Markdown without figures and clips.

    Parameters
    ----------
    folders : sequence of Path
        Run folders; they are not changed. Several runs are compared with the first one.
    markdown : bool

    Raises
    ------
    DataError
        If a folder holds no finished run, or one of its files is damaged.
    """
    runs = _read(folders)
    budget = CLIP_BUDGET // max(1, sum(len(run.summary["engines"]) for run in runs))
    title = f"Prosody report: {', '.join(run.title for run in runs)}"
    blocks = [heading(1, title)]
    if len(runs) > 1:
        blocks.append(_contents(runs))
    else:
        blocks.append(paragraph("How often were the tags of a text heard in the speech? Intervals are 95 %."))
    blocks += _differences(runs)
    for number, run in enumerate(runs, 1):
        blocks.append(heading(2, f"Run {run.title}", f"run-{number}"))
        blocks += _failures(run)
        for name in run.summary["engines"]:
            blocks += _engine(run, name, 0 if markdown else budget)
        blocks += _placement(run)
        blocks += _provenance(run)
    return as_markdown(blocks) if markdown else as_html(title, blocks)


def _read(folders: Sequence[Path]) -> list[ReportedRun]:
    found = [read_run(folder) for folder in folders]
    runs = []
    for title, run in zip(run_names(found), found, strict=True):
        summary = read_json(run.folder / SUMMARY)
        if not isinstance(summary, dict) or not isinstance(summary.get("engines"), dict):
            raise DataError("the summary has no engines", path=run.folder / SUMMARY,
                            remedy="repeat the run with --replace")  # fmt: skip
        runs.append(ReportedRun(title, run, summary, read_json(run.folder / MANIFEST)))
    return runs


def _contents(runs: Sequence[ReportedRun]) -> Block:
    links = "".join(f'<li><a href="#run-{n}">{escape(run.title)}</a></li>' for n, run in enumerate(runs, 1))
    return Block(f'<nav aria-label="Runs"><ul>{links}</ul></nav>')


def _failures(run: ReportedRun) -> list[Block]:
    failures = run.summary.get("failures") or {}
    if not failures:
        return []
    told = [f"{count} times: {reason}" for reason, count in failures.items()]
    return [paragraph("Some sentences failed; their tags count as unmeasurable."), bullets(told)]


def _engine(run: ReportedRun, name: str, budget: int) -> list[Block]:
    """Return everything about one engine; with a budget of 0 there are neither figures nor clips."""
    figures, where = run.engine(name), f"{name} ({run.title})"
    outcomes = run.outcomes(name, figures["tagger"])
    blocks = [
        heading(3, name),
        rows_table(audio_rows(figures["per_tag"], full=True), f"{where}: tags in the audio, in {covers(figures)}"),
    ]
    if why := list(hints(figures["per_tag"])):
        blocks += [heading(4, "Why tags failed"), bullets(why)]
    if pauses := pause_rows(figures["per_tag"]):
        blocks += [
            heading(4, "Pauses at punctuation"),
            paragraph(f"{PAUSE_NOTE[0].upper()}{PAUSE_NOTE[1:]}."),
            rows_table(pauses, f"{where}: pauses at punctuation and elsewhere"),
        ]
    if budget:
        blocks += _measured(outcomes)
    if rows := threshold_rows(figures):
        blocks += [
            heading(4, "Thresholds and controls"),
            paragraph("The null rate is how often a plain clip differs from other plain clips by more than the threshold. "
                      "The contrastive score is how often the tagged place is the one that changed most, among a few places."),
            rows_table(rows, f"{where}: thresholds, null and contrastive score"),
        ]  # fmt: skip
    if figures["listeners"]:
        blocks.append(heading(4, "Models of listeners"))
        for listener, found in figures["listeners"].items():
            blocks.append(rows_table(listener_rows(found), f"{where}: {listener}, {LISTENED[found['unit']]}"))
    if run.summary.get("taggers") and figures["end_to_end"]:
        blocks += [
            heading(4, "End to end"),
            paragraph(f"{JOINT_NOTE}."),
            rows_table(joint_rows(figures), f"{where}: placed by a tagger and heard in the audio"),
            rows_table(reading_rows(figures), f"{where}: the same in other readings"),
        ]
    if budget:
        blocks += _clips(run, outcomes, where, budget)
    return [block for block in blocks if block.html]


def _measured(outcomes: Sequence[Outcome]) -> list[Block]:
    """Return a figure for each tag that was measured."""
    from harness.publish.clip_figures import tag_difference_strips

    known = [o for o in outcomes if o.value is not None and o.unit]
    tags = [tag for tag in Tag if any(o.tag is tag and o.arm is Arm.TAGGED for o in known)]
    if not tags:
        return []
    strips = [tag_difference_strips([o for o in known if o.tag is tag]) for tag in tags]
    return [heading(4, "Measured values and thresholds"), grid(strips)]


def _clips(run: ReportedRun, outcomes: Sequence[Outcome], where: str, budget: int) -> list[Block]:
    from harness.publish.report_clips import clip_blocks

    clips = read_jsonl(run.found.folder / f"{AUDIO}.jsonl", Clip)
    found = clip_blocks(run.found.folder, outcomes, clips, where, budget)
    if not found:
        return []
    about = "For each tag, the hit, the miss and the wrong direction with the median value, each with a plain clip."
    return [Block(heading(4, "Clips").html), Block(paragraph(about).html), *found]


def _placement(run: ReportedRun) -> list[Block]:
    taggers = run.summary.get("taggers") or {}
    rows = [{"tagger": name, "micro F1": f1_of(found["micro"])} for name, found in taggers.items()]
    return [heading(3, "Taggers"), rows_table(rows, f"{run.title}: placement")] if rows else []


def _differences(runs: Sequence[ReportedRun]) -> list[Block]:
    """Return the paired differences between runs, or between the engines of one run."""
    if sum(len(run.summary["engines"]) for run in runs) < 2:
        return []
    try:
        figures = compare_runs([run.found.folder for run in runs])
    except DataError as error:
        return [heading(2, "Paired differences"), paragraph(f"The runs could not be compared: {error.message}.")]
    base = figures["baseline"]
    found = [other for other in figures["comparisons"] if other["all"]["n"]]
    same = [other for other in found if other["tagger"] == base["tagger"]] or found
    blocks = [
        heading(2, "Paired differences"),
        paragraph(f"The baseline is {base['title']}. Only pairs count: the same tag at the same place of the same sentence, "
                  "measured on both sides. Differences are the other side minus the baseline. * marks a difference that "
                  "excludes 0 after correction for the number of tags."),
    ]  # fmt: skip
    return blocks + [
        rows_table(difference_rows(other), f"{other['title']}, compared with {base['title']}") for other in same
    ]


def _provenance(run: ReportedRun) -> list[Block]:
    manifest = run.manifest
    parameters = manifest["parameters"]
    dirty = {True: ", with uncommitted changes", False: "", None: ", not known whether changed"}[manifest["git_dirty"]]
    facts = {
        "date": manifest["created"],
        "sentences": f"{run.summary.get('sentences', '')} of {parameters.get('sentences', '')}",
        "taggers": ", ".join(run.found.taggers),
        **{f"revision of {name}": revision for name, revision in manifest["revisions"].items()},
        "harness": f"{manifest['packages'].get('prosody-harness', '')}, revision {manifest['git_revision'][:12]}{dirty}",
        "machine": manifest["machine"],
        "seeds": ", ".join(map(str, manifest["seeds"])),
        "duration": f"{manifest['counts'].get('seconds', 0)} s",
        "packages": ", ".join(f"{name} {version}" for name, version in manifest["packages"].items()),
        **{f"SHA-256 of {name}": digest for name, digest in manifest["data"].items()},
    }
    rows = [{"what": name, "value": value} for name, value in facts.items()]
    return [heading(3, "Provenance"), rows_table(rows, f"{run.title}: how the run was made")]
