"""A limit on the memory that a loader may allocate.

A class that loads a checkpoint of another format finds none of its sizes in config.json and falls back to its defaults: it
builds 27 GB of random weights for a folder of 5 MB. Without a limit the operating system kills the process, without a
message.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COPIES = 4  # of the weights: the model, and the tensors read from the file, each perhaps in a wider type
HEADROOM = 2 * 2**30  # bytes for everything else
GB = 1e9
_DATA_PAGES = 5  # position in /proc/self/statm: data and stack, what RLIMIT_DATA limits


@contextmanager
def limited(folder: Path) -> Iterator[None]:
    """Make it an error to allocate far more than the weights in `folder` need (on Linux; elsewhere there is no limit)."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[_DATA_PAGES])
    except (ImportError, OSError):
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = pages * resource.getpagesize() + COPIES * weights_size(folder) + HEADROOM
    limits = [limit, *(one for one in (soft, hard) if one != resource.RLIM_INFINITY)]
    resource.setrlimit(resource.RLIMIT_DATA, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def weights_size(folder: Path) -> int:
    """Return the size of the weight files in `folder`, in bytes."""
    return sum(path.stat().st_size for path in folder.iterdir() if path.suffix in (".safetensors", ".bin", ".pth"))


def what_was_built(error: Exception, model_class: Any, folder: Path) -> tuple[str, ...]:
    """Return a note on how large the model would have been, if `error` comes from the limit.

    The model is built again without memory, on torch's meta device. That works for a class that names its configuration.
    """
    if not isinstance(error, MemoryError) and "can't allocate memory" not in str(error):
        return ()
    stopped = f"stopped by the probe's memory limit; the folder holds {weights_size(folder) / GB:.3f} GB of weights"
    try:
        import torch

        with torch.device("meta"):
            model = model_class(model_class.config_class.from_pretrained(str(folder), local_files_only=True))
    except Exception:  # an Auto class, or a class that cannot be built this way: the size is unknown
        return (stopped,)
    wanted = sum(one.numel() * one.element_size() for one in model.parameters()) / GB
    return (f"{stopped}, this class was building {wanted:.1f} GB",)
