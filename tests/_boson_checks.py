"""Run all checks of boson_multimodal in one process of its environment.

``_boson_checks.py FOLDER`` reads ``request.json``, writes ``checks.json`` and the checks' arrays (``NAME.npz``).
"""

import hashlib
import json
import shutil
import sys
import traceback
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from _overfit import fit, largest, outputs, samples, speak

from harness.higgs.batches import BosonCollator, count_labels
from harness.higgs.checkpoints import load_model
from harness.higgs.labels import IGNORED
from harness.higgs.lora import add_lora, linear_modules
from harness.higgs.training import run
from harness.processes.stacks import BOSON

FOLDER = Path(sys.argv[1])
REQUEST = json.loads((FOLDER / "request.json").read_text())
CHECKPOINT = Path(REQUEST["boson"])


def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(CHECKPOINT)


def adapted():
    model = load_model(CHECKPOINT, BOSON)
    torch.manual_seed(0)
    return add_lora(model)


def collator(model):
    return BosonCollator(tokenizer(), getattr(model, "base_model", model).config)


def spoken(model):
    said = speak(model, tokenizer(), BOSON)
    return {f"codes{n}": one.codes for n, one in enumerate(said)} | {"stopped": np.array([one.stopped for one in said])}


def complaint(function, *arguments, **options):
    """Return type and text of the error that a call raises."""
    try:
        function(*arguments, **options)
    except Exception as error:
        return [type(error).__name__, str(error)]
    return [None, ""]


def base():
    """Return losses, logits and greedy codes of the untrained checkpoint."""
    model = load_model(CHECKPOINT, BOSON)
    batch = collator(model)(samples())
    with torch.no_grad():
        out = model.eval()(**batch)
    extra = {"logits": out["logits"].numpy(), "expanded_labels": out["expanded_labels"].numpy()}
    extra |= {"audio_labels": batch["audio_labels"].numpy()}
    return {}, {**outputs(model, batch), **spoken(model), **extra}


def few_steps():
    """Train an adapter for a few steps, in which it learns to stop, and some of the codes."""
    model = adapted()
    batch = collator(model)(samples())
    losses = fit(model, batch, 30)
    model.save_pretrained(FOLDER / "few_steps")
    return {"losses_of_steps": losses}, {**outputs(model, batch), **spoken(model)}


def overfit():
    """Train an adapter until it reproduces one batch; save it, load it again, and merge it."""
    from peft import PeftModel

    model = adapted()
    batch = collator(model)(samples())
    losses = fit(model, batch, 150)
    trained = outputs(model, batch)
    model.save_pretrained(FOLDER / "overfit")
    arrays = {**trained, **spoken(model)}
    again = PeftModel.from_pretrained(load_model(CHECKPOINT, BOSON), FOLDER / "overfit")
    reloaded = largest(trained, outputs(again, batch))
    merged = again.merge_and_unload()
    return {
        "steps": losses,
        "reloaded": reloaded,
        "merged": largest(trained, outputs(merged, batch)),
        "after_merge": type(merged).__name__,
        "kinds": list(linear_modules(load_model(CHECKPOINT, BOSON))),
    }, arrays


def peft():
    """Compare our class with that of boson_multimodal, which does not accept the ``labels`` that PEFT passes on."""
    from boson_multimodal.model.higgs_audio import HiggsAudioModel

    batch = collator(load_model(CHECKPOINT, BOSON))(samples())
    labels = ("labels", "audio_labels")
    unlabelled = {name: tensor for name, tensor in batch.items() if name not in labels}

    def plain(task_type):
        model = HiggsAudioModel.from_pretrained(CHECKPOINT)
        return add_lora(model, task_type=task_type)(**unlabelled)

    with_labels = adapted()(**batch)
    return {
        "causal": complaint(plain, "CAUSAL_LM"),
        "no_task": complaint(plain, None),
        "no_task_loss": plain(None).get("loss"),
        "ours": float(with_labels["loss"].detach()),
        "ours_unlabelled": complaint(adapted(), **unlabelled),
    }, {}


def batches():
    """Return the batches of both collators; the original one modifies its input."""
    ours = collator(load_model(CHECKPOINT, BOSON))
    one, two = ours(samples()), ours(samples())
    original = [ours.chatml(sample) for sample in samples()]
    used = [ours.original(original) for _ in range(2)]
    return {
        "original_labels": [int((asdict(batch)["label_audio_ids"] != IGNORED).sum()) for batch in used],
        "our_labels": count_labels([one]).tolist(),
        "repeated": all(torch.equal(one[name], two[name]) for name in one),
    }, {name: tensor.numpy() for name, tensor in one.items()}


def codec():
    """Check the codec of boson_multimodal: 105 million parameters, of which the file contains the quantizer."""
    from harness.higgs.codec import load_codec, semantic_model
    from harness.higgs.tiny import make_boson_codec

    folder = FOLDER / "codec"
    make_boson_codec(folder)
    rng = np.random.default_rng(0)
    sounds = [(0.1 * rng.standard_normal(9600)).astype(np.float32) for _ in range(2)]
    loaded = load_codec(folder)
    first, second = (loaded.encode(sound) for sound in sounds)
    found = {
        "sizes": [loaded.codebooks, loaded.codebook_size],
        "decoded": list(loaded.decode(first).shape),
        "again": bool((load_codec(folder).encode(sounds[0]) == first).all()),
        "mean_differing": float((first != second).mean()),
    }
    state = torch.load(folder / "model.pth", weights_only=True)
    hidden = {}

    def broken(name, changed, seeded=True):
        """Return the error of the harness for a changed file; keep that of boson_multimodal."""
        from boson_multimodal.audio_processing.higgs_audio_tokenizer import load_higgs_audio_tokenizer

        copy = FOLDER / f"codec_{name}"
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        torch.save(changed, copy / "model.pth")
        if not seeded:
            (copy / "tiny.json").unlink()
        with semantic_model(copy):
            hidden[name] = complaint(load_higgs_audio_tokenizer, str(copy), "cpu")[0]
        return complaint(load_codec, copy)

    lost = dict(list(state.items())[1:])
    found["missing"] = broken("missing", lost)
    found["unexpected"] = broken("unexpected", {**state, "quantizer.other": torch.zeros(1)})
    found["quantizer_only"] = broken("quantizer_only", state, seeded=False)
    found["hidden"] = hidden
    return found, {"codes": first}


def checkpoints():
    """Load checkpoints whose weights do not match their config.json."""
    from safetensors.torch import load_file, save_file

    weights = load_file(CHECKPOINT / "model.safetensors")
    name = "layers.1.audio_mlp.up_proj.weight"
    changes = {
        "missing": {key: value for key, value in weights.items() if key != name},
        "unexpected": {**weights, "layers.2.audio_mlp.up_proj.weight": weights[name].clone()},
        "misshapen": {**weights, name: torch.zeros(3, 3)},
    }
    found = {}
    for kind, changed in changes.items():
        folder = FOLDER / f"weights_{kind}"
        shutil.copytree(CHECKPOINT, folder, dirs_exist_ok=True)
        save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
        found[kind] = complaint(load_model, folder, BOSON)
    folder = shutil.copytree(CHECKPOINT, FOLDER / "weights_cut", dirs_exist_ok=True)
    (folder / "model.safetensors").write_bytes((CHECKPOINT / "model.safetensors").read_bytes()[:-1000])
    found["cut"] = complaint(load_model, folder, BOSON)
    found["good"] = complaint(load_model, CHECKPOINT, BOSON)
    found["other_stack"] = complaint(load_model, CHECKPOINT, "native")
    return found, {}


def tiny():
    """Make checkpoints with two seeds."""
    from harness.higgs.tiny import make_native_checkpoint, make_tiny_checkpoint

    before = torch.random.get_rng_state()
    made = [make_tiny_checkpoint(FOLDER / f"tiny_{seed}", seed=seed) / "model.safetensors" for seed in (0, 1)]
    return {
        "made": [hashlib.sha256(path.read_bytes()).hexdigest() for path in made],
        "random_state_kept": torch.equal(torch.random.get_rng_state(), before),
        "native": complaint(make_native_checkpoint, FOLDER / "tiny_native"),
    }, {}


def runs():
    """Run short trainings with Trainer."""
    found = {}
    for name in ("bf16", "plain", "whole", "halves", "full"):  # precision must not outlive its run
        found[name] = run(REQUEST["runs"][name], cpu=True)
    return found, {}


def resumed():
    """Resume the run ``plain``, cut off after four of six steps."""
    out, whole = (Path(REQUEST["runs"][name]["output"]) for name in ("resumed", "plain"))
    shutil.copytree(whole, out, dirs_exist_ok=True)
    shutil.rmtree(out / "checkpoint-6")
    (out / "summary.json").unlink()
    (out / "config.json").write_text((whole / "config.json").read_text().replace(str(whole), str(out)))
    return {"summary": run(REQUEST["runs"]["resumed"], resume=True, cpu=True)}, {}


def main():
    found = {}
    for check in (base, few_steps, overfit, peft, batches, tiny, codec, checkpoints, runs, resumed):
        try:
            found[check.__name__], arrays = check()
            np.savez(FOLDER / f"{check.__name__}.npz", **arrays)
        except Exception:
            found[check.__name__] = {"error": traceback.format_exc()}
    (FOLDER / "checks.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main()
