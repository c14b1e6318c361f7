"""`harness score`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import print_json, print_table, progress_bar
from harness.errors import DataError
from harness.report.text import interval

app = typer.Typer(no_args_is_help=True, help="Score tags in text, or tags in audio.")


@app.command("placement")
def placement(
    gold: Annotated[Path, typer.Argument(metavar="GOLD.jsonl", help='Reference: lines {"id", "text": "tagged text"}.')],
    predicted: Annotated[Path, typer.Argument(metavar="PRED.jsonl", help="Prediction: the same ids, in any order.")],
    resamples: Annotated[int, typer.Option(min=1, help="Bootstrap resamples behind the intervals.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Precision, recall and F1 of predicted tags, per tag and overall, with 95 % intervals.

    Sentences are the clusters of the bootstrap, or their `group` where GOLD has that field on every line.
    """
    from harness.placement import pair_up, score_placement
    from harness.records import TextRecord
    from harness.store import read_jsonl

    reference = read_jsonl(gold, TextRecord)
    if not reference:
        raise DataError("there are no sentences to score", path=gold)
    paired = pair_up(reference, read_jsonl(predicted, TextRecord), predicted)
    groups = [record.group for record in reference]
    clusters = [group for group in groups if group] if all(groups) else None
    report = score_placement(
        [r.tagged for r in reference], [r.tagged for r in paired], clusters, n_resamples=resamples, seed=seed
    )
    figures = report.as_json()
    if as_json:
        print_json(figures)
        return
    rows = [
        [name, f"{row['precision']:.2f}", f"{row['recall']:.2f}", interval(row["f1"], row["f1_low"], row["f1_high"]),
         str(row["support"]), str(row["predicted"])]
        for name, row in (*figures["per_tag"].items(), ("micro", figures["micro"]), ("macro", figures["macro"]),
                          ("micro, +-1 slot", figures["tolerant"]))
    ]  # fmt: skip
    print_table(
        f"{figures['sentences']} sentences", ["tag", "precision", "recall", "F1", "reference", "predicted"], rows
    )
    exact = interval(figures["exact_match"], figures["exact_match_low"], figures["exact_match_high"])
    typer.echo(f"exact sentences {exact}; text preserved {figures['text_preserved']:.2f}")


@app.command("audio")
def audio(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST.jsonl", help='Lines {"id", "text", "audio", "plain_audio": [...]}.')
    ],
    out: Annotated[Path | None, typer.Option(help="Also write each outcome to this JSON Lines file.")] = None,
    leaks: Annotated[bool, typer.Option(help="Listen for tags that were read aloud.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """How many tags can be heard in clips that you made, per tag, with 95 % intervals.

    Give plain clips (the same words without tags, same voice) for a paired score; without them only pauses are scored.
    A clip whose audio cannot be used counts as `unmeasurable`; the others are still scored, and the exit code is 2.
    """
    from harness.prosody.files import score_manifest
    from harness.prosody.summary import per_tag, reasons
    from harness.store import write_atomic

    if out and (out.resolve() == manifest.resolve() or not out.parent.is_dir() or out.is_dir()):
        raise DataError(
            "the outcomes cannot be written here", path=out, remedy="--out is a new file in a folder that exists"
        )
    with progress_bar("Clips") as update:
        scores = score_manifest(manifest, check_leaks=leaks, progress=update)
    table = per_tag(scores.outcomes)
    if out:
        write_atomic(out, "".join(outcome.line() + "\n" for outcome in scores.outcomes))
    if as_json:
        print_json({"clips": scores.clips, "per_tag": table, "unmeasurable": reasons(scores.outcomes)})
    else:
        rows = [
            [tag, str(row["n"]), str(row["hit"]), str(row["miss"]), str(row["wrong_direction"]), str(row["leaked"]),
             str(row["unmeasurable"]), interval(row["hit_rate"], row["low"], row["high"])]
            for tag, row in table.items()
        ]  # fmt: skip
        columns = ["tag", "n", "hit", "miss", "wrong", "leaked", "unmeas.", "hit rate"]
        print_table(f"{scores.clips} clips", columns, rows)
        for reason, count in reasons(scores.outcomes).items():
            typer.echo(f"unmeasurable: {count} x {reason}")
    for problem in scores.problems:
        print(f"harness: {problem}", file=sys.stderr)
    if scores.problems:
        raise typer.Exit(2)
