"""Tables of the placement benchmark, from the rows of `harness.benchmark.suite`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import mean
from typing import Any

from harness.benchmark.rows import select, system_name
from harness.paths import DATA
from harness.publish.html import Html
from harness.publish.tables import Rate, ahead, f1_of, interval, rate_of, table, verdict_on_difference
from harness.reading import read_yaml

PUBLISHED = DATA / "published.yaml"
NOT_HERE = "not run here"
# Column of the corpus table -> figure, scale, digits.
_CORPUS = {"2-way %": ("accuracy_2way", 100, 1), "3-way %": ("accuracy_3way", 100, 1), "emph F1": ("emph_f1", 1, 2),
           "pause F1": ("pause_f1", 1, 2)}  # fmt: skip


def by_system(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Figures of each system, one for each seed."""
    systems: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        systems[system_name(row["parameters"])].append(row["figures"])
    return dict(systems)


def over_seeds(triples: Sequence[Rate]) -> Rate:
    """The mean of a figure over seeds, between the lowest and the highest end of all its intervals."""
    values, lows, highs = ([number or 0.0 for number in column] for column in zip(*triples, strict=True))
    return mean(values), min(lows), max(highs)


def corpus_systems(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Figures of each system trained on the whole dev split, one for each seed, best 3-way accuracy first."""
    systems = by_system([row for row in select(rows, "helsinki") if "sentences" not in row["parameters"]])
    return dict(sorted(systems.items(), key=lambda item: -mean(f["accuracy_3way"] for f in item[1])))


@cache
def published() -> dict[str, Any]:
    """Published systems with their source and training size; see ``data/published.yaml``."""
    return read_yaml(PUBLISHED)[0]


def corpus_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """The corpus benchmark: systems here and published ones, best 3-way accuracy first."""
    shown: list[tuple[float, dict[str, str]]] = []
    rates: dict[str, dict[str, Rate]] = {column: {} for column in _CORPUS}
    for name, seeds in corpus_systems(rows).items():
        line = {"system": name, "trained on": f"{seeds[0]['sentences']:,} sentences"}
        for column, (figure, scale, digits) in _CORPUS.items():
            ends = [[scale * end for end in seed["intervals"][figure]] for seed in seeds]
            triples = [(scale * seed[figure], low, high) for seed, (low, high) in zip(seeds, ends, strict=True)]
            rates[column][name] = over_seeds(triples)
            line[column] = interval(*rates[column][name], digits)
        line["seeds"] = str(len(seeds))
        line["CPU minutes"] = f"{mean(f['train_cpu_seconds'] for f in seeds) / 60:.1f}"
        line["sentences/s"] = f"{mean(f['sentences_per_second'] for f in seeds):,.0f}"
        shown.append((100 * mean(f["accuracy_3way"] for f in seeds), line))
    nothing = dict.fromkeys(("emph F1", "pause F1", "seeds", "CPU minutes", "sentences/s"), "–")
    for one in published()["systems"]:
        name = f"published: {one['system']}"
        two, three = one["accuracy_2way"], one["accuracy_3way"]
        rates["2-way %"][name], rates["3-way %"][name] = (two, None, None), (three, None, None)
        words = f"{published()['training_words'] / 1e6:.2f} M words"
        shown.append(
            (
                three,
                {"system": name, "trained on": words, "2-way %": f"{two:.1f}", "3-way %": f"{three:.1f}", **nothing},
            )
        )
    shown.sort(key=lambda item: -item[0])
    return table(
        [line for _, line in shown],
        "Helsinki Prosody Corpus, test split; mean over seeds; 95 % intervals, the widest over seeds; published systems have none",
        {column: ahead(found) for column, found in rates.items()},
    )


def against_majority_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """Paired differences from majority per word, over readers, of each system's first seed."""
    shown = []
    for name, seeds in corpus_systems(rows).items():
        if name == "majority":
            continue
        line = {"system": name}
        for figure, label, scale in (("accuracy_2way", "2-way, points", 100), ("accuracy_3way", "3-way, points", 100),
                                     ("emph_f1", "emph F1", 1), ("pause_f1", "pause F1", 1)):  # fmt: skip
            value, low, high = (scale * number for number in seeds[0]["against_majority"][figure])
            line[label] = verdict_on_difference(value, low, high, better="better", worse="worse")
        shown.append(line)
    return table(shown, "Minus majority per word: paired 95 % intervals over readers")


def crossval_table(rows: Sequence[Mapping[str, Any]], data: str) -> Html:
    """Grouped cross-validation of each tagger; for the hackathon's examples also the random split."""
    shown = []
    rates: dict[str, dict[str, Rate]] = {"grouped folds": {}}
    for row in select(rows, "crossval", data=data, grouped=True):
        name, score = system_name(row["parameters"]), row["figures"]["micro"]
        line = {"tagger": name, "grouped folds": f1_of(score)}
        rates["grouped folds"][name] = rate_of(score, "f1")
        if data == "seed-examples":
            others = {**row["parameters"], "grouped": False}
            leaked = select(rows, "crossval", **others)
            line["random folds"] = f1_of(leaked[0]["figures"]["micro"]) if leaked else NOT_HERE
        line["exact sentences"] = f"{row['figures']['exact_match']:.0%}"
        shown.append((score["f1"] or 0, line))
    shown.sort(key=lambda item: -item[0])
    return table(
        [line for _, line in shown],
        f"Micro-F1 by five-fold cross-validation, {data}; 95 % intervals",
        {column: ahead(found) for column, found in rates.items()},
    )


def heldout_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """Every tagger on the held-out sentences, best micro-F1 first; trained ones as the mean over seeds."""
    shown = []
    rates: dict[str, dict[str, Rate]] = {"micro-F1": {}, "macro-F1": {}}
    for name, seeds in by_system(select(rows, "heldout")).items():
        line = {"tagger": name}
        for column in rates:
            triples = [rate_of(seed[column.removesuffix("-F1")], "f1") for seed in seeds]
            rates[column][name] = over_seeds(triples)
            line[column] = interval(*rates[column][name])
        values = [seed["micro"]["f1"] or 0 for seed in seeds]
        line["seeds"] = f"{len(seeds)}: {min(values):.2f} to {max(values):.2f}" if len(seeds) > 1 else "1"
        line["exact sentences"] = f"{mean(f['exact_match'] for f in seeds):.0%}"
        shown.append((mean(values), line))
    shown.sort(key=lambda item: -item[0])
    return table(
        [line for _, line in shown],
        "Trained on the 98 examples, scored on the 102 that were held out; 95 % intervals, the widest over seeds; "
        "second pass is an annotation and not compared",
        {column: ahead(found) for column, found in rates.items()},
    )


def decoding_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """One model, three ways of decoding, best micro-F1 first."""
    shown = []
    for one in sorted(rows, key=lambda row: -(row["f1"] or 0)):
        speeds = one["sentences_per_second"]
        shown.append(
            {
                "decoding": one["decoding"],
                "micro-F1": f1_of(one),
                "text kept": f"{one['text_preserved']:.0%}",
                **{f"sentences/s, batch {size}": f"{speed:,.1f}" for size, speed in speeds.items()},
            }
        )
    best = {"micro-F1": ahead({one["decoding"]: rate_of(one, "f1") for one in rows})}
    return table(shown, f"The same adapter, decoded in {len(rows)} ways; 95 % intervals", best)


def domain_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """F1 away from home, each with the direction in its column."""
    shown = []
    for row in select(rows, "domain"):
        shown.append(
            {"model": system_name(row["parameters"]), **{name: interval(*v) for name, v in row["figures"].items()}}
        )
    return table(shown, "F1 out of domain; thresholds from the model's own domain")
