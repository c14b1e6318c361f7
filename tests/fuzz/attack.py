"""Run attacks, with few cases in the ordinary tests and ten thousand each in `make fuzz`, and count their outcomes."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import DataError, HarnessError

CASES_VARIABLE = "FUZZ_CASES"
REPORTS_VARIABLE = "FUZZ_REPORTS"
SHORT = 60  # cases among the ordinary tests
LEAST = 0.01  # smallest share of cases with each outcome; without it, a property could hold because nothing was tried


class Tally:
    """The outcomes of the cases of one property.

    Parameters
    ----------
    name : str
    outcomes : tuple of str
        Outcomes that must occur, each in a share `LEAST` of the cases.
    """

    def __init__(self, name: str, outcomes: tuple[str, ...]) -> None:
        self.name, self.outcomes = name, outcomes
        self.seen: Counter[str] = Counter()
        self.begun = time.perf_counter()

    def count(self, outcome: str) -> None:
        """Count a case."""
        self.seen[outcome] += 1

    def refused(self, error: HarnessError, path: Path | None = None) -> None:
        """Count a case that ended in an error, which must be one printable line and name the file."""
        said = str(error)
        assert error.message and "\n" not in error.message and said.isprintable(), said
        assert len(said) < 5_000, "an error repeats the whole input"
        if path is not None:
            assert error.path is not None and Path(error.path).name == path.name, f"the file is not named: {said}"
        self.count("refused")

    def done(self) -> None:
        """Write the counts, and check the share of each outcome."""
        total = self.seen.total()
        if folder := os.environ.get(REPORTS_VARIABLE):
            row = {
                "property": self.name,
                "cases": total,
                "seconds": time.perf_counter() - self.begun,
                "outcomes": dict(self.seen),
            }
            (Path(folder) / f"{self.name.replace(' ', '_')}.json").write_text(json.dumps(row))
        for outcome in self.outcomes:
            assert self.seen[outcome] >= LEAST * total, f"of {total} cases only {self.seen[outcome]} were {outcome}"


def read_or_refused(tally: Tally, path: Path, content: bytes, read: Callable[[Path], Any]) -> Any:
    """Write a file and read it; return None if it was refused with its name."""
    path.write_bytes(content)
    try:
        found = read(path)
    except DataError as error:
        tally.refused(error, path)
        return None
    tally.count("accepted")
    return found


def attack(name: str, *inputs: st.SearchStrategy, outcomes: tuple[str, ...] = ("accepted", "refused")) -> Callable:
    """Make a test from a function of a `Tally`, a folder, and an input of each strategy.

    Short runs always test the same cases, long runs new ones.
    """

    def made(body: Callable[..., None]) -> Callable[[Any], None]:
        def test(tmp_path_factory) -> None:
            cases = int(os.environ.get(CASES_VARIABLE, SHORT))
            tally = Tally(name, outcomes)
            folder = tmp_path_factory.mktemp("fuzz")

            @settings(max_examples=cases, deadline=None, derandomize=cases == SHORT, database=None, print_blob=True,
                      suppress_health_check=list(HealthCheck))  # fmt: skip
            @given(st.tuples(*inputs))
            def run(values: tuple) -> None:
                body(tally, folder, *values)

            run()
            tally.done()

        test.__doc__ = body.__doc__
        return test

    return made


INSERTIONS = [b"\x00", b"\xff\xfe", b'"', b"\r", b"\xef\xbb\xbf", b"[[[[", b"9" * 400, b"{", b": "]


def mutated(draw: st.DrawFn, content: bytes) -> bytes:
    """Return bytes with up to three changes: a byte replaced, some cut out or inserted, or the end cut off."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(len(changed) - 1, 0)))
        match draw(st.sampled_from(["set", "cut", "insert", "end"])):
            case "set" if changed:
                changed[at] = draw(st.integers(0, 255))
            case "cut":
                del changed[at : at + draw(st.integers(1, 20))]
            case "insert":
                changed[at:at] = draw(st.sampled_from(INSERTIONS))
            case "end":
                del changed[at:]
    return bytes(changed)


# Text with a meaning to a parser, a page, a shell or a voice.
HOSTILE = ["<emph>", "</emph>", "<x>", "\\", "\\<emph>", "<script>alert(1)</script>", "&lt;", "&#60;", "]]>", "<!--", "<|eot_id|>",
           "<|prosody:pause|>", "{{ x }}", "`x`", "$(id)", "; rm -rf x", "../../x", "\x00", "\x01", "\u202e", "\ufeff", "é", "😀",
           "\U000e0001", "'", '"', "|", "\n", "\r", "\t", "\u2028", "NaN", "1e999", "=cmd()", "-o", "%s%n", "<speak>", "</speak>",
           "<break time='9s'/>", "<mark/>"]  # fmt: skip
words = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.sampled_from("a we 30% yes.".split()),
)
texts = st.lists(words, max_size=8).map(" ".join)
