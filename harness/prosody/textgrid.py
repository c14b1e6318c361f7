"""Write word times as a Praat TextGrid in UTF-8, with Praat itself (parselmouth)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.errors import DataError
from harness.records import WordTime

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
    from parselmouth import PraatError
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
    try:
        grid.save_as_text_file(str(path))
    except PraatError as error:
        raise DataError(
            "the TextGrid cannot be written here", path=path, remedy="check that the folder exists and has room"
        ) from error
