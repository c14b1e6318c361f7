"""The benchmark on the corpus: its report, and the order in which the splits are read."""

import json
import re

import numpy as np
import pytest

from harness.benchmark import helsinki
from harness.datasets import ProsodyUtterance, corpus_split
from harness.errors import DataError, HarnessError
from harness.paths import ROOT
from harness.taggers.slots import CORPUS_QUESTIONS

LABEL = {"the": 0, "of": 0, "it": 0, "went": 1, "house": 1, "tall": 1, "never": 2, "huge": 2, "storm": 2}


def spoken(split, readers, each=8):
    """Return utterances in which words determine prominence and commas boundaries; one label in ten is random."""
    generator = np.random.default_rng(len(split))
    utterances = []
    for k in range(readers * each):
        words = [str(word) for word in generator.choice(list(LABEL), int(generator.integers(4, 9)))]
        words = [f"{word}," if generator.random() < 0.2 else word for word in words]
        prominence = [LABEL[w.strip(",")] if generator.random() < 0.9 else int(generator.integers(0, 3)) for w in words]
        boundary = [*(2 if word.endswith(",") else 0 for word in words[:-1]), 2]
        utterances.append(
            ProsodyUtterance(f"{split}{k % readers}_1_{k}", tuple(words), tuple(prominence), tuple(boundary))
        )
    return utterances


CORPUS = {"dev": spoken("dev", 12), "test": spoken("test", 6)}


@pytest.fixture
def corpus(monkeypatch):
    """Replace the corpus by a small one; return the list of events."""
    events = []

    def load(split):
        events.append(f"load {split}")
        return CORPUS[split]

    monkeypatch.setattr(helsinki, "load_helsinki", load)
    return events


@pytest.mark.parametrize("tagger", helsinki.WITHOUT_BASE)
def test_a_benchmark_reports_figures_with_intervals(corpus, tagger):
    row = helsinki.benchmark(tagger, n_resamples=100)
    assert {"tagger", "base_model", "words", "accuracy_2way", "accuracy_3way", "emph_f1", "pause_f1", "train_seconds",
            "sentences_per_second", "intervals", "against_majority"} <= set(row)  # fmt: skip
    assert row["tagger"] == tagger and row["base_model"] is None
    assert row["words"] == sum(len(u.words) for u in CORPUS["test"])
    assert row["sentences"] == len(corpus_split(CORPUS["dev"])[0])
    assert row["accuracy_3way"] > 0.85 and row["emph_f1"] > 0.85 and row["pause_f1"] == 1
    for name, (low, high) in row["intervals"].items():
        assert low <= row[name] <= high
        assert row["against_majority"][name][0] == 0 or tagger != "majority"
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_the_same_seed_gives_the_same_figures(corpus):
    timing = {"train_seconds", "train_cpu_seconds", "sentences_per_second"}
    first, again = (helsinki.benchmark("logistic", sentences=20, n_resamples=50) for _ in range(2))
    assert {k: v for k, v in first.items() if k not in timing} == {k: v for k, v in again.items() if k not in timing}
    assert first["sentences"] == 20


def test_the_test_split_is_loaded_after_all_choices(corpus, monkeypatch):
    trained_on = []

    class Spy(helsinki.LookupModel):
        def fit(self, train, dev=()):
            corpus.append("fit")
            trained_on.extend([*train, *dev])
            super().fit(train, dev)

        def slot_scores(self, texts):
            corpus.append("score")
            return super().slot_scores(texts)

    tune = helsinki.corpus.tune_cuts
    monkeypatch.setattr(helsinki, "LookupModel", Spy)
    monkeypatch.setattr(helsinki, "make_model", lambda *_, **__: Spy(CORPUS_QUESTIONS))
    monkeypatch.setattr(helsinki.corpus, "tune_cuts", lambda *given: corpus.append("tune") or tune(*given))
    helsinki.benchmark("majority", n_resamples=20)
    opened = corpus.index("load test")
    assert corpus[:opened] == ["load dev", *["fit", "score", "tune"] * 2]
    assert set(corpus[opened + 1 :]) == {"score"}
    assert {text.words for text in trained_on} <= {u.words for u in CORPUS["dev"]}


def test_thresholds_come_from_readers_that_were_not_trained_on(monkeypatch):
    given = {}

    class Spy:
        def fit(self, train, dev):
            given["train"], given["dev"] = ([text.words for text in part] for part in (train, dev))

        def slot_scores(self, texts):
            given["scored"] = list(texts)
            return [np.log(np.full((len(words) + 1, 6), 1 / 3)) for words in texts]

    train, held_back = corpus_split(CORPUS["dev"])
    assert not {u.reader for u in train} & {u.reader for u in held_back}
    helsinki.train_and_tune(Spy(), train, held_back)
    assert given == {
        "train": [u.words for u in train],
        "dev": [u.words for u in held_back],
        "scored": [u.words for u in held_back],
    }


def test_no_tagger_opens_the_test_split():
    """The only uses of the corpus under harness/taggers are of the dev split: for the embedded base, and for distillation."""
    calls = {}
    for path in (ROOT / "harness" / "taggers").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "helsinki-prosody/" not in text, path
        if found := re.findall(r"\bload_helsinki\(.*?\)", text):
            calls[path.name] = found
    assert calls == {"distil.py": ['load_helsinki("dev")'], "pretrain.py": ['load_helsinki("dev")']}


def test_an_unknown_tagger_is_refused_in_one_line(corpus):
    with pytest.raises(HarnessError, match="'bert' cannot be scored on the corpus") as caught:
        helsinki.benchmark("bert")
    assert "\n" not in str(caught.value) and all(name in str(caught.value) for name in helsinki.TAGGERS)
    assert "load test" not in corpus


def test_a_larger_draw_includes_the_smaller_one():
    few, many = helsinki.draw(CORPUS["dev"], 10, 3), helsinki.draw(CORPUS["dev"], 25, 3)
    assert many[:10] == few and len(set(many)) == 25
    assert few != helsinki.draw(CORPUS["dev"], 10, 4)
    assert sorted(u.file for u in helsinki.draw(CORPUS["dev"], 96, 0)) == sorted(u.file for u in CORPUS["dev"])


@pytest.mark.parametrize("n", [0, -1, 97])
def test_an_impossible_number_of_sentences_is_refused(n):
    with pytest.raises(HarnessError, match="expected 1 to 96 training sentences"):
        helsinki.draw(CORPUS["dev"], n, 0)


def test_training_on_another_file_of_the_corpus(corpus, tmp_path):
    file = tmp_path / "train_100.txt"
    file.write_text("<file>\t9_9_9.txt\nNever\t2\t0\t2.1\t0.3\nmind\t1\t2\t0.9\t1.9\n.\tNA\tNA\tNA\tNA\n" * 5)
    row = helsinki.benchmark("logistic", train_file=file, n_resamples=50)
    assert (row["train_file"], row["sentences"]) == ("train_100.txt", 5)
    file.write_text("<file>\t9_9_9.txt\nNever\t2\n")
    with pytest.raises(DataError, match=r"train_100.txt:2: expected 5 columns"):
        helsinki.benchmark("logistic", train_file=file)
    with pytest.raises(DataError, match="cannot be read"):
        helsinki.benchmark("logistic", train_file=tmp_path / "nowhere.txt")
