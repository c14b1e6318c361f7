"""Progress bars for notebooks; they go to standard error, which the published pages leave out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm


@contextmanager
def epoch_bar(epochs: int) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Show a bar over epochs; call the yielded function with the results of each finished epoch."""
    with tqdm(total=epochs, desc="epochs") as bar:

        def log(figures: Mapping[str, Any]) -> None:
            bar.update(1)
            bar.set_postfix({"dev loss": f"{figures['eval_loss']:.3f}", "dev F1": f"{figures['dev_f1']:.2f}"})

        yield log


@contextmanager
def unit_bar() -> Iterator[Callable[[int, int], None]]:
    """Show a bar over sentences; call the yielded function with the number done and the total."""
    with tqdm(desc="sentences") as bar:

        def update(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield update
