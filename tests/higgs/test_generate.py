import numpy as np
import pytest

from harness.higgs.checkpoints import load_model
from harness.higgs.delay import delay
from harness.higgs.generate import finish, generate
from harness.higgs.lora import add_lora
from harness.processes.stacks import NATIVE

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def model(native):
    return load_model(native, NATIVE)


def test_a_complete_stream():
    codes = np.arange(24).reshape(8, 3)
    columns = delay(codes)
    for at_most in (12, 100):  # the end may come in the last column that is allowed
        said = finish(columns, 1025, at_most)
        assert said.stopped and said.codes.tolist() == codes.tolist()


def test_a_truncated_stream():
    codes = np.arange(80).reshape(8, 10)
    said = finish(delay(codes)[:, :15], 1025, 15)
    assert not said.stopped
    assert said.codes.tolist() == codes[:, :6].tolist()  # 15 columns, of which 9 are begin, delay and the last


@pytest.mark.parametrize("frames", [1, 20])
def test_an_untrained_model_is_cut_off(model, tokenizer, frames):
    said = generate(model, tokenizer, "Go <emph> on.", NATIVE, max_frames=frames)
    assert not said.stopped
    assert said.codes.shape == (8, frames) and said.codes.max() <= 1025 and said.codes.min() >= 0


def test_greedy_is_deterministic_and_a_prefix_of_more(model, tokenizer):
    torch.manual_seed(0)
    first = generate(model, tokenizer, "Go on.", NATIVE, max_frames=12).codes
    torch.manual_seed(1)
    again = generate(model, tokenizer, "Go on.", NATIVE, max_frames=20).codes
    assert (again[:, :12] == first).all()
    assert (generate(model, tokenizer, "Stay.", NATIVE, max_frames=12).codes != first).any()


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_off_and_the_mode_is_restored(model, tokenizer, native, training):
    plain = generate(model, tokenizer, "Go on.", NATIVE, max_frames=8).codes
    wrapped = add_lora(load_model(native, NATIVE), dropout=0.9)
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    wrapped.train(training)
    one, two = (generate(wrapped, tokenizer, "Go on.", NATIVE, max_frames=8).codes for _ in range(2))
    assert wrapped.training is training
    assert (one == two).all() and (one != plain).any()  # PEFT's model is used, not the one inside


def test_the_boson_stack_is_cut_off_too(boson_checks):
    found = boson_checks("base")
    assert found["stopped"].tolist() == [False] * 4
    assert [found[f"codes{n}"].shape for n in range(4)] == [(8, 25)] * 4
