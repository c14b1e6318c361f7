"""Verdicts on the claims: their sentences from ``data/claims.yaml``, and the boxes that show them.

A chapter holds one predicate for each claim that it tests. The predicate looks at executed outcomes and returns a `Found`: the
name of a case, the figures of its sentence, and the evidence. `predicate` turns that into a `ClaimVerdict`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, wraps
from html import escape
from string import Formatter
from typing import Any, ParamSpec

from harness.errors import DataError, HarnessError
from harness.paths import DATA
from harness.publish.html import Html, as_code
from harness.reading import read_yaml

CLAIMS = DATA / "claims.yaml"
VERDICTS = ("reproduced", "reproduced, but", "refuted", "not run here")
DEPENDS = "depends on "  # followed by what it depends on
# Verdict -> style class and sign. The box shows the verdict as text, sign and border, because colour alone is not enough.
_LOOKS = {
    "reproduced": ("reproduced", "✓"), "reproduced, but": ("partly", "✓"), "refuted": ("refuted", "✗"),
    "not run here": ("not-run", "–"), DEPENDS: ("partly", "↔"),
}  # fmt: skip

P = ParamSpec("P")


@dataclass(frozen=True)
class Finding:
    """A possible outcome of testing a claim.

    Parameters
    ----------
    verdict : str
        One of `VERDICTS`, or `DEPENDS` and what it depends on.
    says : str
        The sentences to print, with named figures in braces, in the syntax of ``str.format``.

    Raises
    ------
    HarnessError
        If the verdict is unknown, or a figure has no name.
    """

    verdict: str
    says: str

    def __post_init__(self) -> None:
        verdict_look(self.verdict)
        if wrong := [name for name in self.figures if not name.isidentifier()]:
            raise HarnessError(f"{wrong[0]!r} is not the name of a figure", remedy="write {name} or {name:.1f}")

    @property
    def figures(self) -> set[str]:
        """The names of the figures that the sentences need."""
        return {name for _, name, _, _ in Formatter().parse(self.says) if name is not None}


@dataclass(frozen=True)
class Claim:
    """A claim of the note, as worded in ``data/claims.yaml``.

    Parameters
    ----------
    id, claim : str
        Identifier, such as L1, and wording.
    chapters : tuple of str
        Numbers of the chapters that test it.
    would_change : str
        What would change the verdict.
    findings : mapping
        Case -> `Finding`; at least two, because a test that can end in one way only tests nothing.
    figures : (float, float), optional
        The range of shares that the claim names.
    """

    id: str
    claim: str
    chapters: tuple[str, ...]
    would_change: str
    findings: Mapping[str, Finding]
    figures: tuple[float, float] | None = None


@dataclass(frozen=True)
class Found:
    """The outcome of a predicate.

    Parameters
    ----------
    case : str
        Key of the claim's finding in ``data/claims.yaml``.
    evidence : mapping
        Figures and names from executed cells, by label.
    figures : mapping
        Name -> value of each figure in the finding's sentences.
    """

    case: str
    evidence: Mapping[str, Any]
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ClaimVerdict:
    """The verdict on a claim.

    Parameters
    ----------
    claim_id : str
        Identifier in ``data/claims.yaml``.
    verdict : str
        One of `VERDICTS`, or `DEPENDS` and what it depends on.
    reading : str
        What was found, in a few sentences; text between backticks is code.
    evidence : mapping
        Figures and names from executed cells, by label.
    section : str
        Title of the section of the page whose cells show it; see `place`.

    Raises
    ------
    HarnessError
        If the verdict is unknown or the reading is empty.
    """

    claim_id: str
    verdict: str
    reading: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    section: str = ""

    def __post_init__(self) -> None:
        verdict_look(self.verdict)
        if not self.reading.strip():
            raise HarnessError("a verdict needs a reading", remedy="say what was found")

    @property
    def reproduced(self) -> bool:
        """Whether the claim was reproduced, with or without a "but"."""
        return self.verdict.startswith("reproduced")

    def box(self) -> Html:
        """Return a box with the claim, the verdict and the evidence; other pages link to it as ``#verdict-L1``.

        All text is escaped; text between backticks is set as code.
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
        """Return the verdict, its reading and its evidence as HTML for a box or a card."""
        _, sign = verdict_look(self.verdict)
        found = "".join(
            f"<div><dt>{as_code(str(k))}</dt><dd>{as_code(str(v))}</dd></div>" for k, v in self.evidence.items()
        )
        return (
            f'<p><strong class="verdict-word"><span aria-hidden="true">{sign}</span> {escape(self.verdict)}</strong> '
            f"{as_code(self.reading)}</p>" + (f"<dl>{found}</dl>" if found else "")
        )


def predicate(claim_id: str) -> Callable[[Callable[P, Found]], Callable[P, ClaimVerdict]]:
    """Decorate the function that judges a claim, so that it returns the `ClaimVerdict` on it.

    Raises
    ------
    HarnessError
        On import, if a finding of the claim is never named in the function; on a call, if the case has no finding or
        a figure of its sentences is missing.
    """

    def decorate(judge: Callable[P, Found]) -> Callable[P, ClaimVerdict]:
        findings = claims()[claim_id].findings
        # The constants of the compiled function hold every string written in it, and so every case that it can return.
        if unreachable := sorted(findings.keys() - set(judge.__code__.co_consts)):
            raise HarnessError(f"claim {claim_id}: {judge.__name__} never returns {unreachable[0]!r}", path=CLAIMS,
                               remedy="delete the finding, or return it")  # fmt: skip

        @wraps(judge)
        def verdict(*args: P.args, **kwargs: P.kwargs) -> ClaimVerdict:
            found = judge(*args, **kwargs)
            if (finding := findings.get(found.case)) is None:
                raise HarnessError(f"claim {claim_id} has no finding {found.case!r}", path=CLAIMS,
                                   remedy=f"add it to {', '.join(findings)}")  # fmt: skip
            if missing := sorted(finding.figures - found.figures.keys()):
                raise HarnessError(f"claim {claim_id}, {found.case}: the figure {missing[0]!r} is missing", path=CLAIMS,
                                   remedy=f"{judge.__name__} must return it")  # fmt: skip
            return ClaimVerdict(claim_id, finding.verdict, finding.says.format_map(found.figures), found.evidence)

        return verdict

    return decorate


def place(verdicts: Sequence[ClaimVerdict], sections: Mapping[str, str]) -> list[ClaimVerdict]:
    """Return the verdicts with the section that shows each; `sections` maps claim ids to titles.

    Raises
    ------
    HarnessError
        If a verdict has no section: readers must be able to look at the cells behind it.
    """
    if lost := [one.claim_id for one in verdicts if one.claim_id not in sections]:
        raise HarnessError(f"the verdict on {lost[0]} has no section", remedy="name the section whose cells show it")
    return [replace(one, section=sections[one.claim_id]) for one in verdicts]


def verdict_boxes(verdicts: Sequence[ClaimVerdict]) -> Html:
    """Return the boxes of several verdicts, one below the other."""
    return Html("".join(one.box().html for one in verdicts))


def as_json(verdicts: Sequence[ClaimVerdict]) -> dict[str, dict[str, Any]]:
    """Return the content of ``verdicts.json``: claim id -> claim, verdict, reading, evidence, section."""
    return {one.claim_id: {"claim": claims()[one.claim_id].claim, **asdict(one)} for one in verdicts}


@cache
def claims() -> dict[str, Claim]:
    """Return the claims by their id, in the order of the ledger.

    Raises
    ------
    DataError
        If ``data/claims.yaml`` is malformed; the message names the claim.
    """
    rows, _ = read_yaml(CLAIMS)
    if not isinstance(rows, list):
        raise DataError("expected a list of claims", path=CLAIMS)
    found = [_claim(row, number) for number, row in enumerate(rows, 1)]
    return {one.id: one for one in found}


def _claim(row: Any, number: int) -> Claim:
    name = row.get("id", f"number {number}") if isinstance(row, dict) else f"number {number}"
    try:
        findings = {str(case): Finding(one["verdict"], one["says"]) for case, one in row["findings"].items()}
        if len(findings) < 2:
            raise ValueError("at least two findings are needed")
        figures = _range(row.get("figures"))
        return Claim(row["id"], row["claim"], tuple(row["chapters"]), row["would_change"], findings, figures)
    except (AttributeError, KeyError, TypeError, ValueError, HarnessError) as error:
        problem = f"the field {error} is missing" if isinstance(error, KeyError) else str(error)
        raise DataError(f"claim {name}: {problem}", path=CLAIMS,
                        remedy="needs id, claim, chapters, would_change and findings, each with verdict and says") from error  # fmt: skip


def _range(figures: Sequence[float] | None) -> tuple[float, float] | None:
    if figures is None:
        return None
    low, high = map(float, figures)
    return low, high


def verdict_look(verdict: str) -> tuple[str, str]:
    """Return the style class and the sign of a verdict.

    Raises
    ------
    HarnessError
        If the verdict is unknown.
    """
    if verdict in VERDICTS:
        return _LOOKS[verdict]
    if verdict.startswith(DEPENDS) and verdict.removeprefix(DEPENDS).strip():
        return _LOOKS[DEPENDS]
    raise HarnessError(f"{verdict!r} is not a verdict", remedy=f"expected one of: {', '.join(VERDICTS)}, {DEPENDS}…")


def section_anchor(title: str) -> str:
    """Return the id that docutils gives a section with this title."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).lstrip("-0123456789").rstrip("-")
