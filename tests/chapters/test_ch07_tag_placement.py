"""Tables, figures and verdicts of the placement benchmark, from artificial rows."""

import re

import pytest
from helpers import unspanned

from harness.benchmark.rows import ablation_name, select
from harness.chapters.ch06_training.verdict import judge_standard_training
from harness.chapters.ch07_tag_placement import tables
from harness.chapters.ch07_tag_placement.figures import (
    ablation_dots,
    curve_of_examples,
    decoding_speed_bars,
    learning_curves,
    tag_confusion_map,
)
from harness.chapters.ch07_tag_placement.findings import agreement_of_readers, findings
from harness.chapters.ch07_tag_placement.verdict import judge_placement, judge_speed
from harness.tagged import TaggedText

NAMES = ("accuracy_2way", "accuracy_3way", "emph_f1", "emph_f1_argmax", "pause_f1")


def corpus_row(tagger, base, seed, three, sentences=None):
    figures = dict.fromkeys(NAMES, three) | {
        "sentences": sentences or 5000, "intervals": {name: [three - 0.01, three + 0.01] for name in NAMES},
        "against_majority": {name: [0.02, 0.01, 0.03] for name in NAMES}, "train_seconds": 60.0,
        "train_cpu_seconds": 90.0, "sentences_per_second": 100.0,
    }  # fmt: skip
    parameters = {"tagger": tagger, "base_model": base, "seed": seed} | ({"sentences": sentences} if sentences else {})
    return {"kind": "helsinki", "parameters": parameters, "figures": figures}


def scores(f1, exact=0.1):
    score = {"f1": f1, "f1_low": max(f1 - 0.1, 0), "f1_high": f1 + 0.1}
    return {"micro": score, "macro": score, "exact_match": exact}


def crossval_row(tagger, f1, grouped, data="seed-examples"):
    return {"kind": "crossval", "figures": scores(f1),
            "parameters": {"data": data, "tagger": tagger, "base_model": "embedded", "seed": 0, "grouped": grouped}}  # fmt: skip


ROWS = [
    corpus_row("majority", "embedded", 0, 0.60),
    corpus_row("lm_slots", "smollm2", 0, 0.65),
    corpus_row("lm_slots", "smollm2", 1, 0.67),
    corpus_row("majority", "embedded", 0, 0.50, sentences=10),
    crossval_row("gpt2", 0.30, True),
    crossval_row("gpt2", 0.60, False),
    {"kind": "helsinki", "parameters": {"tagger": "x", "base_model": "y", "seed": 0}, "not_run": "no corpus"},
]
DECODINGS = [
    {"decoding": "slots", "f1": 0.4, "f1_low": 0.3, "f1_high": 0.5, "text_preserved": 1.0,
     "sentences_per_second": {"1": 100.0, "32": 400.0}},
    {"decoding": "generate", "f1": 0.2, "f1_low": 0.1, "f1_high": 0.3, "text_preserved": 0.4,
     "sentences_per_second": {"1": 2.0, "32": 20.0}},
]  # fmt: skip


def test_the_corpus_table_has_the_mean_over_seeds_and_the_published_systems():
    html = unspanned(tables.corpus_table(ROWS))
    assert "lm_slots on SmolLM2-135M" in html and "66.0 [64.0, 68.0]" in html
    assert html.index("66.0 [") < html.index("60.0 ["), "best first"
    assert "50.0" not in html, "points of the learning curve are no systems"
    for system in tables.published()["systems"]:
        assert f"published: {system['system']}" in html
    assert list(tables.corpus_systems(ROWS)) == ["lm_slots on SmolLM2-135M", "majority"]


def test_rows_that_did_not_run_are_left_out():
    assert len(select(ROWS, "helsinki")) == 4


def test_differences_are_described():
    html = tables.against_majority_table(ROWS)._repr_html_()
    assert "better" in html and "majority" not in html.split("<tbody>")[1]


def test_random_folds_are_compared_with_grouped_folds():
    html = unspanned(tables.crossval_table(ROWS, "seed-examples"))
    assert "0.30 [0.20, 0.40]" in html and "0.60 [0.50, 0.70]" in html
    assert "not run here" in tables.crossval_table(ROWS[:-2], "seed-examples")._repr_html_()


def test_other_tables_show_their_figures():
    heldout = [{"kind": "heldout", "parameters": {"tagger": "gpt2", "base_model": "embedded", "seed": s}, "figures": scores(f)}
               for s, f in ((0, 0.3), (1, 0.4))]  # fmt: skip
    html = unspanned(tables.heldout_table(heldout))
    assert "0.35 [0.20, 0.50]" in html and "2: 0.30 to 0.40" in html
    assert "400.0" in tables.decoding_table(DECODINGS)._repr_html_()
    away = [
        {
            "kind": "domain",
            "parameters": {"tagger": "logistic"},
            "figures": {"examples to corpus, emph": [0.2, 0.1, 0.3]},
        }
    ]
    assert "0.20 [0.10, 0.30]" in unspanned(tables.domain_table(away))


@pytest.mark.parametrize(("settings", "name"), [
    ({"objective": "read"}, "reads only"), ({"objective": "read", "mask_pads": False}, "pads in the loss"),
    ({"objective": "read", "lora_rank": 64}, "lora rank 64"), ({"objective": "both"}, "also writes (chapter 06)"),
])  # fmt: skip
def test_an_ablation_is_named_after_what_it_changes(settings, name):
    assert ablation_name(settings) == name


def test_figures_describe_what_they_show():
    figure = learning_curves(ROWS, [0.64, 0.62, 0.66])
    assert "majority: 50.0 at 10, 60.0 at 5,000" in figure.alt
    assert "slots 100.0 at batch 1" in decoding_speed_bars(DECODINGS).alt
    measured = [{"kind": "ablation", "parameters": {"settings": {"objective": "read"}},
                 "figures": {"argmax": scores(0.3)["micro"], "tuned": scores(0.4)["micro"]}}]  # fmt: skip
    assert "reads only: 0.30 [0.20, 0.40] at threshold 0" in ablation_dots(measured).alt


def set_row(tagger, f1, examples="development"):
    figures = scores(f1) | {"sentences": 120, "per_tag": {"<emph>": {"f1": f1}}, "optional": {"f1": f1 + 0.1},
                            "against_rules": {"value": f1 - 0.4, "low": f1 - 0.45, "high": f1 - 0.35}}  # fmt: skip
    return {"kind": "set", "parameters": {"tagger": tagger, "examples": examples}, "figures": figures}


def test_the_taggers_on_a_set_are_compared_with_rules():
    rows = [set_row("rules", 0.4), set_row("hand_features", 0.6), set_row("hand_features", 0.9, "test")]
    shown = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", tables.set_table(rows, "development")._repr_html_()))
    assert "better (+0.20 [+0.15, +0.25]) 0.60 0.70 rules 0.40" in shown and "0.90" not in shown


def test_the_curve_of_examples_ends_with_all_of_them():
    rows = [set_row("rules", 0.4), set_row("hand_features", 0.6)]
    rows += [{"kind": "curve", "parameters": {"tagger": "hand_features", "sentences": n, "seed": seed}, "figures": scores(f1)}
             for n, seed, f1 in ((10, 0, 0.3), (10, 1, 0.5), (50, 0, 0.5))]  # fmt: skip
    figure = curve_of_examples(rows)
    assert "hand_features: 0.40 at 10, 0.50 at 50, 0.60 at 98; rules: 0.40" in figure.alt
    assert "above `rules`: 50 for `hand_features`" in figure.caption


def test_the_confusion_counts_slots_by_question():
    gold = [TaggedText.parse("We <pause_short> <emph> pay <pitch_rising> now")]
    guess = [TaggedText.parse("We <pause_long> <emph> pay now <emph>")]
    alt = tag_confusion_map(gold, guess).alt
    assert "emph: 1 of 1 right" in alt and "pitch_rising: 0 of 1 right, 1 missed" in alt
    assert "pause_short: 0 of 1 right, 0 missed" in alt


def summary(*losses):
    history = [{"epoch": k + 1, "eval_loss": loss} for k, loss in enumerate(losses)]
    return {"history": history, "config": {"base_model": "embedded"}, "adapter_bytes": 1000,
            "parameters": {"trainable": 1, "all": 2}}  # fmt: skip


def test_g1_needs_a_dev_loss_that_falls():
    frozen = {"kind": "ablation", "parameters": {"settings": {"objective": "read", "tag_embeddings": "frozen"}, "seed": 0},
              "figures": {"tuned": scores(0.1)["micro"]}}  # fmt: skip
    found = judge_standard_training(summary(3.0, 2.0), [frozen])
    assert found.verdict == "reproduced, but" and "not run here" in found.reading
    assert found.evidence["micro-F1 in five folds, tag rows frozen"] == "0.10 [0.00, 0.20]"
    assert judge_standard_training(summary(2.0, 3.0), []).verdict == "refuted"
    real = {**summary(3.0, 2.0), "config": {"base_model": "gpt2"}}
    assert "not run here" not in judge_standard_training(real, []).reading


def test_g2_depends_on_the_reading():
    low, other = scores(0.3), {"kind": "heldout", "figures": scores(0.4),
                               "parameters": {"tagger": "gpt2", "base_model": "smollm2", "seed": 0}}  # fmt: skip

    def judge(readings, heldout=low, rows=(*ROWS, other), base="embedded"):
        useless = {"none": {"exact": 0.0, "slots that agree": 0.9}, "random": {"exact": 0.0, "slots that agree": 0.7}}
        return judge_placement(readings, useless, heldout, rows, "gpt2", base)

    found = judge({"exact": 0.1, "slots that agree": 0.9})
    assert found.verdict.startswith("depends on") and "reach it too, under 1 of these" in found.reading
    useful = judge({"exact": 0.9, "slots that agree": 0.1})
    assert useful.verdict == "depends on the reading" and "reach it too" not in useful.reading
    assert found.evidence["held-out micro-F1, gpt2 on SmolLM2-135M"].startswith("0.40")
    assert (
        judge({"exact": 0.1}).verdict == "refuted" and "base model here is gpt2-mini" in judge({"exact": 0.1}).reading
    )
    assert judge({"exact": 0.1}, scores(0.8)).verdict == "reproduced, but"
    assert "not run here" in judge({"exact": 0.1}, rows=()).evidence["the note's own 98 windows"]


def test_g3_names_what_is_slow():
    verdict = judge_speed(DECODINGS, ROWS, "a machine", "gpt2")
    assert verdict.verdict == "reproduced, but" and "generate" in verdict.reading
    assert judge_speed(DECODINGS[:1], ROWS, "a machine", "gpt2").verdict == "reproduced"
    assert judge_speed(DECODINGS[:1], ROWS, "a machine", "embedded").verdict == "reproduced, but", "another base"


def test_the_findings_quote_every_figure_of_the_page():
    report = scores(0.4) | {"text_preserved": 1.0}
    reports = dict.fromkeys(("gpt2", "rules", "majority", "logistic", "random", "second pass"), report)
    agreement = {name: [0.8, 0.7, 0.9] for name in ("accuracy_2way", "accuracy_3way", "emph_f1")} | {
        "pairs": [{"words": 1200}]
    }
    rows = [
        *ROWS,
        {"kind": "agreement", "parameters": {}, "figures": agreement},
        set_row("gpt2 distilled", 0.6, "test"),
    ]
    readings = [("words unchanged", 1.0), ("recall", 0.4)]
    found = findings(reports, {"rules": "worse"}, rows, readings, {"words unchanged": 1.0, "exact": 0.2}, "gpt2")
    assert found["micro_f1"] == "0.40 [0.30, 0.50]" and found["distilled_test_f1"] == "0.60 [0.50, 0.70]"
    assert found["named_at_85"] == "words unchanged" and found["nothing_at_best"] == "20%"
    assert (found["against_rules"], found["corpus_3way"], found["readers_3way"]) == ("worse", "66.0", "80")
    assert agreement_of_readers(agreement)["words"] == "1,200"


def test_the_best_system_is_named_for_each_number_of_sentences():
    rows = [*ROWS, corpus_row("lm_slots", "smollm2", 0, 0.55, sentences=10)]
    html = tables.best_by_size_table(rows).html
    assert "55.0%" in html and "50.0%" not in html
