"""Paired differences between what listeners judged in two runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.experiment.sentences import sentence_of
from harness.prosody.listeners.rates import mean_of
from harness.prosody.rates import named
from harness.records import Judgement, Outcome
from harness.tagged import TAGS, Tag

Place = tuple[str, int, Tag]
Pair = tuple[Outcome, Judgement, Judgement]
_COLUMNS = {"word": {"rose_most": "rose_most", "rise": "rise"}, "clip": {"score": "score", "change": "rise"}}


def compare_judgements(ours: Mapping[Place, Outcome], theirs: Mapping[Place, Outcome]) -> dict[str, dict[str, Any]]:
    """Return, for each listener that judged the same tags on both sides, the means and their differences (other minus baseline).

    Parameters
    ----------
    ours, theirs : mapping
        Outcomes of the baseline and of the other side by sentence, slot and tag.

    Returns
    -------
    dict
        For each listener ``unit``, rows ``per_tag`` and a row ``all``. A row has ``n`` pairs, and for each figure its mean
        ``baseline_NAME``, ``other_NAME`` and ``difference_NAME`` with 95 % intervals by sentence. The figures of a listener of words are
        ``rose_most`` and ``rise``, those of a listener of clips ``score`` and ``change``; a clip with several tags counts once in ``all``.
    """
    pairs: dict[str, list[Pair]] = {}
    for place in sorted(ours.keys() & theirs.keys()):
        a, b = ours[place], theirs[place]
        for name in sorted(a.listeners.keys() & b.listeners.keys()):
            first, other = a.listeners[name], b.listeners[name]
            if first.unit == other.unit and first.rise is not None and other.rise is not None:
                pairs.setdefault(name, []).append((a, first, other))
    found = {}
    for name, rows in pairs.items():
        unit = rows[0][1].unit
        whole = list({row.sentence: (row, a, b) for row, a, b in rows}.values()) if unit == "clip" else rows
        per_tag = {
            tag.value: _row(part, unit) for tag in TAGS if (part := [pair for pair in rows if pair[0].tag is tag])
        }
        found[name] = {"unit": unit, "per_tag": per_tag, "all": _row(whole, unit)}
    return found


def _row(pairs: Iterable[Pair], unit: str) -> dict[str, Any]:
    rows = list(pairs)
    clusters = [sentence_of(outcome.sentence) for outcome, _, _ in rows]
    table: dict[str, Any] = {"n": len(rows)}
    for name, field in _COLUMNS[unit].items():
        ours = [getattr(a, field) or 0.0 for _, a, _ in rows]
        theirs = [getattr(b, field) or 0.0 for _, _, b in rows]
        rate = name == "rose_most"
        table |= named(f"baseline_{name}", mean_of(ours, clusters, rate=rate))
        table |= named(f"other_{name}", mean_of(theirs, clusters, rate=rate))
        differences = [b - a for a, b in zip(ours, theirs, strict=True)]
        table |= named(f"difference_{name}", mean_of(differences, clusters))
    return table
