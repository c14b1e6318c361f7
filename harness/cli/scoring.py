"""`harness score`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.listener_tables import Listeners, listener_names, print_listeners
from harness.cli.output import AsJson, BootstrapSeed, Force, Jobs, Resamples, print_json, print_table, progress_bar

app = typer.Typer(no_args_is_help=True, help="Score tags in text, tags in audio, or the answers of listeners.")


@app.command("placement")
def placement(
    gold: Annotated[Path, typer.Argument(metavar="GOLD.jsonl", help='Reference: lines {"id", "text": "tagged text"}.')],
    predicted: Annotated[Path, typer.Argument(metavar="PRED.jsonl", help="Prediction: the same ids, in any order.")],
    optional: Annotated[
        Path | None,
        typer.Option(
            metavar="SECOND.jsonl",
            help="A second annotator's labels of the same sentences. Also report the scores when a tag of either annotator "
            "counts as right and only the tags of both are required.",
        ),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option("--baselines", help="Also score the taggers rules, majority and random on the same sentences."),
    ] = False,
    resamples: Resamples = 2000,
    seed: BootstrapSeed = 0,
    as_json: AsJson = False,
) -> None:
    """Report precision, recall and F1 of predicted tags, per tag and overall, with 95 % intervals.

    The bootstrap resamples sentences, or groups of sentences if every line of GOLD has the field `group`. If all are of one group,
    there are no intervals.
    """
    from harness.placement import score_files
    from harness.publish.tables import f1_of, interval, rate_of
    from harness.taggers.baselines import score_baselines

    figures = score_files(gold, predicted, n_resamples=resamples, seed=seed).as_json()
    if baselines:
        found = score_baselines(gold, n_resamples=resamples, seed=seed)
        figures["baselines"] = {name: report.as_json() for name, report in found.items()}
    lenient = None
    if optional:
        lenient = score_files(gold, predicted, optional=optional, n_resamples=resamples, seed=seed).as_json()
        figures["optional"] = lenient
    if as_json:
        print_json(figures)
        return
    _print_placement(f"{figures['sentences']} sentences", figures)
    typer.echo(
        f"exact sentences {interval(*rate_of(figures, 'exact_match'))}; text preserved {figures['text_preserved']:.2f}"
    )
    if baselines:
        rows = [
            [name, *(f1_of(one[kind]) for kind in ("micro", "macro", "tolerant"))]
            for name, one in {"yours": figures, **figures["baselines"]}.items()
        ]
        print_table(
            "Compared with taggers that need no training of yours",
            ["tagger", "micro F1", "macro F1", "micro, +-1 slot"],
            rows,
        )
    if lenient:
        _print_placement("A tag of either reference counts as right; only the tags of both are required", lenient)
        typer.echo(f"acceptable sentences {interval(*rate_of(lenient, 'exact_match'))}")


def _print_placement(title: str, figures: dict[str, Any]) -> None:
    from harness.publish.tables import f1_of

    rows = [
        [name, f"{row['precision']:.2f}", f"{row['recall']:.2f}", f1_of(row),
         str(row["support"]), str(row["predicted"])]
        for name, row in (*figures["per_tag"].items(), ("micro", figures["micro"]), ("macro", figures["macro"]),
                          ("micro, +-1 slot", figures["tolerant"]))
    ]  # fmt: skip
    print_table(title, ["tag", "precision", "recall", "F1", "reference", "predicted"], rows)


@app.command("audio")
def audio(
    manifest: Annotated[
        Path,
        typer.Argument(metavar="MANIFEST", help="List of clips: CSV or JSON Lines. Audio paths are relative to it."),
    ],
    calibrate: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder with plain clips for the thresholds, listed in its manifest.csv or manifest.jsonl.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also write every outcome to this JSON Lines file.")] = None,
    force: Force = False,
    listeners: Listeners = None,
    leaks: Annotated[bool, typer.Option(help="Check for tags that were read aloud.")] = True,
    jobs: Jobs = 1,
    as_json: AsJson = False,
) -> None:
    """Measure how many tags can be heard in your own clips, per tag, with 95 % intervals.

    A CSV manifest separates plain clips by semicolons, and may leave out the columns plain_audio and id:

    \b
    ```text
    id,audio,text,plain_audio
    s1,a.wav,"Well, we <emph> guarantee it",p1.wav;p2.wav;p3.wav
    s2,b.flac,We asked <pause_long> everyone,
    ```

    A JSON Lines manifest has one object per line (broken here to fit the page):

    \b
    ```text
    {"id": "s1", "audio": "a.wav",
     "text": "Well, we <emph> guarantee it",
     "plain_audio": ["p1.wav", "p2.wav", "p3.wav"]}
    ```

    Plain clips have the same words and voice as the clip, without tags. They are needed for paired scores: at least three
    readings, or one if the engine always repeats itself exactly. A clip without plain clips is judged by itself, in a
    separate table. That is reliable for pauses away from punctuation, and exploratory for all other tags.

    The thresholds come from the differences between the engine's plain clips, if there are at least 1,000 of them. These
    clips are those in the manifest, or with --calibrate those in DIR/manifest.csv (columns audio and text, at least three
    clips of each text). Otherwise the shipped floors are used. The output says which.

    A clip whose audio cannot be used, or that does not say the words of its text, counts as `unmeasurable`, and its line is
    named. The other clips are still scored, and the exit code is 2.
    """
    from harness.outputs import check_output
    from harness.prosody.clip_scores import inputs_of, score_manifest
    from harness.prosody.rates import reasons
    from harness.store import write_atomic

    names = listener_names(listeners) or []
    if out:
        check_output(out, inputs=inputs_of(manifest, calibrate) if out.exists() else [manifest], force=force)
    with progress_bar("Clips") as update:
        scores = score_manifest(
            manifest, calibrate=calibrate, check_leaks=leaks, listeners=names, jobs=jobs, progress=update
        )
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
    from harness.publish.tables import interval

    columns = ["tag", "n", "hit", "miss", "wrong", "leaked", "unmeas.", "hit rate", "placebo"]
    for name, title in (("paired", "against plain clips"), ("unpaired", "without plain clips")):
        if figures[name]:
            clips = figures[f"{name}_clips"]
            rows = [
                [tag, str(row["n"]), str(row["hit"]), str(row["miss"]), str(row["wrong_direction"]), str(row["leaked"]),
                 str(row["unmeasurable"]), *(interval(*figures).replace(" [", "\n[") for figures in
                   ((row["hit_rate"], row["low"], row["high"]), (row["false_positive"], row["fp_low"], row["fp_high"])))]
                for tag, row in figures[name].items()
            ]  # fmt: skip
            print_table(f"{clips} {'clip' if clips == 1 else 'clips'} {title}", columns, rows)
    if not figures["paired"] and not figures["unpaired"]:
        typer.echo(f"{figures['clips']} clips, but no tags in their texts")
    print_listeners(f"{figures['clips']} clips", figures["listeners"])
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
