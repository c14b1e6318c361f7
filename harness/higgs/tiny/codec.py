"""Tiny codecs: the part that turns audio into codes, 8 codebooks of 1,024 entries, 25 frames a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.higgs.tiny.layout import CODEBOOK_SIZE, CODEBOOKS
from harness.store import write_json

RATE = 24000  # Hz
RATIOS = [8, 5, 4, 2, 3]  # of the strides: 960 samples a frame, 25 frames a second
BANDWIDTHS = [0.5, 1, 1.5, 2]  # kbit/s; 2 = 25 frames x 8 codebooks x 10 bit
HUBERT_WIDTH = 768  # hard-coded in boson's codec


def make_boson_codec(folder: str | Path, *, seed: int = 0) -> str:
    """Write a codec in boson_multimodal's format, and the HuBERT that it needs under ``folder/hubert``.

    The widths of this codec are hard-coded: 105 million parameters. Only its quantizer is written (1 MB). The rest is
    initialised from the seed in ``tiny.json``, which `harness.higgs.codec` reads.
    """
    from harness.higgs.codec import build_boson_codec, prepare_torchaudio

    prepare_torchaudio()
    import torch

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write_hubert(folder / "hubert", seed)
    config = {"D": 256, "ratios": RATIOS, "sample_rate": RATE, "bins": CODEBOOK_SIZE, "n_q": CODEBOOKS, "codebook_dim": 64,
              "target_bandwidths": BANDWIDTHS, "semantic_techer": "hubert_base_general", "n_filters": 32,
              "last_layer_semantic": True}  # fmt: skip
    write_json(folder / "config.json", config)
    write_json(folder / "tiny.json", {"seed": seed})

    with torch.random.fork_rng(devices=[]):
        model = build_boson_codec(folder, "cpu")
        _spread_codebooks(model)
    state = {name: value for name, value in model.state_dict().items() if name.startswith("quantizer.")}
    torch.save(state, folder / "model.pth")
    return str(folder)


def make_native_codec(folder: str | Path, *, seed: int = 0) -> str:
    """Write a small codec in transformers' format: 0.1 million parameters, all of them in the file."""
    import torch
    from transformers import DacFeatureExtractor, HiggsAudioV2TokenizerConfig

    from harness.higgs.codec import native_codec_class

    config = HiggsAudioV2TokenizerConfig(
        sample_rate=RATE,
        target_bandwidths=BANDWIDTHS,
        codebook_size=CODEBOOK_SIZE,
        codebook_dim=16,
        acoustic_model_config={"model_type": "dac", "encoder_hidden_size": 4, "decoder_hidden_size": 64, "hidden_size": 32,
                               "downsampling_ratios": RATIOS, "upsampling_ratios": RATIOS, "n_codebooks": CODEBOOKS},
        semantic_model_config={"model_type": "hubert", **_hubert_sizes(32)},
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = native_codec_class()(config)
        _spread_codebooks(model)
    model.save_pretrained(folder)
    DacFeatureExtractor(sampling_rate=RATE, hop_length=960).save_pretrained(folder)
    return str(folder)


def _hubert_sizes(width: int) -> dict[str, Any]:
    return {"hidden_size": width, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64,
            "conv_dim": [32] * 7, "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2}  # fmt: skip


def _write_hubert(folder: Path, seed: int) -> None:
    """Write a HuBERT of one layer, in place of the one that boson's codec asks the hub for."""
    import torch
    from transformers import HubertConfig, HubertModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        HubertModel(HubertConfig(**_hubert_sizes(HUBERT_WIDTH))).save_pretrained(folder)


def _spread_codebooks(codec: Any) -> None:
    """Fill the codebooks with random entries: they start at zero, and then every sound has the same code."""
    import torch

    for name, buffer in [*codec.named_buffers(), *codec.named_parameters()]:
        with torch.no_grad():
            if name.endswith("codebook.embed"):
                buffer.normal_()
            elif name.endswith("inited"):
                buffer.fill_(1)
