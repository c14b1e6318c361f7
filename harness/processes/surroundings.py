"""What a command sets up before it imports a numerical library, and how libraries are kept off the terminal."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import warnings

THREADS = "OMP_NUM_THREADS"
# Before the garbage collector looks for cycles, instead of Python's 700: the imports of torch and transformers make millions of objects
# that stay, and looking at them again and again takes a fifth of their time. mypy does the same.
_NEW_OBJECTS = 100_000


def set_up() -> None:
    """Prepare this process, before torch and NumPy are imported; child processes inherit the number of threads.

    One maths thread, unless the user chose a number. The models here are small, and work is spread over processes. With one
    thread per core, a training on a busy machine of two cores took fifty times as long, because the threads wait for each
    other in busy loops. Results also depend less on the machine.
    """
    if not os.environ.get(THREADS):
        os.environ[THREADS] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    gc.set_threshold(_NEW_OBJECTS)
    # The last collection, of all that torch made, takes half a second and frees what ends anyway.
    atexit.register(gc.freeze)
    hide_future_warnings()


def hide_future_warnings() -> None:
    """Hide FutureWarning, which addresses the authors of libraries, unless the user asked for warnings (``-W``)."""
    if not sys.warnoptions:
        warnings.filterwarnings("ignore", category=FutureWarning)


def quiet_transformers() -> None:
    """Keep transformers' log and its bars for the loading of weights off the terminal; downloads still show theirs."""
    from huggingface_hub.utils import are_progress_bars_disabled, enable_progress_bars
    from transformers.utils import logging

    downloads = not are_progress_bars_disabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if downloads:
        enable_progress_bars()
