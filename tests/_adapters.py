"""Make LoRA adapters for the original model, and merge them: with the PEFT of either environment.

Only module names matter to PEFT, so the original model is represented by a tree of modules with its names and weights.
As a program, for the other environment: ``_adapters.py BASE FOLDER`` reads ``FOLDER/cases.json``.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


class Tree(torch.nn.Module):
    """A module with these weights, by their dotted names."""

    def __init__(self, weights):
        super().__init__()
        parts = {}
        for name, tensor in weights.items():
            head, _, rest = name.partition(".")
            parts.setdefault(head, {})[rest] = tensor
        for head, inside in parts.items():
            self.add_module(head, leaf(head, inside) if set(inside) <= {"weight", "bias"} else Tree(inside))

    def get_input_embeddings(self):
        return self.embed_tokens

    def get_output_embeddings(self):
        return None


def leaf(name, weights):
    weight = weights["weight"]
    if weight.ndim == 1:
        module = torch.nn.LayerNorm(len(weight), bias=False)
    elif "embed" in name:
        module = torch.nn.Embedding(*weight.shape)
    else:
        module = torch.nn.Linear(weight.shape[1], weight.shape[0], bias="bias" in weights)
    module.load_state_dict(weights)
    return module


def make(base, folder, settings, **saving):
    """Save an adapter with random weights for the original checkpoint `base`; return all weights after a merge."""
    from peft import LoraConfig, PeftModel, get_peft_model

    weights = load_file(Path(base) / "model.safetensors")
    model = get_peft_model(Tree(weights), LoraConfig(**settings))
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(str(folder), **saving)
    path = Path(folder) / "adapter_config.json"
    config = {**json.loads(path.read_text()), "base_model_name_or_path": str(base)}
    path.write_text(json.dumps(config))
    merged = PeftModel.from_pretrained(Tree(weights), str(folder)).merge_and_unload().state_dict()
    return {name: tensor.detach().clone().contiguous() for name, tensor in merged.items()}


if __name__ == "__main__":
    base, folder = sys.argv[1], Path(sys.argv[2])
    for name, settings in json.loads((folder / "cases.json").read_text()).items():
        save_file(make(base, folder / name, settings), folder / name / "merged.safetensors")
