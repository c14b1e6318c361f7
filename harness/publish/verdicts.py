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
from typing import Annotated, Any, ParamSpec

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harness.errors import DataError, HarnessError
from harness.paths import DATA
from harness.publish.html import Html, as_code
from harness.reading import first_problem, line_of, read_yaml

CLAIMS = DATA / "claims.yaml"
VERDICTS = ("reproduced", "reproduced, but", "refuted", "not run here")
DEPENDS = "depends on "  # followed by what it depends on
# Verdict -> style class and sign. The box shows the verdict as text, sign and border, because colour alone is not enough.
_LOOKS = {
    "reproduced": ("reproduced", "✓"), "reproduced, but": ("partly", "✓"), "refuted": ("refuted", "✗"),
    "not run here": ("not-run", "–"), DEPENDS: ("partly", "↔"),
}  # fmt: skip

P = ParamSpec("P")


def _known(verdict: str) -> str:
    verdict_look(verdict)
    return verdict


def _figures(sentences: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentences) if name is not None}


def _with_named_figures(sentences: str) -> str:
    if wrong := [name for name in _figures(sentences) if not name.isidentifier()]:
        raise ValueError(f"{wrong[0]!r} is not the name of a figure; write {{name}} or {{name:.1f}}")
    return sentences


class Finding(BaseModel):
    """A possible outcome of testing a claim.

    Parameters
    ----------
    verdict : str
        One of `VERDICTS`, or `DEPENDS` and what it depends on.
    says : str
        The sentences to print, with named figures in braces, in the syntax of ``str.format``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: Annotated[str, AfterValidator(_known)]
    says: Annotated[str, AfterValidator(_with_named_figures)]

    @property
    def figures(self) -> set[str]:
        """The names of the figures that the sentences need."""
        return _figures(self.says)


class Claim(BaseModel):
    """A claim of the note, as worded in ``data/claims.yaml``.

    Parameters
    ----------
    id, claim : str
        Identifier, such as L1, and wording.
    chapters : tuple of str
        Numbers of the chapters that test it.
    would_change : str
        What would change the verdict.
    findings : dict
        Case -> `Finding`; at least two, because a test that can end in one way only tests nothing.
    figures : (float, float), optional
        The range of shares that the claim names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    claim: str
    chapters: tuple[str, ...]
    would_change: str
    findings: dict[str, Finding] = Field(min_length=2)
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
    ValueError
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
            raise ValueError(f"the verdict on {self.claim_id} has no reading")

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
        On a call, if the case has no finding or a figure of its sentences is missing.
    """

    def decorate(judge: Callable[P, Found]) -> Callable[P, ClaimVerdict]:
        findings = claims()[claim_id].findings

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
        If ``data/claims.yaml`` is malformed; names the line and the field.
    """
    rows, lines = read_yaml(CLAIMS)
    try:
        found = TypeAdapter(list[Claim]).validate_python(rows)
    except ValidationError as error:
        message, location, _ = first_problem(error, "file")
        raise DataError(message, path=CLAIMS, line=line_of(location, lines),
                        remedy=f"fields of a claim are: {', '.join(Claim.model_fields)}") from error  # fmt: skip
    return {one.id: one for one in found}


def verdict_look(verdict: str) -> tuple[str, str]:
    """Return the style class and the sign of a verdict.

    Raises
    ------
    ValueError
        If the verdict is unknown.
    """
    if verdict in VERDICTS:
        return _LOOKS[verdict]
    if verdict.startswith(DEPENDS) and verdict.removeprefix(DEPENDS).strip():
        return _LOOKS[DEPENDS]
    raise ValueError(f"{verdict!r} is not a verdict; expected one of: {', '.join(VERDICTS)}, {DEPENDS}…")


def section_anchor(title: str) -> str:
    """Return the id that docutils gives a section with this title."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).lstrip("-0123456789").rstrip("-")
