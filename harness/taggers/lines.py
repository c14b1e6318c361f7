"""Read the input of `harness tag`, line by line: plain text, or JSON Lines with a text and perhaps an id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.errors import DataError, HarnessError
from harness.reading import is_json_object
from harness.records import InputLine
from harness.store import parse_line
from harness.tagged import TaggedText

_JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
# The start of JSON that is spread over lines, is an array, or is damaged. No sentence begins like this.
_BEGINS_JSON = re.compile(r'\s*(\{\s*("|$)|\[\s*(\{\s*("|$)|$))')
_ONE_PER_LINE = 'write one object per line, such as {"id": "s1", "text": "We guarantee it"}'


def read_lines(lines: Iterable[bytes], place: str) -> Iterator[tuple[str | int, str]]:
    """Yield the id and the text of each sentence; the id is the number of the line where the input has none.

    The input is JSON Lines if its name ends in ``.jsonl``, or its first line looks like JSON. Then blank lines are skipped, and
    either all lines have an id or none has. In plain text, a blank line is an empty sentence.

    Parameters
    ----------
    lines : iterable of bytes
        The lines, read as needed.
    place : str
        Name of the input, for messages.

    Raises
    ------
    DataError
        If a line is not UTF-8, is not such an object, or has invalid tags; names the line.
    """
    is_json = True if Path(place).suffix.lower() in _JSON_SUFFIXES else None  # None: not known yet
    has_id: bool | None = None
    blank: list[tuple[str | int, str]] = []  # lines before the first that is not blank
    for number, raw in enumerate(lines, start=1):
        if is_json is None:
            line = _decoded(raw, place, number)
            if not line.strip():
                blank.append((str(number), line))
                continue
            is_json = bool(_BEGINS_JSON.match(line)) or is_json_object(line)
            if not is_json:
                yield from blank
        if is_json:
            if not raw.strip():
                continue
            item = parse_line(raw, InputLine, Path(place), number)
            if has_id is None:
                has_id = item.id is not None
            if has_id != (item.id is not None):
                raise DataError("some lines have an id and others have none", path=place, line=number,
                                remedy="give each line an id, or none")  # fmt: skip
            yield (str(number) if item.id is None else item.id), item.text
            continue
        line = _decoded(raw, place, number)
        if is_json_object(raw):
            raise DataError("this line is a JSON object, but the first line is plain text", path=place, line=number,
                            remedy=_ONE_PER_LINE)  # fmt: skip
        try:
            TaggedText.parse(line)
        except HarnessError as error:
            raise error.at(place, number) from error
        yield str(number), line
    if is_json is None:
        yield from blank


def _decoded(raw: bytes, place: str, number: int) -> str:
    try:
        return raw.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise DataError("not UTF-8", path=place, line=number, remedy="save the text as UTF-8") from error
