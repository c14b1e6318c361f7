"""Write word times as a Praat TextGrid in UTF-8, and read TextGrids in any encoding, with Praat itself (parselmouth)."""

from __future__ import annotations

import re
import tempfile
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from pathlib import Path

from harness.errors import DataError
from harness.paths import is_file
from harness.records import WordTime
from harness.store import write_atomic

TIER = "words"


def write_textgrid(path: str | Path, words: Sequence[WordTime], seconds: float) -> None:
    """Write one interval tier, `TIER`, with an interval for each word and empty intervals between them.

    Parameters
    ----------
    path : str or Path
        File, replaced if it exists. It is always UTF-8. By default, Praat writes UTF-16 if there is a curly quote, which many
        readers of TextGrids do not accept.
    words : sequence of WordTime
        Words in order. A token without duration (such as a dash) gets no interval. Null characters are left out, because
        Praat would end a label there.
    seconds : float
        Length of the clip.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    from parselmouth.praat import call, run

    spoken = [word for word in words if word.end > word.start]
    grid = call("Create TextGrid", 0, seconds, TIER, "")
    edges = sorted({time for word in spoken for time in (word.start, word.end) if 0 < time < seconds})
    for edge in edges:
        call(grid, "Insert boundary", 1, edge)
    for word in spoken:
        interval = call(grid, "Get interval at time", 1, (word.start + word.end) / 2)
        call(grid, "Set interval text", 1, interval, word.word.replace("\0", "").replace("\\", "\\bs"))
    run('Text writing preferences: "UTF-8"')
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made.TextGrid")
        grid.save_as_text_file(str(made))
        write_atomic(path, made.read_bytes())


def read_textgrid(path: str | Path, tier: str = TIER) -> list[WordTime]:
    """Read the labelled intervals of a tier; of the first interval tier if no tier has this name, in upper or lower case.

    Parameters
    ----------
    path : str or Path
        A TextGrid in any of Praat's formats and encodings: UTF-8, or UTF-16 as Praat writes it for text with curly quotes.
    tier : str

    Raises
    ------
    DataError
        If it is not a TextGrid, or has no interval tier.
    """
    return [word for _, word in read_intervals(path, tier)]


def read_intervals(path: str | Path, tier: str = TIER) -> list[tuple[int | None, WordTime]]:
    """Read the labelled intervals of a tier as `read_textgrid` does, each with its line in the file.

    Returns
    -------
    list of (int or None, WordTime)
        The line is None if the file is not in Praat's long text format.

    Raises
    ------
    DataError
        As `read_textgrid`.
    """
    import parselmouth
    from parselmouth.praat import call

    if not is_file(path):
        raise DataError("the TextGrid is missing, or not a file", path=path, remedy="check the path")
    no_tier = DataError("the TextGrid has no interval tier", path=path, remedy="add a tier of intervals with the words")
    try:
        if re.search(rb"^\s*(tiers\?\s*)?<absent>", _text_of(Path(path)), re.MULTILINE):  # Praat would crash
            raise no_tier
        grid = parselmouth.read(str(Path(path).absolute()))
        tiers = [k for k in range(1, call(grid, "Get number of tiers") + 1) if call(grid, "Is interval tier", k)]
    except parselmouth.PraatError as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"not a TextGrid: {reason}", path=path, remedy="save it as a TextGrid in Praat") from error
    if not tiers:
        raise no_tier
    names = {k: call(grid, "Get tier name", k).strip() for k in tiers}
    same = [k for k in tiers if names[k].casefold() == tier.casefold()]
    chosen = next((k for k in same if names[k] == tier), [*same, *tiers][0])
    count = call(grid, "Get number of intervals", chosen)
    lines = _interval_lines(Path(path), chosen)
    rows = []
    for k in range(1, count + 1):
        label = call(grid, "Get label of interval", chosen, k).replace("\\bs", "\\").strip()
        if label:
            start, end = (call(grid, f"Get {edge} time of interval", chosen, k) for edge in ("start", "end"))
            word = WordTime(word=label, start=max(start, 0), end=max(end, 0))
            rows.append((lines[k - 1] if len(lines) == count else None, word))
    return rows


def _interval_lines(path: Path, tier: int) -> list[int]:
    """Return the line on which each interval of a tier begins in Praat's long text format; for messages only."""
    found: dict[int, list[int]] = {}
    current = 0
    for number, line in enumerate(_text_of(path).splitlines(), start=1):
        if match := re.match(rb"\s*item \[(\d+)\]", line):
            current = int(match[1])
        elif re.match(rb"\s*intervals \[\d+\]", line):
            found.setdefault(current, []).append(number)
    return found.get(tier, [])


def _text_of(path: Path) -> bytes:
    """Return the bytes of a file without those of value 0: UTF-16 becomes readable enough for Praat's keywords."""
    return path.read_bytes().replace(b"\0", b"")


def read_transcript(path: str | Path) -> str:
    """Return the words of a text file (UTF-8, or UTF-16 with a byte order mark), or the labels of a TextGrid.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    remedy = "use --text to give the words themselves"
    try:
        content = Path(path).read_bytes()
        text = content.decode("utf-16" if content[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise DataError(f"cannot be read as text: {why}", path=path, remedy=remedy) from error
    if text.startswith(('File type = "ooTextFile', "ooTextFile")):
        return " ".join(word.word for word in read_textgrid(path))
    return text
