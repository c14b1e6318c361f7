"""The report of a run: its tables, the sentences that say why, the clips that it chooses, and the page in a browser."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from helpers import command

from harness.prosody.rates import per_tag
from harness.publish.report import report
from harness.publish.report_clips import choose
from harness.publish.run_tables import audio_rows, hints, pause_rows
from harness.records import Arm, Outcome, Verdict
from harness.tagged import Tag

OLD = Path(__file__).parents[1] / "old_files" / "run"


def outcome(n, verdict, value, tag=Tag.PAUSE_SHORT, unit="s", threshold=0.15, arm=Arm.TAGGED, reason=""):
    return Outcome(engine="e", tagger="gold", sentence=f"s{n}", arm=arm, slot=1, tag=tag, verdict=verdict, value=value,
                   unit=unit, threshold=threshold, reason=reason)  # fmt: skip


LONG = [outcome(n, Verdict.WRONG_DIRECTION, 0.8 + n / 10) for n in range(3)]


def test_a_table_says_what_was_measured_and_why_tags_failed():
    rows = per_tag([*LONG, outcome(3, Verdict.HIT, 0.5), outcome(4, Verdict.MISS, 0.0, arm=Arm.PLACEBO)])
    (row,) = audio_rows(rows)
    assert (row["n"], row["wrong way"], row["median value"]) == ("4", "3 too long", "0.85 s")
    assert row["placebo rate"] == "0.00 of 1"
    assert list(hints(rows)) == [
        "<pause_short>: 3 of 4 added 0.7 s or more, which is a long pause (median of all: 0.85 s)"
    ]


def test_a_table_gives_the_number_of_sentences_where_tags_share_one():
    shared = [outcome(1, Verdict.HIT, 0.4), outcome(1, Verdict.MISS, 0.0), outcome(2, Verdict.HIT, 0.4)]
    (row,) = audio_rows(per_tag(shared))
    assert (row["n"], row["sentences"]) == ("3", "2")
    old = {
        tag: {name: cell for name, cell in found.items() if name != "sentences"}
        for tag, found in per_tag(shared).items()
    }
    assert "sentences" not in audio_rows(per_tag(LONG))[0] and "sentences" not in audio_rows(old)[0]


def test_pauses_at_punctuation_are_shown_apart_with_the_whole_silence():
    at = [
        outcome(n, Verdict.MISS, added, Tag.PAUSE_LONG).model_copy(update={"length": whole, "at_punctuation": True})
        for n, (added, whole) in enumerate([(0.1, 0.8), (0.2, 0.9), (0.0, 0.5)])
    ]
    away = outcome(5, Verdict.HIT, 0.75, Tag.PAUSE_LONG).model_copy(update={"length": 0.8, "at_punctuation": False})
    first, second = pause_rows(per_tag([*at, away]))
    assert (first["where"], first["n"], first["hit"]) == ("at punctuation", "3", "0")
    assert (first["added"], first["whole"], first["as asked"]) == ("0.10 s", "0.80 s", "2")
    assert (second["where"], second["hit"], second["as asked"]) == ("elsewhere", "1", "1")
    assert pause_rows(per_tag(LONG)) == [], "a run before these were recorded"


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Verdict.MISS, "changed by less than 1.50 st; the tag asks for a fall (median of all: -0.20 st)"),
        (Verdict.WRONG_DIRECTION, "wrong direction; the tag asks for a fall"),
        (Verdict.LEAKED, "were read aloud"),
        (Verdict.UNMEASURABLE, "could not be measured; most often (3): too short"),
    ],
)
def test_a_hint_names_the_dominant_reason(verdict, said):
    value = -0.2 if verdict in (Verdict.MISS, Verdict.WRONG_DIRECTION) else None
    rows = [
        outcome(n, verdict, value, Tag.PITCH_LOW, "st", 1.5, reason="too short" if value is None else "")
        for n in range(3)
    ]
    (hint,) = hints(per_tag(rows))
    assert hint.startswith("<pitch_low>: 3 of 3 ") and said in hint
    assert not list(hints(per_tag(rows[:2]))), "two cases are too few to speak of a reason"


def test_the_clip_with_the_median_value_is_chosen():
    chosen = choose([*LONG, outcome(9, Verdict.HIT, 0.5), outcome(8, Verdict.HIT, 0.3, arm=Arm.PLACEBO)])
    assert [(o.verdict, o.value) for o in chosen[Tag.PAUSE_SHORT]] == [
        (Verdict.HIT, 0.5),
        (Verdict.WRONG_DIRECTION, 0.9),
    ]


def test_an_old_run_is_reported_with_players_and_beside_itself():
    page = report([OLD, OLD])
    assert "http:" not in page and "https:" not in page and len(page) < 5_000_000
    for said in ("<audio controls", "Paired differences", "Provenance", "End to end", "Word times", "data:image/png"):
        assert said in page
    text = report([OLD], markdown=True)
    assert "# Prosody report" in text and "| tag | n | hit |" in text and "data:" not in text


def test_the_command_writes_one_file_and_overwrites_nothing(tmp_path):
    out = tmp_path / "page.html"
    assert command("report", OLD, "-o", out).returncode == 0 and out.read_text().startswith("<!doctype html>")
    again = command("report", OLD, "-o", out)
    assert again.returncode == 2 and b"--force" in again.stderr
    assert command("report", tmp_path).returncode == 2


@pytest.mark.browser
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_page_is_accessible_and_fits_a_phone(browser, tmp_path, scheme, width):
    file = tmp_path / "report.html"
    file.write_text(report([OLD, OLD]))
    tab = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme).new_page()
    problems = []
    tab.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    tab.goto(file.as_uri())
    found = Axe().run(tab)
    assert found.violations_count == 0, found.generate_report()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width and not problems
    tab.context.close()
