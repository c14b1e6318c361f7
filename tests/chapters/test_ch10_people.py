"""Chapter 10 on listeners: figures and tables from the committed validations, and from a made control run."""

import pytest

from harness.chapters.ch10_audio_prosody import findings, people
from harness.experiment.result_files import RESULT
from harness.prosody.validation.results import load_published
from harness.store import read_json
from harness.tagged import TAGS

BAND = {
    "promised": [3.0, 6.0],
    "unit": "st",
    "in_band": 0.25,
    "in_band_low": 0.2,
    "in_band_high": 0.3,
    "median": 2.5,
    "n": 4,
}
PAUSE = BAND | {"promised": [0.25, 0.55], "unit": "s", "in_band": 0.95, "median": 0.41}
OBEY = {
    "engines": {
        "hibari": {"per_tag": {"<emph>": {"at_floor": 0.97, "false_positive": 0.01, "fp_low": 0.0, "fp_high": 0.02}}}
    }
}
QUALITY = {"paired": 9, "tagged": 2.4, "plain": 2.5, "change": -0.1}


@pytest.fixture(scope="module")
def published():
    return load_published()


@pytest.fixture(scope="module")
def controls():
    """The committed control run, with made judgements: `<emph>` rises most in .9 of 10 clips, the others in .3 of 20."""
    fields = read_json(RESULT)
    for title, engine in fields["engines"].items():
        told = title.startswith("espeak")
        heard = {tag.value: {"rose_most": 0.3, "n": 20, "chance": 0.1, "placebo_rose_most": 0.05} for tag in TAGS}
        heard["<emph>"] |= {"rose_most": 0.9 if told else 0.1, "n": 10}
        named = {"<emph>": {"accuracy": 0.8, "low": 0.7, "high": 0.9}}
        engine["listeners"] = {
            people.WORDS: {"per_tag": heard, "contrastive": named}, people.CLIPS: {"all": QUALITY}
        }  # fmt: skip
        engine["compliance"] = {"<pause_short>": PAUSE, "<pitch_high>": BAND} if told else {}
    return fields


def test_the_figure_of_labels_has_every_cue_and_the_length_alone(published):
    figure = people.auc_dots(published)
    assert all(label in figure.alt for label, _ in people.CUES.values())
    accents = people.areas(published, "todi", "accent")
    assert f"length alone (baseline) {people.shown_area(accents['duration'])}" in figure.caption
    assert "pitch of the word, lowered accent !H*L, 0.20" in figure.caption
    assert people.top_table(published).html.count("<tr>") == 9


def test_a_shuffled_label_is_the_mean_of_the_other_tags():
    rows = {"<a>": {"rose_most": 0.9, "n": 10}, "<b>": {"rose_most": 0.5, "n": 30}, "<c>": {"rose_most": 0.1, "n": 10}}
    assert people.shuffled(rows, "<a>") == pytest.approx((0.5 * 30 + 0.1 * 10) / 40)
    assert people.shuffled({"<a>": rows["<a>"]}, "<a>") is None


def test_detector_and_listener_are_side_by_side_for_voices_that_are_told_and_untold(controls):
    titles = [title for title, _, _ in people.judged(controls)]
    assert len(titles) == 5 and not any("reads" in title for title in titles)
    figure = people.listener_dots(controls)
    assert "piper (not told): detector 0.0" in figure.caption and "listener 0.90" in figure.caption
    assert "listener, wrong word 0.05" in figure.alt and "listener, another tag 0.30" in figure.alt
    assert people.listener_table(controls).html.count("<tr>") == len(TAGS) + 1
    assert "-0.100" in people.price_table(controls).html


def test_a_promise_is_a_band_and_a_share(controls):
    figure = people.promise_dots(controls)
    assert "least often for `<pitch_high>`" in figure.caption and "promised 3 to 6 st" in figure.alt
    html = people.promise_table(controls).html
    assert html.count("<tr>") == 7 and "2.50 st" in html


def test_the_findings_say_what_the_files_hold(controls, published):
    found = findings.findings(controls, published, OBEY, [])
    assert found["unmeasured"] == "none" and "`<pitch_high>` 0.25 to 0.25" in found["promises"]
    assert "hibari 0.10" in found["listener"] and "length of the word alone 0.83" in found["labels"]
    lowest = min(controls["controls"], key=lambda tag: controls["controls"][tag]["hit"])
    assert f"least often for `{lowest}`" in found["rates"]
    per_tag = controls["engines"]["piper"]["per_tag"]
    quoted = findings.numbers(controls, OBEY, {"engines": {"x": {"per_tag": per_tag}}, "sentences": 3}, "x")
    assert {"emph_at_null", "pause_short_null", "leak_found", "control_clips"} <= quoted.keys()


def test_the_committed_run_has_listeners_and_promises():
    fields = read_json(RESULT)
    assert "(not told)" in people.listener_dots(fields).caption and "promised" in people.promise_dots(fields).alt
    assert people.price_table(fields).html.count("<tr>") == len(list(people.judged(fields))) + 1
