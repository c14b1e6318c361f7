"""Time one training step of Higgs and print JSON: `PYTHON tests/bench/higgs_steps.py METHOD`.

The model is larger than the tiny one, so that arithmetic outweighs the overhead of the framework. Its weights are random.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from harness.higgs.batches import make_collator
from harness.higgs.formats import native_config
from harness.higgs.labels import training_class
from harness.higgs.lora import add_lora
from harness.higgs.samples import Sample
from harness.higgs.tiny import tiny_config, tokenizer
from harness.processes.stacks import BOSON, here

HIDDEN, LAYERS, STEPS = 512, 4, 4


def build():
    config = tiny_config()
    config["text_config"] |= {"hidden_size": HIDDEN, "intermediate_size": 4 * HIDDEN, "num_hidden_layers": LAYERS,
                              "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": HIDDEN // 8}  # fmt: skip
    config |= {"hidden_size": HIDDEN, "audio_dual_ffn_layers": list(range(LAYERS))}
    if here() == BOSON:
        from boson_multimodal.model.higgs_audio import HiggsAudioConfig

        return training_class(BOSON)(HiggsAudioConfig.from_dict(config))
    from transformers import HiggsAudioV2Config

    return training_class(here())(HiggsAudioV2Config(**native_config(config)), use_text_head=True)


def main(method: str) -> None:
    torch.manual_seed(0)
    model = build()
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.write_tokenizer(Path(folder))
        words = PreTrainedTokenizerFast.from_pretrained(folder)
    codes = np.random.default_rng(0).integers(0, 1024, (2, 8, 100))
    batch = make_collator(here(), words, model.config)(
        [Sample(str(k), "We <emph> guarantee it.", c) for k, c in enumerate(codes)]
    )
    parameters = sum(one.numel() for one in model.parameters())
    learner = add_lora(model) if method == "lora" else model
    optimiser = torch.optim.AdamW([one for one in learner.parameters() if one.requires_grad], lr=1e-3)
    seconds = []
    for _ in range(STEPS):
        begun = time.perf_counter()
        learner(**batch)["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()
        seconds.append(time.perf_counter() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": sorted(seconds)[len(seconds) // 2], "peak_bytes": peak, "parameters": parameters}))


if __name__ == "__main__":
    main(*sys.argv[1:])
