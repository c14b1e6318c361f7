"""A set of one's own: recordings, word times, and ``labels.csv`` with a row for each word."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

from harness.errors import DataError, HarnessError
from harness.prosody.clip_list import iterate_table
from harness.prosody.textgrid import read_intervals
from harness.prosody.validation.recordings import (
    LabelledSet,
    LabelledWord,
    Problem,
    Recording,
    check_times,
    letters,
    placed,
)
from harness.records import WordTime

LABELS = "labels.csv"
COLUMNS = ("file", "word", "label")
TIMES = ("word", "start", "end")
AUDIO = (".wav", ".flac", ".ogg", ".mp3")
_Row = tuple[int, dict[str, str]]
_Timed = tuple[int | None, WordTime]


def load_own(files: Mapping[str, Path]) -> LabelledSet:
    """Read a folder with ``labels.csv``, recordings, and a TextGrid or a CSV file of word times for each recording.

    Parameters
    ----------
    files : mapping of str to Path
        Each file of the folder by its name.

    Returns
    -------
    LabelledSet
        Recordings are named after their files. What cannot be used is a problem with file and line.

    Raises
    ------
    DataError
        If ``labels.csv`` is missing, or is not a table of this kind.
    """
    path = files.get(LABELS)
    if path is None:
        raise DataError(
            f"there is no {LABELS}",
            remedy=f"expected the header {','.join(COLUMNS)}, and a row for each word",
        )
    found = LabelledSet()
    used: set[Path] = set()
    rows = [(line, {name: value.strip() for name, value in row.items()}) for line, row in iterate_table(path, COLUMNS)]
    for name, group in groupby(rows, key=lambda row: row[1]["file"]):
        mine = list(group)
        first = mine[0][0]
        try:
            if name not in files or not name.lower().endswith(AUDIO):
                raise DataError(f"the recording {name!r} is not in the folder", path=path, line=first)
            if files[name] in used:
                raise DataError(f"the rows of {name!r} are not together", path=path, line=first)
            used.add(files[name])
            found.recordings.append(_recording(name, mine, files, path))
        except HarnessError as error:
            found.problems.append(Problem(name or f"line {first}", placed(error, path, first)))
    found.add_unlabelled((file for name, file in files.items() if name.lower().endswith(AUDIO)), used, path)
    return found


def _recording(name: str, rows: list[_Row], files: Mapping[str, Path], path: Path) -> Recording:
    words = []
    for line, row in rows:
        if not letters(row["word"]):
            raise DataError(
                "the row has no word", path=path, line=line, remedy="leave out rows of pauses and punctuation"
            )
        try:
            words.append(LabelledWord(row["word"]).with_labels(row["label"]))
        except HarnessError as error:
            raise error.at(path, line) from error
    stem, folded = Path(name).stem, {other.casefold(): path for other, path in files.items()}
    grid, table = (folded.get(f"{stem}{suffix}".casefold()) for suffix in (".TextGrid", ".csv"))
    times_source = grid or table
    if times_source is None:
        raise DataError(f"the recording {name!r} has no word times", path=path, line=rows[0][0],
                        remedy=f"add {stem}.TextGrid (English: harness align) or {stem}.csv")  # fmt: skip
    timed = _spoken(read_intervals(times_source)) if grid else _read_times(times_source)
    lines, times = [line for line, _ in timed], [word for _, word in timed]
    check_times(times, times_source, lines)
    for k, ((line, row), time) in enumerate(zip(rows, times, strict=False)):
        if letters(row["word"]) != letters(time.word):
            raise DataError(f"word {k + 1} of {name!r} is {row['word']!r}, but {time.word!r} in {times_source.name}",
                            path=path, line=line, remedy="both files hold the same words in the same order")  # fmt: skip
    if len(times) != len(rows):
        raise DataError(f"{len(rows)} words of {name!r}, but {len(times)} in {times_source.name}",
                        path=path, line=rows[0][0], remedy="both files hold the same words in the same order")  # fmt: skip
    return Recording(name, files[name], tuple(words), path, rows[0][0], tuple(times), times_source, tuple(lines))


def _spoken(rows: list[_Timed]) -> list[_Timed]:
    return [(line, word) for line, word in rows if letters(word.word)]


def _read_times(path: Path) -> list[_Timed]:
    """Read a table of word times in seconds: ``word,start,end``."""
    timed: list[_Timed] = []
    for line, row in iterate_table(path, TIMES):
        try:
            timed.append((line, WordTime(word=row["word"].strip(), start=float(row["start"]), end=float(row["end"]))))
        except ValueError as error:  # also pydantic's
            raise DataError(
                f"expected start and end in seconds, got {row['start']!r} and {row['end']!r}", path=path, line=line
            ) from error
    return _spoken(timed)
