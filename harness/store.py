"""Append-only JSON Lines that survive a kill, and a manifest that is written last.

A run may die at any byte. `Store` therefore appends whole lines and flushes each; on reopening it cuts off a
torn last line (the record is simply made again) and says which keys are already there. `Store.finish` sorts the
file by key, so a resumed run ends with the same bytes as an undisturbed one.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from harness.errors import DataError, HarnessError
from harness.reading import first_problem, parse_json, unreadable
from harness.reading import read_json as read_json  # beside `write_json`
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
    """Yield the records of a file; only their keys are kept. Raises as `read_jsonl`."""
    lines_of: dict[str, int] = {}  # by strings: a million tuples take half of the time, in the garbage collector
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
    """Yield ``(line number, record)``; memory does not grow with the file. Raises as `read_jsonl`."""
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
    """Validate one line of JSON as `model`; see `read_jsonl` for the errors."""
    try:
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 (byte {error.start + 1} of the line)", path=path, line=number,
                        remedy="save the file as UTF-8") from error  # fmt: skip
    try:
        fields = parse_json(text)
    except DataError as error:
        raise DataError(error.message, path=path, line=number, remedy="one JSON object a line") from error
    if not isinstance(fields, dict):
        raise DataError(f"a JSON {type(fields).__name__}, not an object", path=path, line=number,
                        remedy='a line looks like {"id": "s1", "text": "..."}')  # fmt: skip
    try:
        record = model.model_validate(fields)
        _ = getattr(record, "tagged", None)  # parse the tags now, while file and line are known
    except ValidationError as error:
        raise DataError(first_problem(error, "record")[0], path=path, line=number,
                        remedy=f"expected: {model.SCHEMA}") from error  # fmt: skip
    except HarnessError as error:
        where = f"in the text at column {error.column}: " if error.column else ""
        raise DataError(where + error.message, path=path, line=number, remedy=error.remedy) from error
    return record


class Store(Generic[R]):
    """An append-only file of records, keyed.

    What is in the file is kept in memory as lines of text, a quarter of the size of the records.

    Parameters
    ----------
    path : path-like
        Made when the first record is added; its folder must exist.
    model : type of Record
        What a line holds.
    """

    def __init__(self, path: str | Path, model: type[R]) -> None:
        self.path = Path(path)
        self.model = model
        self.torn = self._repair()
        self._lines = (
            {record.key: record.line() for record in read_jsonl(self.path, model)} if self.path.exists() else {}
        )

    def _repair(self) -> int:
        """Cut a torn last line; return how many bytes it had."""
        refuse_link(self.path)
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
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
            with os.fdopen(os.open(self.path, flags, 0o666), "wb") as handle:
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
        """Records, sorted by key, one at a time."""
        return (self._parsed(self._lines[key]) for key in sorted(self._lines))

    def records(self) -> list[R]:
        """All records, sorted by key."""
        return list(self)

    def _parsed(self, line: str) -> R:
        return self.model.model_validate_json(line)

    def add(self, records: Iterable[R]) -> None:
        """Append records whose key is new; known keys are left as they are."""
        fresh = {record.key: record.line() for record in records if record.key not in self._lines}
        if not fresh:
            return
        self._append("".join(line + "\n" for line in fresh.values()).encode())
        self._lines.update(fresh)

    def keep(self, wanted: Callable[[R], bool]) -> None:
        """Drop the records that are not wanted, from memory and from the file."""
        kept = {key: line for key, line in self._lines.items() if wanted(self._parsed(line))}
        if len(kept) < len(self._lines):
            self._lines = kept
            self.finish()

    def replace(self, records: Iterable[R]) -> None:
        """Put other records in place of all; `records` may be made from the old ones as they are read."""
        self._lines = {record.key: record.line() for record in records}
        self.finish()

    def finish(self) -> None:
        """Rewrite the file sorted by key, atomically."""
        write_atomic(self.path, "".join(self._lines[key] + "\n" for key in sorted(self._lines)))


def write_atomic(path: str | Path, text: str | bytes) -> None:
    """Write `text` so that a reader sees the old file or the new one, never half of it."""
    path = Path(path)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    except OSError as error:
        raise _unwritten(path, error) from error
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(text.encode() if isinstance(text, str) else text)
            handle.flush()
            os.fsync(handle.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise _unwritten(path, error) from error
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


_REMEDIES = {
    errno.ENOSPC: "make room on the disk, then give the same command again",
    errno.EDQUOT: "make room in your quota, then give the same command again",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), then give the same command again",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "choose a folder that you may write into",
    errno.EPERM: "choose a folder that you may write into",
    errno.ELOOP: "remove the link, or choose another folder",
    errno.ENOENT: "check that the folder exists",
}


def _unwritten(path: Path, error: OSError) -> DataError:
    """Why a file could not be written, and what to do."""
    remedy = _REMEDIES.get(error.errno or 0, "check that the folder exists and can be written")
    return DataError(f"cannot be written: {error.strerror}", path=path, remedy=remedy)


def refuse_link(path: Path) -> None:
    """Raise a `DataError` if a symbolic link stands at `path`: what is written there would land elsewhere."""
    if path.is_symlink():
        raise DataError("a link stands where this command writes a file or folder of its own", path=path,
                        remedy="remove the link, or choose another folder")  # fmt: skip


@contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Keep a folder to this process. The system gives it free when the process ends, however it ends.

    Parameters
    ----------
    folder : Path
        Exists. Gets a file ``.lock``, which names the process while the lock is held.
    what : str
        What does so, for the message: "run", "training".

    Raises
    ------
    DataError
        If another process has it, or the folder cannot be written.
    """
    path = folder / LOCK
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _unwritten(path, error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(handle, 32).decode("ascii", "replace").strip()
            who = f" (process {holder})" if holder.isdigit() else ""
            raise DataError(f"another {what} is writing into this folder{who}", path=folder,
                            remedy="wait for it, or choose another folder") from error  # fmt: skip
        except OSError as error:
            raise DataError(f"cannot be locked: {error.strerror}", path=path,
                            remedy="choose a folder on a file system with locks") from error  # fmt: skip
        with suppress(OSError):  # the number is for people: a full disk is no reason to stop here
            os.truncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())
        try:
            yield
        finally:
            with suppress(OSError):
                os.truncate(handle, 0)
    finally:
        os.close(handle)


def write_json(path: str | Path, value: object) -> None:
    """Write a JSON file atomically, indented, keys in the given order."""
    write_atomic(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
