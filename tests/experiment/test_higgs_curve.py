"""The curve over the number of tagged examples: rows, their choice of clips, training, and the points of the result."""

import hashlib
import json
from dataclasses import asdict

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from harness.errors import DataError  # noqa: E402
from harness.experiment.small_higgs.curve import (  # noqa: E402
    CurveConfig,
    Row,
    chosen,
    fine_tune,
    points,
    read_curve_config,
    rows_of,
    run_curve,
)
from harness.higgs.checkpoints import load_model  # noqa: E402
from harness.higgs.samples import Sample  # noqa: E402
from harness.higgs.speech.shards import write_shard  # noqa: E402
from harness.paths import DATA  # noqa: E402
from harness.processes.stacks import NATIVE  # noqa: E402
from harness.store import read_json, write_json  # noqa: E402

PLAIN = DATA / "models" / "small-higgs-plain"


def sample(number, text):
    return Sample(str(number), text, np.random.default_rng(number).integers(0, 256, (8, 20)).astype(np.uint8))


TEXTS = ["We <emph> need growth.", "We need <pause_long> growth.", "We <pitch_high> love savings.", "We love <pitch_low> savings.",
         "We need growth."]  # fmt: skip
SAMPLES = [sample(number, text) for number, text in enumerate(TEXTS)]


def config(tmp_path, **changes):
    fields = {"model": str(PLAIN), "codec": str(DATA / "models" / "hibari-codec"), "clips": str(tmp_path / "clips"),
              "output": str(tmp_path / "run"), "rows": [{"examples": [2, 4], "seeds": [0, 1]}], **changes}  # fmt: skip
    return CurveConfig.model_validate(fields)


def counts(row, hits):
    same = {"loss": 1.0, "cpu_seconds": 1.0, "word_errors": "0 1 2", "words": "5 5 5", "ends": 1.0, "asked": "2 2 2", "hits_by_tag": {},
            "leaked": 0, "placebo_n": "2 2 2", "placebo_hits": "0 0 1", "own_over_plain": 1.0, "own_over_other": 0.5,
            "text_change": 0.1}  # fmt: skip
    return {**asdict(row), **same, "hits": hits}


def test_rows_come_seed_by_seed_and_once(tmp_path):
    twice = [{"examples": [2, 4], "seeds": [0, 1]}, {"examples": [4], "seeds": [1]}]
    assert [*rows_of(config(tmp_path, rows=twice))] == [
        Row("none", "own", 0, 0, 0), Row("attention+ffn", "own", 2, 1000, 0), Row("attention+ffn", "own", 4, 1000, 0),
        Row("attention+ffn", "own", 2, 1000, 1), Row("attention+ffn", "own", 4, 1000, 1),
    ]  # fmt: skip


def test_shifted_pairs_have_the_same_clips_and_texts_but_no_pair_is_right():
    own, shifted = (chosen(SAMPLES, Row("attention", pairs, 4, 1000, 3)) for pairs in ("own", "shifted"))
    assert [one.id for one in own] == [one.id for one in shifted]
    assert sorted(one.text for one in own) == sorted(one.text for one in shifted)
    assert not any(a.text == b.text for a, b in zip(own, shifted, strict=True))


@pytest.mark.parametrize("variant", ["attention+ffn", "attention", "attention+ffn+heads"])
def test_a_training_changes_what_its_variant_names_and_the_loss_falls(tmp_path, variant):
    model = load_model(PLAIN, NATIVE, text_head=False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    short = config(tmp_path, batch_size=4)
    tuned, last = fine_tune(model, short, Row(variant, "own", 4, 10, 0), SAMPLES[:4])
    changed = {name for name, value in tuned.state_dict().items() if not torch.equal(value, before[name])}
    assert before.keys() == tuned.state_dict().keys()
    assert any("q_proj" in name for name in changed)
    assert any("audio_mlp" in name for name in changed) is (variant != "attention")
    assert any("audio_lm_head" in name for name in changed) is (variant == "attention+ffn+heads")
    assert not any("embed" in name or ".mlp." in name for name in changed)
    again = load_model(PLAIN, NATIVE, text_head=False)
    _, first = fine_tune(again, short, Row(variant, "own", 4, 1, 0), SAMPLES[:4])
    assert last < first


def test_finished_rows_are_read_and_not_trained_again(tmp_path):
    settings = config(tmp_path)
    folder = tmp_path / "run"
    folder.mkdir()
    for row in rows_of(settings):
        write_json(folder / row.file, counts(row, "2 1 0"))
    result = run_curve(settings)
    assert [(one["examples"], one["seeds"]) for one in result["points"]] == [(0, 1), (2, 2), (4, 2)]
    other = settings.model_copy(update={"rank": 7})
    with pytest.raises(DataError, match="rows of other settings"):
        run_curve(other)


def test_points_count_over_seeds_with_sentences_as_clusters():
    (point,) = points(
        [counts(Row("attention", "own", 98, 1000, 0), "2 1 0"), counts(Row("attention", "own", 98, 1000, 1), "2 2 1")]
    )
    assert point["hits"] == pytest.approx(8 / 12) and point["hits_of_seeds"] == pytest.approx([0.5, 5 / 6])
    assert point["wer"] == pytest.approx(0.2) and point["placebo"] == pytest.approx(1 / 6)
    assert point["hits_low"] < point["hits"] < point["hits_high"] and point["asked"] == 12


def test_too_few_clips_and_a_wrong_setting_are_refused(tmp_path):
    (tmp_path / "clips").mkdir()
    write_shard(tmp_path / "clips", 0, SAMPLES)
    with pytest.raises(DataError, match="there are 4 tagged clips, fewer than 5"):
        run_curve(config(tmp_path, rows=[{"examples": [5]}]))
    path = tmp_path / "curve.yaml"
    path.write_text("model: m\ncodec: c\nclips: c\noutput: o\nrows: [{examples: [3], variant: all}]\n")
    with pytest.raises(DataError, match="variant"):
        read_curve_config(path)


def test_the_published_configuration_is_valid():
    config = read_curve_config(DATA / "experiments" / "higgs_curve.yaml")
    assert config.model == str(PLAIN) and len([*rows_of(config)]) > 12


def test_result_and_weights_belong_together():
    result = read_json(DATA / "results" / "higgs_curve.json")
    card = (PLAIN / "README.md").read_text(encoding="utf-8")
    weights = hashlib.sha256((PLAIN / "model.safetensors").read_bytes()).hexdigest()
    assert result["settings"]["weights_sha256"] == weights and weights[:12] in card
    assert points(result["rows"]) == json.loads(json.dumps(result["points"]))
