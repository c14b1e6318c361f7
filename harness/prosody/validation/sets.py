"""The sets of labelled recordings by name, and where they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.datasets import REMOTES, find
from harness.errors import DataError, HarnessError
from harness.prosody.validation.emphassess import load_emphassess
from harness.prosody.validation.own import load_own
from harness.prosody.validation.recordings import LabelledSet
from harness.prosody.validation.todi import load_todi


@dataclass(frozen=True)
class SetKind:
    """A layout of labelled recordings.

    Parameters
    ----------
    load : callable
        Reads the files of a folder, each by its name.
    remote : bool
        Whether a published set of this layout can be fetched under the same name.
    """

    load: Callable[[Mapping[str, Path]], LabelledSet]
    remote: bool


SETS: dict[str, SetKind] = {
    "todi": SetKind(load_todi, remote=True),
    "emphassess": SetKind(load_emphassess, remote=True),
    "own": SetKind(load_own, remote=False),
}


def load_set(name: str, folder: str | Path | None = None) -> LabelledSet:
    """Read a set of labelled recordings.

    Parameters
    ----------
    name : str
        One of `SETS`.
    folder : path-like, optional
        Any folder of the layout `name`; its folders are searched too. By default the published set, each file verified by its
        checksum.

    Raises
    ------
    HarnessError
        If there is no such set, or it has no folder.
    NotAvailable
        If the published set is not on this machine.
    DataError
        If the folder is not of this layout.
    """
    if name not in SETS:
        raise HarnessError(f"no set of recordings is called {name!r}", remedy=f"choose one of: {', '.join(SETS)}")
    if folder is not None:
        try:
            return SETS[name].load(_files(Path(folder)))
        except DataError as error:
            raise error if error.path else error.at(folder) from None
    if not SETS[name].remote:
        raise HarnessError(f"the set {name!r} needs a folder", remedy="name it: --folder DIR")
    return SETS[name].load({Path(file.path).name: find(file.path, name) for file in REMOTES[name].files})


def _files(folder: Path) -> dict[str, Path]:
    """Return the files of a folder and of the folders in it by name; of two with the same name, the one higher up."""
    if not folder.is_dir():
        raise DataError("there is no such folder", path=folder, remedy="check the path")
    paths = sorted(
        (path for path in folder.rglob("*") if path.is_file()), key=lambda path: (-len(path.parts), str(path))
    )
    return {path.name: path for path in paths}
