import math

from harness.chapters.ch06_training.figures import training_curves
from harness.chapters.ch07_tag_placement.diffs import marked
from harness.chapters.ch07_tag_placement.figures import f1_heatmap, f1_interval_dots
from harness.chapters.ch07_tag_placement.interpretations import placement_readings
from harness.placement import score_placement
from harness.publish.clip_figures import tag_difference_strips
from harness.publish.tables import interval, placement_table, verdict_on_difference
from harness.records import Arm, Outcome, Verdict
from harness.tagged import Tag, TaggedText

GOLD = [TaggedText.parse(t) for t in ("We <emph> win <pause_long> now", "Is it <pitch_rising> so?", "No tags here")]
GUESS = [TaggedText.parse(t) for t in ("We <emph> win now", "Is <pitch_rising> it so?", "No tags here")]
REPORTS = {"rules": score_placement(GOLD, GUESS, n_resamples=50).as_json()}


def test_rates_are_written_with_their_intervals():
    assert interval(0.5, 0.25, 0.75) == "0.50 [0.25, 0.75]"
    assert interval(None, None, None) == "–" and interval(1, None, None) == "1.00"


def test_a_difference_is_claimed_only_if_its_interval_allows():
    assert verdict_on_difference(0.1, 0.02, 0.2, "better", "worse").startswith("better")
    assert verdict_on_difference(-0.1, -0.2, -0.02, "better", "worse").startswith("worse")
    assert verdict_on_difference(0.1, -0.02, 0.2, "better", "worse").startswith("no difference")


def test_a_diff_names_right_extra_and_missed():
    html = marked(GOLD[1], GUESS[1])
    assert html.index("tag-extra") < html.index("tag-missed") and "tag-hit" not in html
    assert "tag-hit" in marked(GOLD[0], GUESS[0])


def test_readings_are_shares_and_differ():
    readings = dict(placement_readings(GOLD, GUESS))
    assert all(0 <= share <= 1 and not math.isnan(share) for share in readings.values())
    assert readings["words unchanged"] == 1 and readings["placed tags that are right (precision)"] == 0.5
    assert readings["slots on which output and reference agree, empty ones included"] > readings["micro F1"]
    nothing = dict(placement_readings(GOLD, [text.stripped() for text in GOLD]))
    assert nothing["micro F1"] == 0 and nothing["the output holds at least one tag"] == 0


def test_every_figure_describes_what_it_shows():
    history = [{"epoch": n, "loss": 3 - n, "eval_loss": 3.0 - n / 2, "dev_f1": 0.1 * n} for n in (1, 2)]
    outcomes = [
        Outcome(engine="e", tagger="t", sentence="s", arm=arm, slot=1, tag=Tag.PITCH_LOW, verdict=Verdict.HIT, value=-2, unit="st",
                threshold=1.5) for arm in (Arm.TAGGED, Arm.PLACEBO)
    ]  # fmt: skip
    for figure, words in (
        (f1_interval_dots(REPORTS, "T"), "rules 0.4"),
        (f1_heatmap(REPORTS), "emph 1.00"),
        (training_curves(history), "epoch 2"),
        (tag_difference_strips(outcomes), "median -2.00 st"),
    ):
        assert words in figure.alt and figure.png.startswith(b"\x89PNG")
        assert 'alt="' in figure._repr_html_() and "<figcaption>" in figure._repr_html_()


def test_the_best_tagger_comes_first():
    reports = {"poor": score_placement(GOLD, [t.stripped() for t in GOLD], n_resamples=9).as_json(), **REPORTS}
    html = placement_table(reports).html
    assert html.index("rules") < html.index("poor")
