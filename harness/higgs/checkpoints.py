"""Find checkpoint folders, check which stack reads them, and load them so that every weight comes from the file."""

from __future__ import annotations

import re
from collections.abc import Iterable
from inspect import signature
from pathlib import Path
from typing import Any

from harness.errors import DataError, HarnessError, NotAvailable
from harness.higgs.formats import NATIVE_TYPE, ORIGINAL_TYPE, stack_of
from harness.paths import is_file
from harness.processes.stacks import BOSON, NATIVE, here
from harness.processes.surroundings import quiet_transformers
from harness.store import read_json

_NAMED = 3  # weights that a message names


def resolve(source: str | Path, revision: str | None = None) -> Path:
    """Return the local folder of a checkpoint; download a hub name at a pinned revision.

    Raises
    ------
    HarnessError
        For a hub name without the 40 digits of a commit: branches of these repositories have changed their format.
    NotAvailable
        If the hub cannot be reached.
    """
    if Path(source).is_dir():
        return Path(source)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", str(source)) or Path(source).exists():
        raise DataError("there is no such folder", path=source, remedy="give a folder, or a hub name and its revision")
    if revision is None or not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise HarnessError(f"{str(source)!r} needs a revision of 40 digits, not {revision!r}",
                           remedy="pin the commit: branches of these repositories have changed their format")  # fmt: skip
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(str(source), revision=revision))
    except Exception as error:  # many kinds: offline, a gated repository, a mistyped name
        reason = str(error).splitlines()[0][:200]
        raise NotAvailable(f"{source} cannot be downloaded: {reason}", remedy="give a local folder") from error


def read_config(folder: Path) -> dict[str, Any]:
    """Read config.json of a checkpoint folder."""
    if not is_file(folder / "config.json"):
        raise DataError("the folder has no config.json", path=folder, remedy="a checkpoint folder holds one")
    return read_json(folder / "config.json")


def check_type(folder: Path, stack: str) -> dict[str, Any]:
    """Return config.json if `stack` reads this format.

    Raises
    ------
    DataError
        Naming the type, and the stack that would read it.
    """
    config = read_config(folder)
    found = stack_of(config)
    if found == stack:
        return config
    kind = config.get("model_type")
    if found is None:
        raise DataError(f"model_type is {kind!r}", path=folder / "config.json",
                        remedy=f"a Higgs Audio v2 checkpoint says {ORIGINAL_TYPE!r} or {NATIVE_TYPE!r}")  # fmt: skip
    way = f"use `stack: {found}`" + (", or `harness higgs convert`" if found == BOSON else "")
    raise DataError(
        f"model_type is {kind!r}, which the {stack} stack does not read", path=folder / "config.json", remedy=way
    )


def load_model(
    source: str | Path, stack: str, *, revision: str | None = None, dtype: str = "float32", text_head: bool = True
) -> Any:
    """Load the model of a checkpoint, strictly: every weight comes from the file, and every weight of the file is used.

    Parameters
    ----------
    source, revision
        See `resolve`.
    stack : str
        Stack of this process.
    dtype : str
        Name of a torch dtype.
    text_head : bool
        Native stack only: load the text head, which training on text needs.

    Raises
    ------
    DataError
        If the format is wrong, or weights are missing or unexpected.
    """
    folder = resolve(source, revision)
    check_type(folder, stack)
    from harness.higgs.labels import training_class

    return load_strictly(training_class(stack), folder, dtype=dtype, text_head=text_head)


def load_strictly(model_class: Any, folder: Path, *, dtype: str = "float32", text_head: bool = True) -> Any:
    """Call ``from_pretrained``, but refuse what it only logs: weights missing from the file, or left over.

    A class without a text head as an option, such as boson's, ignores `text_head`.
    """
    import torch
    from safetensors import SafetensorError

    quiet_transformers()
    native = "use_text_head" in signature(model_class.__init__).parameters
    options: dict[str, Any] = {"use_text_head": text_head} if native else {}
    if here() == NATIVE:  # transformers 5 does not name weights of the wrong shape in its error; they are named below
        options["ignore_mismatched_sizes"] = True
    try:
        model, info = model_class.from_pretrained(
            folder, torch_dtype=getattr(torch, dtype), output_loading_info=True, local_files_only=True, **options
        )
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise DataError(f"cannot be loaded: {' '.join(str(error).split())[:300]}", path=folder) from error
    for kind, names in (("missing", info["missing_keys"]), ("unexpected", info["unexpected_keys"]),
                        ("misshapen", info["mismatched_keys"])):  # fmt: skip
        if names:
            raise DataError(f"{len(names)} weights are {kind}: {some_of(names)}", path=folder,
                            remedy="the checkpoint and its config.json do not belong together")  # fmt: skip
    return model


def load_tokenizer(folder: str | Path) -> Any:
    """Load the tokenizer of a checkpoint without running any code from its folder.

    By default transformers asks on the terminal whether to run such code, and takes the first line of a pipe as the answer.

    Raises
    ------
    DataError
        If the tokenizer cannot be loaded, or needs such code.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise DataError(f"the tokenizer cannot be loaded: {str(error).splitlines()[0]}", path=folder,
                        remedy="copy tokenizer.json and tokenizer_config.json there") from error  # fmt: skip


def some_of(names: Iterable[Any]) -> str:
    """List the first `_NAMED` names in alphabetical order, for a message."""
    every = sorted(str(name) for name in names)
    return ", ".join(every[:_NAMED]) + (", ..." if len(every) > _NAMED else "")
