import json
import shutil

import pytest
from helpers import python_or_skip

from harness.errors import HarnessError, NotAvailable
from harness.higgs.formats import native_config
from harness.higgs.probe import LEFT_OVER, LOADERS, RANDOM, SETTINGS, UNREAD, matrix, probe_in, stack_versions
from harness.higgs.tiny import NATIVE_TYPE, ORIGINAL_TYPE, make_tiny_checkpoint, tiny_config
from harness.processes.stacks import BOSON, NATIVE

UNKNOWN = "The checkpoint you are trying to load has model type `{}` but Transformers does not recognize"
AUTO = tuple(name for name in LOADERS if name.startswith("Auto"))
TRUE_WIDTH = 3072  # hidden_size of the original checkpoint


@pytest.fixture(scope="module")
def reports(boson, native):
    """Return the whole matrix, executed."""
    return matrix({ORIGINAL_TYPE: boson, NATIVE_TYPE: native})


def by_loader(outcomes):
    return {outcome.loader: outcome for outcome in outcomes}


def loaded(outcomes):
    return {one.loader: one.loaded for one in outcomes if one.ok}


# --- the matrix ------------------------------------------------------------------------------------------------------


def test_every_cell_was_executed_and_names_its_stack(reports):
    assert list(reports) == list(SETTINGS)
    for name, report in reports.items():
        assert list(report.outcomes) == [ORIGINAL_TYPE, NATIVE_TYPE]
        for outcomes in report.outcomes.values():
            assert [one.loader for one in outcomes] == list(LOADERS)
            assert all(bool(one.loaded) != bool(one.exception) and 0 <= one.seconds < 60 for one in outcomes)
        assert report.versions["transformers"].startswith("4.46.3" if "4.46.3" in name else "5.")
        assert (report.versions["boson_multimodal"] is not None) == ("4.46.3" in name)


def test_the_original_format_in_four_stacks(reports):
    got = {name: loaded(report.outcomes[ORIGINAL_TYPE]) for name, report in reports.items()}
    imported = {"AutoConfig": "HiggsAudioConfig", "AutoModel": "HiggsAudioModel", "boson": "HiggsAudioModel"}
    assert got == {
        "4.46.3 bare": {"boson": "HiggsAudioModel"},
        "4.46.3 boson imported": imported,
        "4.46.3 class registered": {**imported, "AutoModelForCausalLM": "HiggsAudioModel"},
        "transformers 5": {},
    }


def test_the_native_format_in_four_stacks(reports):
    got = {name: loaded(report.outcomes[NATIVE_TYPE]) for name, report in reports.items()}
    native = "HiggsAudioV2ForConditionalGeneration"
    *older, newer = got.values()
    assert older == [{}, {}, {}]
    assert newer == {"AutoConfig": "HiggsAudioV2Config", "AutoModel": native, "AutoModelForTextToWaveform": native,
                     "native": native}  # fmt: skip
    causal = by_loader(reports["transformers 5"].outcomes[NATIVE_TYPE])["AutoModelForCausalLM"]
    assert causal.message.startswith("Unrecognized configuration class <class 'transformers.models.higgs_audio_v2.")
    assert not any(one.notes for report in reports.values() for one in report.outcomes[NATIVE_TYPE] if one.ok)


def test_the_error_for_an_unknown_type_is_quoted(reports):
    unknown = (("4.46.3 bare", ORIGINAL_TYPE), ("4.46.3 bare", NATIVE_TYPE), ("transformers 5", ORIGINAL_TYPE))
    for stack, label in unknown:
        for one in (by_loader(reports[stack].outcomes[label])[name] for name in AUTO):
            assert (one.loaded, one.exception, one.reason) == ("", "ValueError", "unknown model type")
            first, *advice = one.message.split("\n")
            assert first.startswith(UNKNOWN.format(label))
            assert one.where.startswith("transformers/models/auto/configuration_auto.py:")
            if stack == "transformers 5":  # which does not help
                assert "pip install --upgrade transformers" in advice[0]
            else:
                assert not advice


def test_after_the_import_causal_lm_fails_differently(reports):
    outcomes = by_loader(reports["4.46.3 boson imported"].outcomes[ORIGINAL_TYPE])
    for name in ("AutoModelForCausalLM", "AutoModelForTextToWaveform"):
        assert (outcomes[name].exception, outcomes[name].reason) == ("ValueError", "no class registered")
        assert outcomes[name].message.startswith("Unrecognized configuration class <class 'boson_multimodal.model.")
        assert outcomes[name].where.startswith("transformers/models/auto/auto_factory.py:")


def test_the_package_on_the_native_format_is_stopped_before_it_fills_the_memory(reports):
    one = by_loader(reports["4.46.3 bare"].outcomes[NATIVE_TYPE])["boson"]
    assert (one.loaded, one.exception, one.reason) == ("", "RuntimeError", "memory limit")
    assert one.seconds < 5
    other_type, stopped = one.notes
    assert other_type == "the class is for model type 'higgs_audio', config.json says 'higgs_audio_v2'"
    assert stopped.startswith("stopped by the probe's memory limit; the folder holds 0.00")
    assert float(stopped.split("building ")[1].split(" GB")[0]) > 10  # the defaults of another model


# --- what looks like a success ---------------------------------------------------------------------------------------


def test_a_relabelled_original_is_not_a_success(boson, tmp_path):
    python_or_skip(NATIVE)
    original = json.loads((boson / "config.json").read_text())
    labelled = {**original, "model_type": NATIVE_TYPE}
    folders = {}
    for name, config in {
        "label": labelled,
        "width": {**labelled, "hidden_size": TRUE_WIDTH},
        "sizes": native_config(original),
    }.items():
        folders[name] = shutil.copytree(boson, tmp_path / name)
        (folders[name] / "config.json").write_text(json.dumps(config))
    got = {name: by_loader(found) for name, found in probe_in(NATIVE, folders).outcomes.items()}

    assert all(one.exception and not one.loaded for one in got["label"].values())
    assert "not a multiple of the number of attention heads (24)" in got["label"]["AutoConfig"].message

    config = got["width"]["AutoConfig"]
    assert (config.loaded, config.ok, config.status) == ("HiggsAudioV2Config", False, UNREAD)
    assert config.unread == ("audio_encoder_config", "text_config")
    assert config.notes[0].startswith("not read from config.json: audio_encoder_config, text_config")
    assert got["width"]["native"].exception == "AttributeError"

    model = got["sizes"]["native"]
    assert (model.loaded, model.ok, model.status) == ("HiggsAudioV2ForConditionalGeneration", False, RANDOM)
    assert (model.missing, model.unexpected) == (2, 2)
    assert "audio_lm_head.weight" in model.notes[0] and "audio_codebook_embeddings.weight" in model.notes[1]


def test_missing_unexpected_and_broken_weights_are_outcomes(boson, tmp_path, config_only):
    python_or_skip(BOSON)
    layers = {"more layers": 3, "fewer layers": 1}
    folders = {"none": config_only, **{name: shutil.copytree(boson, tmp_path / name) for name in (*layers, "broken")}}
    for name, count in layers.items():
        config = tiny_config()
        config["text_config"]["num_hidden_layers"] = count
        config["audio_dual_ffn_layers"] = list(range(count))
        (folders[name] / "config.json").write_text(json.dumps(config))
    (folders["broken"] / "model.safetensors").write_bytes(b"not weights")
    got = {name: found[0] for name, found in probe_in(BOSON, folders, ["boson"]).outcomes.items()}
    more = got["more layers"]
    assert (more.status, more.missing, more.loaded) == (RANDOM, 14, "HiggsAudioModel")
    assert more.notes[0].startswith("14 weights not in the checkpoint and set at random: layers.2.")
    assert (got["fewer layers"].status, got["fewer layers"].unexpected) == (LEFT_OVER, 14)
    assert (got["none"].exception, got["none"].reason) == ("OSError", "no weights")
    assert "model.safetensors" in got["none"].message
    assert got["broken"].exception == "SafetensorError"


def test_tiny_weights_need_boson(tmp_path):
    if stack_versions()["boson_multimodal"]:
        pytest.skip("boson_multimodal is installed here")
    with pytest.raises(NotAvailable, match=r"\.venv-boson/bin/python"):
        make_tiny_checkpoint(tmp_path / "tiny")
    with pytest.raises(HarnessError, match="weights=False"):
        make_tiny_checkpoint(tmp_path / "tiny", model_type="higgs_audio_v2")
    assert not (tmp_path / "tiny").exists()
    folder = make_tiny_checkpoint(tmp_path / "tiny", model_type="other", weights=False)
    assert [path.name for path in folder.iterdir()] == ["config.json"]
