"""Results as data frames with readable headings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from harness.report.text import f1_of, interval

if TYPE_CHECKING:
    from harness.higgs.probe import LoadOutcome


def outcome_table(outcomes: Mapping[str, Sequence[LoadOutcome]]) -> pd.DataFrame:
    """What each loader did, one row a stack and loader."""
    rows = [
        {
            "stack": stack,
            "loader": one.loader,
            "result": f"loads {one.loaded}" if one.ok else one.exception,
            "message": one.message.split("\n")[0][:120],
        }
        for stack, loaded in outcomes.items()
        for one in loaded
    ]
    return pd.DataFrame(rows).set_index(["stack", "loader"])


def placement_table(reports: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Placement of several taggers, best micro-F1 first; `reports` are `PlacementReport.as_json()`."""
    rows = [
        {
            "tagger": name,
            "micro F1": f1_of(report["micro"]),
            "macro F1": f1_of(report["macro"]),
            "±1 slot": f"{report['tolerant']['f1'] or 0:.2f}",
            "precision": f"{report['micro']['precision']:.2f}",
            "recall": f"{report['micro']['recall']:.2f}",
            "exact": interval(report["exact_match"], report["exact_match_low"], report["exact_match_high"]),
            "text kept": f"{report['text_preserved']:.2f}",
        }
        for name, report in sorted(reports.items(), key=lambda item: -(item[1]["micro"]["f1"] or 0))
    ]
    return pd.DataFrame(rows).set_index("tagger")


def realisation_table(per_tag: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Hit and false-positive rates of each tag; `per_tag` is from `summary.json`."""
    rows = [
        {
            "tag": tag,
            "n": row["n"],
            "hit": row["hit"],
            "wrong direction": row["wrong_direction"],
            "leaked": row["leaked"],
            "unmeasurable": row["unmeasurable"],
            "not expressible": row["not_expressible"],
            "hit rate": interval(row["hit_rate"], row["low"], row["high"]),
            "false positives": interval(row["false_positive"], row["fp_low"], row["fp_high"]),
        }
        for tag, row in per_tag.items()
    ]
    return pd.DataFrame(rows).set_index("tag")
