"""The claims ledger: every claim of the note with the verdicts of the chapters that tested it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from harness.errors import DataError
from harness.publish.html import Html, as_code
from harness.publish.parameters import check_values, declared, notebook_path, profile_values
from harness.publish.run import NUMBERS, results_folder
from harness.publish.style import GREEN, INK, VERMILLION, WIDTH, Figure, use_style
from harness.publish.verdicts import Claim, Verdict, claims, section_anchor, verdict_look
from harness.store import read_json

VERDICTS = "verdicts.json"
# Evidence that says on what, not how much.
_SETTINGS = ("checkpoint", "weights", "base", "tagger", "class", "device", "machine")
_FIGURE = 110


@dataclass(frozen=True)
class Entry:
    """One row: a claim, and what each chapter that tested it says; the last one settles it."""

    claim: Claim
    verdicts: tuple[tuple[str, Verdict], ...]

    @property
    def settled(self) -> Verdict:
        """The verdict that counts."""
        return self.verdicts[-1][1]

    @property
    def figure(self) -> str:
        """The first of its evidence that is a figure and not a setting, with its name, in at most `_FIGURE` characters."""
        pairs = [(str(name), str(value)) for name, value in self.settled.evidence.items()]
        measured = [pair for pair in pairs if pair[0] not in _SETTINGS] or pairs
        name, value = next((pair for pair in measured if any(c.isdigit() for c in pair[1])), measured[0])
        tiny = any("tiny" in str(value) for name, value in pairs if name in _SETTINGS)
        text = f"{'tiny weights, ' if tiny else ''}{name}: {value}"
        return text if len(text) <= _FIGURE else f"{text[:_FIGURE].rstrip()}…".replace("`", "")


def load_verdicts(chapters: Iterable[str], profile: str = "ci") -> dict[str, list[tuple[str, Verdict]]]:
    """What the chapters said when they were last run with the profile's parameters.

    Returns
    -------
    dict
        Claim id -> (chapter, verdict), in the order of the chapters.

    Raises
    ------
    DataError
        If a chapter has not been run.
    """
    found: dict[str, list[tuple[str, Verdict]]] = {}
    for chapter in sorted(chapters):
        notebook = notebook_path(chapter)
        parameters = check_values(declared(notebook), profile_values(profile), notebook.stem)
        folder = results_folder(notebook.stem, parameters)
        if not (folder / NUMBERS).is_file():
            raise DataError(f"chapter {chapter} has not been run", path=folder,
                            remedy=f"make chapter N={notebook.stem[:2]}, or make book")  # fmt: skip
        path = folder / VERDICTS
        for claim_id, fields in (read_json(path) if path.is_file() else {}).items():
            verdict = Verdict(**{name: value for name, value in fields.items() if name != "claim"})
            found.setdefault(claim_id, []).append((notebook.stem, verdict))
    return found


def ledger(found: Mapping[str, Sequence[tuple[str, Verdict]]]) -> list[Entry]:
    """A row for every claim, in the order of ``data/claims.yaml``.

    Raises
    ------
    DataError
        If a claim has no verdict, a verdict no evidence or no cell to look at, or is on a claim that nobody made.
    """
    known = claims()
    if strangers := sorted(found.keys() - known.keys()):
        raise DataError(f"a verdict on {strangers[0]}, which is no claim", remedy="claims are in data/claims.yaml")
    entries = []
    for claim_id, claim in known.items():
        verdicts = found.get(claim_id, ())
        if not verdicts:
            raise DataError(f"claim {claim_id} has no verdict", remedy=f"judge it in chapter {claim.chapters[-1]}")
        for chapter, verdict in verdicts:
            if not verdict.evidence:
                raise DataError(
                    f"the verdict on {claim_id} in chapter {chapter} has no evidence", remedy="give it figures"
                )
            if not verdict.section:
                raise DataError(
                    f"the verdict on {claim_id} in chapter {chapter} names no section", remedy="see `place`"
                )
        entries.append(Entry(claim, tuple(verdicts)))
    return entries


def ledger_table(entries: Sequence[Entry]) -> Html:
    """The ledger in short, a row each; the row leads to its card, the chapter to the cells."""
    rows = []
    for entry in entries:
        look, sign = verdict_look(entry.settled.verdict)
        places = ", ".join(_link(chapter, f"verdict-{entry.claim.id}", chapter[:2]) for chapter, _ in entry.verdicts)
        name = escape(entry.claim.id)
        rows.append(
            f'<tr><th scope="row"><a href="#ledger-{name}">{name}</a></th><td class="long">{as_code(entry.claim.claim)}</td>'
            f'<td class="verdict-{look}"><span class="verdict-word"><span aria-hidden="true">{sign}</span> '
            f'{escape(entry.settled.verdict)}</span></td><td class="long">{as_code(entry.figure)}</td><td>{places}</td></tr>'
        )
    head = "".join(f'<th scope="col">{name}</th>' for name in ("id", "claim", "verdict", "first figure", "chapter"))
    return Html(
        '<div class="table-scroll" tabindex="0" role="region" aria-label="The claims ledger">'
        f'<table class="harness-table ledger"><caption>{escape(counted(entries))}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def ledger_cards(entries: Sequence[Entry]) -> Html:
    """Each claim in full: reading, evidence, the way to the cells, and what would change the verdict."""
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
    """How many claims got which verdict, in words."""
    counts = Counter(_kind(entry) for entry in entries)
    return f"{len(entries)} claims: " + ", ".join(f"{verdict} ({count})" for verdict, count in counts.most_common())


def verdict_strip(entries: Sequence[Entry]) -> Figure:
    """One square a claim, in the order of the note, by verdict."""
    import matplotlib.pyplot as plt

    use_style()
    kinds = ["reproduced", "reproduced, but", "depends on …", "refuted", "not run here"]
    shades = dict(zip(kinds, (GREEN, "#56B4E9", "#F0E442", VERMILLION, "#BBBBBB"), strict=True))
    figure, axis = plt.subplots(figsize=(WIDTH, 3.1))
    taken: Counter[str] = Counter()
    for entry in entries:
        kind = _kind(entry)
        row = len(kinds) - 1 - kinds.index(kind)
        axis.add_patch(plt.Rectangle((taken[kind] + 0.05, row + 0.1), 0.9, 0.8, facecolor=shades[kind], edgecolor=INK))
        axis.text(taken[kind] + 0.5, row + 0.5, entry.claim.id, ha="center", va="center", fontsize=11, color=INK)
        taken[kind] += 1
    axis.set(xlim=(0, max(8, *taken.values()) + 0.5), ylim=(0, len(kinds)), xlabel="claims")
    axis.set_yticks([k + 0.5 for k in range(len(kinds))], kinds[::-1], fontsize=11)
    axis.set_xticks(range(0, max(8, *taken.values()) + 1, 2))
    axis.grid(visible=False)
    listed = "; ".join(
        f"{kind}: {', '.join(e.claim.id for e in entries if _kind(e) == kind) or 'none'}" for kind in kinds
    )
    return Figure(figure, f"The claims by verdict. {listed}.", f"{counted(entries)}.")


def _kind(entry: Entry) -> str:
    return "depends on …" if entry.settled.verdict.startswith("depends on") else entry.settled.verdict


def _link(chapter: str, anchor: str, words: str) -> str:
    return f'<a href="{escape(chapter, quote=True)}.html#{escape(anchor, quote=True)}">{escape(words)}</a>'


def judge_advice(
    found: Mapping[str, Sequence[tuple[str, Verdict]]], against_rules: Mapping[str, Any], base: str
) -> Verdict:
    """The verdict on E2, which stands on those before it.

    Parameters
    ----------
    found : mapping
        From `load_verdicts`.
    against_rules : mapping
        ``value``, ``low`` and ``high``: micro-F1 of the trained tagger minus that of rules, from chapter 07.
    base : str
        What the tagger was trained on, in words.
    """
    last = {claim_id: verdicts[-1][1].verdict for claim_id, verdicts in found.items()}
    named = {"P2": "PEFT incompatible", "T1": "what training needs", "T2": "Trainer unusable", "H3": "the API's realisation",
             "H4": "the API's availability"}  # fmt: skip
    value, low, high = (against_rules[name] for name in ("value", "low", "high"))
    evidence: dict[str, Any] = {
        f"{base}: trained tagger minus rules, micro-F1": f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"
    }
    windows = {
        name: text
        for _, verdict in found.get("G2", ())
        for name, text in verdict.evidence.items()
        if "grouped folds" in name
    }
    evidence |= {f"{claim_id}, {words}": last[claim_id] for claim_id, words in named.items()}
    evidence |= windows
    asked = "not run here" not in (last["H3"], last["H4"])
    ready = low > 0 and last["H3"] == last["H4"] == "reproduced"
    barred = last["P2"] == last["T1"] == last["T2"] == "reproduced"
    tagger = (
        "better than rules" if low > 0 else "worse than rules" if high < 0 else "not shown to be better than rules"
    )  # fmt: skip
    here = " on the sentences of this book (the note's own windows stand in the evidence)" if windows else ""
    first = f"The tagger trained here, on {base}, is {tagger}{here}" + (
        f"; of the API's two claims, H3 is: {last['H3']}, and H4: {last['H4']}." if asked
        else ". Whether the system as a whole is ready is open: the API was not asked."
    )  # fmt: skip
    second = (
        "Fine-tuning is barred for the reasons given." if barred
        else "The reasons given against fine-tuning did not hold: with LoRA, and with a loss of its own in the `Trainer`, it trains, on "
        "tiny weights. Whether it pays on the real ones is not run here."
    )  # fmt: skip
    if ready and barred:
        return Verdict("E2", "reproduced", f"{first} {second}", evidence)
    if ready or barred or not asked:
        return Verdict("E2", "depends on which half is meant", f"{first} {second}", evidence)
    return Verdict("E2", "refuted", f"Neither half stands on what was shown. {first} {second}", evidence)
