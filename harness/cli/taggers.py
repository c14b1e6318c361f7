"""`harness tag` and `harness train`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.output import Force, print_json

train_app = typer.Typer(no_args_is_help=True, help="Train a tagger, or the small base model that it uses.")
BATCH = 64  # lines tagged at the same time, so that memory does not grow with the input


def tag(
    source: Annotated[
        str,
        typer.Argument(
            metavar="[FILE]",
            help='Text file with one sentence per line, or JSON Lines {"id", "text"}, whose ids are kept; `-` for standard input.',
        ),
    ] = "-",
    tagger: Annotated[str, typer.Option(help="Name of the tagger; `harness doctor` lists them.")] = "gpt2",
    base_model: Annotated[
        str | None,
        typer.Option(help="For gpt2, lm_slots, lm_features: `embedded` (default), `smollm2`, a folder, or a hub name."),
    ] = None,
    adapter: Annotated[
        Path | None,
        typer.Option(
            help="For gpt2 and hand_features: what `harness train` wrote; by default the model that comes with the project."
        ),
    ] = None,
    decoding: Annotated[
        str | None,
        typer.Option(help="For gpt2: `slots` (default, parallel), `constrained`, or `generate` (may change words)."),
    ] = None,
    limits: Annotated[
        bool | None,
        typer.Option(
            "--limits/--no-limits",
            help="Whether a trained tagger respects the limits of the annotation guide, such as four tags per sentence; "
            "by default, if its training examples do.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help='Print {"id", "text"} lines, the input of `harness score placement`.')
    ] = False,
) -> None:
    """Insert tags into sentences: one output line per input line, words unchanged.

    The input is streamed, so memory does not grow with its length. Tags that it already has are removed first. If its name ends
    in .jsonl, or its first line looks like JSON, each line must be an object with a string `text`. Its `id` is a text or a whole
    number; without ids, the line number is used. Other fields are ignored, and blank lines are skipped.

    Example: `echo "We guarantee 30% savings" | harness tag --tagger rules`

    To score a tagger: `harness tag data/examples/heldout.jsonl --tagger rules --json > mine.jsonl`, then
    `harness score placement data/examples/heldout.jsonl mine.jsonl`.
    """
    from harness.errors import DataError, HarnessError
    from harness.tagged import TaggedText, retag
    from harness.taggers import make_tagger
    from harness.taggers.base import tag_all
    from harness.taggers.lines import read_lines

    options = {"base_model": base_model, "adapter": adapter, "decoding": decoding, "limits": limits}
    given = {name: value for name, value in options.items() if value or value is False}
    of_base = {"base_model", "limits"}
    takes = {"gpt2": set(options), "lm_slots": of_base, "lm_features": of_base, "logistic": {"limits"},
             "hand_features": {"adapter", "limits"}}  # fmt: skip
    for name in sorted(given.keys() - takes.get(tagger, set())):
        owners = ", ".join(owner for owner, known in takes.items() if name in known)
        raise HarnessError(f"--{name.replace('_', '-')} belongs to {owners}, not to {tagger!r}")
    if tagger in ("lm_slots", "lm_features"):
        typer.echo(f"harness: training the tagger {tagger} on the embedded examples; this takes up to three minutes on one "
                   "core (more with --base-model smollm2), and the result is not kept", err=True)  # fmt: skip
    chosen = make_tagger(tagger, **given)
    place = "standard input" if source == "-" else source
    try:
        lines = sys.stdin.buffer if source == "-" else Path(source).open("rb")  # noqa: SIM115 - closed on exit
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path=source) from error
    batch: list[tuple[str | int, str]] = []
    written = changed = 0

    def flush() -> None:
        nonlocal written, changed
        plain = [TaggedText.parse(line).stripped() for _, line in batch]
        for (name, line), before, text in zip(batch, plain, tag_all(chosen, plain, tagger), strict=True):
            written += 1
            # Free decoding may change the words; then the original spacing cannot be kept.
            kept = text.words == before.words
            changed += not kept
            out = retag(line, text) if kept else text.format()
            print(json.dumps({"id": name, "text": out}, ensure_ascii=False) if as_json else out.replace("\n", " "))
        sys.stdout.flush()
        batch.clear()

    sentences = read_lines(lines, place)
    while True:
        try:
            sentence = next(sentences, None)
        except HarnessError:
            flush()  # the sentences before the line with the error
            raise
        if sentence is None:
            break
        batch.append(sentence)
        if len(batch) == BATCH:
            flush()
    flush()
    if changed:
        typer.echo(f"note: {tagger} changed the words of {changed} of {written} sentences", err=True)


@train_app.command("gpt2")
def train_gpt2(
    base_model: Annotated[
        str, typer.Option(help="`embedded`, `smollm2`, a folder, or a hub name such as `gpt2`.")
    ] = "embedded",
    data: Annotated[Path | None, typer.Option(help="Examples as JSON Lines; the 98 embedded ones by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the tagger; _build/models/gpt2-HASH by default.")] = None,
    distil: Annotated[
        str | None,
        typer.Option(
            metavar="TEACHER",
            help="Learn the answers of this tagger on other sentences too: hand_features, logistic, lm_features, lm_slots.",
        ),
    ] = None,
    recombined: Annotated[
        int | None,
        typer.Option(min=1, help="Number of sentences made of the examples that the teacher labels; 2500 by default."),
    ] = None,
    corpus_sentences: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Number of sentences of the Helsinki Prosody Corpus that the teacher labels; 3500 by default. With 0, the corpus "
            "is not needed.",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the sentences: at most 20 by default; 3 with a teacher.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Peak of the cosine schedule; .002 by default, .003 with a teacher.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Training rows per step; 4 by default, 16 with a teacher.")
    ] = None,
    lora_rank: Annotated[
        int | None, typer.Option(min=1, help="Rank of the adapter's matrices; 16 by default, 64 with a teacher.")
    ] = None,
    patience: Annotated[
        int, typer.Option(min=1, help="Epochs without a lower dev loss after which training stops.")
    ] = 5,
    objective: Annotated[
        str | None,
        typer.Option(
            help="`both` (default): score slots and generate text. `read`: slots only, in half the time; always with a teacher."
        ),
    ] = None,
    prompt_format: Annotated[
        str | None,
        typer.Option(
            help="How often the prompt repeats the sentence: `twice` (default) or `once`. `ahead` (default with a teacher): twice, "
            "and each slot is decided before its word and after it."
        ),
    ] = None,
    tag_embeddings: Annotated[
        str,
        typer.Option(
            help="Embeddings of the new tokens: trained (`token_indices`), `frozen`, or the whole table (`modules_to_save`)."
        ),
    ] = "token_indices",
    precision: Annotated[str, typer.Option(help="`float32` or `bfloat16`.")] = "float32",
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Random seed for the dev split, the order and the initial values.")
    ] = 0,
    resume: Annotated[bool, typer.Option(help="Resume an interrupted training after its last epoch.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Replace a finished tagger in --out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the tagger's summary as JSON.")] = False,
) -> None:
    """Fine-tune a GPT-2 to predict which tag, if any, belongs on each slot of a sentence.

    One fifth of the groups is held out as dev set, which chooses the epoch and the thresholds. The output is a LoRA adapter of
    a few hundred kilobytes, `tagger.json` with configuration, thresholds and history, and logs for
    `tensorboard --logdir OUT/logs`. An interrupted training resumes with the same command.

    With --distil, another tagger is fitted on the examples. It labels sentences that were recombined from them and sentences of
    a corpus, and the model learns its probabilities. That takes about six minutes of one core. All examples are used: there is
    no dev set, a fixed number of epochs and a fixed threshold. It is not resumed.

    Example: `harness train gpt2 --epochs 20 --out my-tagger`, then `harness tag --adapter my-tagger`.

    For several GPUs: `accelerate launch -m harness train gpt2 ...`, with the same options.
    """
    from harness.datasets import load_examples
    from harness.errors import HarnessError
    from harness.outputs import check_output, check_output_folder
    from harness.paths import relative
    from harness.records import Example
    from harness.store import read_jsonl
    from harness.taggers.gpt2.config import TrainingConfig
    from harness.taggers.gpt2.training import STAMP, SUMMARY, read_summary, tagger_folder, train

    if out and os.environ.get("RANK", "0") == "0":  # the other processes of `accelerate launch` use the same folder
        if (out / SUMMARY).exists():
            check_output(out / SUMMARY, inputs=[data] if data else [], force=force)
        elif not (out / STAMP).exists():  # without it, this is not the folder of an interrupted training
            check_output_folder(out, force=force)
    for name, value in (("recombined", recombined), ("corpus-sentences", corpus_sentences)):
        if value is not None and not distil:
            raise HarnessError(f"--{name} needs a teacher", remedy="add --distil hand_features")
    options = {"distil": distil, "recombined": recombined, "corpus_sentences": corpus_sentences, "epochs": epochs,
               "learning_rate": learning_rate, "batch_size": batch_size, "lora_rank": lora_rank, "objective": objective,
               "prompt_format": prompt_format}  # fmt: skip
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    config = TrainingConfig.of(base_model=base_model, patience=patience, seed=seed, tag_embeddings=tag_embeddings,
                               precision=precision, **given)  # fmt: skip
    examples = read_jsonl(data, Example) if data else load_examples("train")
    folder = out or tagger_folder(config, examples)
    train(config, examples, folder, resume=resume)
    if as_json:
        print_json({"folder": str(folder), **read_summary(folder)})
        return
    figures = read_summary(folder)
    if distil:
        labelled = figures["examples"]["recombined"] + figures["examples"]["corpus"]
        typer.echo(f"{relative(folder)}: {labelled} sentences labelled by {distil}, loss "
                   f"{figures['history'][-1]['loss']:.3f}, {figures['seconds']:.0f} s")  # fmt: skip
    else:
        best = min(figures["history"], key=lambda row: row["eval_loss"])
        typer.echo(f"{relative(folder)}: best epoch {best['epoch']}, dev loss {best['eval_loss']:.3f}, "
                   f"dev F1 {figures['dev_f1_tuned']:.2f}, {figures['seconds']:.0f} s")  # fmt: skip


@train_app.command("hand_features")
def train_hand_features(
    data: Annotated[Path | None, typer.Option(help="Examples as JSON Lines; the 98 embedded ones by default.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="File for the model; _build/models/hand_features.json by default.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Random seed for the trees.")] = 0,
    force: Force = False,
) -> None:
    """Fit logistic regression and boosted trees on features written by hand, in seconds.

    The output is one JSON file. All examples are used: nothing is held out, and the threshold is fixed.

    Example: `harness train hand_features --data mine.jsonl --out mine.json`, then
    `harness tag --tagger hand_features --adapter mine.json`.
    """
    from harness.datasets import load_examples
    from harness.outputs import check_output
    from harness.paths import relative
    from harness.records import Example
    from harness.store import read_jsonl
    from harness.taggers.hand.tagger import DEFAULT_FILE, train

    if out:
        check_output(out, inputs=[data] if data else [], force=force)
    else:
        DEFAULT_FILE.parent.mkdir(parents=True, exist_ok=True)
    examples = read_jsonl(data, Example) if data else load_examples("train")
    model = train(examples, out or DEFAULT_FILE, seed).model
    features = sum(len(one.features) for one in model.tags.values())
    typer.echo(
        f"{relative(out or DEFAULT_FILE)}: {len(model.tags)} tags, {features} features, {len(examples)} examples"
    )


@train_app.command("base")
def train_base(
    out: Annotated[Path, typer.Option(help="Folder for the model.")] = Path("data/models/gpt2-mini"),
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the text; by default as many as for the embedded base.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for the initial values and the order.")] = 0,
    force: Force = False,
) -> None:
    """Pretrain the embedded base.

    Needs the Helsinki corpus' dev split (`harness data fetch helsinki-prosody`) and, for the initial embeddings, SmolLM2
    (`make smollm2`).
    """
    from harness.outputs import check_output_folder
    from harness.taggers.gpt2.pretrain import PretrainConfig, pretrain

    check_output_folder(out, force=force)
    config = PretrainConfig(seed=seed) if epochs is None else PretrainConfig(seed=seed, epochs=epochs)
    print_json(pretrain(out, config))
