"""Score clips made elsewhere: a manifest names each clip, its tagged text, and its plain twins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from harness.audio import read_audio
from harness.errors import DataError, HarnessError
from harness.prosody.clip_list import AudioItem, ClipItem, read_manifest
from harness.prosody.features import ClipFeatures
from harness.prosody.null import NULL, Thresholds, fit, null_differences
from harness.prosody.rates import null_rows, per_tag
from harness.prosody.scorer import UNPAIRED_FLOORS, TagScore, analyse, judge, score_clip, unmeasurable
from harness.records import NullSample, Outcome, digest
from harness.tagged import PAUSES, TaggedText

EXTERNAL = "external"  # engine and tagger of clips that come from elsewhere
CALIBRATION, MANIFEST = "calibration", "manifest"  # where the null comes from
MIN_CLIPS = 3  # of one text, for a null
CACHED_CLIPS = 32  # features of plain clips that neighbouring lines may share
RUN = 50  # neighbouring lines that one worker takes at most
_NOTHING = np.empty(0)

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class NullSource:
    """Which plain clips the null was made from.

    Parameters
    ----------
    origin : {"calibration", "manifest"}
    texts : int
        Different texts that have plain clips.
    used : int
        Those with at least `MIN_CLIPS` that could be measured; the others give nothing.
    """

    origin: str
    texts: int
    used: int

    def as_json(self) -> dict:
        """Counts by name."""
        return {"from": self.origin, "texts": self.texts, "used": self.used, "too_few_clips": self.texts - self.used}


@dataclass(frozen=True)
class ManifestScores:
    """Outcomes of all clips, and the errors met on the way (their tags count as unmeasurable).

    Parameters
    ----------
    outcomes : list of Outcome
        `sentence` is the clip's id; without plain clips, `paired` is false.
    problems : list of HarnessError
        Audio files that could not be used, with the manifest's file and line.
    clips : int
    few_plain : int
        Paired clips with fewer than `MIN_CLIPS` plain clips.
    sentences : dict
        For each id, the name of its plain text: clips of one text are one cluster, and lie in one half of the null.
    samples : list of NullSample
    thresholds : Thresholds
        Of paired outcomes.
    null : NullSource
    """

    outcomes: list[Outcome]
    problems: list[HarnessError]
    clips: int
    few_plain: int
    sentences: Mapping[str, str]
    samples: list[NullSample]
    thresholds: Thresholds
    null: NullSource

    def per_tag(self, *, paired: bool) -> dict[str, dict]:
        """Rates of either kind of outcome, as `harness.prosody.rates.per_tag`; intervals are by text."""
        return per_tag(
            outcome.model_copy(update={"sentence": self.sentences[outcome.sentence]})
            for outcome in self.outcomes
            if outcome.paired is paired
        )

    def as_json(self) -> dict:
        """All tables: ``paired``, ``unpaired``, ``exploratory`` tags, ``thresholds`` (of paired tags), and their source."""
        paired, unpaired = self.per_tag(paired=True), self.per_tag(paired=False)
        judged = any(outcome.paired for outcome in self.outcomes)
        own = any(self.thresholds.reason(tag) == NULL for tag in UNPAIRED_FLOORS)
        return {
            "clips": self.clips,
            "paired": paired,
            "unpaired": unpaired,
            "exploratory": [tag for tag in unpaired if tag not in {pause.value for pause in PAUSES}],
            "thresholds": null_rows(self.samples, self.thresholds) if judged else {},
            "unpaired_thresholds": {tag.value: at for tag, at in UNPAIRED_FLOORS.items() if tag.value in unpaired},
            "null": self.null.as_json(),
            "few_plain": self.few_plain if own else 0,
        }


@dataclass(frozen=True)
class _Line:
    number: int
    item: AudioItem
    gives_null: bool


@dataclass(frozen=True)
class _Scored:
    scores: list[TagScore]
    null: list[NullSample]
    problem: DataError | None = None


def score_manifest(
    path: str | Path,
    *,
    calibrate: str | Path | None = None,
    check_leaks: bool = True,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> ManifestScores:
    """Score every clip of a manifest.

    A clip whose audio cannot be used does not stop the others: its tags are `unmeasurable` with the reason, and the
    problem is reported with the manifest's file and line.

    Parameters
    ----------
    path : path-like
        As `harness.prosody.clip_list.read_manifest` reads it.
    calibrate : path-like, optional
        Folder with ``manifest.csv`` or ``manifest.jsonl``, which names an engine's plain clips, several of each text. Without
        it, the plain clips of the manifest itself are compared with each other.
    check_leaks : bool
        Whether to listen for tags that were read aloud.
    jobs : int
        Worker processes; -1 for one a core. The result does not depend on it.
    progress : callable, optional
        Called with the clips done, and all.

    Raises
    ------
    DataError
        If a manifest itself is wrong, with file and line.
    """
    if jobs != -1 and jobs < 1:
        raise HarnessError(f"jobs must be -1 or at least 1, got {jobs}", remedy="-1 starts one worker process per core")
    path = Path(path)
    items = read_manifest(path, AudioItem)
    sentences = {item.id: _sentence(item.tagged) for _, item in items}
    with_plain = {sentences[item.id] for _, item in items if item.plain_audio}
    plain = None
    if calibrate is not None:
        if not with_plain:
            raise DataError("no line names plain clips, so there is nothing to calibrate", path=path,
                            remedy="add plain_audio to the lines, or leave --calibrate out")  # fmt: skip
        plain = _PlainClips.read(Path(calibrate))
    done, total = 0, len(items) + (plain.clips if plain else 0)
    scores: list[TagScore] = []
    samples: list[NullSample] = []
    problems: list[HarnessError] = []
    for found, bad, clips in plain.null(jobs) if plain else ():
        samples += found
        problems += bad
        done += clips
        if progress:
            progress(done, total)
    score = partial(_score_run, manifest=path, check_leaks=check_leaks)
    for run in _in_order(score, list(_runs(items, null=plain is None)), jobs):
        for scored in run:
            scores += scored.scores
            samples += scored.null
            problems += [scored.problem] if scored.problem else []
            done += 1
        if progress:
            progress(done, total)
    thresholds = fit(samples)
    used = len({sample.sentence for sample in samples})
    return ManifestScores(
        outcomes=[judge(score, thresholds, sentences[score.sentence]) for score in scores],
        problems=problems,
        clips=len(items),
        few_plain=sum(0 < len(set(item.plain_audio)) < MIN_CLIPS for _, item in items),
        sentences=sentences,
        samples=samples,
        thresholds=thresholds,
        null=NullSource(CALIBRATION, plain.texts, used) if plain else NullSource(MANIFEST, len(with_plain), used),
    )


def _in_order(function: Callable[[Task], Result], tasks: Sequence[Task], jobs: int) -> Iterator[Result]:
    """`function` of every task, in the order of the tasks."""
    from joblib import Parallel, cpu_count, delayed

    workers = min(cpu_count() if jobs == -1 else jobs, len(tasks))
    if workers < 2:
        yield from map(function, tasks)
    else:
        pool = Parallel(n_jobs=workers, backend="loky", return_as="generator")
        yield from pool(delayed(function)(task) for task in tasks)


def _sentence(text: TaggedText) -> str:
    """Name of a text without its tags: the same for plain and tagged clips."""
    return digest(text.plain)


def _measured(path: str, text: TaggedText) -> ClipFeatures | str:
    """A plain clip without its pitch track, which nobody reads again and which is most of its memory."""
    features = analyse(read_audio(path), text)
    return features if isinstance(features, str) else replace(features, track_times=_NOTHING, track_hz=_NOTHING)


def _null(text: TaggedText, plain: Sequence[ClipFeatures | str]) -> list[NullSample]:
    return [
        NullSample(engine=EXTERNAL, sentence=_sentence(text), cue=cue.value, values=values)
        for cue, values in null_differences(text.stripped(), plain).items()
        if values
    ]


# --- the clips to score ----------------------------------------------------------------------------------------------


def _runs(items: Iterable[tuple[int, AudioItem]], *, null: bool) -> Iterator[list[_Line]]:
    """Neighbouring lines that share plain clips stay together, so that those are measured once.

    With `null`, the first line that names some plain clips compares them with each other; no clip counts twice.
    """
    run: list[_Line] = []
    counted: set[str] = set()
    before: set[str] = set()
    for number, item in items:
        names = set(item.plain_audio)
        gives_null = null and len(names) >= MIN_CLIPS and counted.isdisjoint(names)
        if gives_null:
            counted |= names
        if run and (len(run) == RUN or before.isdisjoint(names)):
            yield run
            run = []
        run.append(_Line(number, item, gives_null))
        before = names
    if run:
        yield run


def _score_run(lines: Sequence[_Line], *, manifest: Path, check_leaks: bool) -> list[_Scored]:
    measured = lru_cache(maxsize=CACHED_CLIPS)(_measured)
    return [_score_line(line, manifest, check_leaks, measured) for line in lines]


def _score_line(
    line: _Line, manifest: Path, check_leaks: bool, measured: Callable[[str, TaggedText], ClipFeatures | str]
) -> _Scored:
    item, folder = line.item, manifest.parent
    text, null, problem = item.tagged, [], None
    try:
        plain = [measured(str(folder / name), text.stripped()) for name in dict.fromkeys(item.plain_audio)]
        if line.gives_null:
            null = _null(text, plain)
        scores = score_clip(text, read_audio(folder / item.audio), plain, check_leaks=check_leaks)
    except HarnessError as error:
        problem = _placed(error, (item.audio, *item.plain_audio), manifest, line.number)
        scores = unmeasurable(text, problem.message)
    paired = bool(item.plain_audio)  # also where a tag has no value, and so no plain clip was looked at
    named = [score.named(EXTERNAL, EXTERNAL, item.id).model_copy(update={"paired": paired}) for score in scores]
    return _Scored(named, null, problem)


def _placed(error: HarnessError, names: Iterable[str], manifest: Path, line: int) -> DataError:
    """The error at its line of the manifest, with the audio path as the manifest spells it."""
    given = next((name for name in names if str(manifest.parent / name) == error.path), error.path)
    return DataError(
        f"{given}: {error.message}" if given else error.message, path=manifest, line=line, remedy=error.remedy
    )


# --- an engine's plain clips -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _PlainClips:
    """What a calibration folder names: for each text, its clips with their lines."""

    manifest: Path
    groups: list[list[tuple[int, ClipItem]]]

    @classmethod
    def read(cls, folder: Path) -> _PlainClips:
        found = [file for name in ("manifest.csv", "manifest.jsonl") if (file := folder / name).is_file()]
        if len(found) != 1:
            what = "both manifest.csv and manifest.jsonl are" if found else "neither manifest.csv nor manifest.jsonl is"
            raise DataError(f"{what} in the folder of plain clips", path=folder,
                            remedy="one of them names the clips: audio and text")  # fmt: skip
        groups: dict[str, list[tuple[int, ClipItem]]] = {}
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
        return cls(found[0], list(groups.values()))

    @property
    def clips(self) -> int:
        return sum(map(len, self.groups))

    @property
    def texts(self) -> int:
        return len(self.groups)

    def null(self, jobs: int) -> Iterator[tuple[list[NullSample], list[DataError], int]]:
        """Of each text: the differences between its clips, the files that could not be used, and how many clips it has."""
        return _in_order(partial(_null_of_group, manifest=self.manifest), self.groups, jobs)


def _null_of_group(
    group: Sequence[tuple[int, ClipItem]], *, manifest: Path
) -> tuple[list[NullSample], list[DataError], int]:
    text = group[0][1].tagged
    plain: list[ClipFeatures | str] = []
    problems: list[DataError] = []
    for line, item in group if len(group) >= MIN_CLIPS else ():
        try:
            plain.append(_measured(str(manifest.parent / item.audio), text))
        except HarnessError as error:
            problems.append(_placed(error, [item.audio], manifest, line))
    return _null(text, plain), problems, len(group)
