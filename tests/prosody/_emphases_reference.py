"""Judge clips with the code of the package emphases itself, in .venv-boson, which has librosa.

``_emphases_reference.py PACKAGE FOLDER`` reads ``clips.npz`` (samples at 16 kHz as ``clip0`` ..., frames of words as ``bounds0`` ...), and
writes ``judged.npz`` (``mels0``, ``scores0`` ...). Packages that emphases imports and does not use here are replaced by empty ones.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import numpy as np
import torch

PACKAGE, FOLDER = map(Path, sys.argv[1:])


def bare(name, folder):
    """Enter a package whose own __init__.py, which imports everything, is not run."""
    module = sys.modules[name] = ModuleType(name)
    module.__path__ = [str(folder)]
    return module


for absent in ("GPUtil", "huggingface_hub", "pyfoal", "pypar", "torchutil", "torchaudio"):
    sys.modules[absent] = MagicMock(getGPUs=list)
emphases = bare("emphases", PACKAGE)
for constants in ("defaults", "static"):
    vars(emphases).update(vars(import_module(f"emphases.config.{constants}")))
emphases.downsample = import_module("emphases.core").downsample
bare("emphases.data", PACKAGE / "data")
bare("emphases.data.preprocess", PACKAGE / "data" / "preprocess")
mels = import_module("emphases.data.preprocess.mels")
emphases.model = bare("emphases.model", PACKAGE / "model")
emphases.model.Layers = import_module("emphases.model.layers").Layers
model = import_module("emphases.model.core").Model()
weights = torch.load(PACKAGE / "assets" / "checkpoints" / "checkpoint.pt", map_location="cpu", weights_only=True)
model.load_state_dict(weights["model"])
model.eval()

clips, judged = np.load(FOLDER / "clips.npz"), {}
for number in range(len(clips.files) // 2):
    features = mels.from_audio(torch.from_numpy(clips[f"clip{number}"])[None])
    bounds = torch.from_numpy(clips[f"bounds{number}"])[None]
    with torch.inference_mode():
        logits = model(features[None], torch.tensor([features.shape[-1]]), bounds, torch.tensor([bounds.shape[-1]]))
    judged |= {f"mels{number}": features.numpy(), f"scores{number}": torch.sigmoid(logits)[0, 0].numpy()}
np.savez(FOLDER / "judged.npz", **judged)
