"""Imported first in the stack "class registered" (boson stack only).

boson_multimodal registers its class for AutoModel only. The last line also
registers it as a causal language model.
"""

from boson_multimodal.model.higgs_audio import HiggsAudioConfig, HiggsAudioModel
from transformers import AutoModelForCausalLM

AutoModelForCausalLM.register(HiggsAudioConfig, HiggsAudioModel)
