"""`harness benchmark`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, get_args

import typer

from harness.cli.output import AsJson, Force, Resamples, print_json, print_table, progress_bar

app = typer.Typer(no_args_is_help=True, help="Measure a tagger on a public corpus.")


@app.command("helsinki")
def helsinki(
    tagger: Annotated[str, typer.Option(help="`majority`, `logistic`, `lm_features`, `lm_slots` or `gpt2`.")],
    base_model: Annotated[
        str, typer.Option(help="`embedded`, `smollm2`, a folder, or a hub name such as `gpt2`.")
    ] = "embedded",
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Random seed of training.")] = 0,
    sentences: Annotated[int | None, typer.Option(min=1, help="Number of training sentences; all by default.")] = None,
    train_file: Annotated[
        Path | None,
        typer.Option(help="Train on this file of the corpus (train_100.txt, train_360.txt) instead of the dev split."),
    ] = None,
    resamples: Resamples = 2000,
    as_json: AsJson = False,
) -> None:
    """Measure prominence and pauses on the Helsinki Prosody Corpus: train on the dev split, score on the whole test split.

    Nine tenths of the dev readers are for training; the last tenth chooses epoch and thresholds. Prominence is 0, 1 or 2, and
    2-way accuracy asks whether it is 0. `emph` is prominence 2, a pause is boundary 2 inside the sentence. The 95 % intervals
    are over readers.

    Example: `harness benchmark helsinki --tagger lm_slots --base-model smollm2 --json`
    """
    from harness.benchmark.helsinki import benchmark
    from harness.publish.tables import interval

    with progress_bar("Training") as update:

        def log(row: dict) -> None:
            if "step" in row:
                update(row["step"], row["steps"])

        figures = benchmark(
            tagger, base_model, seed, sentences=sentences, train_file=train_file, n_resamples=resamples, log=log
        )
    if as_json:
        print_json(figures)
        return
    names = {"accuracy_2way": "2-way accuracy", "accuracy_3way": "3-way accuracy", "emph_f1": "emph F1, tuned",
             "emph_f1_argmax": "emph F1, argmax", "pause_f1": "pause F1, tuned"}  # fmt: skip
    rows = []
    for name, shown in names.items():
        low, high = figures["intervals"][name]
        difference, least, most = figures["against_majority"][name]
        rows.append([shown, interval(figures[name], low, high, 4), interval(difference, least, most, 4)])
    base = f" on {figures['base_model']}" if figures["base_model"] else ""
    print_table(f"{tagger}{base}, seed {seed}: {figures['words']:,} words", ["", "value", "minus majority"], rows)
    typer.echo(f"trained on {figures['sentences']:,} sentences in {figures['train_seconds']:.0f} s "
               f"({figures['cpu_threads']} threads), {figures['sentences_per_second']:.0f} sentences/s")  # fmt: skip


@app.command("suite")
def suite(
    out: Annotated[
        Path | None,
        typer.Option(help="Result file; by default `data/results/placement.json`, which chapter 07 shows."),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Number of seeds for each model that is trained on the corpus.")
    ] = 5,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only this kind of measurement, such as `helsinki` or `decoding`; can be repeated."),
    ] = None,
    resamples: Resamples = 2000,
    done_only: Annotated[
        bool, typer.Option("--done-only", help="Measure nothing; write the finished rows of an interrupted run.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the measurements without running them.")] = False,
    force: Force = False,
) -> None:
    """Run all placement benchmarks of the book, which takes an hour or two on two cores.

    Each measurement is saved to `_build/benchmark` when it is done, so an interrupted run resumes with the same command. An
    existing result file is replaced only with `--force`. With `--only` it is updated, and its other rows are kept. SmolLM2 is
    included if it is installed (`make smollm2`).

    Example: `harness benchmark suite --only decoding --only agreement`
    """
    from harness.benchmark.suite import RESULT, gather, load, run, units
    from harness.benchmark.units import KINDS
    from harness.datasets import Split, examples_file
    from harness.errors import HarnessError
    from harness.outputs import check_output
    from harness.paths import relative

    if foreign := sorted(set(only or ()) - KINDS.keys()):
        raise HarnessError(f"unknown kind of measurement {foreign[0]!r}", remedy=f"choose from: {', '.join(KINDS)}")
    chosen = [unit for unit in units(seeds) if not only or unit.kind in only]
    if dry_run:
        for unit in chosen:
            typer.echo(unit.name)
        return

    target = out or RESULT
    update = bool(only) and target.is_file() and bool(load(target))
    check_output(target, inputs=[examples_file(split) for split in get_args(Split)], force=force or update)

    def progress(name: str, done: int, total: int) -> None:
        print(f"{done + 1} of {total}: {name}", file=sys.stderr, flush=True)

    rows = run(chosen, resamples=resamples, done_only=done_only, progress=None if done_only else progress)
    missing = [row for row in rows if "not_run" in row]
    gather(rows, target, replace_kinds=only)
    for reason in dict.fromkeys(row["not_run"] for row in missing):
        print(f"harness: not run here: {reason}", file=sys.stderr)
    typer.echo(f"{relative(target)}: {len(rows) - len(missing)} rows, {len(missing)} not run here")
