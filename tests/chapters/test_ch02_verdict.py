from copy import deepcopy

import pytest

from harness.chapters.ch02_architecture.verdict import billions, judge_licence, judge_pathways, judge_size
from harness.higgs.accounting import CHECKPOINT_BYTES, LLAMA, NATIVE_DEFAULT, ORIGINAL

GROUPS = {
    "text embedding": 394_002_432, "attention": 704_643_072, "text FFN": 2_113_929_216, "text norms": 175_104,
    "text head": 394_002_432, "audio FFN": 2_113_929_216, "audio norms": 172_032, "audio embedding": 25_214_976,
    "audio head": 25_214_976, "other": 0,
}  # fmt: skip
COUNTS = {
    ORIGINAL: {"groups": GROUPS, "total": CHECKPOINT_BYTES // 2},
    LLAMA: {"total": 3_212_749_824},
    NATIVE_DEFAULT: {"total": 5_377_182_720},
}
KINDS = ["text", "audio", "text"]
TEXT_FFN = {"part": "text FFN", "layer": 0, "kinds": KINDS, "change": [[0, 0, 0], [1, 0, 1], [1, 1, 1]]}
AUDIO_FFN = {"part": "audio FFN", "layer": 0, "kinds": KINDS, "change": [[0, 0, 0], [0, 1, 0], [0, 1, 1]]}
ATTENTION = {"part": "attention", "layer": 0, "kinds": KINDS, "change": [[0, 0, 0], [1, 1, 1], [1, 1, 1]]}
CODE = [
    {"package": "boson_multimodal", "version": "0.1.1", "class": "a.B", "declared": ["MIT License"],
     "licence": "Apache License Version 2.0", "header": "", "transformers": "4.46.3", "in_transformers": False},
    {"package": "transformers", "version": "5.23.0", "class": "c.D", "declared": [],
     "licence": "Apache License Version 2.0", "header": "Licensed", "transformers": "5.23.0", "in_transformers": True},
]  # fmt: skip


def test_the_size_is_reproduced_with_a_but():
    verdict = judge_size(COUNTS)
    assert (verdict.claim_id, verdict.verdict) == ("A1", "reproduced, but")
    assert "3.21 B" in verdict.reading and "0.39 B" in verdict.reading
    assert verdict.evidence["total"] == "5.771 B, claimed 5.8 B"
    assert billions(5_771_283_456, 3) in verdict.evidence["the checkpoint's index"]


def test_another_size_is_refuted():
    counts = deepcopy(COUNTS)
    counts[ORIGINAL]["groups"]["audio FFN"] //= 2
    verdict = judge_size(counts)
    assert verdict.verdict == "refuted" and "audio" in verdict.reading
    assert judge_size({**COUNTS, LLAMA: {"total": 3_606_752_256}}).verdict == "reproduced"


def test_pathways():
    routed, llama = [TEXT_FFN, AUDIO_FFN, ATTENTION], {"boson": 0.0, "native": 1e-7}
    verdict = judge_pathways(routed, llama, CODE)
    assert verdict.verdict == "reproduced, but"
    assert "share one attention" in verdict.reading and "transformers 5.23.0 contains DualFFN" in verdict.reading
    attention_only = judge_pathways(routed, llama, CODE[:1])
    assert attention_only.verdict == "reproduced, but" and "contains DualFFN" not in attention_only.reading
    class_only = judge_pathways(routed[:2], llama, CODE)
    assert class_only.verdict == "reproduced, but" and "attention" not in class_only.reading
    assert judge_pathways(routed[:2], llama, CODE[:1]).verdict == "reproduced"


@pytest.mark.parametrize(
    ("routed", "difference"),
    [
        ([TEXT_FFN, AUDIO_FFN], 0.1),
        ([{**TEXT_FFN, "change": [[0, 0, 0], [1, 1, 1], [1, 1, 1]]}, AUDIO_FFN], 0.0),
        ([{**TEXT_FFN, "change": [[0, 0, 0], [0, 0, 1], [0, 0, 1]]}, AUDIO_FFN], 0.0),
        ([], 0.0),
    ],
)
def test_other_pathways_are_refuted(routed, difference):
    assert judge_pathways(routed, {"boson": difference}, CODE).verdict == "refuted"


def test_the_licence_depends():
    verdict = judge_licence(CODE)
    assert verdict.verdict == "depends on whether code or weights are meant"
    assert "MIT License" in verdict.evidence["boson_multimodal 0.1.1"]
    assert any("not run here" in name for name in verdict.evidence)
    closed = judge_licence([CODE[0], {**CODE[1], "licence": ""}])
    assert closed.verdict == "depends on the package" and "transformers" in closed.reading
