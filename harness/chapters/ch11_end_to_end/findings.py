"""What chapter 11 found, in sentences and figures that the page's own run decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from harness.chapters.ch11_end_to_end.tables import rate, shown
from harness.chapters.ch11_end_to_end.verdict import where_lost
from harness.errors import HarnessError
from harness.prosody.recognise import transcript
from harness.publish.tables import interval, verdict_on_difference
from harness.tagged import TaggedText

NOT_HERE = "not run here"
_OWN = (
    "recall",
    "hit rate",
    "joint recall",
    "joint precision",
    "joint f1",
    "mean",
)  # readings of the tagger of the page


def complete(summary: Mapping[str, Any]) -> None:
    """Check that a run has no failures.

    Raises
    ------
    HarnessError
        If a clip or a text failed; names each reason and how often it occurred.
    """
    if summary["failures"]:
        reasons = "; ".join(f"{n} x {why}" for why, n in summary["failures"].items())
        raise HarnessError(reasons, remedy="remove the cause, and run the page again")


def findings(told: Mapping[str, Any], deaf: Mapping[str, Any] | None, tagger: str) -> dict[str, str]:
    """Return the figures and sentences of "What we found" by name; see `numbers` for the parameters."""
    joint = told["end_to_end"]
    mine = joint[tagger]["readings"]
    best = max((name for name in joint if name != "gold"), key=lambda name: joint[name]["f1"] or 0)
    against_rules = "the tagger of this page is the rules"
    if "rules" in told["differences"][tagger]:
        value, low, high = told["differences"][tagger]["rules"]
        against_rules = verdict_on_difference(
            value, low, high, better=f"more with {tagger}", worse=f"fewer with {tagger}"
        )
    return {
        "lost": (
            f"`{tagger}` spoke {joint[tagger]['spoken']} tags where the reference has {joint['gold']['reference']}. Its joint precision is "
            f"{shown(mine['joint precision'])}; that of perfect tags is {rate(joint['gold'], 'joint precision')}. "
            f"{where_lost(mine, told['per_tag'])}"
        ),
        "against_rules": against_rules,
        "best": f"`{best}` has the best joint F1 of all taggers, {rate(joint[best], 'joint f1')}.",
        **{name.replace(" ", "_"): shown(mine[name]) for name in _OWN},
        "gold_recall": rate(joint["gold"], "joint recall"),
        "rules_precision": rate(joint["rules"], "joint precision"),
        "random_mean": rate(joint["random"], "mean"),
        "deaf_recall": rate(deaf["gold"], "joint recall") if deaf else NOT_HERE,
        "deaf_mean": rate(deaf["gold"], "mean") if deaf else NOT_HERE,
    }  # fmt: skip


def without_higgs(small: Mapping[str, Any], vocabulary: Collection[str], heldout: Sequence[TaggedText]) -> str:
    """Say why no Higgs speaks on the page, and what is known of the one that this project trained.

    Parameters
    ----------
    small : mapping
        Fields of the result file of `harness higgs evaluate`.
    vocabulary : collection of str
        Words that the small model knows.
    heldout : sequence of TaggedText
        Sentences of the page.
    """
    sayable = sum(set(transcript(text.plain)) <= set(vocabulary) for text in heldout)
    told, teacher = (small[who]["obeys"] for who in ("model", "teacher"))
    hits, its_hits = (interval(one["hit_rate"], one["hit_rate_low"], one["hit_rate_high"]) for one in (told, teacher))
    placebo = interval(told["placebo"], told["placebo_low"], told["placebo_high"])
    return (
        f"The only Higgs here that speaks is the small one of chapter 04. It knows {len(vocabulary)} words, enough "
        f"for {sayable} of these {len(heldout)} sentences, so it has no row. In {small['sentences']} sentences with its "
        f"words, it realises {hits} of the tags that could be measured, and its teacher, through the same codec, {its_hits}. "
        f"Its placebo rate is {placebo}."
    )


def numbers(told: Mapping[str, Any], deaf: Mapping[str, Any] | None, tagger: str) -> dict[str, Any]:
    """Return the figures that other pages quote.

    Parameters
    ----------
    told : mapping
        Summary of the engine that is told the tags, with ``end_to_end``, ``differences`` and ``per_tag``.
    deaf : mapping, optional
        ``end_to_end`` of a voice that is not told them.
    tagger : str
        Tagger of the page.
    """
    joint, found = told["end_to_end"], findings(told, deaf, tagger)
    kept = ("recall", "hit_rate", "joint_recall", "joint_precision", "joint_f1", "mean", "gold_recall", "random_mean",
            "deaf_mean", "against_rules")  # fmt: skip
    return {name: found[name] for name in kept} | {
        "tagger": tagger,
        "sources": len(joint),
        "reference": joint["gold"]["reference"],
        "spoken": joint[tagger]["spoken"],
        "rules_recall": rate(joint["rules"], "joint recall"),
        "rules_f1": rate(joint["rules"], "joint f1"),
        "random_recall": rate(joint["random"], "joint recall"),
    }
