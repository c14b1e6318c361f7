"""`harness higgs tiny`, `convert` and `train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import Force, print_json, progress_bar


def tiny(
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="New folder; needs 30 MB.")],
    samples: Annotated[int, typer.Option(min=1, max=98, help="Sentences to record.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for the weights.")] = 0,
    force: Force = False,
) -> None:
    """Make tiny random checkpoints, codecs and recordings, to try everything without a download.

    The weights are random, so the speech is noise. Loading, training, converting and generating run the real code.

    Example: `harness higgs tiny play`, then `harness higgs train play/train-native.yaml`.
    """
    from harness.experiment.tiny_training_set import make_tiny_training_set
    from harness.paths import relative

    with progress_bar("Parts") as update:
        make_tiny_training_set(out, samples=samples, seed=seed, boson_codec=True, progress=update, force=force)
    typer.echo(f"{relative(out)}: boson/ native/ codec/ codec-boson/ recordings/ train-native.yaml train-boson.yaml")


def convert(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Checkpoint or LoRA adapter in the original format, or a hub name.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="New folder.")],
    revision: Annotated[str | None, typer.Option(help="Commit of a hub name (40 digits).")] = None,
    base: Annotated[Path | None, typer.Option(help="For an adapter: the converted checkpoint it belongs to.")] = None,
    force: Force = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON.")] = False,
) -> None:
    """Convert an original checkpoint (`higgs_audio`) or adapter to transformers' own format (`higgs_audio_v2`).

    Names and config.json change; weights, logits and greedy codes stay the same.

    Example: `harness higgs convert play/boson converted`
    """
    from harness.higgs.convert import convert as rewrite
    from harness.paths import relative

    done = rewrite(source, out, revision=revision, base=base, force=force)
    if as_json:
        print_json(done)
    else:
        size = f"{done['parameters']:,} parameters in {done['tensors']} tensors, {done['bytes'] / 1e6:.1f} MB"
        typer.echo(f"{relative(out)}: {done['kind']}, {size}")


def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="Training configuration; see below.")],
    processes: Annotated[
        int, typer.Option(min=1, help="Number of processes, one per GPU, started by `accelerate launch`.")
    ] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint.")] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="Number of steps, instead of the file's.")] = None,
    output: Annotated[Path | None, typer.Option(help="Run folder, instead of the file's.")] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="Do not use GPUs.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Hide progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Fine-tune Higgs Audio v2 on recordings of tagged sentences: LoRA or all weights, with either stack.

    The configuration is a YAML file. Relative paths are relative to it. Required settings:

    ```yaml
    stack: native  # or boson: which code loads the checkpoint
    model: native  # folder, or hub name with revision: ...
    codec: codec  # folder, or hub name with codec_revision: ...
    manifest: recordings/manifest.jsonl  # lines {"id", "text", "audio"}
    output: run
    ```

    Further settings: method (lora, full), lora (rank, alpha, dropout, targets, heads), steps, batch_size (per step, over
    all processes), accumulate, learning_rate, warmup_steps, schedule, weight_decay, clip_norm, text_weight, precision
    (fp32, bf16), gradient_checkpointing, save_every, keep_checkpoints, seed.

    Continue a stopped run with --resume. View it with `tensorboard --logdir RUN/logs`.

    Example: `harness higgs tiny play`, then `harness higgs train play/train-native.yaml --steps 50`.
    """
    from harness.higgs.train_config import read_config
    from harness.higgs.training import launch
    from harness.paths import relative

    changes = {"steps": steps, "output": str(output.absolute()) if output else None}
    settings = read_config(config, **{name: value for name, value in changes.items() if value is not None})
    done = launch(settings, processes=processes, resume=resume, quiet=quiet or as_json, cpu=cpu)
    if as_json:
        print_json(done)
    else:
        typer.echo(f"{relative(done['weights'])}: {done['steps']} steps in {done['seconds']:.0f} s, loss "
                   f"{done['first_loss']:.3f} to {done['last_loss']:.3f}, {done['bytes'] / 1e6:.1f} MB")  # fmt: skip
