"""Append-only JSON Lines that survive a kill, atomic writes, and locked folders.

A run may die at any byte. `Store` therefore appends whole lines and flushes each of them. On reopening it cuts off a
torn last line (that record is made again) and knows which keys are already there. `Store.finish` sorts the
file by key, so a resumed run ends with the same bytes as an uninterrupted one.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Generic, TypeVar

from filelock import FileLock, Timeout
from pydantic import ValidationError

from harness.errors import DataError, HarnessError
from harness.reading import first_problem, parse_json, unreadable
from harness.reading import read_json as read_json  # exported with its counterpart `write_json`
from harness.records import Record

R = TypeVar("R", bound=Record)
LOCK = ".lock"


def read_jsonl(path: str | Path, model: type[R]) -> list[R]:
    """Read and validate a whole JSON Lines file; blank lines are skipped.

    Raises
    ------
    DataError
        Naming file and line: not JSON, not UTF-8, a missing or wrong field, an unknown tag, or a repeated key.
    """
    return list(iterate_unique(path, model))


def iterate_unique(path: str | Path, model: type[R]) -> Iterator[R]:
    """Yield the records of a file, keeping only their keys in memory; raises as `read_jsonl` does."""
    lines_of: dict[str, int] = {}  # keyed by strings: with a million tuples, garbage collection takes half of the time
    for number, record in iterate_jsonl(path, model):
        key = repr(record.key)
        if key in lines_of:
            raise DataError(
                f"the id {'/'.join(record.key)!r} was already used on line {lines_of[key]}",
                path=path, line=number, remedy="give each line its own id",
            )  # fmt: skip
        lines_of[key] = number
        yield record


def iterate_jsonl(path: str | Path, model: type[R]) -> Iterator[tuple[int, R]]:
    """Yield ``(line number, record)`` without reading the whole file into memory; raises as `read_jsonl` does."""
    path = Path(path)
    try:
        handle = path.open("rb")
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    with handle:
        for number, raw in enumerate(handle, start=1):
            if raw.strip():
                yield number, parse_line(raw, model, path, number)


def parse_line(raw: bytes, model: type[R], path: Path, number: int) -> R:
    """Validate one line of JSON as `model`; raise as `read_jsonl` does."""
    try:
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 (byte {error.start + 1} of the line)", path=path, line=number,
                        remedy="save the file as UTF-8") from error  # fmt: skip
    try:
        fields = parse_json(text)
    except DataError as error:
        where = f", at column {error.column}" if error.column else ""
        raise DataError(
            error.message + where, path=path, line=number, remedy="write one JSON object per line"
        ) from error
    if not isinstance(fields, dict):
        raise DataError(f"expected a JSON object, got a {type(fields).__name__}", path=path, line=number,
                        remedy='a line looks like {"id": "s1", "text": "..."}')  # fmt: skip
    try:
        record = model.model_validate(fields)
        _ = getattr(record, "tagged", None)  # parse the tags now, while file and line are known
    except ValidationError as error:
        message, _, kind = first_problem(error, "record")
        if kind == "missing":
            message += f"; found {', '.join(map(repr, fields)) or 'no fields'}"
        raise DataError(message, path=path, line=number, remedy=f"expected: {model.SCHEMA}") from error
    except HarnessError as error:
        where = f"in the text at column {error.column}: " if error.column else ""
        raise DataError(where + error.message, path=path, line=number, remedy=error.remedy) from error
    return record


class Store(Generic[R]):
    """An append-only file of records, each with a key.

    The lines of the file are kept in memory as text, which takes a quarter of the memory of the records.

    Parameters
    ----------
    path : path-like
        File, created when the first record is added; its folder must exist.
    model : type of Record
        Class of the records.
    """

    def __init__(self, path: str | Path, model: type[R]) -> None:
        self.path = Path(path)
        self.model = model
        self.torn = self._repair()
        self._lines = (
            {record.key: record.line() for record in read_jsonl(self.path, model)} if self.path.exists() else {}
        )

    def _repair(self) -> int:
        """Cut off a torn last line; return its number of bytes."""
        if not self.path.exists():
            return 0
        content = self.path.read_bytes()
        if not content or content.endswith(b"\n"):
            return 0
        keep = content.rfind(b"\n") + 1
        try:  # a kill between the record and its newline leaves a whole record: keep it
            parse_line(content[keep:], self.model, self.path, content.count(b"\n") + 1)
        except DataError:
            try:
                with self.path.open("rb+") as handle:
                    handle.truncate(keep)
            except OSError as error:
                raise _unwritten(self.path, error) from error
            return len(content) - keep
        self._append(b"\n")
        return 0

    def _append(self, content: bytes) -> None:
        try:
            with self.path.open("ab") as handle:
                handle.write(content)
                handle.flush()
                os.fsync(handle.fileno())
        except OSError as error:
            raise _unwritten(self.path, error) from error

    def __contains__(self, key: tuple[str, ...]) -> bool:
        return key in self._lines

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[R]:
        """Yield the records, sorted by key."""
        return (self._parsed(self._lines[key]) for key in sorted(self._lines))

    def _parsed(self, line: str) -> R:
        return self.model.model_validate_json(line)

    def add(self, records: Iterable[R]) -> None:
        """Append the records whose key is new; leave known keys unchanged."""
        fresh = {record.key: record.line() for record in records if record.key not in self._lines}
        if not fresh:
            return
        self._append("".join(line + "\n" for line in fresh.values()).encode())
        self._lines.update(fresh)

    def keep(self, wanted: Callable[[R], bool]) -> None:
        """Drop the records that are not `wanted` from memory and from the file."""
        kept = {key: line for key, line in self._lines.items() if wanted(self._parsed(line))}
        if len(kept) < len(self._lines):
            self._lines = kept
            self.finish()

    def replace(self, records: Iterable[R]) -> None:
        """Replace all records; `records` may be a generator that reads the old ones."""
        self._lines = {record.key: record.line() for record in records}
        self.finish()

    def finish(self) -> None:
        """Rewrite the file sorted by key, atomically."""
        write_atomic(self.path, "".join(self._lines[key] + "\n" for key in sorted(self._lines)))


def write_atomic(path: str | Path, content: str | bytes) -> None:
    """Write a file so that a reader sees the old content or the new content, never part of it.

    Parameters
    ----------
    path : path-like
        File, replaced if it exists. A device or pipe is written to.
    content : str or bytes
        Text is encoded as UTF-8.

    Raises
    ------
    DataError
        If the file cannot be written; the old file is unchanged.
    """
    path = Path(path)
    encoded = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():  # a device or pipe, such as /dev/null: it must not become a file
        try:
            path.write_bytes(encoded)
        except OSError as error:
            raise _unwritten(path, error) from error
        return
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise _unwritten(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(encoded)
            handle.flush()
            os.fsync(handle.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _unwritten(path, error) from error
        raise


_REMEDIES = {
    errno.ENOSPC: "make room on the disk, then run the same command again",
    errno.EDQUOT: "make room in your quota, then run the same command again",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), then run the same command again",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "choose a folder that you may write into",
    errno.EPERM: "choose a folder that you may write into",
    errno.ENOENT: "check that the folder exists",
}


def _unwritten(path: Path, error: OSError) -> DataError:
    """Return an error that says why a file could not be written, and what to do."""
    remedy = _REMEDIES.get(error.errno or 0, "check that the folder exists and can be written")
    return DataError(f"cannot be written: {error.strerror}", path=path, remedy=remedy)


@contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Reserve a folder for this process. The operating system releases the lock when the process ends, however it ends.

    Parameters
    ----------
    folder : Path
        An existing folder. The lock is its file ``.lock``, which holds the process id while the lock is held.
    what : str
        What the process does there, for the message: "run", "training".

    Raises
    ------
    DataError
        If another process holds the lock, or the folder cannot be written.
    """
    path = folder / LOCK
    lock = FileLock(path, blocking=False, fallback_to_soft=False, on_acquired=_write_process_id)
    try:
        lock.acquire()
    except Timeout as error:
        holder = path.read_text(encoding="ascii", errors="replace").strip()
        who = f" (process {holder})" if holder.isdigit() else ""
        raise DataError(f"another {what} is writing into this folder{who}", path=folder,
                        remedy="wait for it, or choose another folder") from error  # fmt: skip
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
            raise DataError(f"cannot be locked: {error.strerror}", path=path,
                            remedy="choose a folder on a file system with locks") from error  # fmt: skip
        raise _unwritten(path, error) from error
    try:
        yield
    finally:
        with suppress(OSError):
            os.truncate(path, 0)
        lock.release()


def _write_process_id(descriptor: int) -> None:
    with suppress(OSError):  # the number is only for messages: a full disk must not stop the run here
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)


def write_json(path: str | Path, value: object) -> None:
    """Write a JSON file atomically, indented, with its keys in the given order."""
    write_atomic(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
