"""`harness train`, `harness tag` with a trained tagger, and `harness benchmark`, as users and scripts call them."""

import json

import pytest
from helpers import command, needs_data

from harness.datasets import examples_file, load_examples
from harness.tagged import TaggedText

LINES = [
    "We guarantee 30% savings",
    "",
    "already <emph> tagged",
    "tab\tand \U0001f600 https://x.y 価格",
    "x " * 2000,
    "end",
]


def test_the_help_of_training_is_complete():
    text = " ".join(command("train", "gpt2", "--help").stdout.decode().split())
    for word in ("smollm2", "accelerate launch", "tensorboard", "--tag-embeddings", "--objective", "harness tag"):
        assert word in text, word


@pytest.mark.parametrize("decoding", ["slots", "constrained"])
def test_a_trained_tagger_prints_one_line_per_line(trained, decoding):
    done = command("tag", "--adapter", trained[0], "--decoding", decoding, stdin="\r\n".join(LINES).encode())
    assert done.returncode == 0, done.stderr.decode()
    out = done.stdout.decode().split("\n")[:-1]
    assert len(out) == len(LINES)
    assert [TaggedText.parse(line).words for line in out] == [TaggedText.parse(line).words for line in LINES]


def test_an_option_of_another_tagger_is_refused():
    done = command("tag", "--tagger", "rules", "--decoding", "slots", stdin=b"x\n")
    assert done.returncode == 2 and b"--decoding belongs to gpt2" in done.stderr
    done = command("tag", "--tagger", "rules", "--adapter", "/nope", stdin=b"x\n")
    assert done.returncode == 2 and b"belongs to gpt2" in done.stderr
    done = command("tag", "--tagger", "lm_slots", "--adapter", "x", stdin=b"x\n")
    assert done.returncode == 2 and b"Traceback" not in done.stderr


@pytest.mark.parametrize(("arguments", "said"), [
    (("train", "gpt2", "--objective", "sing"), b"choose one of: both, read"),
    (("train", "gpt2", "--base-model", "./nowhere"), b"does not exist"),
    (("benchmark", "helsinki", "--tagger", "rules"), b"cannot be scored on the corpus"),
    (("benchmark", "suite", "--only", "songs", "--dry-run"), b"choose from: helsinki"),
])  # fmt: skip
def test_bad_input_is_one_clear_line(arguments, said, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA", "")  # the option is refused before any data is looked for
    done = command(*arguments)
    assert done.returncode == 2 and said in done.stderr and b"Traceback" not in done.stderr
    assert len(done.stderr.decode().strip().splitlines()) == 1


@needs_data("helsinki-prosody")
def test_the_corpus_benchmark_prints_all_fields():
    done = command("benchmark", "helsinki", "--tagger", "majority", "--resamples", 50, "--json")
    figures = json.loads(done.stdout)
    assert figures["words"] == 90_063, "all labelled words of the test split"
    assert {"tagger", "base_model", "accuracy_2way", "accuracy_3way", "emph_f1", "pause_f1", "train_seconds",
            "sentences_per_second"} <= figures.keys()  # fmt: skip
    assert 0.80 < figures["accuracy_2way"] < 0.81, "the published lookup table, trained on more, has .802"


def test_a_dry_run_of_the_suite_lists_the_measurements():
    out = command("benchmark", "suite", "--dry-run", "--seeds", 1).stdout.decode()
    assert "agreement" in out and "helsinki tagger=gpt2" in out


def test_a_base_in_the_format_of_the_hub_s_gpt2_trains(tmp_path):
    """A small random model with 50,257 tokens and the file names of the hub's `gpt2`."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import GPT2Config, GPT2LMHeadModel

    bpe = ByteLevelBPETokenizer()
    bpe.train([str(examples_file("train"))], vocab_size=50_256, show_progress=False)
    vocabulary = bpe.get_vocab()
    for number in range(len(vocabulary), 50_256):
        vocabulary[f"unused{number}"] = number
    vocabulary["<|endoftext|>"] = 50_256
    bpe.save_model(str(tmp_path))
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
    special = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer", **special}))
    GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=12, n_head=2)).save_pretrained(tmp_path)
    part = tmp_path / "part.jsonl"
    part.write_text("".join(example.line() + "\n" for example in load_examples("train")[:35]))
    out = tmp_path / "tagger"
    done = command("train", "gpt2", "--base-model", tmp_path, "--data", part, "--epochs", 1, "--out", out, "--json")
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["history"][0]["epoch"] == 1
    assert sum(f.stat().st_size for f in (out / "adapter").iterdir()) < 2_000_000, "the adapter must be small"
    done = command("tag", "--adapter", out, stdin=b"We guarantee 30% savings\n")
    assert done.returncode == 0 and len(done.stdout.decode().splitlines()) == 1


def test_a_score_beside_rules_majority_and_random():
    gold = examples_file("heldout")
    done = command("score", "placement", gold, gold, "--baselines", "--resamples", 20, "--json")
    found = {name: one["micro"]["f1"] for name, one in json.loads(done.stdout)["baselines"].items()}
    assert list(found) == ["rules", "majority", "random"] and 1 > found["rules"] > found["random"]
    assert b"majority" in command("score", "placement", gold, gold, "--baselines", "--resamples", 20).stdout
