"""Estimate the memory that loading and training need. Only the standard library is imported.

Bytes stored per parameter:

========= ======= ========= ================= ==========================================================================
precision weight  gradient  optimiser (AdamW) what it is
========= ======= ========= ================= ==========================================================================
fp32      4       4         8                 everything in 32 bits
mixed     2       2         4 + 8             bf16 weights and gradients, a 32-bit master copy of what is trained and its
                                              two moments: 16 in all (Rajbhandari et al. 2020, "ZeRO", section 3.1)
autocast  4 + 2   4         8                 32-bit weights, and a bf16 copy of each matrix for the arithmetic: full
                                              training with ``torch.autocast``, which is what ``Trainer(bf16=True)`` does
bf16      2       2         4                 everything in 16 bits, moments too: what ``torch.optim.AdamW`` does with
                                              bf16 parameters. Small updates are rounded away.
int8      1       -         -                 loading only
int4      0.5     -         -                 loading only
========= ======= ========= ================= ==========================================================================

Gradients and optimiser count trainable parameters; weights count all of them. A LoRA adapter that peft keeps in fp32 with
bf16 weights costs 4 + 4 + 8: the 16 of "mixed". Quantised weights come with scales, which add a few per cent.

Activations. Korthikanti et al. 2022, "Reducing Activation Recomputation in Large Transformer Models", arXiv 2205.05198,
equation 1, count what a layer keeps for the backward pass in 16 bits: ``s b h (34 + 5 a s / h)`` bytes, with `s` tokens in
each of `b` sequences, width `h` and `a` heads. The second term is the attention matrix. PyTorch's fused attention (SDPA)
does not store it, so it is left out here; the rest grows with tokens x width x layers.

Their layer is a GPT. The same count for this one, in values per token: the input of the first norm `h`, of the three
projections `h`, queries `h`, keys and values `2 h / 3` (8 heads instead of 24), the attention's output `h`, the input of the
second norm `h` and of the FFN `h`; in the FFN its gate, its activation, its other branch and their product, 4 x `8 h / 3`.
Together `17.3 h`, or 34.7 bytes: the 34 is right for this layer too. A token passes one of the two FFNs, so the second adds
nothing. The layers of both stacks keep more than necessary: norms are computed in 32 bits, and selecting the tokens of a
kind makes copies. `harness.chapters.ch02_architecture.measured.kept_for_backward` counts this; the larger of the two counts is used here
(`Precision.kept`).

With checkpointing a layer keeps only its input, and one layer at a time is computed again.

Logits take 32 bits each and as much for their gradient; there are tokens x vocabulary of them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from harness.errors import HarnessError

GIB = 2**30
# Korthikanti et al. 2022, equation 1 without its attention matrix: bytes a token and unit of width, in 16 bits.
FORMULA_BYTES = 34


@dataclass(frozen=True)
class Precision:
    """Bytes per parameter, and per value of a hidden state.

    `gradient` and `optimiser` are None where nothing can be trained. `state` is a hidden state between layers; `kept` what
    a layer keeps for each token and unit of width: the larger count of the two stacks (the original one), rounded up.
    """

    weight: float
    gradient: int | None
    optimiser: int | None
    state: int
    kept: int


PRECISIONS = {
    "fp32": Precision(4, 4, 8, state=4, kept=87),
    "autocast": Precision(4 + 2, 4, 8, state=4, kept=60),
    "mixed": Precision(2, 2, 4 + 8, state=2, kept=52),
    "bf16": Precision(2, 2, 4, state=2, kept=52),
    "int8": Precision(1, None, None, state=2, kept=52),
    "int4": Precision(0.5, None, None, state=2, kept=52),
}
LOGIT_BYTES = 4 + 4  # fp32, and the gradient


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes needed for each part."""

    weights: int
    gradients: int
    optimiser: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """Sum the parts. A real run needs more, for the framework itself and for fragmentation."""
        return sum(getattr(self, part.name) for part in fields(self))

    def lines(self) -> list[str]:
        """Format the non-empty parts and the total in GiB, one per line."""
        parts = [(part.name, getattr(self, part.name)) for part in fields(self)]
        shown = [(name, size) for name, size in parts if size] + [("total", self.total)]
        return [f"{name:<12}{_gib(size):>9} GiB" for name, size in shown]


def _gib(size: int) -> str:
    return f"{size / GIB:,.2f}" if size >= GIB / 100 else f"{size / GIB:.1g}"


def estimate(
    total_parameters: int,
    trainable_parameters: int,
    precision: str,
    *,
    batch_tokens: int = 0,
    layers: int = 0,
    hidden: int = 0,
    checkpointing: bool = False,
    vocabulary: int = 0,
) -> MemoryEstimate:
    """Estimate the memory of one device, by the formulas above.

    Parameters
    ----------
    total_parameters : int
        Parameters of the model, including adapters and copies of trained modules.
    trainable_parameters : int
        Parameters that are trained; 0 for loading only.
    precision : str
        A key of `PRECISIONS`.
    batch_tokens : int
        Positions in a batch, padding included: sequences x length. 0 leaves activations and logits out.
    layers, hidden : int
        Depth and width of the network.
    checkpointing : bool
        Whether activations are recomputed in the backward pass.
    vocabulary : int
        Logits kept for each position, over all heads.

    Returns
    -------
    MemoryEstimate
        With LoRA, activations are an upper bound: a frozen layer does not need its input to train others.

    Raises
    ------
    HarnessError
        If the precision is unknown or for loading only while parameters are trained, or the numbers are impossible.
    """
    if precision not in PRECISIONS:
        raise HarnessError(f"no precision is called {precision!r}", remedy=f"choose from: {', '.join(PRECISIONS)}")
    if not 0 <= trainable_parameters <= total_parameters or min(batch_tokens, layers, hidden, vocabulary) < 0:
        raise HarnessError(
            f"{trainable_parameters:,} trainable of {total_parameters:,} parameters, {batch_tokens} tokens, {layers} layers, "
            f"width {hidden} and {vocabulary} logits do not describe a model"
        )
    cost = PRECISIONS[precision]
    if trainable_parameters and (cost.gradient is None or cost.optimiser is None):
        trained = ", ".join(name for name, one in PRECISIONS.items() if one.gradient is not None)
        raise HarnessError(f"{precision} weights are for loading only", remedy=f"train in one of: {trained}")
    values = batch_tokens * hidden
    at_once = layers * cost.state + bool(layers) * cost.kept if checkpointing else layers * cost.kept
    return MemoryEstimate(
        weights=round(cost.weight * total_parameters),
        gradients=(cost.gradient or 0) * trainable_parameters,
        optimiser=(cost.optimiser or 0) * trainable_parameters,
        activations=at_once * values,
        logits=LOGIT_BYTES * batch_tokens * vocabulary,
    )
