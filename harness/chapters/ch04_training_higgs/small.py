"""What the small Higgs says of sentences that it has not met, as `harness higgs evaluate` measured it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.paths import DATA
from harness.publish.html import Html
from harness.publish.tables import interval, table
from harness.store import read_json

CLIPS = 20_000  # that the model with tags was trained on: its model card
RESULT = DATA / "results" / "small_higgs.json"


def small_result() -> dict[str, Any]:
    """Return the published measurement of the small model and of its teacher."""
    return read_json(RESULT)


def words_table(result: Mapping[str, Any]) -> Html:
    """Return the word error rates and how often each speaker ends by itself."""
    rows = [
        {
            "speaker": title,
            "word errors, known vocabulary": _rate(one["loop"], "wer"),
            "word errors, any English": _rate(one["free"], "wer"),
            "ends by itself": _rate(one, "ends_by_itself"),
        }
        for title, one in _speakers(result)
    ]
    caption = f"{result['sentences']} unseen sentences without tags, recognised by pocketsphinx"
    return table(rows, caption)


def tags_table(result: Mapping[str, Any]) -> Html:
    """Return the hits of each tag by model and teacher, and the model's placebos; unmeasurable tags count as failures."""
    mine, teacher = (one["obeys"] for _, one in reversed(_speakers(result)))
    rows = [
        {
            "tag": tag,
            "spoken": row["asked"],
            "teacher: hit": teacher["tags"][tag]["hit"],
            "model: hit": row["hit"],
            "model: not measurable": row["unmeasurable"],
            "model: placebo hits": f"{_rate(row, 'false_positive', 'fp_low', 'fp_high')} of {row['placebo_n']}",
        }
        for tag, row in mine["tags"].items()
    ]
    total = _rate(mine, "hits_of_all")
    return table(rows, f"Tags on unseen sentences, by the detectors' floors; of all tags, the model realises {total}")


def small_numbers(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the figures that the pages quote."""
    model, teacher = result["model"], result["teacher"]
    return {
        "small_wer": _rate(model["loop"], "wer"),
        "teacher_wer": _rate(teacher["loop"], "wer"),
        "small_hits": _rate(model["obeys"], "hits_of_all"),
        "small_placebo": _rate(model["obeys"], "placebo"),
        "small_ends": _rate(model, "ends_by_itself"),
        "small_sentences": str(result["sentences"]),
    }


def _speakers(result: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [("the teacher, through the codec", result["teacher"]), ("the small Higgs", result["model"])]


def _rate(row: Mapping[str, Any], name: str, low: str = "", high: str = "") -> str:
    return interval(row[name], row[low or f"{name}_low"], row[high or f"{name}_high"])
