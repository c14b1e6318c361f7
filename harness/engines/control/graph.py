"""Models in ONNX whose insides can be told: tensors that the model computes become inputs.

A voice is cut into parts that run one after the other, so that what one part computes can be changed before the next part reads it.
The tensors are found by what they do, not by their names. The parts are made once, and kept in the cache folder (see
`harness.paths.cache_folder`) under the checksum of the voice's file; if the folder cannot be written, they are made again each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import DataError, HarnessError
from harness.paths import cache_folder
from harness.store import write_atomic

VERSION = 1  # of what this module makes; part of the folder's name
Parts = dict[str, bytes]
Shapes = dict[str, list[str | int]]


class NoTiming(HarnessError):
    """A voice file whose phones have no lengths that can be set."""


def parts_of(path: str | Path, cut: Callable[[Any], Parts], names: Sequence[str]) -> Parts:
    """Return the parts of a voice, from the cache or newly made.

    Parameters
    ----------
    path : path-like
        Voice file.
    cut : callable
        Function that makes the parts of a loaded ``onnx.ModelProto``: `hibari_parts` or `piper_parts`.
    names : sequence of str
        Names of the parts.

    Raises
    ------
    NoTiming
        If the model is not of the expected kind.
    """
    model = Path(path).read_bytes()
    checksum = hashlib.sha256(f"{cut.__name__} {VERSION}".encode() + model).hexdigest()
    folder = cache_folder() / "voices" / f"{Path(path).stem}-{checksum[:16]}"
    try:
        return {name: (folder / f"{name}.onnx").read_bytes() for name in names}
    except OSError:
        parts = _made(model, cut, path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in parts.items():
            write_atomic(folder / f"{name}.onnx", content)
    except (OSError, DataError):  # a full disk or a read-only home costs time, not the voice
        pass
    return parts


def _made(model: bytes, cut: Callable[[Any], Parts], path: str | Path) -> Parts:
    try:
        import onnx
    except ImportError as error:
        raise HarnessError("a neural voice that obeys tags needs the package onnx", remedy="pip install onnx, or set "
                           "the option dialect=ignore") from error  # fmt: skip
    try:
        return cut(onnx.load_from_string(model))
    except NoTiming as error:
        raise NoTiming(
            error.message, path=path, remedy="set the option dialect=ignore; the voice then ignores tags"
        ) from error


def hibari_parts(model: Any) -> Parts:
    """Cut a voice of hibari (hibari-tts 0.2).

    Returns
    -------
    dict of str to bytes
        ``lengths``: ids, speed -> the length of each phone in units of 25 ms, exact and rounded. ``melody``: ids, durations -> F0 and
        energy of each frame. ``sound``: ids, durations, f0, energy -> what ``hibari.dsp.synth`` needs.
    """
    graph = model.graph
    makers = {output: node for node in graph.node for output in node.output}
    exact = _only((node.output[0] for node in graph.node if node.op_type == "Div" and "speed" in node.input), "length")
    rounded = _only(
        (node.output[0] for node in graph.node if node.op_type == "Round" and exact in node.input), "rounding"
    )
    lengths = _only(
        (node.output[0] for node in graph.node if node.op_type == "Clip" and rounded in node.input), "limit"
    )
    if "f0" not in makers or makers["f0"].op_type != "Mul":
        raise NoTiming("not a voice of hibari: it has no output f0")
    source = makers[_made_by(makers, makers["f0"], "Gather")].input[0]
    energy = _only(
        (
            node.output[0]
            for node in graph.node
            if node.op_type == "Mul"
            and "f0" not in node.output
            and any(
                name in makers and makers[name].op_type == "Gather" and makers[name].input[0] == source
                for name in node.input
            )
        ),
        "energy",
    )
    for old, new in ((lengths, "durations"), ("f0", "f0_told"), (energy, "energy_told")):
        _rewire(graph, old, new)
    known: Shapes = {"durations": ["phones"], "f0_told": [1, "frames"], "energy_told": [1, "frames"]}
    shapes: Shapes = {exact: ["phones"], lengths: ["phones"], energy: [1, "frames"]}
    return {
        "lengths": _part(model, ["ids", "speed"], [exact, lengths], known, shapes),
        "melody": _part(model, ["ids", "durations"], ["f0", energy], known, shapes),
        "sound": _part(
            model, ["ids", "durations", "f0_told", "energy_told"], ["lh", "theta", "ln", "lr", "phi"], known, shapes
        ),
    }


def piper_parts(model: Any) -> Parts:
    """Cut a voice of Piper (VITS: Kim et al. 2021, arXiv 2106.06103), with one speaker or several.

    Returns
    -------
    dict of str to bytes
        ``lengths``: input, input_lengths, scales, sid if there are several speakers, length_noise -> frames of each id, not rounded.
        ``sound``: these without the noise, durations, sound_noise -> samples. A voice without random lengths has no length_noise.
    """
    import onnx

    graph = model.graph
    makers = {output: node for node in graph.node for output in node.output}
    ceiling = _only((node for node in graph.node if node.op_type == "Ceil"), "length")
    exact, lengths = ceiling.input[0], ceiling.output[0]
    before = _ancestors(makers, exact)
    random = [node for node in graph.node if node.op_type == "RandomNormalLike"]
    of_lengths = [node for node in random if node.output[0] in before]
    of_sound = _only((node for node in random if node.output[0] not in before), "noise")
    if len(of_lengths) > 1:
        raise NoTiming(f"not a voice of Piper: its lengths need {len(of_lengths)} kinds of noise, one was expected")
    known: Shapes = {
        "durations": [1, 1, "ids"],
        "sound_noise": [1, _channels(onnx, model, of_sound), "frames"],
    }
    shapes: Shapes = {exact: [1, 1, "ids"]}
    _rewire(graph, lengths, "durations")
    for node, name in ((of_sound, "sound_noise"), *((node, "length_noise") for node in of_lengths)):
        _rewire(graph, node.output[0], name)
    if of_lengths:
        known["length_noise"] = [1, 2, "ids"]
    told = [value.name for value in graph.input]
    output = graph.output[0].name
    return {
        "lengths": _part(model, [*told, *(["length_noise"] if of_lengths else [])], [exact], known, shapes),
        "sound": _part(model, [*told, "durations", "sound_noise"], [output], known, shapes),
    }


DEFAULT_CHANNELS = 192  # of VITS's latent space (`inter_channels` in its configuration)


def _channels(onnx: Any, model: Any, noise: Any) -> int:
    """Return the number of channels of a noise, from the shape of the tensor that it is like."""
    for value in onnx.shape_inference.infer_shapes(model).graph.value_info:
        if value.name == noise.input[0]:
            return value.type.tensor_type.shape.dim[1].dim_value or DEFAULT_CHANNELS
    return DEFAULT_CHANNELS


def _only(found: Any, what: str) -> Any:
    """Return the only element."""
    elements = list(found)
    if len(elements) != 1:
        raise NoTiming(
            f"the phones of this voice cannot be timed: one {what} was expected in its graph, found {len(elements)}"
        )
    return elements[0]


def _made_by(makers: Mapping[str, Any], node: Any, kind: str) -> str:
    return _only((name for name in node.input if name in makers and makers[name].op_type == kind), kind)


def _ancestors(makers: Mapping[str, Any], name: str) -> set[str]:
    """Return all tensors that a tensor is computed from."""
    found, left = set[str](), [name]
    while left:
        if (one := left.pop()) in makers and one not in found:
            found.add(one)
            left += makers[one].input
    return found


def _rewire(graph: Any, old: str, new: str) -> None:
    """Let all nodes that read a tensor read another."""
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new


def _part(
    model: Any,
    inputs: Sequence[str],
    outputs: Sequence[str],
    known: Shapes,
    shapes: Shapes,
) -> bytes:
    """Return the part of a model between some tensors. `known` are the shapes of new inputs, `shapes` those of inner tensors."""
    from onnx import TensorProto, helper
    from onnx.utils import Extractor

    whole = type(model)()
    whole.CopyFrom(model)
    # The known shapes stay: without them onnxruntime would fuse other nodes, and round differently.
    described = [*whole.graph.input, *whole.graph.output, *whole.graph.value_info]
    named = {value.name for value in described}
    for name, shape in {**known, **shapes}.items():
        if name not in named:
            whole.graph.value_info.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))
    return Extractor(whole).extract_model([*inputs], [*outputs]).SerializeToString()
