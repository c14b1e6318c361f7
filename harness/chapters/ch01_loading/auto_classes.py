"""Look up a model type in the tables behind transformers' Auto classes."""

from __future__ import annotations

AUTO_MODELS = {  # Auto class -> the table of transformers that it looks in
    "AutoModel": "MODEL_MAPPING",
    "AutoModelForCausalLM": "MODEL_FOR_CAUSAL_LM_MAPPING",
    "AutoModelForTextToWaveform": "MODEL_FOR_TEXT_TO_WAVEFORM_MAPPING",
}


def auto_classes(model_type: str) -> dict[str, str]:
    """Return Auto class -> class name for a model type in this process, with empty names for missing entries."""
    import transformers

    names = dict.fromkeys(("AutoConfig", *AUTO_MODELS), "")
    if model_type in transformers.CONFIG_MAPPING:
        config_class = transformers.CONFIG_MAPPING[model_type]
        names["AutoConfig"] = config_class.__name__
        for auto, table in AUTO_MODELS.items():
            names[auto] = getattr(getattr(transformers, table).get(config_class, None), "__name__", "")
    return names
