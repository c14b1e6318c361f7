"""Make tiny random checkpoints with the layout of the real ones, to run the real code paths without a download.

Both formats are available, with tokenizer, codec and semantic model, for loading, training and converting. Their speech
is noise, and no quality figure is ever computed from it.
"""

from harness.higgs.formats import NATIVE_TYPE, ORIGINAL_TYPE
from harness.higgs.tiny.boson import make_tiny_apart, make_tiny_checkpoint
from harness.higgs.tiny.codec import make_boson_codec, make_native_codec
from harness.higgs.tiny.layout import (
    BOSON_MODULE,
    ORIGINAL_MODEL,
    ORIGINAL_REVISION,
    ORIGINAL_TOKENIZER,
    ORIGINAL_TOKENIZER_REVISION,
    special_tokens,
    tiny_config,
)
from harness.higgs.tiny.native import make_native_checkpoint

__all__ = [
    "BOSON_MODULE",
    "NATIVE_TYPE",
    "ORIGINAL_MODEL",
    "ORIGINAL_REVISION",
    "ORIGINAL_TOKENIZER",
    "ORIGINAL_TOKENIZER_REVISION",
    "ORIGINAL_TYPE",
    "make_boson_codec",
    "make_native_checkpoint",
    "make_native_codec",
    "make_tiny_apart",
    "make_tiny_checkpoint",
    "special_tokens",
    "tiny_config",
]
