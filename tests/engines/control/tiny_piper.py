"""A voice for Piper of a few hundred numbers: each phoneme lasts as long as its id says, and is a constant."""

import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RATE, HOP, CHANNELS, FRAMES = 8000, 80, 6, 5  # a frame is 10 ms; a phoneme lasts 5 frames, and its pad 1


def constant(name, values, kind=np.float32):
    return numpy_helper.from_array(np.array(values, kind), name)


def write_tiny_voice(path, symbols, *, timed=True):
    """Write a voice with two speakers that knows these symbols. Without timing, lengths are not rounded up by the model."""
    ids = {symbol: [number] for number, symbol in enumerate(["_", "^", "$", *symbols])}
    lengths = [1.0] + [float(FRAMES)] * (len(ids) - 1)
    nodes = [
        ("Gather", ["length_table", "input"], "length"),
        ("Unsqueeze", ["length", "one"], "length3"),
        ("Concat", ["length3", "length3"], "two", {"axis": 1}),
        ("RandomNormalLike", ["two"], "noise_w"),
        ("ReduceMean", ["noise_w"], "mean_w", {"axes": [1], "keepdims": 1}),
        ("Gather", ["scales", "i2"], "scale_w"),
        ("Mul", ["mean_w", "scale_w"], "scaled_w"),
        ("Add", ["length3", "scaled_w"], "wanted"),
        ("Gather", ["scales", "i1"], "scale_l"),
        ("Mul", ["wanted", "scale_l"], "exact"),
        ("Ceil" if timed else "Floor", ["exact"], "frames"),
        ("Squeeze", ["frames", "zero_one"], "flat"),
        ("CumSum", ["flat", "zero"], "ends"),
        ("Sub", ["ends", "flat"], "starts"),
        ("ReduceSum", ["flat"], "total", {"keepdims": 0}),
        ("Range", ["fzero", "total", "fone"], "range"),
        ("Unsqueeze", ["range", "one"], "range2"),
        ("GreaterOrEqual", ["range2", "starts"], "after"),
        ("Less", ["range2", "ends"], "before"),
        ("And", ["after", "before"], "inside"),
        ("Cast", ["inside"], "path", {"to": TensorProto.FLOAT}),
        ("Gather", ["sound_table", "input"], "sound"),
        ("Squeeze", ["sound", "only_zero"], "sound2"),
        ("MatMul", ["path", "sound2"], "by_frame"),
        ("Transpose", ["by_frame"], "latent2", {"perm": [1, 0]}),
        ("Unsqueeze", ["latent2", "only_zero"], "latent"),
        ("RandomNormalLike", ["latent"], "noise"),
        ("Gather", ["scales", "i0"], "scale"),
        ("Mul", ["noise", "scale"], "scaled"),
        ("Add", ["latent", "scaled"], "sampled"),
        ("ReduceMean", ["sampled"], "level", {"axes": [1], "keepdims": 1}),
        ("Cast", ["sid"], "speaker", {"to": TensorProto.FLOAT}),
        ("Add", ["level", "speaker"], "voiced"),
        ("ConvTranspose", ["voiced", "kernel"], "output", {"strides": [HOP]}),
    ]
    rng = np.random.default_rng(0)
    tables = [
        constant("length_table", lengths), constant("sound_table", rng.uniform(0.1, 1, (len(ids), CHANNELS))),
        constant("kernel", np.ones((1, 1, HOP))), constant("one", [1], np.int64), constant("only_zero", [0], np.int64),
        constant("zero_one", [0, 1], np.int64), constant("zero", 0, np.int64), constant("fzero", 0), constant("fone", 1),
        *(constant(f"i{number}", number, np.int64) for number in range(3)),
    ]  # fmt: skip
    inputs = [("input", TensorProto.INT64, [1, "ids"]), ("input_lengths", TensorProto.INT64, [1]),
              ("scales", TensorProto.FLOAT, [3]), ("sid", TensorProto.INT64, [1])]  # fmt: skip
    graph = helper.make_graph(
        [helper.make_node(kind, names, [out], **dict(*more)) for kind, names, out, *more in nodes],
        "tiny",
        [helper.make_tensor_value_info(*one) for one in inputs],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 1, "samples"])],
        tables,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    config = {"num_symbols": len(ids), "num_speakers": 2, "audio": {"sample_rate": RATE}, "espeak": {"voice": "en-us"},
              "hop_length": HOP, "phoneme_id_map": ids, "inference": {"noise_scale": 0.1, "length_scale": 1, "noise_w": 0.0}}  # fmt: skip
    path.with_name(path.name + ".json").write_text(json.dumps(config))
    return path
