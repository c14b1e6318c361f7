"""Convert the configuration and the names of a LoRA adapter from the original format to transformers' own.

PEFT describes *where* an adapter acts by patterns over module names (`target_modules`, `layers_to_transform`, ...). The names
differ between the two formats, so a pattern could match other modules after the conversion. The weights in the file tell
which modules the patterns matched, so the converted configuration lists exactly those. A field that this module does not know
is refused unless it is off: nothing is dropped silently.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import DataError, NotAvailable
from harness.higgs.checkpoints import read_config, some_of
from harness.higgs.formats import NATIVE_TYPE, ORIGINAL_TYPE, native_config, native_key, native_model
from harness.store import read_json

ADAPTER, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
_PREFIX = "base_model.model."  # PEFT puts it before each name
# Fields that name no module: they mean the same in both formats.
_KEPT = (
    "peft_type", "task_type", "peft_version", "inference_mode", "r", "lora_alpha", "lora_dropout", "fan_in_fan_out", "bias",
    "use_rslora", "use_dora", "lora_bias", "init_lora_weights", "ensure_weight_tying",
)  # fmt: skip
# Fields that choose modules; the converted configuration lists the chosen ones instead.
_CHOOSING = (
    "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "rank_pattern", "alpha_pattern",
    "modules_to_save", "trainable_token_indices",
)  # fmt: skip
# Fields about the original base model; they are replaced.
_ABOUT_THE_BASE = ("base_model_name_or_path", "revision", "auto_mapping")
# Fields without a conversion, and their defaults in PEFT 0.13.2 and 0.21.2; any other value is refused.
_DEFAULTS: dict[str, Any] = {
    "megatron_config": None, "megatron_core": "megatron.core", "loftq_config": {}, "eva_config": None, "corda_config": None,
    "lora_ga_config": None, "velora_config": None, "alora_invocation_tokens": None, "use_qalora": False,
    "qalora_group_size": 16, "monteclora_config": None, "layer_replication": None,
    "runtime_config": {"ephemeral_gpu_offload": False}, "target_parameters": None, "use_bdlora": None, "arrow_config": None,
    "kasa_config": None,
}  # fmt: skip
_OFF: tuple[Any, ...] = (None, False, {}, [])  # a field that a newer PEFT added is off by default
# Initial values that leave the weights of the base unchanged. Others, such as "pissa", replace them.
_INITIAL_VALUES: tuple[Any, ...] = (True, False, "gaussian", "orthogonal")
_LORA = re.compile(r"(.+)\.(lora_[AB]\.weight|lora_B\.bias|lora_embedding_[AB]|lora_magnitude_vector(?:\.weight)?)")
_TOKEN_ROWS = re.compile(r"(.+)\.token_adapter\.trainable_tokens_delta")
_WHOLE = re.compile(r"(.+?)(?:\.base_layer)?\.(weight|bias)")
_EMBEDDINGS = ("embed_tokens", "audio_decoder_proj.text_lm_head")  # PEFT adds them to the file by itself
_NATIVE_CLASS = {
    "base_model_class": "HiggsAudioV2ForConditionalGeneration",
    "parent_library": "transformers.models.higgs_audio_v2.modeling_higgs_audio_v2",
}


def converted_adapter(
    folder: Path, tensors: Mapping[str, Any], base: str | Path | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the native configuration and weights of an adapter for the original model.

    Parameters
    ----------
    folder : Path
        Folder of the adapter.
    tensors : mapping of str to Tensor
        Its weights.
    base : path-like, optional
        The converted checkpoint, recorded in the configuration.

    Raises
    ------
    DataError
        If a field or a weight has no counterpart in the native model; it is named.
    """
    path = folder / ADAPTER_CONFIG
    config = read_json(path)
    if config.get("peft_type") != "LORA":
        raise DataError(f"the adapter is of type {config.get('peft_type')!r}", path=path,
                        remedy="only LoRA adapters can be converted")  # fmt: skip
    native_base = _native_base(folder, config, base)
    _check_fields(config, path)
    parts = _sort(tensors, config, folder / ADAPTER)
    alphas = _alphas(parts.ranks, config, path)
    tokens = config.get("trainable_token_indices")
    native: dict[str, Any] = {
        **{name: config[name] for name in _KEPT if name in config},
        "base_model_name_or_path": str(base) if base else None,
        "target_modules": _native_names(parts.ranks),
        "modules_to_save": _native_names(parts.saved) or None,
        "rank_pattern": {_native_name(name): rank for name, rank in parts.ranks.items() if rank != config.get("r", 8)},
        "alpha_pattern": {_native_name(n): alpha for n, alpha in alphas.items() if alpha != config.get("lora_alpha", 8)},
    }  # fmt: skip
    if parts.tokens:
        native["trainable_token_indices"] = {_native_name(name): rows for name, rows in parts.tokens.items()}
    elif tokens:
        raise DataError("trainable_token_indices is set, but the file has no trained rows", path=folder / ADAPTER,
                        remedy="save the adapter again")  # fmt: skip
    if config.get("auto_mapping"):
        native["auto_mapping"] = _NATIVE_CLASS
    renamed = {_PREFIX + native_key(name): tensor.contiguous() for name, tensor in parts.tensors.items()}
    if native_base is not None:
        _check_fit(native, renamed, native_base, folder / ADAPTER)
    return native, renamed


def _native_base(folder: Path, config: Mapping[str, Any], base: str | Path | None) -> dict[str, Any] | None:
    """Return the configuration of the converted base, or None if neither it nor the original is on this machine."""
    trained_on = config.get("base_model_name_or_path")
    original = read_config(Path(trained_on)) if trained_on and Path(trained_on).is_dir() else None
    if original is not None and original.get("model_type") != ORIGINAL_TYPE:
        raise DataError("the adapter was not trained on a checkpoint of the original format", path=folder)
    if base is not None and Path(base).is_dir():
        found = read_config(Path(base))
        if found.get("model_type") != NATIVE_TYPE:
            raise DataError(f"--base must be a converted checkpoint, of model_type {NATIVE_TYPE!r}; "
                            f"found {found.get('model_type')!r}", path=base, remedy="convert the checkpoint first")  # fmt: skip
        return found
    return native_config(original) if original is not None else None


def _check_fields(config: Mapping[str, Any], path: Path) -> None:
    for name, value in config.items():
        if name in (*_KEPT, *_CHOOSING, *_ABOUT_THE_BASE):
            continue
        if name in _DEFAULTS:
            if value is not None and value != _DEFAULTS[name]:
                raise DataError(f"{name} is {value!r}, which the conversion does not support; expected "
                                f"{_DEFAULTS[name]!r}", path=path, remedy=_MERGE)  # fmt: skip
        elif not any(value is off or (value == off and type(value) is type(off)) for off in _OFF):
            raise DataError(f"{name} is {value!r}; this field is unknown to the conversion", path=path, remedy=_MERGE)
    start = config.get("init_lora_weights", True)
    if not any(start is known or (isinstance(start, str) and start == known) for known in _INITIAL_VALUES):
        raise DataError(f"init_lora_weights is {start!r}; expected true, false, 'gaussian' or 'orthogonal', which do not change "
                        "the weights of the base model", path=path,
                        remedy="save the adapter with PEFT's path_initial_model_for_weight_conversion, or " + _MERGE)  # fmt: skip


_MERGE = "merge the adapter into the original checkpoint (merge_and_unload), save that, and convert the checkpoint"


@dataclass
class _Parts:
    """The weights of an adapter by kind, with the original names of the modules."""

    tensors: dict[str, Any] = field(default_factory=dict)  # all, by name without PEFT's prefix
    ranks: dict[str, int] = field(default_factory=dict)  # of the modules with LoRA matrices
    saved: set[str] = field(default_factory=set)  # modules trained completely
    tokens: dict[str, list[int]] = field(default_factory=dict)  # trained rows of embeddings


def _sort(tensors: Mapping[str, Any], config: Mapping[str, Any], path: Path) -> _Parts:
    """Assign each weight to the field of the configuration that explains it."""
    parts = _Parts({name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items()})
    to_save = _names(config.get("modules_to_save"))
    found: set[str] = set()
    for name, tensor in parts.tensors.items():
        if match := _LORA.fullmatch(name):
            module, kind = match[1], match[2]
            parts.ranks.setdefault(module, 0)
            if kind.startswith(("lora_A", "lora_embedding_A")):
                parts.ranks[module] = tensor.shape[0]
        elif match := _TOKEN_ROWS.fullmatch(name):
            parts.tokens[match[1]] = _token_rows(config, match[1], path)
        else:
            match = _WHOLE.fullmatch(name)
            reasons = [one for one in to_save if match and _is_within(match[1], one)]
            found.update(reasons)
            if match and reasons and ".base_layer." not in name:
                parts.saved.add(match[1])
            elif not match or not (
                match[1] in _EMBEDDINGS or (match[2] == "bias" and config.get("bias", "none") != "none")
            ):
                raise DataError(f"weight {name} belongs to no field of {ADAPTER_CONFIG}", path=path, remedy=_MERGE)
    if missing := sorted(set(to_save) - found):
        raise DataError(f"modules_to_save names {missing[0]!r}, but the file has no such weights", path=path,
                        remedy="save the adapter again")  # fmt: skip
    if empty := [module for module, rank in parts.ranks.items() if not rank]:
        raise DataError(f"{empty[0]} has no lora_A matrix", path=path, remedy="save the adapter again")
    return parts


def _names(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(name) for name in value or ()]


def _is_within(module: str, chosen: str) -> bool:
    """Return whether `module` is a module that PEFT selects by the end of its name, or is inside one."""
    parents = module.split(".")
    return any(".".join(parents[: end + 1]).endswith(chosen) for end in range(len(parents)))


def _token_rows(config: Mapping[str, Any], module: str, path: Path) -> list[int]:
    chosen = config.get("trainable_token_indices")
    if isinstance(chosen, Mapping):
        chosen = next((rows for name, rows in chosen.items() if f".{module}".endswith(f".{name}")), None)
    if not isinstance(chosen, list):
        raise DataError(f"the file has trained rows of {module}, but trainable_token_indices does not say which", path=path,
                        remedy="save the adapter again")  # fmt: skip
    return chosen


def _alphas(ranks: Mapping[str, int], config: Mapping[str, Any], path: Path) -> dict[str, float]:
    """Return alpha of each module, and check that the ranks in the file are those of the configuration."""
    if "lora_bias" not in config:  # new in PEFT 0.14
        rules = _one_key_for_both
    elif "trainable_token_indices" not in config:  # new in PEFT 0.15
        rules = _key_each_after_a_dot
    else:
        rules = _key_each_anywhere
    try:
        read = {name: rules(name, config) for name in ranks}
    except (re.error, TypeError, AttributeError) as error:
        raise DataError(f"rank_pattern or alpha_pattern cannot be read: {error}", path=path,
                        remedy="both map patterns to numbers") from error  # fmt: skip
    for name, (rank, _) in read.items():
        if rank != ranks[name]:
            raise DataError(f"{name} has rank {ranks[name]} in the file, but {rank} by r and rank_pattern", path=path,
                            remedy=f"{ADAPTER_CONFIG} and {ADAPTER} do not belong together")  # fmt: skip
    return {name: alpha for name, (_, alpha) in read.items()}


def _one_key_for_both(name: str, config: Mapping[str, Any]) -> tuple[int, float]:
    """Read the patterns like PEFT 0.13: the first key of either that matches is looked up in both."""
    ranks, alphas = config.get("rank_pattern") or {}, config.get("alpha_pattern") or {}
    key = next((key for key in [*ranks, *alphas] if re.match(rf".*\.{key}$", name)), name)
    return ranks.get(key, config.get("r", 8)), alphas.get(key, config.get("lora_alpha", 8))


def _key_each_after_a_dot(name: str, config: Mapping[str, Any]) -> tuple[int, float]:
    return _key_each(name, config, r".*\.{}$")


def _key_each_anywhere(name: str, config: Mapping[str, Any]) -> tuple[int, float]:
    return _key_each(name, config, r"(.*\.)?({})$")


def _key_each(name: str, config: Mapping[str, Any], shape: str) -> tuple[int, float]:
    """Read the patterns like PEFT from 0.14 on: each has its own matching key."""

    def look_up(pattern: Mapping[str, Any], default: Any) -> Any:
        key = next((key for key in pattern if re.match(shape.format(key), name)), name)
        return pattern.get(key, default)

    return (look_up(config.get("rank_pattern") or {}, config.get("r", 8)),
            look_up(config.get("alpha_pattern") or {}, config.get("lora_alpha", 8)))  # fmt: skip


def _native_name(module: str) -> str:
    return native_key(f"{module}.").removesuffix(".")


def _native_names(modules: Iterable[str]) -> list[str]:
    return sorted(map(_native_name, modules))


def _check_fit(config: Mapping[str, Any], tensors: Mapping[str, Any], base: Mapping[str, Any], path: Path) -> None:
    """Load the converted adapter into a native model without weights: every tensor must have a place, of its shape."""
    import warnings

    try:
        model = native_model(base, "meta", text_head=True)
    except NotAvailable:  # no native class in this environment: it is checked when the result is loaded
        return
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

    options = {name: value for name, value in config.items() if name != "peft_type"}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # copying to a model without weights does nothing, which torch says each time
            adapted = get_peft_model(model, LoraConfig(**{**options, "init_lora_weights": False}))
            found: Any = set_peft_model_state_dict(adapted, dict(tensors))
    except (RuntimeError, ValueError, TypeError) as error:
        raise DataError(f"the adapter does not fit the model: {' '.join(str(error).split())[:300]}", path=path,
                        remedy="adapter and checkpoint do not belong together") from error  # fmt: skip
    own = [name for name in found.missing_keys if re.search(r"lora_|modules_to_save|trainable_tokens_delta", name)]
    for kind, names in (("unknown to the native model", found.unexpected_keys), ("missing", own)):
        if names:
            raise DataError(f"{len(names)} weights are {kind}: {some_of(names)}", path=path,
                            remedy="adapter and checkpoint do not belong together")  # fmt: skip
