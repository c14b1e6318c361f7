"""The claims ledger: every claim of the note, with the verdicts of the chapters that tested it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from harness.errors import DataError
from harness.publish.html import Html, as_code
from harness.publish.parameters import notebook_path
from harness.publish.run import finished
from harness.publish.style import GREEN, INK, VERMILLION, Figure, subplots
from harness.publish.verdicts import DEPENDS, Claim, ClaimVerdict, claims, section_anchor, verdict_look
from harness.store import read_json

VERDICTS = "verdicts.json"
# Evidence that describes the setting and is no result.
_SETTINGS = ("checkpoint", "weights", "base", "tagger", "class", "device", "machine")
_WEIGHTS = ("checkpoint", "weights")
_FIGURE = 110  # characters of a figure in the table
# Verdict -> colour in the strip, in the order of its rows.
_SHADES = {"reproduced": GREEN, "reproduced, but": "#56B4E9", "depends on …": "#F0E442", "refuted": VERMILLION,
           "not run here": "#BBBBBB"}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A row of the ledger: a claim and the verdict of each chapter that tested it. The last verdict counts.

    Parameters
    ----------
    claim : Claim
    verdicts : tuple of (str, ClaimVerdict)
        Chapter and its verdict, in the order of the chapters.
    """

    claim: Claim
    verdicts: tuple[tuple[str, ClaimVerdict], ...]

    @property
    def settled(self) -> ClaimVerdict:
        """The verdict that counts: that of the last chapter."""
        return self.verdicts[-1][1]

    @property
    def kind(self) -> str:
        """The verdict without what it depends on."""
        return "depends on …" if self.settled.verdict.startswith(DEPENDS) else self.settled.verdict

    @property
    def weights(self) -> str:
        """The kinds of weights of Higgs that the evidence names: random, small, real, or none."""
        said = [f"{name} {value}" for _, verdict in self.verdicts for name, value in verdict.evidence.items()]
        named = [text for text in said if text.startswith(_WEIGHTS)]
        kinds = {
            "random": any("random" in text or "tiny" in text for text in named),
            "small": any("small model" in text or "small Higgs" in text for text in said),
            "real": any("bosonai/" in text and "tiny" not in text for text in named),
        }
        return ", ".join(kind for kind, there in kinds.items() if there) or "none"

    @property
    def figure(self) -> str:
        """The first measured figure of the evidence, with its name, cut to fit the table."""
        pairs = [(str(name), str(value)) for name, value in self.settled.evidence.items()]
        measured = [pair for pair in pairs if pair[0] not in _SETTINGS] or pairs
        name, value = next((pair for pair in measured if any(c.isdigit() for c in pair[1])), measured[0])
        text = f"{name}: {value}"
        if len(text) <= _FIGURE:
            return text
        parts = [end.start() for end in re.finditer(r"[,;] (?=[^\W\d])", text[:_FIGURE])]  # not inside an interval
        return f"{text[: parts[-1] if parts else _FIGURE].rstrip()}…".replace("`", "")


def load_verdicts(chapters: Iterable[str], profile: str = "ci") -> dict[str, list[tuple[str, ClaimVerdict]]]:
    """Return the verdicts that chapters left when they last ran with a profile's parameters.

    Parameters
    ----------
    chapters : iterable of str
        Numbers of the chapters.
    profile : str
        ``ci`` or ``full``.

    Returns
    -------
    dict
        Claim id -> (chapter, verdict), in the order of the chapters.

    Raises
    ------
    DataError
        If a chapter has not been run.
    """
    found: dict[str, list[tuple[str, ClaimVerdict]]] = {}
    for chapter in sorted(chapters):
        notebook = notebook_path(chapter)
        path = finished(notebook, profile) / VERDICTS
        for claim_id, fields in (read_json(path) if path.is_file() else {}).items():
            verdict = ClaimVerdict(**{name: value for name, value in fields.items() if name != "claim"})
            found.setdefault(claim_id, []).append((notebook.stem, verdict))
    return found


def ledger(found: Mapping[str, Sequence[tuple[str, ClaimVerdict]]]) -> list[Entry]:
    """Return a row for every claim, in the order of ``data/claims.yaml``.

    Raises
    ------
    DataError
        If a claim has no verdict, if a verdict has no evidence or no section, or if it is on an unknown claim.
    """
    if strangers := sorted(found.keys() - claims().keys()):
        raise DataError(f"a verdict on {strangers[0]}, which is no claim", remedy="claims are in data/claims.yaml")
    for claim_id, claim in claims().items():
        if not found.get(claim_id):
            raise DataError(f"claim {claim_id} has no verdict", remedy=f"judge it in chapter {claim.chapters[-1]}")
        for chapter, verdict in found[claim_id]:
            where = f"the verdict on {claim_id} in chapter {chapter}"
            if not verdict.evidence:
                raise DataError(f"{where} has no evidence", remedy="give it figures")
            if not verdict.section:
                raise DataError(f"{where} names no section", remedy="see `harness.publish.verdicts.place`")
    return [Entry(claim, tuple(found[claim_id])) for claim_id, claim in claims().items()]


def ledger_table(entries: Sequence[Entry]) -> Html:
    """Return the ledger as a table; each row links to the claim's card, and each chapter to its verdict."""
    rows = []
    for entry in entries:
        look, sign = verdict_look(entry.settled.verdict)
        places = ", ".join(_link(chapter, f"verdict-{entry.claim.id}", chapter[:2]) for chapter, _ in entry.verdicts)
        name = escape(entry.claim.id)
        rows.append(
            f'<tr><th scope="row"><a href="#ledger-{name}">{name}</a></th><td class="long">{as_code(entry.claim.claim)}</td>'
            f'<td class="verdict-{look}"><span class="verdict-word"><span aria-hidden="true">{sign}</span> '
            f'{escape(entry.settled.verdict)}</span></td><td class="long">{as_code(entry.figure)}</td>'
            f"<td>{entry.weights}</td><td>{places}</td></tr>"
        )
    head = "".join(
        f'<th scope="col">{name}</th>'
        for name in ("id", "claim", "verdict", "first figure", "weights of Higgs", "chapter")
    )
    return Html(
        '<div class="table-scroll" tabindex="0" role="region" aria-label="The claims ledger">'
        f'<table class="harness-table ledger"><caption>{escape(counted(entries))}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def ledger_cards(entries: Sequence[Entry]) -> Html:
    """Return a card for each claim: reading, evidence, links to the cells, and what would change the verdict."""
    return Html("".join(map(_card, entries)))


def _card(entry: Entry) -> str:
    look, _ = verdict_look(entry.settled.verdict)
    name = escape(entry.claim.id, quote=True)
    parts = []
    for chapter, verdict in entry.verdicts:
        where = _link(chapter, section_anchor(verdict.section), f"chapter {chapter[:2]}, {verdict.section}")
        parts.append(f"{verdict.finding()}<p>Shown in {where}</p>")
    return (
        f'<section class="verdict verdict-{look}" id="ledger-{name}" aria-label="Claim {name}">'
        f'<p class="verdict-claim"><span class="verdict-id">{name}</span> {as_code(entry.claim.claim)}</p>{"".join(parts)}'
        f"<p><strong>What would change it.</strong> {as_code(entry.claim.would_change)}</p></section>"
    )


def counted(entries: Sequence[Entry]) -> str:
    """Return how many claims have each verdict, as text."""
    counts = Counter(entry.kind for entry in entries)
    return f"{len(entries)} claims: " + ", ".join(f"{verdict} ({count})" for verdict, count in counts.most_common())


def verdict_strip(entries: Sequence[Entry]) -> Figure:
    """Draw one square for each claim, in a row for each verdict."""
    import matplotlib.pyplot as plt

    rows = {kind: [entry.claim.id for entry in entries if entry.kind == kind] for kind in _SHADES}
    widest = max(8, *map(len, rows.values()))
    figure, axis = subplots(height=3.1)
    for y, (kind, names) in enumerate(reversed(rows.items())):
        for x, name in enumerate(names):
            axis.add_patch(plt.Rectangle((x + 0.05, y + 0.1), 0.9, 0.8, facecolor=_SHADES[kind], edgecolor=INK))
            axis.text(x + 0.5, y + 0.5, name, ha="center", va="center", fontsize=11, color=INK)
    axis.set(xlim=(0, widest + 0.5), ylim=(0, len(rows)), xlabel="claims")
    axis.set_yticks([y + 0.5 for y in range(len(rows))], list(rows)[::-1], fontsize=11)
    axis.set_xticks(range(0, widest + 1, 2))
    axis.grid(visible=False)
    listed = "; ".join(f"{kind}: {', '.join(names) or 'none'}" for kind, names in rows.items())
    return Figure(figure, f"The claims by verdict. {listed}.", f"{counted(entries)}.")


def _link(chapter: str, anchor: str, words: str) -> str:
    return f'<a href="{escape(chapter, quote=True)}.html#{escape(anchor, quote=True)}">{escape(words)}</a>'
