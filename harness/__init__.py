"""Evaluation harness for inline prosody tags: place them, speak them, measure them.

Importing this package is cheap: heavy libraries (torch, transformers, parselmouth) are imported by
the modules that use them, so the package can be imported in both of the project's environments.
"""

import os

__version__ = "0.1.0"

# Unless these are set, onnxruntime, which Piper uses, reports every model that it loads and keeps an id in the home folder, and
# the client of the model hub counts downloads. Child processes inherit them.
for _variable in ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY"):
    os.environ.setdefault(_variable, "1")
