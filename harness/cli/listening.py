"""`harness listen` and `harness score listening`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.output import AsJson, BootstrapSeed, Resamples, print_json, print_table

QUESTIONS = {
    "word": "which word", "gap": "which gap", "pair": "tagged or plain", "contour": "which ends higher", "pause": "how long a pause",
}  # fmt: skip
ATTENTIVE = 0.5  # share of trials with equal clips in which a listener must hear no difference, or is named
FEW_LISTENERS = 8  # resampling fewer clusters than about this gives intervals that are too narrow


def listen(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run, written by `harness run`.")],
    trials: Annotated[int, typer.Option(min=1, help="Number of trials; fewer if the clips do not allow as many.")] = 40,
    seed: Annotated[
        int, typer.Option(min=0, help="Random seed for the choice of trials; the same seed gives the same test.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for the two files; RUN/listening by default.")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", "--force", help="Overwrite another test or page in --out.")
    ] = False,
    disagree: Annotated[
        str | None,
        typer.Option(
            metavar="LISTENER",
            help="Use the clips on which the detectors and this listener of the run, such as emphases, disagree most.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a listening test from a run: one page that works offline, and its key.

    Give listeners only `index.html`. It asks which word stands out, and about a tagged and a plain clip of one sentence:
    in which the word stands out, in which the voice ends higher, or whether a short or a long pause was added. In some
    trials the two clips are equal, which shows who listens. The page sends nothing, and the listener saves the answers as
    a file. Keep `key.json`: it contains the right answers, and
    `harness score listening` needs it.

    With `--disagree emphases`, an hour of listening settles most. The test then has words tagged `<emph>` or
    `<pitch_high>` whose rank among the clips differs most between the detector and the model. The experiment must have
    been run with `--listeners emphases`. The rates of such a test describe these clips, not the run.
    """
    from collections import Counter

    from harness.listening.kit import KEY, PAGE, write_kit
    from harness.paths import relative

    folder = out or run / "listening"
    kit = write_kit(run, folder, trials=trials, seed=seed, replace=replace, disagree=disagree)
    kinds = Counter(one.kind.value for one in kit.trials)
    if as_json:
        print_json({"kit": kit.kit, "trials": len(kit.trials), "kinds": dict(sorted(kinds.items())),
                    "page": str(folder / PAGE), "key": str(folder / KEY)})  # fmt: skip
        return
    cells = Counter((one.engine, one.tag.value, one.kind.value) for one in kit.trials if one.kind.value in QUESTIONS)
    rows = [[engine, tag, QUESTIONS[kind], str(count)] for (engine, tag, kind), count in sorted(cells.items())]
    print_table(f"{len(kit.trials)} trials, of which {kinds['catch']} with two equal clips",
                ["engine", "tag", "question", "trials"], rows)  # fmt: skip
    if len(kit.trials) < trials:
        typer.echo(f"the clips of this run allow only {len(kit.trials)} trials, not {trials}")
    typer.echo(f"for listeners: {relative(folder / PAGE)}")
    typer.echo(f"keep to yourself: {relative(folder / KEY)}")


def score_listening(
    results: Annotated[list[Path], typer.Argument(metavar="RESULTS.json...", help="Files that listeners saved.")],
    key: Annotated[
        Path | None, typer.Option(help="Key of the test; by default key.json in the folder of the first file.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Run folder; the key is RUN/listening/key.json.")] = None,
    resamples: Resamples = 2000,
    seed: BootstrapSeed = 0,
    as_json: AsJson = False,
) -> None:
    """Report how often listeners heard the tags, with 95 % intervals, compared with the detectors on the same clips.

    The intervals resample listeners if there are at least two, otherwise sentences. `kappa` is Cohen's kappa between
    "the listener was right" and "the detector reported a hit"; a dash means that it is undefined. `detect.` is the share of
    hits among those clips that the detectors could measure. `wrong` and `det. wrong` are the shares for the wrong direction,
    such as a pause that is too long. Listeners who often hear a difference between two equal clips are named.
    """
    from harness.listening import read_key, read_results, score
    from harness.listening.kit import KEY
    from harness.publish.tables import interval

    kit = read_key(key or (run / "listening" / KEY if run else results[0].parent / KEY))
    report = {"kit": kit.kit, "run": kit.run, **score(read_results(results, kit), n_resamples=resamples, seed=seed)}
    if as_json:
        print_json(report)
        return
    total = report["listeners"] * len(kit.trials)
    typer.echo(f"listeners: {report['listeners']}, answers: {report['answers']} of {total}\n")
    columns = ["tag", "right", "rate", "chance", "wrong", "detect.", "det. wrong", "agree", "kappa"]
    for engine, kind in dict.fromkeys((row["engine"], row["kind"]) for row in report["rows"]):
        rows = [
            [row["tag"], f"{row['right']}/{row['n']}", interval(row["rate"], row["low"], row["high"]),
             *(interval(value, None, None) for value in (
                 row["chance"], None if row["opposite"] is None else row["opposite"] / row["n"], row["detector_hit"],
                 row["detector_opposite"], row["agreement"], row["kappa"]))]
            for row in report["rows"] if (row["engine"], row["kind"]) == (engine, kind)
        ]  # fmt: skip
        print_table(f"{engine}: {QUESTIONS[kind]}?", columns, rows)
    if 2 <= report["listeners"] < FEW_LISTENERS:
        typer.echo("with so few listeners the intervals are too narrow")
    catch = report["catch"]
    if catch["n"] and catch["same"] is None:
        shown = interval(catch["share_a"], catch["low"], catch["high"])
        typer.echo(
            f'two equal clips: "A" {catch["a"]} of {catch["n"]}, {shown}; 0.50 expected of a listener without bias'
        )
    elif catch["n"]:
        shown = interval(catch["share_same"], catch["same_low"], catch["same_high"])
        typer.echo(f'two equal clips: "No difference" {catch["same"]} of {catch["n"]}, {shown}')
        for listener, counts in catch["attention"].items():
            if counts["same"] < ATTENTIVE * counts["n"]:
                typer.echo(f"listener {listener} heard no difference in only {counts['same']} of {counts['n']} pairs of "
                           "equal clips; consider leaving this file out")  # fmt: skip
