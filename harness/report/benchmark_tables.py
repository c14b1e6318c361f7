"""Tables of the placement benchmark, from the rows of `harness.benchmark.suite`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import mean
from typing import Any

import yaml

from harness.paths import DATA
from harness.report.diffs import Html
from harness.report.tables import table
from harness.report.text import f1_of, interval, verdict_on_difference

PUBLISHED = DATA / "published.yaml"
BASES = {"embedded": "gpt2-mini", "smollm2": "SmolLM2-135M"}
NOT_HERE = "not run here"


def select(rows: Sequence[Mapping[str, Any]], kind: str, **parameters: Any) -> list[Mapping[str, Any]]:
    """Rows of one kind that were measured with these parameters."""
    return [
        row
        for row in rows
        if row["kind"] == kind
        and "figures" in row
        and all(row["parameters"].get(name) == value for name, value in parameters.items())
    ]


def system_name(parameters: Mapping[str, Any]) -> str:
    """How a tagger and its base are shown."""
    base = str(parameters.get("base_model"))
    uses_base = parameters["tagger"] in ("lm_features", "lm_slots", "gpt2")
    return f"{parameters['tagger']} on {BASES.get(base, base)}" if uses_base else parameters["tagger"]


def corpus_systems(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Figures of each system trained on the whole dev split, one for each seed, best 3-way accuracy first."""
    systems: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in select(rows, "helsinki"):
        if "sentences" not in row["parameters"]:
            systems[system_name(row["parameters"])].append(row["figures"])
    return dict(sorted(systems.items(), key=lambda item: -mean(f["accuracy_3way"] for f in item[1])))


@cache
def published() -> dict[str, Any]:
    """Published systems with their source and training size; see ``data/published.yaml``."""
    return yaml.safe_load(PUBLISHED.read_text(encoding="utf-8"))


def corpus_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """The corpus benchmark: every system here, then the published ones."""
    shown = []
    for name, seeds in corpus_systems(rows).items():
        first = seeds[0]
        shown.append(
            {
                "system": name,
                "trained on": f"{first['sentences']:,} sentences",
                "2-way %": _percent(seeds, "accuracy_2way"),
                "3-way %": _percent(seeds, "accuracy_3way"),
                "emph F1": _over_seeds(seeds, "emph_f1"),
                "pause F1": _over_seeds(seeds, "pause_f1"),
                "seeds": str(len(seeds)),
                "CPU minutes": f"{mean(f['train_cpu_seconds'] for f in seeds) / 60:.1f}",
                "sentences/s": f"{mean(f['sentences_per_second'] for f in seeds):,.0f}",
            }
        )
    words = published()["training_words"]
    shown += [
        {
            "system": f"published: {one['system']}", "trained on": f"{words / 1e6:.2f} M words",
            "2-way %": f"{one['accuracy_2way']:.1f}", "3-way %": f"{one['accuracy_3way']:.1f}",
            "emph F1": "–", "pause F1": "–", "seeds": "–", "CPU minutes": "–", "sentences/s": "–",
        }
        for one in published()["systems"]
    ]  # fmt: skip
    return table(shown, "Helsinki Prosody Corpus, test split; mean over seeds, 95 % interval of the first seed")


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
    for row in select(rows, "crossval", data=data, grouped=True):
        line = {"tagger": system_name(row["parameters"]), "grouped folds": f1_of(row["figures"]["micro"])}
        if data == "seed-examples":
            others = {**row["parameters"], "grouped": False}
            leaked = select(rows, "crossval", **others)
            line["random folds"] = f1_of(leaked[0]["figures"]["micro"]) if leaked else NOT_HERE
        line["exact sentences"] = f"{row['figures']['exact_match']:.0%}"
        shown.append((row["figures"]["micro"]["f1"] or 0, line))
    shown.sort(key=lambda item: -item[0])
    return table([line for _, line in shown], f"Micro-F1 by five-fold cross-validation, {data}")


def heldout_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """Every tagger on the held-out sentences; trained ones as the mean over seeds."""
    systems: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in select(rows, "heldout"):
        systems[system_name(row["parameters"])].append(row["figures"])
    shown = []
    for name, seeds in sorted(systems.items(), key=lambda item: -mean(f["micro"]["f1"] or 0 for f in item[1])):
        values = [f["micro"]["f1"] or 0 for f in seeds]
        spread = f", seeds {min(values):.2f} to {max(values):.2f}" if len(values) > 1 else ""
        shown.append(
            {
                "tagger": name,
                "micro-F1": f"{mean(values):.2f}{spread}" if len(values) > 1 else f1_of(seeds[0]["micro"]),
                "macro-F1": f"{mean(f['macro']['f1'] or 0 for f in seeds):.2f}",
                "exact sentences": f"{mean(f['exact_match'] for f in seeds):.0%}",
            }
        )
    return table(shown, "Trained on the 98 examples, scored on the 102 that were held out")


def decoding_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """One model, three ways of decoding."""
    shown = []
    for one in rows:
        speeds = one["sentences_per_second"]
        shown.append(
            {
                "decoding": one["decoding"],
                "micro-F1": interval(one["f1"], one["f1_low"], one["f1_high"]),
                "text kept": f"{one['text_preserved']:.0%}",
                **{f"sentences/s, batch {size}": f"{speed:,.1f}" for size, speed in speeds.items()},
            }
        )
    return table(shown, "The same adapter, decoded in three ways")


def domain_table(rows: Sequence[Mapping[str, Any]]) -> Html:
    """F1 away from home, each with the direction in its column."""
    shown = []
    for row in select(rows, "domain"):
        shown.append(
            {"model": system_name(row["parameters"]), **{name: interval(*v) for name, v in row["figures"].items()}}
        )
    return table(shown, "F1 out of domain; thresholds from the model's own domain")


def ablation_name(settings: Mapping[str, Any]) -> str:
    """What an ablated setting changes, in words."""
    names = {
        ("tag_embeddings", "frozen"): "tag rows frozen",
        ("tag_embeddings", "modules_to_save"): "modules_to_save",
        ("prompt_format", "once"): "sentence once",
        ("mask_pads", False): "pads in the loss",
        ("objective", "both"): "also writes text",
    }
    changed = [names.get((key, value), f"{key.replace('_', ' ')} {value}") for key, value in settings.items()
               if (key, value) != ("objective", "read")]  # fmt: skip
    return ", ".join(changed) or "as configured"


def _percent(seeds: Sequence[Mapping[str, Any]], name: str) -> str:
    low, high = (100 * value for value in seeds[0]["intervals"][name])
    return f"{100 * mean(f[name] for f in seeds):.2f} [{low:.1f}, {high:.1f}]"


def _over_seeds(seeds: Sequence[Mapping[str, Any]], name: str) -> str:
    low, high = seeds[0]["intervals"][name]
    return f"{mean(f[name] for f in seeds):.3f} [{low:.2f}, {high:.2f}]"
