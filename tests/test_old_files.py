"""Files that version 0.1.0 wrote, before its modules were rearranged: a run, a result file, a cache of speech, a tagger.

They are in ``old_files/`` and were made with these commands, where a speech server answered on port 18231::

    harness run experiment.yaml --out run --result result.json     # sentences.jsonl; gold, rules; espeak
    harness train gpt2 --epochs 1 --lora-rank 1 --out adapter
    harness say --engine openai_speech --option base_url=http://127.0.0.1:18231/v1 --option model=espeak \
        --option dialect=prompted --option cache=cache "Go now." -o said.wav
"""

import json
import shutil
from pathlib import Path

import pytest
from helpers import harness

from harness.audio import read_audio

OLD = Path(__file__).with_name("old_files")


def test_a_finished_run_is_compared_and_its_clips_are_listened_to(tmp_path):
    shutil.copytree(OLD / "run", tmp_path / "run")
    done = harness("compare", tmp_path / "run", tmp_path / "run", "--json", text=True)
    assert done.returncode == 0, done.stderr
    compared = json.loads(done.stdout)["comparisons"][0]
    emphasis = compared["per_tag"]["<emph>"]
    assert (emphasis["n"], emphasis["baseline"], emphasis["other"], emphasis["value_difference"]) == (1, 1, 1, 0)
    listened = harness("listen", tmp_path / "run", "--out", tmp_path / "test", text=True)
    assert listened.returncode == 0, listened.stderr


def test_a_result_file_is_read():
    from harness.experiment.result_files import load_results

    [result] = load_results(OLD).values()
    assert set(result.engines) == {"espeak:en-us"}


def test_a_cached_answer_needs_no_server(tmp_path):
    shutil.copytree(OLD / "cache", tmp_path / "cache")
    options = ("base_url=http://127.0.0.1:18231/v1", "model=espeak", "dialect=prompted", f"cache={tmp_path / 'cache'}")
    given = [part for option in options for part in ("--option", option)]
    done = harness("say", "--engine", "openai_speech", *given, "Go now.", "-o", tmp_path / "said.wav", text=True)
    assert done.returncode == 0, done.stderr
    audio = read_audio(tmp_path / "said.wav")
    assert (audio.sample_rate, len(audio.samples)) == (24000, 21516)


def test_a_tagger_tags_as_it_did():
    pytest.importorskip("torch")
    done = harness("tag", "--adapter", OLD / "adapter", stdin="Go now.\n", text=True)
    assert done.stdout == "Go now. <pause_short> <emph>\n", done.stderr
