"""`harness higgs codec`, `teach`, `pretrain`, `evaluate` and `curve`: the small Higgs that speaks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import Force, print_json, progress_bar
from harness.paths import ROOT

codec_app = typer.Typer(
    no_args_is_help=True, help="Fit and check the codec of the small Higgs, which knows the voice hibari only."
)
_MODELS = ROOT / "data" / "models"
_Codec = Annotated[Path, typer.Option(help="Folder of the codec.")]


@codec_app.command("fit")
def fit(
    out: Annotated[Path, typer.Option(help="Folder of the codec.")] = _MODELS / "hibari-codec",
    count: Annotated[int, typer.Option(min=50, help="Sentences of the grammar to fit to.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Random seed.")] = 0,
    force: Force = False,
) -> None:
    """Fit a residual vector quantiser to clips of hibari: 8 codebooks of 256 entries. Takes about two minutes.

    The clips say tagged training sentences of the grammar, and the 98 training examples with and without their tags.

    Example: `harness higgs codec fit --out my-codec`
    """
    from harness.experiment.small_higgs.teacher import fit_to_teacher
    from harness.outputs import check_output
    from harness.paths import relative

    out.mkdir(parents=True, exist_ok=True)
    check_output(out / "codec.npz", force=force)
    with progress_bar("Clips and codebooks") as update:
        path = fit_to_teacher(out, count, seed, progress=update)
    typer.echo(f"{relative(path)}: {path.stat().st_size / 1e6:.2f} MB")


@codec_app.command("check")
def check(
    codec: _Codec = _MODELS / "hibari-codec",
    result: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    force: Force = False,
) -> None:
    """Measure what is left of speech and tags after the codec, on 24 sentences that it was not fitted to.

    Word error rate of hibari itself and through the codec, F0 error, and the share of the teacher's tags that the detectors find.

    Example: `harness higgs codec check --result codec.json`
    """
    from harness.experiment.small_higgs.codec_check import check_codec
    from harness.outputs import check_output
    from harness.store import write_json

    if result:
        check_output(result, force=force)
    with progress_bar("Clips") as update:
        found = check_codec(codec, progress=update)
    if result:
        write_json(result, found)
    print_json(found)


def teach(
    out: Annotated[Path, typer.Option(help="Folder of the clips; a run that was stopped goes on there.")],
    count: Annotated[int, typer.Option(min=1, help="Number of clips, rounded up to whole files of 500.")],
    plain: Annotated[bool, typer.Option("--plain", help="Leave out all tags.")] = False,
    grammar: Annotated[Path | None, typer.Option(help="Grammar; by default data/sentences/sales_grammar.yaml.")] = None,
    codec: _Codec = _MODELS / "hibari-codec",
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the sentences.")] = 0,
) -> None:
    """Let hibari, which obeys tags, speak sentences of a grammar into codes: the clips that the small Higgs learns from.

    Example: `harness higgs teach --out build/clips --count 15000` (10 minutes)
    """
    from harness.experiment.small_higgs.grammar import GRAMMAR, Grammar
    from harness.experiment.small_higgs.teacher import teach as speak
    from harness.paths import relative

    with progress_bar("Clips") as update:
        made = speak(
            out, count, grammar=Grammar(grammar or GRAMMAR), codec=codec, plain=plain, seed=seed, progress=update
        )
    typer.echo(f"{relative(out)}: {made} clips")


def pretrain(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="Training configuration; see below.")],
    steps: Annotated[int | None, typer.Option(min=1, help="Number of steps, instead of the file's.")] = None,
    output: Annotated[Path | None, typer.Option(help="Run folder, instead of the file's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Train a small Higgs Audio v2 from random weights on clips of `harness higgs teach`.

    The configuration is a YAML file. Relative paths are relative to it. Required settings: clips, output. Further settings: hidden,
    intermediate, layers, steps, batch_size, learning_rate, warmup_steps, final_rate, weight_decay, clip_norm, codebook_weights,
    noise_share, noise, log_every, save_every, seed.

    A run that was stopped goes on with the same command, also with another number of steps. View it with `tensorboard --logdir RUN/logs`.

    Example: `OMP_NUM_THREADS=1 harness higgs pretrain data/models/small-higgs/pretrain.yaml`
    """
    from harness.higgs.speech.pretrain import pretrain as run
    from harness.higgs.speech.pretrain_config import read_pretrain_config
    from harness.paths import relative

    changes = {"steps": steps, "output": str(output.absolute()) if output else None}
    settings = read_pretrain_config(config, **{name: value for name, value in changes.items() if value is not None})
    with progress_bar("Steps") as update:
        done = run(settings, progress=update)
    if as_json:
        print_json(done)
    else:
        typer.echo(
            f"{relative(done['model'])}: {done['parameters'] / 1e6:.2f} million parameters, {done['steps']} steps"
        )


def evaluate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of the model.")] = _MODELS / "small-higgs",
    codec: _Codec = _MODELS / "hibari-codec",
    side: Annotated[str, typer.Option(help="test, or dev for choices during training.")] = "test",
    tags: Annotated[int, typer.Option(min=1, max=7, help="Tags in which each sentence is spoken, one at a time.")] = 7,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many sentences.")] = None,
    result: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    force: Force = False,
) -> None:
    """Measure the small Higgs on the sentences that it was not taught: words, ends, tags, placebos, likelihoods.

    The teacher is measured on the same sentences through the same codec.

    Example: `harness higgs evaluate --result data/results/small_higgs.json --force` (15 minutes)
    """
    from harness.engines.options import check_choice
    from harness.experiment.small_higgs.evaluate import evaluate as measure
    from harness.outputs import check_output
    from harness.store import write_json

    check_choice("side", side, ("test", "dev"))
    if result:
        check_output(result, force=force)
    with progress_bar("Clips") as update:
        found = measure(
            model, codec, side="test" if side == "test" else "dev", tags_each=tags, limit=limit, progress=update
        )
    if result:
        write_json(result, found)
    print_json(found)


def curve(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="Configuration of the rows; see below.")],
    result: Annotated[Path | None, typer.Option(help="JSON file to write.")] = None,
    force: Force = False,
) -> None:
    """Measure how many tagged clips LoRA needs, so that a model that was taught plain speech obeys tags.

    Each row trains on another number of clips, with another seed, variant of LoRA, or pairs of clip and text, and is measured on the
    sentences that were not taught. Every finished row is kept: a run that was stopped goes on, also with more rows.

    The configuration is a YAML file. Relative paths are relative to it. Required settings: model, codec, clips, output, and rows, each
    with examples and optionally variant (attention+ffn, attention+ffn+heads, attention), pairs (own, shifted), steps and
    seeds. Further settings: rank, alpha, batch_size, learning_rate, side, tags_each.

    Example: `OMP_NUM_THREADS=1 harness higgs curve data/experiments/higgs_curve.yaml --result curve.json` (10 minutes a row)
    """
    from harness.experiment.small_higgs.curve import read_curve_config, run_curve
    from harness.outputs import check_output
    from harness.store import write_json

    if result:
        check_output(result, force=force)
    with progress_bar("Rows") as update:
        found = run_curve(read_curve_config(config), progress=update)
    if result:
        write_json(result, found)
    print_json(found["points"])
