"""Both Higgs engines on tiny random weights: they speak noise, but every step is the real one."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from _boson_engine_checks import GREEDY, SMALL_TEXT, TEXTS
from helpers import harness

from harness.audio import Audio, write_wav
from harness.chapters.ch08_higgs_engine.measure import codes
from harness.engines import SpeechRequest, make_engine
from harness.engines.higgs.settings import SMALL_FOLDERS
from harness.engines.higgs.tiny import tiny_folders
from harness.errors import DataError, HarnessError, NotAvailable
from harness.higgs.convert import convert
from harness.paths import ROOT
from harness.processes.stacks import BOSON, NATIVE
from harness.tagged import TaggedText

torch = pytest.importorskip("torch")


def asked(text=TEXTS[0], seed=0, voice=None):
    return SpeechRequest(TaggedText.parse(text), voice, seed)


@pytest.fixture(scope="module")
def native():
    return make_engine("higgs_native", checkpoint="tiny", temperature=0, max_seconds=3)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    time = np.arange(16000) / 16000
    write_wav(path, Audio((0.3 * np.sin(2 * np.pi * 150 * time)).astype(np.float32), 16000))
    return str(path)


@pytest.fixture(scope="module")
def boson_found(boson_python, recording, tmp_path_factory):
    output = tmp_path_factory.mktemp("boson") / "found.json"
    script = Path(__file__).with_name("_boson_engine_checks.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([boson_python, script, output, recording], capture_output=True, text=True, env=environment,
                          timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(output.read_text())


# --- both ------------------------------------------------------------------------------------------------------------


def test_both_give_the_same_codes_for_the_same_weights(boson_found, tmp_path):
    """In an untrained model any codebook may end first, and the stacks close the others differently.

    The last eight columns of speech that ends may therefore differ. Speech that does not end is the same throughout.
    """
    model, _ = tiny_folders(BOSON, GREEDY["seed"])  # made by the other environment
    convert(model, tmp_path / "converted")
    codec = tiny_folders(NATIVE, 0)[1]
    options = {**GREEDY, "checkpoint": str(tmp_path / "converted"), "codec": str(codec)}
    assert {one["stopped"] for one in boson_found["codes"]} == {True, False}
    for batch in (1, 4):
        for one, other in zip(boson_found["codes"], codes(TEXTS, batch=batch, **options), strict=True):
            a, b = np.array(one["codes"]), np.array(other["codes"])
            compared = min(a.shape[1], b.shape[1]) - 8 * one["stopped"]
            assert compared > 20 and (a[:, :compared] == b[:, :compared]).all()
            assert one["stopped"] == other["stopped"] and abs(a.shape[1] - b.shape[1]) <= 8 * one["stopped"]


def test_both_give_the_same_codes_with_the_small_model(boson_found):
    """It was trained to end in the first codebook, so the ends are equal too."""
    there, here = boson_found["small"], codes([SMALL_TEXT], checkpoint="small", temperature=0)[0]
    assert there == here and here["stopped"] and len(here["codes"][0]) > 20


def test_both_speak_with_the_small_model_by_default(boson_python):
    sounds = []
    for name in ("higgs_native", "higgs_boson"):
        engine = make_engine(name, temperature=0)
        sounds.append(engine.speak(asked(SMALL_TEXT)).audio.samples)
        with pytest.raises(HarnessError, match="is not one of the 47 words"):
            engine.speak(asked("Never again."))
    engine.close()
    assert np.abs(sounds[0] - sounds[1]).max() < 1e-4


@pytest.mark.parametrize(
    "options", [{"temperature": 0}, {}, {"top_k": None, "top_p": 1.0, "temperature": 1}, {"max_seconds": 0.9}]
)
def test_the_small_model_speaks_without_transformers_as_with_them(options):
    engine = make_engine("higgs_native", **options)
    texts = (SMALL_TEXT, "We need new savings.", "You need <pause_short> the new plan <pitch_rising> today.")
    for seed, text in enumerate(texts):
        state = torch.get_rng_state()
        alone, whole = engine.speak(asked(text, seed)).audio, engine.speak_batch([asked(text, seed)])[0].audio
        assert alone.samples.shape == whole.samples.shape and np.abs(alone.samples - whole.samples).max() < 1e-5
        assert (torch.get_rng_state() == state).all()


def test_damaged_weights_of_the_small_model_are_named(tmp_path, monkeypatch):
    folder = shutil.copytree(SMALL_FOLDERS[0], tmp_path / "model")
    (folder / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    monkeypatch.setattr("harness.engines.higgs.settings.SMALL_FOLDERS", (folder, SMALL_FOLDERS[1]))
    with pytest.raises(DataError, match="cannot be loaded"):
        make_engine("higgs_native").speak(asked(SMALL_TEXT))


def test_the_command_speaks_with_the_small_model_without_the_imports_of_transformers(tmp_path):
    """They take longer than the sentence."""
    program = (
        "import sys; from harness.cli import app; app(standalone_mode=False); sys.exit('transformers' in sys.modules)"
    )
    out = tmp_path / "x.wav"
    command = [sys.executable, "-c", program, "say", "--engine", "higgs_native", SMALL_TEXT, "-o", out]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "few dozen words" in done.stderr, done.stderr
    assert out.stat().st_size > 10_000


def test_a_limit_counts_the_frames_of_the_codec():
    engine = make_engine("higgs_native", temperature=0, max_seconds=0.9)
    made = engine.generate([asked(SMALL_TEXT)])[0]
    assert not made.stopped and made.codes.shape[1] == 24  # at 26.7 a second; Boson's codec has 25


def test_the_command_speaks(tmp_path):
    out = tmp_path / "x.wav"
    command = [
        "say",
        "--engine",
        "higgs_native",
        "--option",
        "checkpoint=tiny",
        "--option",
        "max_seconds=1",
        TEXTS[0],
        "-o",
        out,
    ]
    done = harness(*command, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert out.stat().st_size > 1000 and "noise, not speech" in done.stderr


# --- native ----------------------------------------------------------------------------------------------------------


def test_batching_changes_nothing():
    engine = make_engine("higgs_native", checkpoint="tiny", temperature=0)  # the limit depends on the text
    texts = ("Go", "Never again.", "Is <emph> it?")
    together = engine.generate([asked(text) for text in texts])
    for text, one in zip(texts, together, strict=True):
        alone = engine.generate([asked(text)])[0]
        assert (one.codes == alone.codes).all() and one.stopped == alone.stopped
    assert len({one.codes.shape[1] for one in together}) > 1


def test_joined_pieces_of_a_stream_equal_the_whole(native):
    whole = native.speak(asked()).audio
    found = [piece.samples for piece in native.stream(asked(), piece_frames=9)]
    assert len(found) > 3 and whole.seconds == 3
    assert np.abs(np.concatenate(found) - whole.samples).max() < 1e-6


def test_an_abandoned_stream_ends_its_thread(native):
    import threading

    before = threading.active_count()
    stream = native.stream(asked(), piece_frames=5)
    next(stream)
    stream.close()
    assert threading.active_count() == before
    assert native.speak(asked()).audio.seconds == 3  # the model still works


def test_the_seed_determines_the_speech(native):
    drawn = make_engine("higgs_native", checkpoint="tiny", temperature=1.0, max_seconds=1)
    takes = [drawn.speak(asked(seed=seed)).audio.samples for seed in (0, 1, 0)]
    assert np.array_equal(takes[0], takes[2]) and not np.array_equal(takes[0], takes[1])
    assert native.deterministic and not drawn.deterministic


def test_a_voice_to_clone_changes_the_speech_and_not_its_length(native, recording):
    cloned = make_engine(
        "higgs_native",
        checkpoint="tiny",
        temperature=0,
        max_seconds=2,
        reference_audio=recording,
        reference_text="Hello there.",
    )
    plain = make_engine("higgs_native", checkpoint="tiny", temperature=0, max_seconds=2)
    one, two = cloned.generate([asked(), asked(TEXTS[1])])
    other = plain.generate([asked()])[0]
    assert one.codes.shape == other.codes.shape == (8, 50) and not (one.codes == other.codes).all()
    assert (two.codes == cloned.generate([asked(TEXTS[1])])[0].codes).all()
    assert cloned.voices() == [cloned.default_voice] != plain.voices()


def test_a_codec_that_does_not_fit_is_refused(tmp_path, native):
    model, codec = tiny_folders(NATIVE, 0)
    with pytest.raises(DataError, match="this is not the configuration of a Higgs Audio v2 codec"):
        make_engine("higgs_native", checkpoint=str(model), codec=str(model)).speak(asked())
    with pytest.raises(HarnessError, match="model_type is 'higgs_audio_v2_tokenizer'"):
        make_engine("higgs_native", checkpoint=str(codec), codec=str(codec)).speak(asked())


def test_two_engines_at_once_keep_their_seeds():
    engines = [make_engine("higgs_native", checkpoint="tiny", temperature=1.0, max_seconds=1) for _ in range(2)]
    alone = [engine.speak(asked(seed=seed)).audio.samples for seed, engine in enumerate(engines)]
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda seed: engines[seed].speak(asked(seed=seed)).audio.samples, (0, 1)))
        assert all(np.array_equal(one, other) for one, other in zip(alone, both, strict=True))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("odd"), "transformers failed: ValueError: odd"),
        (RuntimeError("CUDA out of memory"), "the GPU's memory is full"),
    ],
)
def test_an_unexpected_error_of_the_model_is_explained(native, monkeypatch, error, said):
    monkeypatch.setattr(native._model, "generate", Mock(side_effect=error))
    with pytest.raises(HarnessError, match=said):
        native.speak(asked())
    with pytest.raises(HarnessError, match="the model failed: "):
        list(native.stream(asked()))


def test_invalid_requests_are_refused(native):
    with pytest.raises(HarnessError, match="the seed must fit into 64 bits, got 100000000000000000000"):
        native.speak(asked(seed=10**20))
    with pytest.raises(HarnessError, match="nothing to say"):
        native.speak(asked("<emph>"))
    with pytest.raises(HarnessError, match="speaks with 'default', not 'joe'"):
        native.speak(asked(voice="joe"))
    with pytest.raises(HarnessError, match="nothing to say"):
        native.generate([])
    with pytest.raises(HarnessError, match="control tokens"):
        native.speak(asked(r"a \<|eot_id|> b"))


# --- boson -----------------------------------------------------------------------------------------------------------


def test_boson_speaks_from_the_main_environment(boson_python):
    engine = make_engine("higgs_boson", checkpoint="tiny", max_seconds=1.0, temperature=0, seed=1)
    speech = engine.speak(asked())
    assert speech.audio.sample_rate == 24000 and speech.audio.seconds == 1.0
    assert "random tiny weights, seed 1" in engine.revision
    with pytest.raises(HarnessError, match="speaks with 'default', not 'joe'"):
        engine.speak(asked(voice="joe"))
    engine.close()


def test_a_boson_stream_cannot_hang(boson_found):
    said, seconds = boson_found["crash"]
    assert "RuntimeError: as the test wants it" in said and seconds < 1.5
    said, seconds = boson_found["hang"]
    assert "no sound within 1 s" in said and seconds < 6


def test_joined_pieces_of_a_boson_stream_equal_the_whole(boson_found):
    samples, difference = boson_found["stream"]
    assert samples > 24000 and difference < 1e-5 and boson_found["repeats"]
    assert boson_found["codec"] == 10 * 960


def test_an_abandoned_boson_stream_ends(boson_found):
    samples, seconds = boson_found["left"]
    assert samples == 5 * 960 and seconds < 5


def test_boson_seeds_and_voices(boson_found):
    same, other = boson_found["seeds"]
    assert same and not other
    voice, seconds = boson_found["clone"]
    assert voice.startswith("reference-") and 0 < seconds <= 2.0 and boson_found["clone differs"]


def test_boson_refuses_control_tokens(boson_found):
    assert "control tokens" in boson_found["control token"]


def test_boson_failures_are_explained(boson_found):
    rows = {row["situation"]: row for row in boson_found["failures"]}
    bare = {name: row["serve engine"].split(":")[0] for name, row in rows.items()}
    assert bare == {
        "fewer than ten new tokens": "RuntimeError", "the model writes instead of speaking": "IndexError",
        "a text beyond the cache": "ValueError", "the same, as a stream": "hangs",
        "a codec file without its weights": "loads without a warning",
    }  # fmt: skip
    assert "max_seconds must be at least 0.04" in rows["fewer than ten new tokens"]["here"]
    assert rows["the model writes instead of speaking"]["here"] == "speaks"
    for name in ("a text beyond the cache", "the same, as a stream"):
        assert "the cache holds 8192 (give a shorter text)" in rows[name]["here"]
    assert "64 weights are missing" in rows["a codec file without its weights"]["here"]


def test_a_missing_boson_environment_is_reported(monkeypatch):
    monkeypatch.setenv("HARNESS_BOSON_PYTHON", "/nowhere/python")
    with pytest.raises(NotAvailable, match="HARNESS_BOSON_PYTHON"):
        make_engine("higgs_boson")
