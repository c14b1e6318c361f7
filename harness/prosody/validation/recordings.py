"""Labelled recordings: the words of a clip, where they are, and what a person heard on each.

Labels are written in ToDI, the notation of Dutch intonation (Gussenhoven 2005, "Transcription of Dutch intonation"). ToBI labels of
other languages are mostly spelled in the same way.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from harness.errors import DataError, HarnessError
from harness.prosody.features import END_SLACK
from harness.records import WordTime

# The models and detectors hear up to 8 kHz; speech of a telephone lacks the upper half of that, and upsampling does not restore it.
MIN_RATE = 16_000  # Hz
OVERLAP_SLACK = 1e-6  # seconds; Praat writes times as decimal numbers
ACCENT = "accent"  # a label of one's own sets: an accent of any kind


class Kind(Enum):
    """What a label is about."""

    ACCENT = "accent"  # the word has a pitch accent
    FINAL = "final boundary"  # a phrase ends after the word: H%, L%, or % (neither rises nor falls to the end)
    INITIAL = "initial boundary"  # a phrase begins before the word: %L, %H, %HL
    TONE = "tone"  # the tone of an appended phrase without an accent of its own
    PAUSE = "pause"  # the speaker pauses after the word
    NONE = "none"


_TONE = "!?[HL]"  # ! is downstep: lower than the tones before
_KINDS = (
    # T* and what follows it. A plus joins the tones of one accent in ToBI (L+H*), and in ToDI's first edition (H*+L).
    (Kind.ACCENT, rf"!?(?:{_TONE}\+)?{_TONE}\*(?:\+?{_TONE}){{0,2}}|{ACCENT}"),
    (Kind.FINAL, rf"!?(?:{_TONE}-?){{0,2}}%"),
    (Kind.INITIAL, rf"!?%(?:{_TONE}){{1,2}}"),
    (Kind.TONE, rf"(?:{_TONE}){{1,2}}"),
    (Kind.PAUSE, "P"),
    (Kind.NONE, "[∅Øø]|-+"),
)


def kind_of(label: str) -> Kind:
    """Return what a label is about.

    Raises
    ------
    DataError
        If the label is unknown.
    """
    for kind, pattern in _KINDS:
        if re.fullmatch(pattern, label):
            return kind
    raise DataError(
        f"the label {label!r} is unknown",
        remedy=f"expected {ACCENT!r}, a pitch accent such as H*L, a final boundary (H%, L% or %), an initial one such as %L, or P",
    )


@dataclass(frozen=True)
class LabelledWord:
    """A word and its labels.

    Parameters
    ----------
    word : str
    accent : str
        Label of its pitch accent; empty if it has none.
    boundary : str
        Label of the phrase boundary after it; empty if the phrase goes on.
    pause : bool
        Whether the labels tell of a pause after it.
    """

    word: str
    accent: str = ""
    boundary: str = ""
    pause: bool = False

    def with_labels(self, labels: str) -> LabelledWord:
        """Return the word with more labels, separated by spaces. Labels of what comes before a word, and ∅, change nothing.

        Raises
        ------
        DataError
            If a label is unknown, or the word already has a label of this kind.
        """
        accent, boundary, pause = self.accent, self.boundary, self.pause
        for label in labels.split():
            kind = kind_of(label)
            taken = {Kind.ACCENT: accent, Kind.FINAL: boundary}.get(kind)
            if taken:
                raise DataError(f"the word {self.word!r} has two labels of one kind, {taken!r} and {label!r}")
            accent = label if kind is Kind.ACCENT else accent
            boundary = label if kind is Kind.FINAL else boundary
            pause = pause or kind is Kind.PAUSE
        return LabelledWord(self.word, accent, boundary, pause)


@dataclass(frozen=True)
class Recording:
    """A clip with labels.

    Parameters
    ----------
    name : str
        Name in results, unique in its set.
    audio : Path
    words : tuple of LabelledWord
    source : Path
        File with the labels.
    line : int, optional
        Line of that file.
    times : tuple of WordTime, optional
        Where each word is; None if the words must first be aligned, which works for English only.
    times_source : Path, optional
        File with the word times.
    times_lines : tuple of (int or None)
        Line of each word time in that file.
    """

    name: str
    audio: Path
    words: tuple[LabelledWord, ...]
    source: Path
    line: int | None = None
    times: tuple[WordTime, ...] | None = None
    times_source: Path | None = None
    times_lines: tuple[int | None, ...] = ()


@dataclass(frozen=True)
class Problem:
    """A recording that cannot be scored, and why; or a file that belongs to no recording."""

    name: str
    error: HarnessError


@dataclass
class LabelledSet:
    """Recordings of one set, and the problems met while reading it.

    Parameters
    ----------
    recordings : list of Recording
    problems : list of Problem
    """

    recordings: list[Recording] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add_unlabelled(self, files: Iterable[Path], used: Iterable[Path], labels: Path) -> None:
        """Report each audio file that no label mentions, at the end of the file with the labels, where it could be added."""
        known = set(used)
        end = max(1, len(labels.read_bytes().splitlines()))
        for path in sorted(set(files) - known):
            error = DataError(f"the recording {path.name!r} is in the folder, but has no labels", path=labels, line=end,
                              remedy="label it, or move it out of the folder")  # fmt: skip
            self.problems.append(Problem(path.stem, error))


def placed(error: HarnessError, path: Path, line: int | None) -> HarnessError:
    """Return an error with file and line: its own, or else those of the labels, and the name of its file in the message."""
    if error.path and error.line:
        return error
    message = f"{Path(error.path).name}: {error.message}" if error.path else error.message
    return DataError(message, path=path, line=line if error.line is None else error.line, remedy=error.remedy)


def check_times(words: Sequence[WordTime], path: Path, lines: Sequence[int | None]) -> None:
    """Check that the words have a length, and follow each other without overlapping.

    Raises
    ------
    DataError
        Naming file and line of the first interval that does not.
    """
    before: WordTime | None = None
    for word, line in zip(words, lines, strict=True):
        if word.end <= word.start:
            raise DataError(f"the word {word.word!r} ends at {word.end:.3f} s, where or before it starts ({word.start:.3f} s)",
                            path=path, line=line, remedy="give start and end in seconds")  # fmt: skip
        if before is not None and word.start < before.end - OVERLAP_SLACK:
            raise DataError(
                f"the word {word.word!r} starts at {word.start:.3f} s, before the word {before.word!r} ends "
                f"({before.end:.3f} s)", path=path, line=line, remedy="the intervals of words must not overlap",
            )  # fmt: skip
        before = word


def within(words: Sequence[WordTime], seconds: float, path: Path, lines: Sequence[int | None]) -> list[WordTime]:
    """Return the words with ends inside a clip; a few milliseconds beyond its end are cut off.

    Raises
    ------
    DataError
        Naming file and line of the first word beyond the end of the clip.
    """
    for word, line in zip(words, lines, strict=True):
        if word.end > seconds + END_SLACK or word.start >= seconds:
            raise DataError(
                f"the word {word.word!r} ends at {word.end:.3f} s, but the clip is {seconds:.3f} s long",
                path=path, line=line, remedy="check that word times and clip belong together",
            )  # fmt: skip
    return [word.model_copy(update={"end": min(word.end, seconds)}) for word in words]


def letters(text: str) -> str:
    """Return the letters and digits of a text in lower case, without accents: what two spellings of a word have in common."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in plain if character.isalnum())


def match_words(labelled: Sequence[str], timed: Sequence[str]) -> list[tuple[range, range]] | None:
    """Find which labelled words are which intervals, although "of in" may be one word there and two here.

    Parameters
    ----------
    labelled, timed : sequence of str
        Two spellings of the same sentence, split in different ways.

    Returns
    -------
    list of (range, range), or None
        The smallest groups of words that have equal letters. If the numbers of words are equal, and at least half of the words are,
        the words are paired in order. None if the words are others.
    """
    left, right = [letters(word) for word in labelled], [letters(word) for word in timed]
    groups: list[tuple[range, range]] = []
    i = j = 0
    while i < len(left) and j < len(right):
        first_i, first_j, a, b = i, j, left[i], right[j]
        i, j = i + 1, j + 1
        while a != b:
            if len(a) < len(b) and b.startswith(a) and i < len(left):
                a, i = a + left[i], i + 1
            elif len(b) < len(a) and a.startswith(b) and j < len(right):
                b, j = b + right[j], j + 1
            else:
                break
        if a != b:
            break
        groups.append((range(first_i, i), range(first_j, j)))
    else:
        if i == len(left) and j == len(right):
            return groups
    same = sum(a == b for a, b in zip(left, right, strict=False))
    if len(left) == len(right) and 2 * same >= len(left):
        return [(range(k, k + 1), range(k, k + 1)) for k in range(len(left))]
    return None
