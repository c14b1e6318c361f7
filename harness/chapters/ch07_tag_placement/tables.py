"""Tables of chapter 07: the placement benchmark, from the rows of `harness.benchmark.suite`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from statistics import mean
from typing import Any

from harness.benchmark import sets
from harness.benchmark.rows import select, system_name
from harness.paths import DATA
from harness.publish.html import Html
from harness.publish.tables import Rate, f1_of, rate_of, table, verdict_on_difference
from harness.reading import read_yaml

PUBLISHED = DATA / "published.yaml"
NOT_HERE = "not run here"
_CORPUS = {"2-way %": ("accuracy_2way", 100), "3-way %": ("accuracy_3way", 100), "emph F1": ("emph_f1", 1),
           "pause F1": ("pause_f1", 1)}  # column of the corpus table -> figure and scale  # fmt: skip


def by_system(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the figures of each system, one entry per seed."""
    systems: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        systems[system_name(row["parameters"])].append(row["figures"])
    return dict(systems)


def over_seeds(rates: Iterable[Iterable[float | None]]) -> Rate:
    """Return the mean of a figure over seeds, between the lowest and the highest end of all its intervals."""
    values, lows, highs = ([number or 0.0 for number in column] for column in zip(*rates, strict=True))
    return Rate(mean(values), min(lows), max(highs))


def corpus_systems(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the figures of each system trained on the whole dev split, one per seed, best 3-way accuracy first."""
    systems = by_system([row for row in select(rows, "helsinki") if "sentences" not in row["parameters"]])
    return dict(sorted(systems.items(), key=lambda item: -mean(f["accuracy_3way"] for f in item[1])))


@cache
def published() -> dict[str, Any]:
    """Return the published systems with their sources and training sizes; see ``data/published.yaml``."""
    return read_yaml(PUBLISHED)[0]


def corpus_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """Return the corpus benchmark: systems measured here and published ones, best 3-way accuracy first."""
    shown: list[dict[str, Any]] = []
    for name, seeds in corpus_systems(rows).items():
        line: dict[str, Any] = {"system": name, "trained on": f"{seeds[0]['sentences']:,} sentences"}
        for column, (figure, scale) in _CORPUS.items():
            rates = [(seed[figure], *seed["intervals"][figure]) for seed in seeds]
            line[column] = over_seeds([[scale * number for number in rate] for rate in rates])
        line["seeds"] = len(seeds)
        line["CPU minutes"] = f"{mean(f['train_cpu_seconds'] for f in seeds) / 60:.1f}"
        line["sentences/s"] = f"{mean(f['sentences_per_second'] for f in seeds):,.0f}"
        shown.append(line)
    words = f"{published()['training_words'] / 1e6:.2f} M words"
    nothing = dict.fromkeys(("emph F1", "pause F1", "seeds", "CPU minutes", "sentences/s"), "–")
    for one in published()["systems"]:
        shares = {"2-way %": Rate(one["accuracy_2way"]), "3-way %": Rate(one["accuracy_3way"])}
        shown.append({"system": f"published: {one['system']}", "trained on": words, **shares, **nothing})
    return table(
        sorted(shown, key=lambda line: -line["3-way %"].value),
        "Helsinki Prosody Corpus, test split; mean over seeds; 95 % intervals, the widest over seeds; published systems have none",
        compare=_CORPUS,
        digits={"2-way %": 1, "3-way %": 1},
    )


def against_majority_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """Return the paired differences of each system's first seed from majority per word, over readers."""
    columns = {"2-way, points": ("accuracy_2way", 100), "3-way, points": ("accuracy_3way", 100),
               "emph F1": ("emph_f1", 1), "pause F1": ("pause_f1", 1)}  # fmt: skip
    shown = []
    for name, seeds in corpus_systems(rows).items():
        if name == "majority":
            continue
        line = {"system": name}
        for column, (figure, scale) in columns.items():
            value, low, high = (scale * number for number in seeds[0]["against_majority"][figure])
            line[column] = verdict_on_difference(value, low, high, better="better", worse="worse")
        shown.append(line)
    return table(shown, "Minus majority per word: paired 95 % intervals over readers")


def crossval_table(rows: Sequence[Mapping[str, Any]], data: str) -> Html:
    """Return the grouped cross-validation of each tagger; for the hackathon's examples also the random split."""
    shown: list[dict[str, Any]] = []
    for row in select(rows, "crossval", data=data, grouped=True):
        grouped = rate_of(row["figures"]["micro"], "f1")
        line: dict[str, Any] = {"tagger": system_name(row["parameters"]), "grouped folds": grouped}
        if data == "seed-examples":
            random = select(rows, "crossval", **{**row["parameters"], "grouped": False})
            line["random folds"] = f1_of(random[0]["figures"]["micro"]) if random else NOT_HERE
        line["exact sentences"] = f"{row['figures']['exact_match']:.0%}"
        shown.append(line)
    return table(
        sorted(shown, key=lambda line: -(line["grouped folds"].value or 0)),
        f"Micro-F1 by five-fold cross-validation, {data}; 95 % intervals",
        compare=["grouped folds"],
    )


def heldout_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """Return the scores of every tagger on the held-out sentences, best micro-F1 first; trained ones as the mean over seeds."""
    shown: list[dict[str, Any]] = []
    for name, seeds in by_system(select(rows, "heldout")).items():
        values = [seed["micro"]["f1"] or 0 for seed in seeds]
        shown.append(
            {
                "tagger": name,
                "micro-F1": over_seeds(rate_of(seed["micro"], "f1") for seed in seeds),
                "macro-F1": over_seeds(rate_of(seed["macro"], "f1") for seed in seeds),
                "seeds": f"{len(seeds)}: {min(values):.2f} to {max(values):.2f}" if len(seeds) > 1 else "1",
                "exact sentences": f"{mean(f['exact_match'] for f in seeds):.0%}",
            }
        )
    return table(
        sorted(shown, key=lambda line: -line["micro-F1"].value),
        "Trained on the 98 examples, scored on the 102 that were held out; 95 % intervals, the widest over seeds; "
        "second pass is an annotation and not compared",
        compare=["micro-F1", "macro-F1"],
    )


def decoding_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """Return one model decoded in several ways, best micro-F1 first."""
    shown = [
        {
            "decoding": one["decoding"],
            "micro-F1": rate_of(one, "f1"),
            "text kept": f"{one['text_preserved']:.0%}",
            **{f"sentences/s, batch {size}": f"{speed:,.1f}" for size, speed in one["sentences_per_second"].items()},
        }
        for one in sorted(rows, key=lambda row: -(row["f1"] or 0))
    ]
    caption = f"The same adapter, decoded in {len(rows)} ways; 95 % intervals"
    return table(shown, caption, compare=["micro-F1"])


def domain_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """Return the F1 of each model on the data of the other domain; a column names the direction."""
    shown = [
        {"model": system_name(row["parameters"])} | {name: Rate(*rate) for name, rate in row["figures"].items()}
        for row in select(rows, "domain")
    ]
    return table(shown, "F1 out of domain; thresholds from the model's own domain")


def set_table(rows: Sequence[Mapping[str, Any]], examples: str) -> Html:
    """Return the scores of the project's taggers on one set of examples, with the paired difference to rules, best first."""
    shown = []
    for row in sorted(select(rows, "set", examples=examples), key=lambda row: -(row["figures"]["micro"]["f1"] or 0)):
        name, figures = row["parameters"]["tagger"], row["figures"]
        ranks = name != "rules"
        shown.append(
            {
                "tagger": name,
                "micro-F1": rate_of(figures["micro"], "f1"),
                "minus rules": verdict_on_difference(**figures["against_rules"], better="better", worse="worse")
                if ranks
                else "–",
                "emph F1": f"{figures['per_tag']['<emph>']['f1'] or 0:.2f}",
                "either annotator": f"{figures['optional']['f1'] or 0:.2f}" if "optional" in figures else "–",
            }
        )
    sentences = select(rows, "set", examples=examples)[0]["figures"]["sentences"]
    return table(shown, f"The set {examples}, {sentences} sentences; 95 % intervals by scenario", compare=["micro-F1"])


def best_by_size_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """Return the most accurate system of the corpus at each number of training sentences, from the first seed."""
    best: dict[int, tuple[float, str]] = {}
    for row in select(rows, "helsinki", seed=0):
        if "sentences" in row["parameters"]:
            size, found = row["figures"]["sentences"], (row["figures"]["accuracy_3way"], system_name(row["parameters"]))
            best[size] = max(best.get(size, found), found)
    return table(
        [
            {"training sentences": f"{size:,}", "most accurate": name, "3-way accuracy": f"{share:.1%}"}
            for size, (share, name) in sorted(best.items())
        ],
        "Best system by number of sentences, one seed each: differences of a point mean little",
    )


def curve_points(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, list[float]]]:
    """Return, by tagger and number of training examples, the micro-F1 on the development set of each random choice of examples."""
    points: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in select(rows, "curve"):
        points[row["parameters"]["tagger"]][row["parameters"]["sentences"]].append(row["figures"]["micro"]["f1"] or 0.0)
    whole = {"logistic": "logistic", "hand_features": "hand_features", "gpt2": f"{sets.GENERATED}, slots scored"}
    for name, tagger in whole.items():
        for row in select(rows, "set", examples="development", tagger=tagger):
            points[name][98].append(row["figures"]["micro"]["f1"] or 0.0)
    return {name: dict(sorted(by_size.items())) for name, by_size in points.items()}
