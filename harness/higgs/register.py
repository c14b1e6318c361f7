"""What the stack "class registered" imports first (boson stack only).

boson_multimodal registers its class for AutoModel. Nobody has said that it
is a causal language model too; the last line does.
"""

from boson_multimodal.model.higgs_audio import HiggsAudioConfig, HiggsAudioModel
from transformers import AutoModelForCausalLM

AutoModelForCausalLM.register(HiggsAudioConfig, HiggsAudioModel)
