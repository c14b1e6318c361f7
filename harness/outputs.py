"""One rule for every command that writes a file: no input is overwritten, and no existing file unless `--force` is given.

Run folders, outputs that resume, and standard output are exempt.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.errors import DataError
from harness.paths import is_file


def check_output(path: str | Path, *, inputs: Iterable[str | Path] = (), force: bool = False) -> None:
    """Refuse an output file that would overwrite something. A device or pipe, such as ``/dev/null``, is always accepted.

    Parameters
    ----------
    path : path-like
        The file that the command will write.
    inputs : iterable of path-like
        Files that the command reads. They are never overwritten, under whatever name or link `path` refers to them.
    force : bool
        Whether another existing file may be overwritten.

    Raises
    ------
    DataError
        If `path` is an input, an existing file, a folder, or in a folder that does not exist.
    """
    path = Path(path)
    try:
        found, in_folder = path.exists(), path.absolute().parent.is_dir()
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be written: {getattr(error, 'strerror', None) or error}", path=path,
                        remedy="choose another name") from error  # fmt: skip
    if path.is_dir():
        raise DataError("cannot be written: it is a folder", path=path, remedy="name a file")
    if not in_folder:
        raise DataError("cannot be written: its folder does not exist", path=path, remedy="create the folder first")
    _check_not_input(path, inputs)
    if found and path.is_file() and not force:
        raise DataError("the file already exists", path=path,
                        remedy="choose another name, or add --force to overwrite it")  # fmt: skip


def check_output_folder(path: str | Path, *, inputs: Iterable[str | Path] = (), force: bool = False) -> None:
    """Refuse a folder that is not empty, unless `force` is given; and a folder that is an input.

    Parameters
    ----------
    path : path-like
        The folder that the command will fill.
    inputs : iterable of path-like
        Files and folders that the command reads.
    force : bool
        Whether files in the folder may be overwritten. Its other files stay.

    Raises
    ------
    DataError
        If `path` is an input, a file, or a folder that is not empty.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise DataError("expected a folder, but this is a file", path=path, remedy="choose another name")
    _check_not_input(path, inputs)
    if path.is_dir() and any(path.iterdir()) and not force:
        raise DataError("the folder is not empty", path=path,
                        remedy="choose a new one, or add --force to overwrite files in it")  # fmt: skip


def move_into(made: Path, folder: Path) -> None:
    """Move a folder that is complete to its place, or its files into the existing folder, where they replace others."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    if not folder.exists():
        made.replace(folder)
        return
    for file in sorted(path for path in made.rglob("*") if not path.is_dir()):
        target = folder / file.relative_to(made)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.replace(target)


def files_among(values: Iterable[object]) -> list[Path]:
    """Return the values that name existing files, such as the reference clip among an engine's options."""
    texts = [Path(value).expanduser() for value in values if isinstance(value, (str, Path)) and str(value)]
    return [path for path in texts if is_file(path)]


def _check_not_input(path: Path, inputs: Iterable[str | Path]) -> None:
    if any(_same(path, Path(one)) for one in inputs):
        raise DataError("cannot be written: it is also an input of this command", path=path,
                        remedy="choose another name")  # fmt: skip


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # at least one of them does not exist yet
        return one.absolute().resolve() == other.absolute().resolve()
