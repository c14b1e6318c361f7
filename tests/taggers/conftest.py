"""The untrained GPT-2 tagger, for the tests of this folder."""

import pytest


@pytest.fixture(scope="session")
def base():
    """Return the embedded base with the tags as new tokens, and its encoder; no test changes them."""
    from harness.taggers.gpt2.encoding import Encoder, new_tokens
    from harness.taggers.lm.base_model import load_base
    from harness.taggers.slots import TAG_QUESTIONS

    model, tokenizer = load_base("embedded", new_tokens(TAG_QUESTIONS))
    return model, Encoder(tokenizer, TAG_QUESTIONS)
