"""Change one part of one DualFFN layer, and see which positions' hidden states move.

In a DualFFN layer every position passes the same attention and then one of two feed-forward networks: the language model's
for text positions, an added one for audio positions. A change of one FFN must therefore move only positions of its kind in
that layer. Other positions can move only in later layers, where attention reads the moved ones, and only after them, because
attention looks back. The weights are random and tiny, so the result is where something moves, not how far.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from importlib import import_module, metadata
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.higgs.accounting import build
from harness.higgs.delay import delay
from harness.higgs.formats import native_key
from harness.higgs.tiny.layout import CODEBOOK_SIZE, CODEBOOKS, tiny_config
from harness.processes.stacks import BOSON, NATIVE, here

TEXT, AUDIO = "text", "audio"
# What can be changed -> its name in a layer.
PARTS = {"text FFN": "mlp", "audio FFN": "audio_mlp", "attention": "self_attn"}
_LAYER_CLASS = {
    BOSON: "boson_multimodal.model.higgs_audio.modeling_higgs_audio:HiggsAudioDualFFNDecoderLayer",
    NATIVE: "transformers.models.higgs_audio_v2.modeling_higgs_audio_v2:HiggsAudioV2DecoderLayer",
}
# A prompt, a recording in the delay pattern, text, a second recording. A recording of 1 frame has 10 columns.
SEQUENCE = ((TEXT, 5), (AUDIO, 10), (TEXT, 4), (AUDIO, 11))


def route(
    part: str,
    *,
    layer: int = 1,
    layers: int = 4,
    sequence: Sequence[tuple[str, int]] = SEQUENCE,
    noise: float = 1.0,
    mute_attention: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Run a tiny model of this process's stack, add noise to a part of one layer, run it again, and compare.

    Parameters
    ----------
    part : str
        A key of `PARTS`.
    layer, layers : int
        Layer to change, counted from 0, and number of layers.
    sequence : sequence of (kind, length)
        Runs of text and audio positions; an audio run is a delayed recording of at least 10 columns.
    noise : float
        Standard deviation of the noise, in standard deviations of the weights that it is added to.
    mute_attention : bool
        Whether every attention adds nothing, in both runs: a control in which positions cannot reach each other.
    seed : int
        Random seed for the weights, the noise, the text and the codes.

    Returns
    -------
    dict
        ``change``: list of shape (layers + 1, positions), the relative change of each hidden state, |after - before| /
        |before|; row 0 is the input of the first layer, row `i` the output of layer `i` - 1. ``kinds``: of each position.
        And ``part``, ``layer`` and ``stack``.

    Raises
    ------
    HarnessError
        If the part is unknown, or the layer or the sequence is impossible.
    """
    import torch

    if part not in PARTS or not 0 <= layer < layers:
        raise HarnessError(f"{part!r} of layer {layer} cannot be changed",
                           remedy=f"choose from: {', '.join(PARTS)}, in layers 0 to {layers - 1}")  # fmt: skip
    if any(kind not in (TEXT, AUDIO) or length < (CODEBOOKS + 2 if kind == AUDIO else 1) for kind, length in sequence):
        raise HarnessError(
            f"{sequence} is no sequence", remedy=f"give {TEXT} of 1 or more, {AUDIO} of {CODEBOOKS + 2} or more"
        )
    config = _config(layers)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(config, "cpu").eval()
        if mute_attention:
            for one in _layers(model):
                torch.nn.init.zeros_(one.self_attn.o_proj.weight)
        inputs = _inputs(sequence, config, np.random.default_rng(seed))
        before, kinds = _hidden_states(model, inputs)
        with torch.no_grad():
            for weight in getattr(_layers(model)[layer], PARTS[part]).parameters():
                weight += noise * weight.std() * torch.randn_like(weight)
        after, _ = _hidden_states(model, inputs)
    change = np.linalg.norm(after - before, axis=-1) / np.linalg.norm(before, axis=-1)
    return {"change": change.tolist(), "kinds": kinds, "part": part, "layer": layer, "stack": here()}


def _config(layers: int) -> dict[str, Any]:
    config = tiny_config()
    text = {**config["text_config"], "num_hidden_layers": layers}
    return {**config, "audio_dual_ffn_layers": list(range(layers)), "text_config": text}


def _inputs(sequence: Sequence[tuple[str, int]], config: Mapping[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Return the arguments of this stack's forward. Audio takes one token in the boson text, one per column in native."""
    import torch

    placeholder = config["audio_out_token_idx"]
    ids: list[int] = []
    recordings = []
    for kind, length in sequence:
        if kind == TEXT:
            ids += rng.integers(0, 200, length).tolist()  # plain bytes and words, no special tokens
        else:
            ids += [placeholder] * (1 if here() == BOSON else length)
            recordings.append(delay(rng.integers(0, CODEBOOK_SIZE, (CODEBOOKS, length - CODEBOOKS - 1))))
    tokens = torch.tensor(ids)[None]
    inputs = {"input_ids": tokens, "attention_mask": torch.ones_like(tokens), "use_cache": False}
    columns = np.concatenate(recordings, axis=1) if recordings else np.zeros((CODEBOOKS, 0), dtype=np.int64)
    if here() == BOSON:
        starts = np.cumsum([0] + [recording.shape[1] for recording in recordings])[:-1]
        return {**inputs, "audio_out_ids": torch.from_numpy(columns), "audio_out_ids_start": torch.from_numpy(starts)}
    frames = torch.from_numpy(columns.T.copy())[None]
    return {**inputs, "audio_input_ids": frames, "audio_input_ids_mask": torch.ones(frames.shape[:2], dtype=torch.bool)}


def _hidden_states(model: Any, inputs: Mapping[str, Any]) -> tuple[NDArray[np.float32], list[str]]:
    """Return hidden states of shape (layers + 1, positions, width) without padding, and the kind of each position.

    Hooks are needed because the last entry of transformers' ``output_hidden_states`` comes after the final norm.
    """
    import torch

    states: list[torch.Tensor] = []

    def first(module: Any, arguments: tuple[Any, ...]) -> None:
        states.append(arguments[0][0].clone())  # a layer may write into its input

    def each(module: Any, arguments: tuple[Any, ...], output: Any) -> None:
        states.append((output[0] if isinstance(output, tuple) else output)[0].clone())

    stack = _layers(model)
    hooks = [stack[0].register_forward_pre_hook(first), *(one.register_forward_hook(each) for one in stack)]
    try:
        with torch.no_grad():
            output = model(**inputs)
    finally:
        for hook in hooks:
            hook.remove()
    if here() == BOSON:  # one placeholder became many positions, padded on the left to a multiple of 8
        kept, audio = output.attention_mask[0].bool(), output.audio_out_mask[0]
    else:
        audio = inputs["input_ids"][0] == model.config.audio_token_id
        kept = torch.ones_like(audio)
    kinds = [AUDIO if one else TEXT for one in audio[kept].tolist()]
    return torch.stack(states)[:, kept].numpy(), kinds


def _layers(model: Any) -> Any:
    return model.layers if here() == BOSON else model.model.layers


def what_moved(routed: Mapping[str, Any]) -> dict[str, bool]:
    """Check a result of `route` against the claim that FFNs are separate and attention is shared.

    Returns
    -------
    dict
        ``nothing before``: whether all states up to the changed layer's input are exactly the same. ``text`` and ``audio``:
        whether every position of the kind moved in the changed layer; ``no text`` and ``no audio``: whether none did, not even
        by the last bit. ``others later``: whether a position that had not moved in the changed layer moved at the end.
        ``only behind``: whether nothing ever moved before the first position that moved in the changed layer.
    """
    moved = np.array(routed["change"]) > 0
    kinds, layer = np.array(routed["kinds"]), routed["layer"]
    here_moved = moved[layer + 1]
    first = int(np.argmax(here_moved)) if here_moved.any() else len(kinds)
    return {
        "nothing before": not moved[: layer + 1].any(),
        **{kind: bool(here_moved[kinds == kind].all()) for kind in (TEXT, AUDIO)},
        **{f"no {kind}": not here_moved[kinds == kind].any() for kind in (TEXT, AUDIO)},
        "others later": bool((moved[-1] & ~here_moved).any()),
        "only behind": not moved[:, :first].any(),
    }


def difference_to_llama(*, layers: int = 4, length: int = 24, seed: int = 0) -> float:
    """Compare the text logits of a tiny model, on text alone, with those of transformers' Llama with the same weights.

    Returns
    -------
    float
        Largest absolute difference over positions and vocabulary, relative to the largest logit.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(_config(layers), "cpu").eval()
        tokens = torch.randint(0, 200, (1, length))
    settings = model.config.text_config if here() == BOSON else model.config
    llama = LlamaForCausalLM(
        LlamaConfig(**{**settings.to_dict(), "model_type": "llama", "tie_word_embeddings": False})
    ).eval()
    weights = {native_key(name): weight for name, weight in model.state_dict().items()}
    weights["lm_head.weight"] = weights.pop("text_lm_head.weight")
    llama.load_state_dict({name: weights[name] for name in llama.state_dict()})
    with torch.no_grad():
        expected = llama(tokens).logits
        if here() == BOSON:
            got = model(input_ids=tokens, attention_mask=torch.ones_like(tokens), use_cache=False).logits
        else:
            got = model.text_lm_head(model.model(input_ids=tokens).last_hidden_state)
    return float((got - expected).abs().max() / expected.abs().max())


def evidence(parts: Sequence[str], *, layer: int = 1, layers: int = 4, seed: int = 0) -> dict[str, Any]:
    """Return the evidence of this stack on DualFFN in one call, because a process of the other stack takes seconds to start.

    Returns
    -------
    dict
        ``code``: `dual_ffn_code`; ``to_llama``: `difference_to_llama`; ``routed``: `route` of each of `parts`.
    """
    return {
        "code": dual_ffn_code(),
        "to_llama": difference_to_llama(layers=layers, seed=seed),
        "routed": [route(part, layer=layer, layers=layers, seed=seed) for part in parts],
    }


def dual_ffn_code() -> dict[str, Any]:
    """Return the origin of this stack's DualFFN layer, and the licence that the installed files state.

    Returns
    -------
    dict
        ``package`` and ``version``; ``class``, with its module; ``declared``: licence fields of the package's metadata;
        ``licence``: the first lines of its licence file; ``header``: the licence line of the source file, empty if there is
        none; ``source``: of the layer's forward; ``transformers``: its version here; ``in_transformers``: whether that has the
        native module.
    """
    module_name, _, name = _LAYER_CLASS[here()].partition(":")
    module = import_module(module_name)
    package = module_name.partition(".")[0]
    fields = metadata.metadata(package)
    declared = [*(fields.get_all("License") or []), *(fields.get_all("License-Expression") or [])]
    declared += [one.rpartition(":: ")[2] for one in fields.get_all("Classifier") or [] if one.startswith("License")]
    files = [file for file in metadata.files(package) or [] if ".dist-info/" in str(file) and file.name == "LICENSE"]
    texts = [line.strip() for file in files[:1] for line in file.read_text().splitlines() if line.strip()]
    head = inspect.getsource(module).split("import ", maxsplit=1)[0].splitlines()
    return {
        "package": package,
        "version": metadata.version(package),
        "class": f"{module_name}.{name}",
        "declared": declared,
        "licence": next((f"{line} {following}" for line, following in pairwise(texts) if "License" in line), ""),
        "header": next((line.strip("# ") for line in head if "icense" in line), ""),
        "source": inspect.getsource(getattr(module, name).forward),
        "transformers": metadata.version("transformers"),
        "in_transformers": find_spec("transformers.models.higgs_audio_v2") is not None,
    }
