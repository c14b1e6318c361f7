"""How the attacks are run: few cases among the ordinary tests, ten thousand each by `make fuzz`; and how their outcomes are counted."""

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
LEAST = 0.01  # share of the cases that must be accepted, and refused: else a property holds because nothing was tried


class Tally:
    """What became of the cases of one property.

    Parameters
    ----------
    name : str
    outcomes : tuple of str
        Each must make up a share of the cases.
    """

    def __init__(self, name: str, outcomes: tuple[str, ...]) -> None:
        self.name, self.outcomes = name, outcomes
        self.seen: Counter[str] = Counter()
        self.begun = time.perf_counter()

    def count(self, outcome: str) -> None:
        """One case."""
        self.seen[outcome] += 1

    def refused(self, error: HarnessError, path: Path | None = None) -> None:
        """A case that ended in an error: it must be one line that can be printed, and name the file."""
        said = str(error)
        assert error.message and "\n" not in error.message and said.isprintable(), said
        assert len(said) < 5_000, "an error repeats the whole input"
        if path is not None:
            assert error.path is not None and Path(error.path).name == path.name, f"the file is not named: {said}"
        self.count("refused")

    def done(self) -> None:
        """Keep the counts, and hold the shares to what they must be."""
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
    """Write a file and return what a reader makes of it; None if it was refused with its name."""
    path.write_bytes(content)
    try:
        found = read(path)
    except DataError as error:
        tally.refused(error, path)
        return None
    tally.count("accepted")
    return found


def attack(name: str, *inputs: st.SearchStrategy, outcomes: tuple[str, ...] = ("accepted", "refused")) -> Callable:
    """Make a test of a function that takes a `Tally` and an input of each strategy.

    The cases are the same in each short run, and new ones in each long run.
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


def mutated(draw: st.DrawFn, content: bytes) -> bytes:
    """Bytes with a few places changed, cut out, doubled, or nothing done at all."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, max(len(changed) - 1, 0)))
        match draw(st.sampled_from(["set", "cut", "insert", "end"])):
            case "set" if changed:
                changed[at] = draw(st.integers(0, 255))
            case "cut":
                del changed[at : at + draw(st.integers(1, 20))]
            case "insert":
                changed[at:at] = draw(
                    st.sampled_from(
                        [b"\x00", b"\xff\xfe", b'"', b"\r", b"\xef\xbb\xbf", b"[[[[", b"9" * 400, b"{", b": "]
                    )
                )
            case "end":
                del changed[at:]
    return bytes(changed)


# Text that means something to a parser, a page, a shell or a voice.
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
