"""Exercises of the course in ToDI: a recording, word times in a TextGrid, and the experts' answer key.

A sentence of an exercise is written ``[](%L) [Waar]0 [wil] [Jan]0 [](L%)``. Square brackets hold a word, or nothing at the edge of a
phrase. What follows is a label that the exercise gives away, in parentheses, or the number of the list from which the student
chooses a label. The list `key` holds the right choices in order, one for each number; ∅ is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import DataError, HarnessError
from harness.prosody.textgrid import read_intervals
from harness.prosody.validation.recordings import (
    LabelledSet,
    LabelledWord,
    Problem,
    Recording,
    check_times,
    letters,
    match_words,
    placed,
)
from harness.reading import parse_json
from harness.records import WordTime

SPEAKERS = frozenset(
    "vmk"
)  # an interval that names the speaker's voice, not a word: vrouw, man, kind (woman, man, child)
_TOKEN = re.compile(r"\[(?P<text>[^\[\]]*)\](?:(?P<choice>\d+)|\((?P<label>[^()]*)\))?|(?P<bare>[^\[\]\s]+)")


def load_todi(files: Mapping[str, Path]) -> LabelledSet:
    """Read all exercises (``exercise*.json``) among the files of a folder.

    Parameters
    ----------
    files : mapping of str to Path
        Each file by its name.

    Returns
    -------
    LabelledSet
        Recordings are named after exercise and audio file, such as ``1A/1A-1``. What cannot be used is a problem with file and line.

    Raises
    ------
    DataError
        If there is no exercise.
    """
    found = LabelledSet()
    folded = {name.casefold(): path for name, path in files.items()}
    exercises = [path for name, path in sorted(files.items()) if re.fullmatch(r"(?i)exercise.*\.json", name)]
    if not exercises:
        raise DataError("no file is called exercise*.json",
                        remedy="a folder of this layout holds exercises, recordings (wav) and word times (TextGrid)")  # fmt: skip
    used: set[Path] = set()
    seen: dict[str, int] = {}
    for path in exercises:
        exercise = re.sub(r"(?i)^exercise", "", path.stem)
        try:
            text = _read(path)
            items = _items(text, path)
        except HarnessError as error:
            found.problems.append(Problem(path.stem, error))
            continue
        lines = [number for number, line in enumerate(text.splitlines(), start=1) if '"sentence"' in line]
        for k, item in enumerate(items):
            line = lines[k] if len(lines) == len(items) else None
            wav = item.get("wav") if isinstance(item, dict) else None
            name = f"{exercise}/{Path(wav).stem}" if isinstance(wav, str) and wav else f"{exercise}/item {k + 1}"
            if seen.setdefault(name, k) != k:
                name = f"{name} (item {k + 1})"
            if isinstance(wav, str) and Path(wav).name.casefold() in folded:
                used.add(folded[Path(wav).name.casefold()])
            try:
                found.recordings.append(_recording(item, name, folded, path, text, line))
            except HarnessError as error:
                found.problems.append(Problem(name, placed(error, path, line)))
    wavs = [path for name, path in files.items() if name.casefold().endswith(".wav")]
    folders = {path.parent for path in exercises}
    found.add_unlabelled([path for path in wavs if path.parent in folders], used, exercises[-1])
    return found


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path=path) from error
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 (byte {error.start + 1})", path=path, remedy="save it as UTF-8") from error


def _items(text: str, path: Path) -> list[Any]:
    try:
        exercise = parse_json(text)
    except DataError as error:
        raise error.at(path) from error
    if not isinstance(exercise, dict) or not isinstance(exercise.get("items"), list):
        raise DataError('not an exercise: expected an object with a list "items"', path=path)
    return exercise["items"]


def _recording(item: Any, name: str, files: Mapping[str, Path], path: Path, text: str, line: int | None) -> Recording:
    for key, kind, what in (
        ("sentence", str, "a text"),
        ("key", list, "a list"),
        ("wav", str, "a text"),
        ("textgrid", str, "a text"),
    ):
        if not isinstance(item, dict) or not isinstance(item.get(key), kind):
            raise DataError(f"the item has no {key!r} that is {what}", path=path, line=line)
    paths = []
    for key in ("wav", "textgrid"):
        listed = Path(item[key]).name.casefold()
        if listed not in files:
            raise DataError(f"the file {item[key]!r} is not in the folder", path=path, line=line)
        paths.append(files[listed])
    words = parse_sentence(item["sentence"], item["key"], _Place(path, text, line))
    audio, grid = paths
    rows = _spoken(read_intervals(grid), [letters(word.word) for word in words])
    check_times([word for _, word in rows], grid, [number for number, _ in rows])
    words, times, time_lines = _join(words, rows, grid, f"{path.name}:{line}" if line else path.name)
    return Recording(name, audio, tuple(words), path, line, tuple(times), grid, tuple(time_lines))


def _spoken(rows: list[tuple[int | None, WordTime]], words: list[str]) -> list[tuple[int | None, WordTime]]:
    """Return the intervals of words, without those that name the speaker; "v" is a mark unless the key has such a word."""
    marks = SPEAKERS.difference(words)
    kept = [row for row in rows if letters(row[1].word) and row[1].word.casefold() not in marks]
    first = letters(kept[0][1].word) if kept else ""
    return kept[1:] if len(first) == 1 and not words[0].startswith(first) else kept


class _Place:
    """Where an item is, to name the line of one of its labels."""

    def __init__(self, path: Path, text: str = "", line: int | None = None) -> None:
        self.path, self.text, self.line = path, text, line

    def error(self, error: HarnessError, label: str) -> HarnessError:
        """Return the error with the file, and with the first line from the item on that holds the label."""
        lines = self.text.splitlines()
        here = (self.line or 1) - 1
        marks = (f'"{label}"', f"({label})")
        at = next((n for n in range(here, len(lines)) if any(mark in lines[n] for mark in marks)), None)
        return error.at(self.path, self.line if at is None else at + 1)


def parse_sentence(sentence: str, key: list[Any], place: _Place | None = None) -> list[LabelledWord]:
    """Return the words of an exercise's sentence with the labels of its answer key.

    A boundary or pause belongs to the word before it.

    >>> [(w.word, w.accent, w.boundary) for w in parse_sentence("[](%L) [Zit]0 [ze] []1", ["H*L", "L%"])]
    [('Zit', 'H*L', ''), ('ze', '', 'L%')]

    Raises
    ------
    DataError
        If a label is unknown, or the key has another number of labels than the sentence has choices.
    """
    place = place or _Place(Path("sentence"))
    tokens = list(_TOKEN.finditer(sentence))
    choices = sum(token["choice"] is not None for token in tokens)
    if choices != len(key):
        raise place.error(DataError(f"the key has {len(key)} labels, but the sentence has {choices} choices"), "")
    answers = iter(key)
    words: list[LabelledWord] = []
    for token in tokens:
        label = next(answers) if token["choice"] is not None else token["label"] or ""
        text = (token["text"] if token["bare"] is None else token["bare"]).strip()
        if letters(text):
            words.append(LabelledWord(text))
        try:
            if not isinstance(label, str):
                raise DataError(f"the label {label!r} is not a text")
            labelled = (words[-1] if words else LabelledWord("")).with_labels(label)
            if not letters(text) and labelled.accent != (words[-1].accent if words else ""):
                raise DataError(f"the pitch accent {label!r} is on no word")
        except HarnessError as error:
            raise place.error(error, str(label)) from error
        if words:
            words[-1] = labelled
    if not words:
        raise place.error(DataError("the sentence has no words"), "")
    return words


def _join(
    words: list[LabelledWord], rows: list[tuple[int | None, WordTime]], grid: Path, where: str
) -> tuple[list[LabelledWord], list[WordTime], list[int | None]]:
    """Return words and times one to one: several words with one interval become one, and so do several intervals of one word."""
    groups = match_words([word.word for word in words], [time.word for _, time in rows])
    if groups is None:
        have = f"{len(words)} words in {where} ({' '.join(word.word for word in words)})"
        line = rows[0][0] if rows else None
        raise DataError(
            f"the words are not those of the key: {len(rows)} here ({' '.join(time.word for _, time in rows)}), {have}",
            path=grid, line=line, remedy="check that TextGrid and key belong together",
        )  # fmt: skip
    joined, times, lines = [], [], []
    for mine, theirs in groups:
        part = [words[k] for k in mine]
        if any(word.boundary or word.pause for word in part[:-1]):
            raise DataError(f"one interval holds the words {' '.join(w.word for w in part)!r}, between which a phrase ends",
                            path=grid, line=rows[theirs[0]][0], remedy="give each word its own interval")  # fmt: skip
        accents = [word.accent for word in part if word.accent]
        text = " ".join(word.word for word in part)
        joined.append(LabelledWord(text, accents[-1] if accents else "", part[-1].boundary, part[-1].pause))
        times.append(WordTime(word=text, start=rows[theirs[0]][1].start, end=rows[theirs[-1]][1].end))
        lines.append(rows[theirs[0]][0])
    return joined, times, lines
