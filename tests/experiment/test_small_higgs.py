"""Sentences, teacher and training of the small Higgs."""

import json
import random

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from harness.audio import Audio  # noqa: E402
from harness.engines.base import SpeechRequest  # noqa: E402
from harness.engines.higgs.native import HiggsNativeEngine  # noqa: E402
from harness.engines.higgs.settings import HiggsSettings  # noqa: E402
from harness.errors import DataError, HarnessError  # noqa: E402
from harness.experiment.small_higgs.grammar import Grammar, places, tagged, tagged_versions  # noqa: E402
from harness.experiment.small_higgs.teacher import CODEC, spoken_frames, teacher  # noqa: E402
from harness.higgs.batches import ANSWER_BEGIN, encode  # noqa: E402
from harness.higgs.checkpoints import load_tokenizer  # noqa: E402
from harness.higgs.samples import Sample, prompt  # noqa: E402
from harness.higgs.speech.codec import load_speech_codec  # noqa: E402
from harness.higgs.speech.pretrain import CHECKPOINT, pretrain  # noqa: E402
from harness.higgs.speech.pretrain_config import read_pretrain_config  # noqa: E402
from harness.higgs.speech.shards import SHARD, read_shards, write_shard  # noqa: E402
from harness.higgs.speech.tokenizer import write_word_tokenizer  # noqa: E402
from harness.higgs.trainer import LOSSES, NotANumber  # noqa: E402
from harness.prosody.recognise import recognise  # noqa: E402
from harness.store import write_json  # noqa: E402
from harness.tagged import TAGS, TaggedText  # noqa: E402

grammar = Grammar()


def test_the_split_is_fixed_and_no_held_out_combination_is_taught():
    test, dev = grammar.held_out("test"), grammar.held_out("dev")
    assert (len(test), len(dev)) == (60, 24)
    assert test == Grammar().held_out("test")
    cores = {sentence.core for sentence in [*test, *dev]}
    assert len(cores) == 84
    rng = random.Random(0)
    assert not cores & {grammar.draw(rng).core for _ in range(2000)}


def test_sentences_use_the_vocabulary_and_tags_stand_where_they_can_act():
    rng = random.Random(1)
    seen = set()
    for _ in range(500):
        text = tagged(grammar.draw(rng), rng)
        assert len(text.words) <= grammar.longest
        assert {word.lower().strip(",.") for word in text.words} <= set(grammar.vocabulary)
        assert all(slot in places(text.words, tag) for slot, tag in text.tags)
        seen |= {tag for _, tag in text.tags}
    assert seen == set(TAGS)
    versions = tagged_versions(grammar.held_out("dev")[:7], 3, 0)
    assert [sum(tag is text.tags[0][1] for text in versions) for tag in TAGS] == [3] * 7


def test_a_grammar_with_an_unknown_choice_is_refused(tmp_path):
    path = tmp_path / "grammar.yaml"
    path.write_text("sentence: ['{core}']\nlongest: 3\ntest: 1\ndev: 1\nseed: 0\nchoices: {core: ['{verb} it']}\n")
    with pytest.raises(DataError, match="not a grammar: KeyError"):
        Grammar(path)


def test_the_teacher_says_the_same_in_frames_as_in_samples_and_through_the_codec():
    text = TaggedText.parse("We <emph> guarantee thirty percent <pause_long> savings.")
    frames, codec = spoken_frames(text), load_speech_codec(CODEC)
    speech = teacher().speak(text, 0)
    assert abs(len(frames) * 0.0125 - speech.audio.seconds) < 1.0
    heard = recognise(Audio(codec.decode(codec.encode_frames(frames)), 24000), grammar.vocabulary)
    assert {"guarantee", "percent", "savings"} <= set(heard)


def test_words_and_tags_are_single_tokens(tmp_path):
    write_word_tokenizer(tmp_path, grammar.vocabulary)
    tokenizer = load_tokenizer(tmp_path)
    text = "Today, we <emph> guarantee <pause_short> thirty percent."
    pieces = tokenizer.convert_ids_to_tokens(encode(tokenizer, prompt(text) + ANSWER_BEGIN))
    start = pieces.index("today")
    assert pieces[start : start + 9] == [
        "today",
        ",",
        "we",
        "<emph>",
        "guarantee",
        "<pause_short>",
        "thirty",
        "percent",
        ".",
    ]
    assert pieces[0] == "<|begin_of_text|>" and pieces[-1] == ANSWER_BEGIN


@pytest.fixture
def run(tmp_path):
    """Return the configuration of a run of four steps on random codes."""
    rng, folder = np.random.default_rng(0), tmp_path / "clips"
    folder.mkdir()
    samples = [
        Sample("", "We <emph> need growth.", rng.integers(0, 256, (8, int(rng.integers(5, 9))))) for _ in range(6)
    ]
    write_shard(folder, 0, samples)
    write_json(folder / "teach.json", {"vocabulary": ["we", "need", "growth"]})
    settings = {
        "clips": "clips",
        "output": "run",
        "hidden": 64,
        "intermediate": 64,
        "layers": 1,
        "steps": 4,
        "batch_size": 2,
        "log_every": 1,
    }
    path = tmp_path / "run.yaml"
    path.write_text(json.dumps(settings))
    return path


def test_shards_keep_texts_and_codes(run):
    samples = read_shards(run.parent / "clips")
    assert len(samples) == 6 and samples[0].text == "We <emph> need growth." and samples[0].codes.dtype == np.uint8
    (run.parent / "clips" / SHARD.format(1)).write_bytes(b"damaged")
    with pytest.raises(DataError, match="these clips cannot be read"):
        read_shards(run.parent / "clips")


def test_a_stopped_run_ends_as_an_uninterrupted_one(run):
    whole = pretrain(read_pretrain_config(run))
    stopped = read_pretrain_config(run, output="other", save_every=2)
    with pytest.raises(KeyboardInterrupt):
        pretrain(stopped, progress=_stop_at(3))
    pretrain(stopped)
    rows = [
        [json.loads(line) for line in (run.parent / name / LOSSES).read_text().splitlines()]
        for name in ("run", "other")
    ]
    assert [rows[0][-1]["step"], rows[1][-1]["step"]] == [4, 4]
    assert rows[0][-1]["codebooks"] == rows[1][-1]["codebooks"]
    assert whole["steps"] == 4


def _stop_at(step):
    def update(done, _):
        if done == step:
            raise KeyboardInterrupt

    return update


def test_what_stops_a_training(run):
    with pytest.raises(NotANumber, match=r"the loss is \S+ at step"):
        pretrain(read_pretrain_config(run, learning_rate=1e30, clip_norm=1e30, steps=30, warmup_steps=0))
    with pytest.raises(DataError, match="codebook_weights has 2 numbers, the codec 8 codebooks"):
        read_pretrain_config(run, codebook_weights=[1, 1])
    config = read_pretrain_config(run, output="again", save_every=1)
    pretrain(config)
    with pytest.raises(DataError, match="the run in this folder has another hidden: 64"):
        pretrain(config.model_copy(update={"hidden": 128}))
    (run.parent / "again" / CHECKPOINT).write_bytes(b"half of a file")
    with pytest.raises(DataError, match="the checkpoint cannot be read"):
        pretrain(config)


def test_the_engine_speaks_with_a_trained_model_and_names_the_first_word_that_it_was_not_taught(run):
    model = pretrain(read_pretrain_config(run))["model"]
    engine = HiggsNativeEngine(checkpoint=model, codec=str(CODEC), temperature=0.0, max_seconds=0.5)
    text = TaggedText.parse("We need <pitch_high> growth")
    whole = engine.speak(SpeechRequest(text)).audio
    assert len(whole.samples) % 900 == 0 and whole.sample_rate == 24000
    streamed = np.concatenate([piece.samples for piece in engine.stream(SpeechRequest(text), piece_frames=4)])
    np.testing.assert_allclose(streamed, whole.samples, atol=1e-3)
    assert "<emph>" not in engine.settings.system
    with pytest.raises(HarnessError, match="word 2 of 'We want growth', 'want', is not one of the 3 words"):
        engine.speak(SpeechRequest(TaggedText.parse("We <emph> want growth")))


def test_the_small_model_needs_no_codec_option_and_others_do():
    with pytest.raises(HarnessError, match="tiny and small have their own"):
        HiggsSettings(checkpoint="small", codec=str(CODEC))
