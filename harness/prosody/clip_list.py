"""Read lists of clips made elsewhere: JSON Lines, or CSV as a spreadsheet saves it."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import Field

from harness.errors import DataError, HarnessError
from harness.records import TextRecord
from harness.store import iterate_jsonl

SEPARATOR = ";"  # between the paths of one CSV field
NEVER_CLOSED = "a quote in the row that begins here is never closed"


class ClipItem(TextRecord):
    """A clip and its text. The audio path is relative to the folder of the manifest; the id is the line number by default."""

    SCHEMA: ClassVar[str] = '{"audio", "text"}'

    id: str = Field("", min_length=1)
    audio: str = Field(min_length=1)


class AudioItem(ClipItem):
    """A clip to score, and clips of the same words without tags."""

    SCHEMA: ClassVar[str] = '{"id", "text", "audio", "plain_audio": [...]}'

    plain_audio: list[str] = Field(default_factory=list)


Item = TypeVar("Item", bound=ClipItem)


def read_manifest(path: str | Path, model: type[Item]) -> list[tuple[int, Item]]:
    """Read a manifest: CSV if its name ends in ``.csv``, JSON Lines otherwise.

    Parameters
    ----------
    path : path-like
    model : type of ClipItem
        Class of the rows. In CSV, the columns are `audio` and `text`, and optionally `id` (and `plain_audio`, if the model has it).

    Returns
    -------
    list of (int, ClipItem)
        Each row with the line on which it begins; the ids are unique.

    Raises
    ------
    DataError
        If it is not such a manifest; names file and line.
    """
    path = Path(path)
    is_csv = path.suffix.lower() == ".csv"
    rows = _iterate_csv(path, model) if is_csv else iterate_jsonl(path, model)
    items: list[tuple[int, Item]] = []
    first_line: dict[str, int] = {}
    for line, item in rows:
        if not item.id:
            item = item.model_copy(update={"id": f"{line:06d}"})
        if not item.tagged.words:
            raise DataError("the text is empty: it holds no words", path=path, line=line,
                            remedy="give the words that are spoken in the clip")  # fmt: skip
        if item.id in first_line:
            raise DataError(f"the id {item.id!r} was already used on line {first_line[item.id]}", path=path, line=line,
                            remedy="give each clip its own id")  # fmt: skip
        first_line[item.id] = line
        items.append((line, item))
    if not items:
        expected = f"{_header(model)}, and a row for each clip" if is_csv else model.SCHEMA
        raise DataError("the manifest holds no clips", path=path, remedy=f"expected: {expected}")
    return items


def _columns(model: type[ClipItem]) -> list[str]:
    return [name for name in ("audio", "text", "plain_audio") if name in model.model_fields]


def _header(model: type[ClipItem]) -> str:
    return f"the header {','.join(_columns(model))}"


def _iterate_csv(path: Path, model: type[Item]) -> Iterator[tuple[int, Item]]:
    optional = ("plain_audio", "id") if "plain_audio" in model.model_fields else ("id",)
    for line, fields in iterate_table(path, ("audio", "text"), optional):
        yield line, _item(fields, model, path, line)


def iterate_table(
    path: Path, needed: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a CSV file, each with the line on which it begins.

    Parameters
    ----------
    path : Path
    needed : sequence of str
        Columns that the header must name, in any order.
    optional : sequence of str
        Columns that it may name.

    Raises
    ------
    DataError
        If it is not such a table; names file and line.
    """
    reader = csv.reader(_lines(path), strict=True)
    columns: list[str] | None = None
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _quoting(error, path, line) from error
        if not "".join(row).strip() and len(row) < 2:
            continue
        if columns is None:
            columns = _checked_header(row, needed, optional, path, line)
            continue
        if len(row) != len(columns):
            raise DataError(
                f"{len(row)} fields, but the header has {len(columns)}", path=path, line=line,
                remedy='put a text that holds a comma in quotes: "Well, <emph> yes"',
            )  # fmt: skip
        yield line, dict(zip(columns, row, strict=True))


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines with their ends: CR, LF or CRLF."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path=path, remedy="check the path") from error
    for number, raw in enumerate(content.splitlines(keepends=True), start=1):
        if b"\0" in raw:
            raise DataError("the line contains a NUL byte, which no text does", path=path, line=number,
                            remedy="save the file as CSV in UTF-8 (not UTF-16, not a spreadsheet)")  # fmt: skip
        try:
            yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"not UTF-8 (byte {error.start + 1} of the line)", path=path, line=number,
                            remedy="save the file as UTF-8") from error  # fmt: skip


def _quoting(error: csv.Error, path: Path, line: int) -> DataError:
    reason = str(error)
    if "unexpected end" in reason:
        message = NEVER_CLOSED
    elif "field limit" in reason:
        message = f"a field of more than {csv.field_size_limit():,} characters; perhaps {NEVER_CLOSED}"
    else:
        message = f"in the row that begins here, a quote is misplaced or never closed ({reason})"
    return DataError(message, path=path, line=line, remedy='inside a quoted field, write "" for a quote')


def _checked_header(row: list[str], needed: Sequence[str], optional: Sequence[str], path: Path, line: int) -> list[str]:
    names = [name.strip() for name in row]
    also = f"; {' and '.join(optional)} {'are' if len(optional) > 1 else 'is'} optional" if optional else ""
    remedy = f"expected: the header {','.join(needed)} (in any order, separated by commas{also})"
    for at, name in enumerate(names):
        if not name or name not in (*needed, *optional):
            what = f"unknown column {name!r}" if name else f"column {at + 1} of the header has no name"
            raise DataError(what, path=path, line=line, remedy=remedy)
        if name in names[:at]:
            raise DataError(f"the column {name!r} occurs twice", path=path, line=line, remedy=remedy)
    if missing := [name for name in needed if name not in names]:
        raise DataError(f"the column {missing[0]!r} is missing", path=path, line=line, remedy=remedy)
    return names


def _item(fields: dict[str, str], model: type[Item], path: Path, line: int) -> Item:
    values: dict[str, str | list[str]] = {"text": fields["text"], "audio": fields["audio"].strip()}
    if not values["audio"]:
        raise DataError("the field 'audio' is empty", path=path, line=line, remedy="name the clip's audio file")
    if "id" in fields and fields["id"].strip():
        values["id"] = fields["id"].strip()
    if "plain_audio" in fields:
        values["plain_audio"] = [name.strip() for name in fields["plain_audio"].split(SEPARATOR) if name.strip()]
    item = model.model_validate(values)
    try:
        _ = item.tagged
    except HarnessError as error:
        row = f"line {error.line}, " if error.line and error.line > 1 else ""
        where = f"in the text at {row}column {error.column}: " if error.column else ""
        raise DataError(where + error.message, path=path, line=line, remedy=error.remedy) from error
    return item
