"""What chapter 07 found, in figures that the page's own run and the benchmark's result file decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from harness.benchmark.rows import select
from harness.chapters.ch07_tag_placement.tables import corpus_systems
from harness.publish.tables import f1_of, interval, verdict_on_difference

_KEPT = ("hand_features", "gpt2 distilled")  # taggers of the sets that the page names


def findings(
    reports: Mapping[str, Mapping[str, Any]],
    verdicts: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
    readings: Sequence[tuple[str, float]],
    nothing: Mapping[str, float],
    tagger: str,
) -> dict[str, Any]:
    """Return the figures and parts of sentences of "What we found" by name; other pages quote them, too.

    Parameters
    ----------
    reports : mapping
        Name -> placement report as JSON, with ``second pass`` among them.
    verdicts : mapping
        Baseline -> what can be said about the difference between `tagger` and it.
    rows : sequence
        Rows of the benchmark's result file.
    readings : sequence
        Readings of "placement" and the shares of `tagger`.
    nothing : mapping
        The same for a tagger that places nothing.
    tagger : str
        Tagger under test.
    """
    main = reports[tagger]
    name, seeds = next(iter(corpus_systems(rows).items()))
    accuracy = mean(seed["accuracy_3way"] for seed in seeds)
    readers = select(rows, "agreement")[0]["figures"]["accuracy_3way"][0]
    at_85 = [reading for reading, share in readings if share >= 0.85]
    return {
        **_on_sets(rows),
        "tagger": tagger,
        "micro_f1": f1_of(main["micro"]),
        "macro_f1": f1_of(main["macro"]),
        "exact": f"{main['exact_match']:.0%}",
        "preserved": f"{main['text_preserved']:.0%}",
        **{f"{other}_f1": f1_of(reports[other]["micro"]) for other in ("rules", "majority", "logistic", "random")},
        "second_f1": f1_of(reports["second pass"]["micro"]),
        **{f"against_{other}": verdicts.get(other, "the same tagger") for other in ("random", "majority", "logistic", "rules")},
        "readings": len(readings),
        "readings_at_85": len(at_85),
        "named_at_85": "; ".join(at_85) or "none",
        "nothing_at_best": f"{max(share for reading, share in nothing.items() if 'words' not in reading):.0%}",
        "corpus_best": name,
        "corpus_3way": f"{100 * accuracy:.1f}",
        "corpus_seeds": len(seeds),
        "readers_3way": f"{100 * readers:.0f}",
    }  # fmt: skip


def _on_sets(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the F1 of two taggers on the two labelled sets, and their differences to rules: ``hand_test_f1`` and so on."""
    found = {}
    for tagger in _KEPT:
        for examples in ("heldout", "test"):
            for row in select(rows, "set", tagger=tagger, examples=examples):
                name, figures = f"{tagger.split('_')[0].split()[-1]}_{examples}", row["figures"]
                found[f"{name}_f1"] = f1_of(figures["micro"])
                found[f"{name}_against_rules"] = verdict_on_difference(
                    **figures["against_rules"], better="better", worse="worse"
                )
    return found


def agreement_of_readers(figures: Mapping[str, Any]) -> dict[str, str]:
    """Return how far two readers of the same text agree, from the row ``agreement`` of the result file."""
    rates = {name: interval(*figures[name]) for name in ("accuracy_2way", "accuracy_3way", "emph_f1")}
    return rates | {"words": f"{sum(pair['words'] for pair in figures['pairs']):,}"}
