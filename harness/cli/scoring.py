"""`harness score`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.output import print_json, print_table, progress_bar
from harness.errors import DataError
from harness.publish.tables import f1_of, interval, rate_of

app = typer.Typer(no_args_is_help=True, help="Score tags in text, tags in audio, or what listeners heard.")


@app.command("placement")
def placement(
    gold: Annotated[Path, typer.Argument(metavar="GOLD.jsonl", help='Reference: lines {"id", "text": "tagged text"}.')],
    predicted: Annotated[Path, typer.Argument(metavar="PRED.jsonl", help="Prediction: the same ids, in any order.")],
    resamples: Annotated[int, typer.Option(min=1, help="Bootstrap resamples behind the intervals.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Random seed for the bootstrap.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Precision, recall and F1 of predicted tags, per tag and overall, with 95 % intervals.

    Sentences are the clusters of the bootstrap, or their `group` where GOLD has that field on every line.
    """
    from harness.placement import score_files

    figures = score_files(gold, predicted, n_resamples=resamples, seed=seed).as_json()
    if as_json:
        print_json(figures)
        return
    rows = [
        [name, f"{row['precision']:.2f}", f"{row['recall']:.2f}", f1_of(row),
         str(row["support"]), str(row["predicted"])]
        for name, row in (*figures["per_tag"].items(), ("micro", figures["micro"]), ("macro", figures["macro"]),
                          ("micro, +-1 slot", figures["tolerant"]))
    ]  # fmt: skip
    print_table(
        f"{figures['sentences']} sentences", ["tag", "precision", "recall", "F1", "reference", "predicted"], rows
    )
    typer.echo(
        f"exact sentences {interval(*rate_of(figures, 'exact_match'))}; text preserved {figures['text_preserved']:.2f}"
    )


@app.command("audio")
def audio(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="The clips: .csv, or JSON Lines. Audio paths are relative to it.")
    ],
    calibrate: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Thresholds from an engine's plain clips: manifest.csv or manifest.jsonl in DIR."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also write each outcome to this JSON Lines file.")] = None,
    leaks: Annotated[bool, typer.Option(help="Listen for tags that were read aloud.")] = True,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Worker processes; -1 for one a core.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """How many tags can be heard in clips that you made, per tag, with 95 % intervals.

    A manifest is CSV (id may be left out; a semicolon between plain clips):

    \b
    ```text
    id,audio,text,plain_audio
    s1,a.wav,"Well, we <emph> guarantee it",p1.wav;p2.wav;p3.wav
    s2,b.flac,We asked <pause_long> everyone,
    ```

    or JSON Lines:

    \b
    ```text
    {"id": "s1", "audio": "a.wav",
     "text": "Well, we <emph> guarantee it",
     "plain_audio": ["p1.wav", "p2.wav", "p3.wav"]}
    ```

    each object on one line.

    Plain clips (the same words without tags, same voice, at least three readings unless the engine repeats itself) give
    paired scores. A clip without any is judged by itself, in a table of its own: good enough for pauses away
    from punctuation, exploratory for the rest.

    Thresholds are the engine's own if there are 1,000 differences between its plain clips: those in the manifest, or
    with --calibrate those named by DIR/manifest.csv (audio,text: three or more clips of each text). Otherwise the shipped
    floors stand. The output says which.

    A clip whose audio cannot be used counts as `unmeasurable`; the others are still scored, and the exit code is 2.
    """
    from harness.prosody.clip_scores import score_manifest
    from harness.prosody.rates import reasons
    from harness.store import write_atomic

    if out and (out.resolve() == manifest.resolve() or not out.parent.is_dir() or out.is_dir()):
        raise DataError(
            "the outcomes cannot be written here", path=out, remedy="--out is a new file in a folder that exists"
        )
    with progress_bar("Clips") as update:
        scores = score_manifest(manifest, calibrate=calibrate, check_leaks=leaks, jobs=jobs, progress=update)
    figures = {**scores.as_json(), "unmeasurable": reasons(scores.outcomes)}
    if out:
        write_atomic(out, "".join(outcome.line() + "\n" for outcome in scores.outcomes))
    if as_json:
        print_json(figures)
    else:
        _print_audio(figures)
    for problem in scores.problems:
        print(f"harness: {problem}", file=sys.stderr)
    if scores.problems:
        raise typer.Exit(2)


def _print_audio(figures: dict[str, Any]) -> None:
    columns = ["tag", "n", "hit", "miss", "wrong", "leaked", "unmeas.", "hit rate"]
    for name, title in (("paired", "against plain clips"), ("unpaired", "without plain clips")):
        if figures[name]:
            rows = [
                [tag, str(row["n"]), str(row["hit"]), str(row["miss"]), str(row["wrong_direction"]), str(row["leaked"]),
                 str(row["unmeasurable"]), interval(row["hit_rate"], row["low"], row["high"])]
                for tag, row in figures[name].items()
            ]  # fmt: skip
            print_table(f"{figures['clips']} clips; tags in clips {title}", columns, rows)
    if not figures["paired"] and not figures["unpaired"]:
        typer.echo(f"{figures['clips']} clips, but no tags in their texts")
    if figures["exploratory"]:
        typer.echo(f"exploratory, since a clip is judged by itself: {' '.join(figures['exploratory'])}")
    if figures["paired"]:
        _print_thresholds(figures)
    for reason, count in figures["unmeasurable"].items():
        typer.echo(f"unmeasurable: {count} x {reason}")


def _print_thresholds(figures: dict[str, Any]) -> None:
    from harness.prosody.null import FLOOR, MIN_DIFFERENCES, NOT_APPLICABLE, NULL, TOO_FEW

    source = figures["null"]
    why = {
        NULL: "99th percentile of {n} differences between plain clips",
        FLOOR: "floor; the plain clips differ less ({n} differences)",
        TOO_FEW: "shipped floor: {n} differences between plain clips, "
        + f"at least {MIN_DIFFERENCES} are needed, from texts of both halves",
        NOT_APPLICABLE: "shipped floor: no text has three plain clips that can be compared",
    }
    rows = [
        [tag, f"{row['threshold']:.2f} {row['unit']}", why[row["threshold_from"]].format(n=row["null_n"])]
        for tag, row in figures["thresholds"].items()
        if tag in figures["paired"]
    ]
    print_table(f"Thresholds from the plain clips of the {source['from']}", ["tag", "threshold", "is"], rows)
    if source["too_few_clips"]:
        typer.echo(
            f"{source['too_few_clips']} of {source['texts']} texts have fewer than three usable plain clips and give no "
            "differences"
        )
    if figures["few_plain"]:
        typer.echo(
            f"{figures['few_plain']} clips have fewer than three plain clips: their differences are noisier than the "
            "thresholds allow for"
        )
