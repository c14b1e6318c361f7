"""Evaluation harness for inline prosody tags: place them, speak them, measure them.

Importing this package is cheap: heavy libraries (torch, transformers, parselmouth) are imported by
the modules that use them, so the package imports in both of the project's environments.
"""

import os

__version__ = "0.1.0"

# onnxruntime, which Piper speaks with, tells its maker about every model it loads unless this is set, and keeps an identity in the
# home folder; the hub's client counts downloads. Nothing that runs here reports to anyone. Child processes inherit it.
for _variable in ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY"):
    os.environ.setdefault(_variable, "1")
