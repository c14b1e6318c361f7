"""Convert an original checkpoint or LoRA adapter to transformers' own format, or a checkpoint back. No weight changes."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import DataError, HarnessError, NotAvailable
from harness.higgs.checkpoints import read_config, resolve
from harness.higgs.convert_adapter import ADAPTER, ADAPTER_CONFIG, converted_adapter
from harness.higgs.formats import (
    NATIVE_TYPE,
    ORIGINAL_TYPE,
    native_config,
    native_key,
    native_model,
    original_config,
    original_key,
)
from harness.higgs.memory_limit import weights_size
from harness.outputs import check_output_folder, move_into
from harness.paths import is_file
from harness.store import read_json, write_json

Shapes = dict[str, tuple[int, ...]]  # of weights, by name
Tensors = dict[str, Any]
_TEXT_HEAD = "audio_decoder_proj.text_lm_head.weight"  # in the original format
_MISMATCH = "weights and config.json do not belong together"  # remedy
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocabulary.json",
                    "generation_config.json")  # fmt: skip


def convert(
    source: str | Path,
    out: str | Path,
    *,
    revision: str | None = None,
    base: str | Path | None = None,
    force: bool = False,
) -> dict[str, Any]:
    """Convert a checkpoint or an adapter; the content of the folder decides which.

    Parameters
    ----------
    source : path-like
        Folder, or a hub name with `revision`. Weights may be in one safetensors file or in shards; one shard is in memory.
    out : path-like
        New or empty folder.
    base : path-like, optional
        For an adapter: the converted checkpoint that it belongs to, recorded in its configuration.
    force : bool
        Whether files in `out` may be overwritten.

    Returns
    -------
    dict
        ``kind`` ("checkpoint" or "adapter"), ``tensors``, ``parameters``, ``bytes`` and ``out``.

    Raises
    ------
    DataError
        If `out` already holds files, the folder holds neither, the native class cannot build the network, or the weights do not fit.
    """
    folder, out = resolve(source, revision), Path(out)
    check_output_folder(out, inputs=[folder], force=force)
    if is_file(folder / ADAPTER_CONFIG):
        return _convert_adapter(folder, out, base)
    try:
        native = native_config(read_config(folder))
    except DataError as error:
        raise error.at(folder / "config.json") from error
    shards, expected = _shards(folder), _expected(native)
    with _all_or_nothing(out) as part:
        names, parameters = _rewrite(folder, shards, part, expected, native_key)
        if missing := sorted(expected.keys() - names):
            raise DataError(f"{len(missing)} weights are missing, first {missing[0]}", path=folder, remedy=_MISMATCH)
        _write_rest(folder, part, native, {"source": str(source), "revision": revision, "from": ORIGINAL_TYPE})
    return {"kind": "checkpoint", "tensors": len(names), "parameters": parameters, "bytes": weights_size(out),
            "out": str(out)}  # fmt: skip


def convert_back(source: str | Path, out: str | Path) -> None:
    """Convert a checkpoint in transformers' own format to the original one.

    The original class always has a text head. If the checkpoint has none, because it was trained on audio only, the head is zero: all
    next words are equally likely. Speech does not use it.

    Parameters
    ----------
    source : path-like
        Folder with its weights in one safetensors file.
    out : path-like
        New folder.

    Raises
    ------
    DataError
        If the folder holds no such checkpoint, or one without a counterpart in the original format.
    """
    import torch

    folder = Path(source)
    try:
        original = original_config(read_config(folder))
    except DataError as error:
        raise error.at(folder / "config.json") from error
    if len(shards := _shards(folder)) > 1:
        raise DataError("the weights are in several files", path=folder, remedy="save them as one safetensors file")
    with _all_or_nothing(Path(out)) as part:

        def add_head(weights: Tensors) -> Tensors:
            return {_TEXT_HEAD: torch.zeros_like(weights["embed_tokens.weight"]), **weights}

        _rewrite(folder, shards, part, {}, original_key, add_head)
        _write_rest(folder, part, original, {"source": str(source), "from": NATIVE_TYPE})


def _write_rest(folder: Path, part: Path, config: dict[str, Any], conversion: dict[str, Any]) -> None:
    write_json(part / "config.json", config)
    for name in _TOKENIZER_FILES:
        if is_file(folder / name):
            shutil.copyfile(folder / name, part / name)
    write_json(part / "conversion.json", conversion)


@contextlib.contextmanager
def _all_or_nothing(out: Path) -> Iterator[Path]:
    """Yield a temporary folder that is renamed to `out` on success and removed on failure."""
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        yield part
        move_into(part, out)
    except OSError as error:
        raise HarnessError(
            f"cannot be written: {error.strerror or error}", path=out, remedy="choose another folder"
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _shards(folder: Path) -> list[str]:
    index = folder / "model.safetensors.index.json"
    if is_file(index):
        weights = read_json(index).get("weight_map")
        names = sorted(set(map(str, weights.values()))) if isinstance(weights, dict) else []
        if not names or not all(re.fullmatch(r"\w[\w.-]*\.safetensors", name) for name in names):
            raise DataError(
                "weight_map must name safetensors files of this folder", path=index, remedy="download it again"
            )
        return names
    if is_file(folder / "model.safetensors"):
        return ["model.safetensors"]
    raise DataError("the folder holds no safetensors weights", path=folder,
                    remedy="only safetensors are read: other formats can run code")  # fmt: skip


def _rewrite(
    folder: Path,
    shards: list[str],
    out: Path,
    expected: Shapes,
    rename: Callable[[str], str],
    complete: Callable[[Tensors], Tensors] = dict,
) -> tuple[dict[str, str], int]:
    """Rename the weights of each shard; return the shard of each weight, and the number of parameters.

    `complete` adds what the other format lacks.
    """
    from safetensors.torch import save_file

    names: dict[str, str] = {}
    parameters = 0
    for shard in shards:
        renamed = complete({rename(name): tensor.contiguous() for name, tensor in _tensors(folder / shard).items()})
        _check_shapes(renamed, expected, folder / shard)
        save_file(renamed, out / shard, metadata={"format": "pt"})
        names |= dict.fromkeys(renamed, shard)
        parameters += sum(tensor.numel() for tensor in renamed.values())
    if len(shards) > 1:
        index = {"metadata": {"total_size": weights_size(out)}, "weight_map": names}
        write_json(out / "model.safetensors.index.json", index)
    return names, parameters


def _tensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"cannot be read: {error}", path=path, remedy="download it again") from error


def _expected(native: Mapping[str, Any]) -> Shapes:
    """Return names and shapes of the native model's weights, from the meta device; empty in the boson stack."""
    try:
        model = native_model(native, "meta", text_head=True)
    except NotAvailable:  # shapes are checked when the result is loaded
        return {}
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def _check_shapes(tensors: Mapping[str, Any], expected: Shapes, path: Path) -> None:
    for name, tensor in tensors.items():
        want = expected.get(name)
        if expected and want != tuple(tensor.shape):
            problem = f"is of shape {tuple(tensor.shape)}, not {want}" if want else "is unknown to the native model"
            raise DataError(f"weight {name} {problem}", path=path, remedy=_MISMATCH)


def _convert_adapter(folder: Path, out: Path, base: str | Path | None) -> dict[str, Any]:
    from safetensors.torch import save_file

    if not is_file(folder / ADAPTER):
        raise DataError(f"the adapter has no {ADAPTER}", path=folder, remedy="only safetensors are read")
    config, tensors = converted_adapter(folder, _tensors(folder / ADAPTER), base)
    with _all_or_nothing(out) as part:
        save_file(tensors, part / ADAPTER, metadata={"format": "pt"})
        write_json(part / ADAPTER_CONFIG, config)
    return {"kind": "adapter", "tensors": len(tensors), "parameters": sum(t.numel() for t in tensors.values()),
            "bytes": weights_size(out), "out": str(out)}  # fmt: skip
