"""How many tagged examples does a voice need? LoRA on a small Higgs that was taught plain speech only.

Each row trains new adapters on `examples` tagged clips of the teacher and measures them on the sentences that no model was taught. A row
is one file in the run folder, so a run that was stopped goes on with the next row, and more rows can be added to the configuration.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from harness.engines.higgs.native import HiggsNativeEngine
from harness.errors import DataError
from harness.experiment.small_higgs.evaluate import generated, likelihood
from harness.experiment.small_higgs.grammar import Grammar, tagged_versions
from harness.experiment.small_higgs.measures import provenance, tag_outcomes, word_counts
from harness.higgs.batches import ANSWER_BEGIN, encode
from harness.higgs.checkpoints import load_model, load_tokenizer
from harness.higgs.lora import ATTENTION, AUDIO_FFN, add_lora
from harness.higgs.samples import Sample, prompt
from harness.higgs.speech.codec import SpeechCodec, load_speech_codec
from harness.higgs.speech.pretrain import Batches, codebook_losses, export, noisy
from harness.higgs.speech.pretrain_config import PretrainConfig
from harness.higgs.speech.shards import read_shards
from harness.higgs.trainer import NotANumber, Order
from harness.processes.stacks import NATIVE
from harness.prosody.rates import MEASURED, named
from harness.reading import read_settings
from harness.records import Arm, Outcome, Verdict
from harness.stats import ClusterBootstrap, Interval, ratio
from harness.store import locked, read_json, write_json
from harness.tagged import TaggedText

SCHEMA = "harness.higgs_curve/1"
WARMUP = 50  # steps until the learning rate is reached
Variant = Literal["attention+ffn", "attention+ffn+heads", "attention"]
Pairs = Literal["own", "shifted"]
# Modules that get LoRA matrices, and modules that are trained completely.
VARIANTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "attention+ffn": ((*ATTENTION, *AUDIO_FFN), ()),
    "attention+ffn+heads": ((*ATTENTION, *AUDIO_FFN), ("audio_lm_head",)),
    "attention": (tuple(f"self_attn.{one}_proj" for one in "qkvo"), ()),
}


class Rows(BaseModel):
    """Rows of one kind: every number of examples with every seed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    variant: Variant = "attention+ffn"
    pairs: Pairs = "own"  # shifted: each clip with the text of the next one
    examples: tuple[int, ...] = Field(min_length=1)
    seeds: tuple[int, ...] = Field((0, 1, 2), min_length=1)
    steps: int = Field(1000, ge=1)  # of training; few examples are soon known by heart


class CurveConfig(BaseModel):
    """Settings in ``harness higgs curve CONFIG.yaml``. Relative paths are relative to the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: str  # taught plain speech only
    codec: str
    clips: str  # folder of `harness higgs teach`
    output: str
    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    batch_size: int = Field(8, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    side: Literal["test", "dev"] = "test"
    tags_each: int = Field(2, ge=1, le=7)  # tags in which each sentence is spoken, one at a time
    rows: tuple[Rows, ...] = Field(min_length=1)


@dataclass(frozen=True)
class Row:
    """One training: LoRA variant, pairs of clip and text, number of examples (0: none) and of steps, seed."""

    variant: str
    pairs: str
    examples: int
    steps: int
    seed: int

    @property
    def file(self) -> str:
        """Name of its file in the run folder."""
        return f"{self.variant}-{self.pairs}-{self.examples}-{self.steps}-{self.seed}.json"


def rows_of(config: CurveConfig) -> Iterator[Row]:
    """Yield the model as it is, then every row of a configuration once, seed by seed so that all points fill evenly."""
    yield Row("none", "own", 0, 0, 0)
    seen = set[Row]()
    for rows in config.rows:
        for seed in rows.seeds:
            for examples in rows.examples:
                row = Row(rows.variant, rows.pairs, examples, rows.steps, seed)
                if row not in seen:
                    seen.add(row)
                    yield row


def read_curve_config(path: Path) -> CurveConfig:
    """Read and check a configuration.

    Raises
    ------
    DataError
        With the file and the field.
    """
    config = read_settings(path, CurveConfig)
    names = ("model", "codec", "clips", "output")
    return config.model_copy(update={name: str((path.parent / getattr(config, name)).resolve()) for name in names})


def run_curve(config: CurveConfig, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Train and measure all rows that the run folder lacks, and return the result.

    Raises
    ------
    DataError
        If there are fewer tagged clips than a row needs, or the folder holds rows of other settings.
    """
    folder, rows = Path(config.output), list(rows_of(config))
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, "curve"):
        settings = config.model_dump(mode="json", exclude={"rows", "output", "clips", "model", "codec"})
        settings["weights_sha256"] = hashlib.sha256((Path(config.model) / "model.safetensors").read_bytes()).hexdigest()
        path = folder / "settings.json"
        if path.is_file() and read_json(path) != settings:
            raise DataError("the folder holds rows of other settings", path=path, remedy="choose another output")
        write_json(path, settings)
        if [row for row in rows if not (folder / row.file).is_file()]:
            _fill(config, folder, rows, progress)
        found = [read_json(folder / row.file) for row in rows]
    return {"schema": SCHEMA, "provenance": provenance(), "settings": settings, "sentences": len(_counts(found[0], "hits")),
            "points": points(found), "rows": found}  # fmt: skip


def _fill(config: CurveConfig, folder: Path, rows: Sequence[Row], progress: Callable[[int, int], None] | None) -> None:
    tagged = [one for one in read_shards(config.clips) if "<" in one.text]
    if (most := max(row.examples for row in rows)) > len(tagged):
        raise DataError(f"there are {len(tagged)} tagged clips, fewer than {most}", path=config.clips,
                        remedy="make more with `harness higgs teach`")  # fmt: skip
    measure = _Measure(config)
    for done, row in enumerate(rows):
        if not (folder / row.file).is_file():
            begun = time.process_time()
            model = load_model(config.model, NATIVE, dtype="bfloat16", text_head=False)
            tuned, loss = (
                (model.float(), None) if not row.examples else fine_tune(model, config, row, chosen(tagged, row))
            )
            trained = time.process_time() - begun
            found = measure(tuned)
            write_json(folder / row.file, {**asdict(row), "loss": loss, "cpu_seconds": round(trained, 1), **found})
        if progress:
            progress(done + 1, len(rows))


def chosen(samples: Sequence[Sample], row: Row) -> list[Sample]:
    """Return the examples of a row: a random choice by its seed, with their own texts or each with that of the next one."""
    order = np.random.default_rng(row.seed).permutation(len(samples))[: row.examples]
    mine = [samples[index] for index in order]
    if row.pairs == "own":
        return mine
    return [Sample(one.id, other.text, one.codes) for one, other in zip(mine, [*mine[1:], mine[0]], strict=True)]


def fine_tune(model: Any, config: CurveConfig, row: Row, samples: Sequence[Sample]) -> tuple[Any, float]:
    """Train adapters as in pretraining (noise, weights of codebooks), and return the merged model and the last loss.

    The loss is the mean of the last tenth of all steps, in nats a code.
    """
    torch.manual_seed(row.seed)
    targets, heads = VARIANTS[row.variant]
    tuned = add_lora(model, rank=config.rank, alpha=config.alpha, targets=targets, heads=heads, task_type=None)
    recipe = PretrainConfig(clips="", output="")
    weights = torch.tensor(recipe.codebook_weights) / sum(recipe.codebook_weights)
    batches = Batches(load_tokenizer(config.model), samples)
    trained = [one for one in tuned.parameters() if one.requires_grad]
    for parameter in trained:  # AdamW would round away small updates of bfloat16
        parameter.data = parameter.data.float()
    optimiser = torch.optim.AdamW(trained, lr=config.learning_rate, weight_decay=0.0)
    size = min(config.batch_size, len(samples))
    order, losses = Order(len(samples), row.seed, size), list[float]()
    tuned.train()
    for step in range(row.steps):
        epoch, place = divmod(step, len(order) // size)
        order.set_epoch(epoch)
        draw = torch.Generator().manual_seed(row.seed * 1_000_003 + step)
        rate = config.learning_rate * min(1.0, (step + 1) / WARMUP) * 0.5 * (1 + math.cos(math.pi * step / row.steps))
        for group in optimiser.param_groups:
            group["lr"] = rate
        bare = (torch.rand(size, generator=draw) < 0.5).tolist()
        batch = noisy(batches.of([*order][place * size : (place + 1) * size], bare=bare), recipe, draw)
        with torch.autocast("cpu", torch.bfloat16):
            loss = (codebook_losses(tuned.get_base_model(), batch) * weights).sum()
        if not torch.isfinite(loss):
            raise NotANumber(
                f"the loss is {loss.item()} at step {step + 1} of {row.file}", remedy="lower learning_rate"
            )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, recipe.clip_norm)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        losses.append(loss.item())
    return tuned.float().merge_and_unload(), round(float(np.mean(losses[-max(1, row.steps // 10) :])), 4)


class _Measure:
    """What is measured of each row, on the same sentences and slots."""

    def __init__(self, config: CurveConfig) -> None:
        self.config, self.grammar = config, Grammar()
        self.codec: SpeechCodec = load_speech_codec(Path(config.codec))
        sentences = self.grammar.held_out(config.side)
        self.plain = [TaggedText(one.words) for one in sentences]
        self.tagged = tagged_versions(sentences, config.tags_each, seed=0)
        self.tokenizer = load_tokenizer(config.model)
        self.before = self._text_states(load_model(config.model, NATIVE, text_head=False))

    def __call__(self, model: Any) -> dict[str, Any]:
        model.eval()
        change = self._text_states(model) - self.before
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place, "model")
            export(model, Path(self.config.model), folder, dtype=torch.float32)
            engine = HiggsNativeEngine(checkpoint=str(folder), codec=self.config.codec, temperature=0.0)
            plain, clips = (generated(engine, self.codec, texts) for texts in (self.plain, self.tagged))
            told = likelihood(folder, self.codec, self.tagged)
        outcomes = tag_outcomes(plain, clips)
        names = [one.plain for one in self.plain]
        count = lambda wanted: _by_sentence(outcomes, names, wanted)  # noqa: E731
        words = word_counts(plain, self.grammar.vocabulary)
        return {
            "word_errors": _line(row[0] for row in words), "words": _line(row[1] for row in words),
            "ends": sum(one.stopped for one in (*plain, *clips)) / (len(plain) + len(clips)),
            "asked": count(lambda one: one.arm is Arm.TAGGED),
            "hits": count(lambda one: one.arm is Arm.TAGGED and one.verdict is Verdict.HIT),
            "hits_by_tag": {tag: sum(one.verdict is Verdict.HIT for one in outcomes if one.arm is Arm.TAGGED and one.tag.bare == tag)
                            for tag in told["by_tag"]},
            "leaked": sum(one.arm is Arm.TAGGED and one.verdict is Verdict.LEAKED for one in outcomes),
            "placebo_n": count(lambda one: one.arm is Arm.PLACEBO and one.verdict in MEASURED),
            "placebo_hits": count(lambda one: one.arm is Arm.PLACEBO and one.verdict is Verdict.HIT),
            "own_over_plain": told["own_over_plain"], "own_over_other": told["own_over_other"],
            "text_change": round(float(np.linalg.norm(change) / np.linalg.norm(self.before)), 6),
        }  # fmt: skip

    def _text_states(self, model: Any) -> np.ndarray:
        """Return the last hidden states of all plain texts without audio, one after the other."""
        states = []
        with torch.no_grad():
            for text in self.plain:
                ids = torch.tensor([encode(self.tokenizer, prompt(text.format()) + ANSWER_BEGIN)])
                made = model.model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
                states.append(made[0].float().numpy())
        return np.concatenate(states)


def _by_sentence(outcomes: Sequence[Outcome], names: Sequence[str], wanted: Callable[[Outcome], bool]) -> str:
    counts = dict.fromkeys(names, 0)
    for one in outcomes:
        counts[one.sentence] += wanted(one)
    return _line(counts.values())


def _line(counts: Iterable[int]) -> str:
    """Return one count for each sentence on one line, which keeps the result file short."""
    return " ".join(map(str, counts))


def _counts(row: dict[str, Any], name: str) -> list[int]:
    return [*map(int, row[name].split())]


def points(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one point for each variant, pairs, number of examples and steps.

    Rates are over all seeds, with 95 % intervals over sentences.
    """
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["variant"], row["pairs"], row["examples"], row["steps"]), []).append(row)
    return [
        {
            "variant": variant, "pairs": pairs, "examples": examples, "steps": steps, "seeds": len(some),
            **named("hits", _rate(some, "hits", "asked")),
            "hits_of_seeds": [sum(_counts(one, "hits")) / sum(_counts(one, "asked")) for one in some],
            **named("placebo", _rate(some, "placebo_hits", "placebo_n")),
            **named("wer", _rate(some, "word_errors", "words", rate=False)),
            "asked": sum(sum(_counts(one, "asked")) for one in some), "leaked": sum(one["leaked"] for one in some),
            **{name: float(np.mean([one[name] for one in some]))
               for name in ("ends", "own_over_plain", "own_over_other", "text_change")},
        }
        for (variant, pairs, examples, steps), some in groups.items()
    ]  # fmt: skip


def _rate(rows: Sequence[dict[str, Any]], of: str, among: str, *, rate: bool = True) -> Interval:
    counts = [pair for row in rows for pair in zip(_counts(row, of), _counts(row, among), strict=True)]
    sentences = [*range(len(_counts(rows[0], of)))] * len(rows)
    bootstrap = ClusterBootstrap(sentences, counts)
    return bootstrap.interval(lambda total: ratio(total[..., 0], total[..., 1]), rate=rate)
