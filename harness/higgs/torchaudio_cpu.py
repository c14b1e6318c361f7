"""torchaudio beside a torch that has no CUDA.

The codecs of both stacks use one function of torchaudio, ``torchaudio.functional.resample``, which is plain Python. But the
wheel is a CUDA build, and its native part cannot be loaded beside a CPU build of torch. So there, and only there, that
part is replaced by an empty module; where it loads, nothing is touched.

In the main environment torchaudio lies in a folder of its own (``aside``), because transformers 5 imports it wherever it
finds it, and would fail even for a model of text.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from harness.errors import NotAvailable

ASIDE = Path(sys.prefix) / "aside"


def prepare() -> None:
    """Make ``import torchaudio`` work, and let transformers know of it.

    Raises
    ------
    NotAvailable
        If torchaudio is not installed.
    """
    if "torchaudio" in sys.modules:
        return
    if find_spec("torchaudio") is None and ASIDE.is_dir():
        sys.path.append(str(ASIDE))
    if find_spec("torchaudio") is None:
        raise NotAvailable("torchaudio is not installed; the codecs need it", remedy="call `make env`")
    import torch

    if torch.version.cuda is None:
        sys.modules["torchaudio._extension"] = _empty_extension()
    import torchaudio  # noqa: F401

    if known := sys.modules.get("transformers.utils.import_utils"):  # it may have looked before, and kept the answer
        clear = getattr(known.is_torchaudio_available, "cache_clear", None)
        if clear is not None:
            clear()


def _empty_extension() -> ModuleType:
    name = "torchaudio._extension"
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    module._IS_TORCHAUDIO_EXT_AVAILABLE = module._IS_ALIGN_AVAILABLE = False  # type: ignore[attr-defined]
    module.fail_if_no_align = lambda function: function  # type: ignore[attr-defined]
    return module
