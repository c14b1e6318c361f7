"""The lean forward equals transformers' own."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from harness.higgs.formats import native_model  # noqa: E402
from harness.higgs.speech.lean import audio_logits  # noqa: E402
from harness.higgs.speech.pretrain import batch_of, codebook_losses  # noqa: E402
from harness.higgs.speech.pretrain_config import PretrainConfig  # noqa: E402


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = PretrainConfig(clips="", output="", hidden=64, intermediate=64, layers=2).network(600)
    return native_model(config, "cpu", text_head=False).eval()


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    texts = [rng.integers(0, 250, length).tolist() for length in (9, 5, 7)]
    clips = [rng.integers(0, 256, (8, frames)) for frames in (6, 11, 4)]
    return texts, clips, batch_of(texts, clips, 257)


def test_it_equals_transformers_forward_clip_by_clip(model, batch):
    texts, clips, padded = batch
    with torch.no_grad():
        found = audio_logits(model, padded.text, padded.padding, padded.audio)
        for row, (ids, codes) in enumerate(zip(texts, clips, strict=True)):
            columns = codes.shape[1] + 9
            frames = [model.config.audio_token_id] * columns
            out = model(
                input_ids=torch.tensor([ids + frames]),
                audio_input_ids=padded.audio[row : row + 1, :columns],
                audio_input_ids_mask=torch.ones(1, columns, dtype=torch.bool),
            )
            expected = out.logits[0, len(ids) :].view(columns, 8, 258)
            torch.testing.assert_close(found[row, :columns], expected, atol=1e-5, rtol=1e-4)


def test_the_loss_of_a_clip_does_not_depend_on_the_padding_of_its_batch(model, batch):
    texts, clips, padded = batch
    with torch.no_grad():
        together = codebook_losses(model, padded, by_clip=True)
        alone = codebook_losses(model, batch_of(texts[:1], clips[:1], 257), by_clip=True)
    torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=1e-4)
