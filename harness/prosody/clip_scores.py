"""Score clips made elsewhere: a manifest names each clip, its tagged text, and plain clips of the same words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from harness.audio import read_audio
from harness.errors import DataError, HarnessError, reason_of
from harness.processes.parallel import in_parallel
from harness.prosody.clip_list import AudioItem, ClipItem, read_manifest
from harness.prosody.features import ClipFeatures
from harness.prosody.listeners import Listener, listeners_of, load_listener
from harness.prosody.listeners.rates import listener_rates
from harness.prosody.listeners.scores import null_rises
from harness.prosody.null import NULL, Thresholds, fit, null_differences
from harness.prosody.rates import null_rows, per_tag
from harness.prosody.scorer import UNPAIRED_FLOORS, TagScore, analyse, analyse_tagged, judge, score_clip, unmeasurable
from harness.records import NullSample, Outcome, digest
from harness.tagged import PAUSES, TAGS, Tag, TaggedText

EXTERNAL = "external"  # engine and tagger of clips that come from elsewhere
CALIBRATION, MANIFEST = "calibration", "manifest"  # sources of the null
MIN_CLIPS = 3  # plain clips of one text that a null needs
CACHED_CLIPS = 32  # plain clips whose features a worker keeps for the next line
RUN = 50  # neighbouring lines that a worker takes at most
_NOTHING = np.empty(0)

Row = TypeVar("Row")
DIED = "its worker process died, even when nothing else ran (out of memory?)"
ClipRow = tuple[int, ClipItem]  # line and clip of a calibration manifest
AudioRow = tuple[int, AudioItem, bool]  # line, clip, and whether its plain clips go into the null


@dataclass(frozen=True)
class ManifestScores:
    """Outcomes of all clips, and the errors met on the way (the tags of such clips are unmeasurable).

    Parameters
    ----------
    outcomes : list of Outcome
        `sentence` is the clip's id; without plain clips, `paired` is false.
    problems : list of HarnessError
        Audio files that could not be used or do not say the words of their text, with the manifest's file and line.
    clips, paired_clips : int
        Number of clips, and of those that have plain clips.
    few_plain : int
        Number of paired clips with fewer than `MIN_CLIPS` plain clips.
    sentences : dict
        Name of the plain text of each id. Clips of one text are one cluster, and belong to the same half of the null.
    samples : list of NullSample
    thresholds : Thresholds
        Thresholds of paired outcomes.
    null : dict
        Source of the null: ``from`` ("calibration" or "manifest"), the number of ``texts`` with plain clips, how many of these were
        ``used``, and how many had ``too_few_clips`` that could be measured.
    listeners : sequence of str
        Names of the listeners that judged the clips.
    """

    outcomes: list[Outcome]
    problems: list[HarnessError]
    clips: int
    paired_clips: int
    few_plain: int
    sentences: Mapping[str, str]
    samples: list[NullSample]
    thresholds: Thresholds
    null: Mapping[str, Any]
    listeners: Sequence[str] = ()

    def per_tag(self, *, paired: bool) -> dict[str, dict]:
        """Return the rates of paired or of unpaired outcomes, as `harness.prosody.rates.per_tag` does; intervals are by text."""
        return per_tag(
            outcome.model_copy(update={"sentence": self.sentences[outcome.sentence]})
            for outcome in self.outcomes
            if outcome.paired is paired
        )

    def as_json(self) -> dict:
        """Return all tables: ``paired``, ``unpaired``, ``exploratory`` tags, ``thresholds`` and their source, ``listeners``."""
        paired, unpaired = self.per_tag(paired=True), self.per_tag(paired=False)
        fitted = any(self.thresholds.reason(tag) == NULL for tag in TAGS)
        return {
            "clips": self.clips,
            "paired_clips": self.paired_clips,
            "unpaired_clips": self.clips - self.paired_clips,
            "paired": paired,
            "unpaired": unpaired,
            "exploratory": [tag for tag in unpaired if Tag(tag) not in PAUSES],
            "thresholds": null_rows(self.samples, self.thresholds) if paired else {},
            "unpaired_thresholds": {tag.value: at for tag, at in UNPAIRED_FLOORS.items() if tag.value in unpaired},
            "null": dict(self.null),
            "listeners": listener_rates(self.outcomes, self.samples, self.listeners, self.sentences),
            "few_plain": self.few_plain if fitted else 0,
        }


@dataclass(frozen=True)
class _Part:
    """The result of one task: some clips of a manifest, or the plain clips of one text."""

    clips: int
    scores: list[TagScore] = field(default_factory=list)
    samples: list[NullSample] = field(default_factory=list)
    problems: list[DataError] = field(default_factory=list)


def score_manifest(
    path: str | Path,
    *,
    calibrate: str | Path | None = None,
    check_leaks: bool = True,
    listeners: Sequence[str] = (),
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> ManifestScores:
    """Score every clip of a manifest.

    A clip whose audio cannot be used, or does not say the words of its text, does not stop the others: its tags are `unmeasurable` with the
    reason, and the problem is reported with the manifest's file and line.

    Parameters
    ----------
    path : path-like
        Manifest, as `harness.prosody.clip_list.read_manifest` reads it.
    calibrate : path-like, optional
        Folder whose ``manifest.csv`` or ``manifest.jsonl`` names an engine's plain clips, several of each text. Without
        it, the plain clips of the manifest itself are compared with each other.
    check_leaks : bool
        Whether to listen for tags that were read aloud.
    listeners : sequence of str
        Names of models of listeners that judge the clips.
    jobs : int
        Number of worker processes; -1 for one per core. The result does not depend on it.
    progress : callable, optional
        Function that is called with the number of finished clips and of all clips.

    Raises
    ------
    DataError
        If a manifest itself is wrong, with file and line.
    """
    if jobs != -1 and jobs < 1:
        raise HarnessError(f"jobs must be -1 or at least 1, got {jobs}", remedy="-1 starts one worker process per core")
    names = tuple(dict.fromkeys(listeners))
    for name in names:
        load_listener(name)  # an error here, not once per clip
    path = Path(path)
    items = read_manifest(path, AudioItem)
    sentences = {item.id: _sentence(item.tagged) for _, item in items}
    texts = len({sentences[item.id] for _, item in items if item.plain_audio})
    folder, groups = path, list[list[ClipRow]]()
    if calibrate is not None:
        if not texts:
            raise DataError("no line names plain clips, so there is nothing to calibrate", path=path,
                            remedy="add plain_audio to the lines, or leave --calibrate out")  # fmt: skip
        folder, groups = _read_plain_clips(Path(calibrate))
        texts = len(groups)
    runs = list(_runs(items, null=calibrate is None))
    total, done = len(items) + sum(map(len, groups)), 0

    def advance(clips: int) -> None:
        nonlocal done
        done += clips
        if progress:
            progress(done, total)

    parts = [
        *_in_order(
            partial(_compare_plain_clips, manifest=folder, listeners=names),
            groups,
            jobs,
            partial(_lost_clip, manifest=folder),
            advance,
        ),
        *_in_order(
            partial(_score_run, manifest=path, check_leaks=check_leaks, listeners=names),
            runs,
            jobs,
            partial(_lost_line, manifest=path),
            advance,
        ),
    ]
    scores = [score for part in parts for score in part.scores]
    samples = [sample for part in parts for sample in part.samples]
    thresholds = fit(samples)
    used = len({sample.sentence for sample in samples})
    source = MANIFEST if calibrate is None else CALIBRATION
    return ManifestScores(
        outcomes=[judge(score, thresholds, sentences[score.sentence]) for score in scores],
        problems=[problem for part in parts for problem in part.problems],
        clips=len(items),
        paired_clips=sum(bool(item.plain_audio) for _, item in items),
        few_plain=sum(0 < len(set(item.plain_audio)) < MIN_CLIPS for _, item in items),
        sentences=sentences,
        samples=samples,
        thresholds=thresholds,
        listeners=names,
        null={"from": source, "texts": texts, "used": used, "too_few_clips": texts - used},
    )


def _in_order(
    function: Callable[[Sequence[Row]], _Part],
    tasks: Sequence[Sequence[Row]],
    jobs: int,
    lost: Callable[[Row], _Part],
    advance: Callable[[int], None],
) -> Iterator[_Part]:
    """Yield `function` of every task, in the order of the tasks; rows that kill their workers have the result `lost`."""
    found: dict[int, _Part | None] = {}
    for number, part in in_parallel(partial(_numbered, function), list(enumerate(tasks)), jobs=jobs, lost=_nothing):
        found[number] = part
        advance(len(tasks[number]))
    for number, task in enumerate(tasks):
        whole = found[number]
        if whole is not None:
            yield whole
            continue
        # A row of this task kills its worker. Each has a worker to itself, and then the others are done together.
        alone = [(place, [row]) for place, row in enumerate(task)]
        kept = dict(in_parallel(partial(_numbered, function), alone, jobs=max(2, jobs), lost=_nothing))
        killers = [row for place, row in enumerate(task) if kept[place] is None]
        others = [row for place, row in enumerate(task) if kept[place] is not None]
        yield from map(lost, killers)
        for _, part in in_parallel(
            partial(_numbered, function), [(0, others)] * bool(others), jobs=jobs, lost=_nothing
        ):
            yield part if part is not None else _Part(len(others))


def _numbered(function: Callable[[Sequence[Row]], _Part], task: tuple[int, Sequence[Row]]) -> tuple[int, _Part | None]:
    return task[0], function(task[1])


def _nothing(task: tuple[int, Sequence[Row]]) -> tuple[int, _Part | None]:
    return task[0], None


def _sentence(text: TaggedText) -> str:
    """Return the name of a text without its tags, which plain and tagged clips share."""
    return digest(text.plain)


def _measured(path: str, text: TaggedText, listeners: Sequence[tuple[str, Listener]]) -> ClipFeatures | str:
    """Measure a plain clip; leave out its pitch track, which is not needed and takes most of the memory."""
    features = analyse(read_audio(path), text, listeners)
    return features if isinstance(features, str) else replace(features, track_times=_NOTHING, track_hz=_NOTHING)


def _null(text: TaggedText, plain: Sequence[ClipFeatures | str]) -> list[NullSample]:
    found = {cue.value: values for cue, values in null_differences(text.stripped(), plain).items()} | null_rises(plain)
    return [
        NullSample(engine=EXTERNAL, sentence=_sentence(text), cue=cue, values=values)
        for cue, values in found.items()
        if values
    ]


def _placed(error: Exception, names: Iterable[str], manifest: Path, line: int) -> DataError:
    """Return the error at its line of the manifest, with the audio path as the manifest spells it."""
    if not isinstance(error, HarnessError):
        return DataError(f"{next(iter(names))}: {reason_of(error)}", path=manifest, line=line)
    given = next((name for name in names if str(manifest.parent / name) == error.path), error.path)
    return DataError(
        f"{given}: {error.message}" if given else error.message, path=manifest, line=line, remedy=error.remedy
    )


def _left_out(clips: Iterable[tuple[str, ClipFeatures | str]], manifest: Path, line: int) -> Iterator[DataError]:
    """Yield an error for each clip of a line that could not be measured."""
    for name, found in clips:
        if isinstance(found, str):
            yield DataError(f"{name}: {found}", path=manifest, line=line, remedy="check that it says this text")


# --- the clips to score ----------------------------------------------------------------------------------------------


def _runs(items: Iterable[tuple[int, AudioItem]], *, null: bool) -> Iterator[list[AudioRow]]:
    """Yield neighbouring lines with the same plain clips together, so that these are measured once.

    With `null`, the first line that names some plain clips compares them with each other; no clip counts twice.
    """
    rows: list[AudioRow] = []
    counted: set[str] = set()
    for number, item in items:
        names = set(item.plain_audio)
        gives_null = null and len(names) >= MIN_CLIPS and counted.isdisjoint(names)
        if gives_null:
            counted |= names
        rows.append((number, item, gives_null))
    for _, group in groupby(rows, key=lambda row: set(row[1].plain_audio) or row[0]):
        run = list(group)
        yield from (run[start : start + RUN] for start in range(0, len(run), RUN))


def _score_run(
    rows: Sequence[AudioRow], *, manifest: Path, check_leaks: bool, listeners: tuple[str, ...] = ()
) -> _Part:
    asked = listeners_of(listeners)
    measured = lru_cache(maxsize=CACHED_CLIPS)(_measured)
    folder, part = manifest.parent, _Part(len(rows))
    for line, item, gives_null in rows:
        text = item.tagged
        try:
            names = dict.fromkeys(item.plain_audio)
            plain = [measured(str(folder / name), text.stripped(), asked) for name in names]
            if gives_null:
                part.samples.extend(_null(text, plain))
            audio = read_audio(folder / item.audio)
            features, intruded = (
                analyse_tagged(audio, text, text.tags, asked) if check_leaks else (analyse(audio, text, asked), {})
            )
            scores = score_clip(text, features, plain, intruded=intruded)
            part.problems.extend(_left_out(zip((item.audio, *names), (features, *plain), strict=True), manifest, line))
        except Exception as error:
            problem = _placed(error, (item.audio, *item.plain_audio), manifest, line)
            part.problems.append(problem)
            scores = unmeasurable(text, problem.message)
        part.scores.extend(_named(scores, item))
    return part


def inputs_of(manifest: Path, calibrate: Path | None) -> Iterator[Path]:
    """Yield every file that scoring a manifest reads: the manifest and its clips, and those of the calibration folder."""
    yield manifest
    for _, item in read_manifest(manifest, AudioItem):
        yield from (manifest.parent / name for name in (item.audio, *item.plain_audio))
    if calibrate:
        listed, groups = _read_plain_clips(calibrate)
        yield listed
        yield from (listed.parent / item.audio for group in groups for _, item in group)


def _named(scores: Iterable[TagScore], item: AudioItem) -> list[TagScore]:
    names = {"engine": EXTERNAL, "tagger": EXTERNAL, "sentence": item.id}
    paired = bool(item.plain_audio)  # also for a tag without a value, for which no plain clip was needed
    return [score.model_copy(update={**names, "paired": paired}) for score in scores]


def _lost_line(row: AudioRow, *, manifest: Path) -> _Part:
    """Return the result of a line that kills its worker."""
    line, item, _ = row
    scores = _named(unmeasurable(item.tagged, DIED), item)
    return _Part(1, scores=scores, problems=[DataError(f"{item.audio}: {DIED}", path=manifest, line=line)])


# --- an engine's plain clips -----------------------------------------------------------------------------------------


def _read_plain_clips(folder: Path) -> tuple[Path, list[list[ClipRow]]]:
    """Return the manifest of a calibration folder, and its clips with their lines, grouped by text."""
    found = [file for name in ("manifest.csv", "manifest.jsonl") if (file := folder / name).is_file()]
    if len(found) != 1:
        what = "both manifest.csv and manifest.jsonl are" if found else "neither manifest.csv nor manifest.jsonl is"
        raise DataError(f"{what} in the folder of plain clips", path=folder,
                        remedy="one of them names the clips: audio and text")  # fmt: skip
    groups: dict[str, list[ClipRow]] = {}
    first_line: dict[str, int] = {}
    for line, item in read_manifest(found[0], ClipItem):
        if item.tagged.tags:
            raise DataError("a plain clip has no tags", path=found[0], line=line,
                            remedy="calibrate with clips of texts without tags")  # fmt: skip
        if item.audio in first_line:
            raise DataError(
                f"the clip {item.audio!r} was already named on line {first_line[item.audio]}", path=found[0],
                line=line, remedy="name each clip once; a clip does not differ from itself",
            )  # fmt: skip
        first_line[item.audio] = line
        groups.setdefault(_sentence(item.tagged), []).append((line, item))
    return found[0], list(groups.values())


def _compare_plain_clips(group: Sequence[ClipRow], *, manifest: Path, listeners: tuple[str, ...] = ()) -> _Part:
    asked = listeners_of(listeners)
    part = _Part(len(group))
    text = group[0][1].tagged
    plain: list[ClipFeatures | str] = []
    for line, item in group if len(group) >= MIN_CLIPS else ():
        try:
            plain.append(_measured(str(manifest.parent / item.audio), text, asked))
            part.problems.extend(_left_out([(item.audio, plain[-1])], manifest, line))
        except Exception as error:
            part.problems.append(_placed(error, [item.audio], manifest, line))
    part.samples.extend(_null(text, plain))
    return part


def _lost_clip(row: ClipRow, *, manifest: Path) -> _Part:
    """Return the result of a clip that kills its worker."""
    line, item = row
    return _Part(1, problems=[DataError(f"{item.audio}: {DIED}", path=manifest, line=line)])
