"""What became of a claim: verdicts, the boxes that show them, and the list of claims."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from html import escape
from typing import Any

from harness.errors import DataError, HarnessError
from harness.paths import DATA
from harness.publish.html import Html, as_code
from harness.reading import read_yaml

CLAIMS = DATA / "claims.yaml"
VERDICTS = ("reproduced", "reproduced, but", "refuted", "not run here")
DEPENDS = "depends on "  # and on what
# Verdict -> class and sign: the box says it by words, sign and border, not by colour alone.
_LOOKS = {
    "reproduced": ("reproduced", "✓"), "reproduced, but": ("partly", "✓"), "refuted": ("refuted", "✗"),
    "not run here": ("not-run", "–"), DEPENDS: ("partly", "↔"),
}  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """A claim of the note, in our words.

    `chapters` test it; `figures` is the range that it names, in shares, if it names one; `would_change` says what would change
    the verdict.
    """

    id: str
    claim: str
    chapters: tuple[str, ...]
    would_change: str
    figures: tuple[float, float] | None = None


@dataclass(frozen=True)
class Verdict:
    """What became of a claim.

    Parameters
    ----------
    claim_id : str
        From ``data/claims.yaml``.
    verdict : str
        One of `VERDICTS`, or `DEPENDS` and on what.
    reading : str
        What was found, in a sentence or two; text between backticks is code.
    evidence : mapping
        Figures and names that executed cells gave, by name.
    section : str
        Title of the section, on the same page, whose cells show it; see `place`.

    Raises
    ------
    HarnessError
        For another verdict, or an empty reading.
    """

    claim_id: str
    verdict: str
    reading: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    section: str = ""

    def __post_init__(self) -> None:
        verdict_look(self.verdict)
        if not self.reading.strip():
            raise HarnessError("a verdict needs its reading", remedy="say in a sentence what was found")

    @property
    def reproduced(self) -> bool:
        """Whether what the claim says was seen here, with or without a but."""
        return self.verdict.startswith("reproduced")

    def box(self) -> Html:
        """A box with the claim, the verdict on it and what it rests on; other pages link to it as ``#verdict-L1``.

        All texts are escaped; text between backticks is set as code.
        """
        look, _ = verdict_look(self.verdict)
        name = escape(self.claim_id, quote=True)
        section = f'<a href="#{section_anchor(self.section)}">{escape(self.section)}</a>' if self.section else ""
        return Html(
            f'<section class="verdict verdict-{look}" id="verdict-{name}" aria-label="Verdict on claim {name}">'
            f'<p class="verdict-claim"><span class="verdict-id">{name}</span> {as_code(claims()[self.claim_id].claim)}</p>'
            f"{self.finding()}{f'<p>Shown under {section}</p>' if section else ''}</section>"
        )

    def finding(self) -> str:
        """The verdict, its reading and its evidence, as HTML for a box or a card."""
        _, sign = verdict_look(self.verdict)
        found = "".join(
            f"<div><dt>{as_code(str(k))}</dt><dd>{as_code(str(v))}</dd></div>" for k, v in self.evidence.items()
        )
        return (
            f'<p><strong class="verdict-word"><span aria-hidden="true">{sign}</span> {escape(self.verdict)}</strong> '
            f"{as_code(self.reading)}</p>" + (f"<dl>{found}</dl>" if found else "")
        )


def place(verdicts: Sequence[Verdict], sections: Mapping[str, str]) -> list[Verdict]:
    """The verdicts with the section that shows each; `sections` is claim id -> title.

    Raises
    ------
    HarnessError
        If a verdict has no section: a reader must be able to look at the cell.
    """
    if lost := [one.claim_id for one in verdicts if one.claim_id not in sections]:
        raise HarnessError(f"the verdict on {lost[0]} has no section", remedy="name the section whose cells show it")
    return [replace(one, section=sections[one.claim_id]) for one in verdicts]


def verdict_boxes(verdicts: Sequence[Verdict]) -> Html:
    """The boxes of several verdicts, one below the other."""
    return Html("".join(one.box().html for one in verdicts))


def as_json(verdicts: Sequence[Verdict]) -> dict[str, dict[str, Any]]:
    """What a chapter saves as ``verdicts.json``: claim id -> claim, verdict, reading, evidence."""
    return {one.claim_id: {"claim": claims()[one.claim_id].claim, **asdict(one)} for one in verdicts}


@cache
def claims() -> dict[str, Claim]:
    """The claims by their id, in the order of the ledger.

    Raises
    ------
    DataError
        If ``data/claims.yaml`` cannot be read as such.
    """
    try:
        rows, _ = read_yaml(CLAIMS)
        found = [
            Claim(row["id"], row["claim"], tuple(row["chapters"]), row["would_change"], _range(row.get("figures")))
            for row in rows
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"not a list of claims: {error}", path=CLAIMS,
                        remedy="each has id, claim, chapters, would_change") from error  # fmt: skip
    return {one.id: one for one in found}


def _range(figures: Sequence[float] | None) -> tuple[float, float] | None:
    if figures is None:
        return None
    low, high = map(float, figures)
    return low, high


def verdict_look(verdict: str) -> tuple[str, str]:
    """Style class and sign of a verdict.

    Raises
    ------
    HarnessError
        If it is none.
    """
    if verdict in VERDICTS:
        return _LOOKS[verdict]
    if verdict.startswith(DEPENDS) and verdict.removeprefix(DEPENDS).strip():
        return _LOOKS[DEPENDS]
    raise HarnessError(f"{verdict!r} is not a verdict", remedy=f"one of: {', '.join(VERDICTS)}, {DEPENDS}…")


def section_anchor(title: str) -> str:
    """The id that docutils gives a section of this title."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).lstrip("-0123456789").rstrip("-")
