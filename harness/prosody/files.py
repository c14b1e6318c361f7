"""Score clips that somebody else made: a manifest names each clip, its tagged text, and its plain twins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from harness.audio import read_audio
from harness.errors import DataError, HarnessError
from harness.prosody.scorer import TagScore, analyse, score_clip
from harness.records import Arm, Outcome, TextRecord, Verdict
from harness.store import iterate_jsonl

EXTERNAL = "external"  # engine and tagger of clips that come from elsewhere


class AudioItem(TextRecord):
    """A line of a manifest; audio paths are relative to the manifest's folder."""

    SCHEMA: ClassVar[str] = '{"id", "text", "audio", "plain_audio": [...]}'

    audio: str
    plain_audio: list[str] = Field(default_factory=list)


@dataclass(frozen=True)
class ManifestScores:
    """Outcomes of all clips, and the errors met on the way (their tags count as unmeasurable)."""

    outcomes: list[Outcome]
    problems: list[HarnessError]
    clips: int


def score_manifest(
    path: str | Path, *, check_leaks: bool = True, progress: Callable[[int], None] | None = None
) -> ManifestScores:
    """Score every clip of a manifest.

    A clip whose audio cannot be used does not stop the others: its tags are `unmeasurable` with the reason, and the
    problem is reported with the manifest's file and line.

    Raises
    ------
    DataError
        If the manifest itself is wrong, with file and line.
    """
    path = Path(path)
    items = list(iterate_jsonl(path, AudioItem))
    first_line: dict[str, int] = {}
    for line, item in items:
        if item.id in first_line:
            raise DataError(f"the id {item.id!r} was already used on line {first_line[item.id]}", path=path, line=line)
        first_line[item.id] = line
    if not items:
        raise DataError("the manifest holds no clips", path=path)
    outcomes: list[Outcome] = []
    problems: list[HarnessError] = []
    for done, (line, item) in enumerate(items, start=1):
        try:
            plain = [analyse(read_audio(path.parent / name), item.tagged) for name in item.plain_audio]
            scores = score_clip(item.tagged, read_audio(path.parent / item.audio), plain, check_leaks=check_leaks)
        except HarnessError as error:
            reason = f"{_as_given(item, path.parent, error.path)}: {error.message}" if error.path else error.message
            problems.append(DataError(reason, path=path, line=line, remedy=error.remedy))
            scores = [
                TagScore(slot, tag, Arm.TAGGED, Verdict.UNMEASURABLE, reason=reason)
                for slot, tag in dict.fromkeys(item.tagged.tags)
            ]
        outcomes += [_outcome(item, score) for score in scores]
        if progress:
            progress(done)
    return ManifestScores(outcomes, problems, len(items))


def _as_given(item: AudioItem, folder: Path, path: str) -> str:
    """The audio path as the manifest spells it."""
    return next((name for name in (item.audio, *item.plain_audio) if str(folder / name) == path), path)


def _outcome(item: AudioItem, score: TagScore) -> Outcome:
    return Outcome(
        engine=EXTERNAL, tagger=EXTERNAL, sentence=item.id, arm=score.arm, slot=score.slot, tag=score.tag,
        verdict=score.verdict, value=score.value, unit=score.unit, threshold=score.threshold, reason=score.reason,
    )  # fmt: skip
