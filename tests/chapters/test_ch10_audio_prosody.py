"""Tables and figures of chapter 10, from the committed control run."""

import re

import numpy as np
import pytest

from harness.audio import Audio
from harness.chapters.ch10_audio_prosody import figures, tables
from harness.chapters.ch10_audio_prosody.voices import voices
from harness.engines import SpeechRequest, make_engine
from harness.experiment.result_files import RESULT
from harness.prosody.align import align
from harness.prosody.features import measure
from harness.prosody.null import fit
from harness.prosody.rates import null_rows, unlike_chance
from harness.publish.clip_figures import waveform_and_f0_pair
from harness.records import NullSample
from harness.store import read_json
from harness.tagged import TAGS, TaggedText

TEXT = TaggedText.from_plain("We asked every customer about the delivery")


@pytest.fixture(scope="module")
def controls():
    return read_json(RESULT)


@pytest.fixture(scope="module")
def clip():
    return make_engine("espeak").speak(SpeechRequest(TEXT)).audio


def test_every_figure_describes_what_it_shows(controls, clip):
    samples = [NullSample(engine="e", sentence=f"s{n}", cue=cue, values=[0.1 * n, -0.2]) for n in range(5)
               for cue in ("pause", "pitch_level", "pitch_end", "emphasis")]  # fmt: skip
    quieter = Audio(clip.samples * np.float32(0.5), clip.sample_rate)
    for figure, words in (
        (figures.control_rate_dots(controls["controls"], "T"), "<emph> told"),
        (figures.dose_response_curves(controls["dose"]), "half at"),
        (figures.detector_confusion_map(controls["confusion"], "T"), "heard as"),
        (
            figures.contrast_accuracy_dots(controls["contrastive"]["positive"], controls["contrastive"]["negative"]),
            "Accuracy",
        ),
        (figures.null_histograms(samples, null_rows(samples, fit(samples)), "e"), "emph threshold 3.00"),
        (figures.f0_repetition_lines(TEXT, [clip, quieter], "T"), "2 readings"),
    ):
        assert words in figure.alt and figure.png.startswith(b"\x89PNG")


def test_a_pair_of_clips_is_described_by_what_its_tag_changed(clip):
    high = TaggedText.parse("We asked every <pitch_high> customer about the delivery")
    figure = waveform_and_f0_pair(high, make_engine("espeak").speak(SpeechRequest(high)).audio, clip)
    for words in (figure.caption, figure.alt):
        assert re.search(r"pitch_high, F0 of the word, relative to the rest: \+2\.\d\d st", words)


def test_tables_hold_every_tag(controls, clip):
    words = align(clip, TEXT.words)
    features = measure(clip, words)
    assert tables.feature_table(words, features, features, "T").html.count("<tr>") == len(TEXT.words) + 1
    positive, negative = controls["contrastive"]["positive"], controls["contrastive"]["negative"]
    shown = [tables.detector_table(), tables.control_table(controls["controls"]), tables.leak_table(controls["leak"]),
             tables.contrast_table(positive, negative), tables.stricter_table(controls["controls"]),
             tables.shuffled_table(controls)]  # fmt: skip
    for table in shown:
        assert all(f"&lt;{tag.bare}&gt;" in table.html for tag in TAGS)


def row(**changed):
    return {"hit": 0.99, "null": 0.01, "placebo": 0.0, "stripped_placebo": 0.0, "unmeasurable": 0.0,
            "hit_at_null": 0.98, **changed}  # fmt: skip


def test_a_missed_bar_is_named():
    assert tables.shortfalls("<emph>", row()) == []
    assert tables.shortfalls("<emph>", row(hit=0.89)) == ["hit 0.890, below 0.90"]
    assert tables.shortfalls("<pitch_rising>", row(hit_at_null=0.01)) == [
        "at the floor only: hit 0.010 at Piper's threshold, below 0.75"
    ]
    assert tables.shortfalls("<pause_long>", row(null=0.021)) == ["null 0.021, above 0.02"]
    assert tables.shortfalls("<pitch_high>", row(stripped_placebo=0.06)) == ["stripped placebo 0.060, above 0.05"]
    assert tables.shortfalls("<pitch_low>", row(unmeasurable=0.04)) == ["4.0% unmeasurable, above 3%"]


def test_voices_are_told_not_told_or_read_aloud():
    [told, piper, hibari, *reading] = voices("espeak", "en-us", True, "quick", 30)
    assert (told["role"], piper["role"], hibari["limit"]) == ("positive", "negative", 3)
    assert [row["limit"] for row in reading] == [1, 1] and {row["role"] for row in reading} == {"leak"}
    assert voices("espeak", "en-us", False, "quick", 30) == [told]
    assert voices("espeak", "en-us", True, "standard", 20)[2]["limit"] == 20


def test_a_dose_curve_that_falls_is_named():
    rising = {"hit": [0.0, 0.5, 1.0], "n": 36, "monotone": True}
    falling = {"hit": [0.0, 1.0, 0.97], "n": 36, "monotone": False}
    [words] = tables.dose_falls({"joe": {"gain": rising, "pitch": falling}})
    assert words.startswith("pitch by joe falls by 0.03")


def test_accuracy_differs_from_chance_only_after_correction():
    def accuracy(value, half_width):
        return {"accuracy": value, "low": value - half_width, "high": value + half_width, "chance": 1 / 3}

    table = {f"<{n}>": accuracy(0.34, 0.06) for n in range(6)}
    assert unlike_chance({**table, "<far>": accuracy(0.6, 0.06)}) == ["<far>"]
    assert unlike_chance({**table, "<near>": accuracy(0.40, 0.06)}) == [], "p = .03 alone, not one of seven"
    assert unlike_chance({"<none>": accuracy(0.4, 0.06) | {"accuracy": None}}) == []
