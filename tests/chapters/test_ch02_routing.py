from functools import partial

import helpers
import numpy as np
import pytest

from harness.chapters.ch02_architecture import routing
from harness.chapters.ch02_architecture.routing import AUDIO, PARTS, SEQUENCE, TEXT, route, what_moved
from harness.errors import HarnessError
from harness.processes.stacks import BOSON, NATIVE

in_stack = partial(helpers.in_stack, routing)
KINDS = [kind for kind, length in SEQUENCE for _ in range(length)]


@pytest.fixture(scope="module", params=[BOSON, NATIVE])
def found(request):
    """Return the evidence of a stack, from one process."""
    return request.param, in_stack(request.param, "evidence", parts=list(PARTS))


@pytest.mark.parametrize(("part", "kind", "other"), [("text FFN", TEXT, AUDIO), ("audio FFN", AUDIO, TEXT)])
def test_an_ffn_moves_its_kind_and_attention_carries_it(found, part, kind, other):
    stack, evidence = found
    [routed] = [one for one in evidence["routed"] if one["part"] == part]
    assert routed["kinds"] == KINDS and routed["stack"] == stack
    assert np.array(routed["change"]).shape == (5, len(KINDS))
    said = what_moved(routed)
    assert said[kind] and said[f"no {other}"]
    assert said["nothing before"] and said["others later"] and said["only behind"]
    # the first recording hears the prompt's change, the prompt never hears the recording's
    prompt = np.array(routed["change"])[-1, :5] > 0
    assert prompt.all() if kind == TEXT else not prompt.any()


def test_attention_moves_both_kinds_and_on_text_alone_it_is_llama(found):
    said = what_moved(found[1]["routed"][-1])
    assert said[TEXT] and said[AUDIO] and said["nothing before"]
    assert found[1]["to_llama"] < 1e-6


def test_the_code_says_where_it_comes_from(found):
    stack, code = found[0], found[1]["code"]
    assert "audio_mlp" in code["source"] and "self_attn" in code["source"]
    assert code["licence"].startswith("Apache License") and code["in_transformers"] == (stack == NATIVE)
    if stack == NATIVE:
        assert code["class"].startswith("transformers.models.higgs_audio_v2.") and "Apache License" in code["header"]
    else:  # its metadata and its licence file disagree
        assert code["class"].startswith("boson_multimodal.")
        assert code["declared"] == ["MIT License"] and code["header"] == ""


def test_without_attention_nothing_crosses():
    said = what_moved(in_stack(NATIVE, "route", part="text FFN", mute_attention=True))
    assert said[TEXT] and said["no audio"] and not said["others later"]


@pytest.mark.parametrize("stack", [BOSON, NATIVE])
def test_padding_does_not_shift_the_positions(stack):
    for length in (2,) if stack == BOSON else (1, 2, 6):  # 15 positions, which boson pads to 16
        routed = in_stack(stack, "route", part="audio FFN", sequence=[[TEXT, length], [AUDIO, 12], [TEXT, 1]])
        assert routed["kinds"] == [TEXT] * length + [AUDIO] * 12 + [TEXT]
        said = what_moved(routed)
        assert said[AUDIO] and said["no text"] and said["only behind"]


def test_what_moved_sees_each_failure():
    kinds = [TEXT, AUDIO, TEXT]
    quiet = {"layer": 0, "kinds": kinds, "change": [[0, 0, 0], [1, 0, 1], [1, 1, 1]]}
    assert what_moved(quiet) == {
        "nothing before": True, "text": True, "audio": False, "no text": False, "no audio": True,
        "others later": True, "only behind": True,
    }  # fmt: skip
    assert not what_moved({**quiet, "change": [[0, 1e-9, 0], [1, 0, 1], [1, 1, 1]]})["nothing before"]
    assert not what_moved({**quiet, "change": [[0, 0, 0], [1, 1e-9, 1], [1, 1, 1]]})["no audio"]
    assert not what_moved({**quiet, "change": [[0, 0, 0], [0, 0, 1], [0, 0, 1]]})["text"]
    assert not what_moved({**quiet, "change": [[0, 0, 0], [0, 0, 1], [0, 1, 1]]})["only behind"]
    assert not what_moved({**quiet, "change": [[0, 0, 0], [1, 0, 1], [1, 0, 1]]})["others later"]


def test_bad_arguments():
    pytest.importorskip("torch")
    for part, options, said in (
        ("head", {}, "cannot be changed"),
        ("attention", {"layer": 4}, "cannot be changed"),
        ("attention", {"sequence": [[AUDIO, 9]]}, "is no sequence"),
    ):
        with pytest.raises(HarnessError, match=said):
            route(part, **options)
    assert list(PARTS) == ["text FFN", "audio FFN", "attention"]
