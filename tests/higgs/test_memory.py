import pytest

from harness.errors import HarnessError
from harness.higgs.memory import FORMULA_BYTES, GIB, PRECISIONS, estimate


def storage(tensors):
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def counted(model, optimiser, trained):
    """Return the bytes of weights, gradients and moments after a step, without the step counters of 4 bytes."""
    moments = [state[name] for state in optimiser.state.values() for name in ("exp_avg", "exp_avg_sq")]
    return storage(model.parameters()), storage(p.grad for p in trained), storage(moments)


def step(model, optimiser):
    import torch

    dtype = next(model.parameters()).dtype
    model(torch.ones(4, 16, dtype=dtype)).float().square().sum().backward()
    optimiser.step()


def network():
    torch = pytest.importorskip("torch")
    return torch, torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.Linear(32, 8))


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", "float32"), ("bf16", "bfloat16")])
def test_full_training_stores_what_is_estimated(precision, dtype):
    torch, model = network()
    model = model.to(getattr(torch, dtype))
    optimiser = torch.optim.AdamW(model.parameters())
    step(model, optimiser)
    n = sum(p.numel() for p in model.parameters())
    want = estimate(n, n, precision)
    assert counted(model, optimiser, list(model.parameters())) == (want.weights, want.gradients, want.optimiser)


def test_training_with_a_master_copy_stores_what_is_estimated():
    torch, model = network()
    model = model.to(torch.bfloat16)
    master = [p.detach().float().clone() for p in model.parameters()]
    optimiser = torch.optim.AdamW(master)
    model(torch.ones(4, 16, dtype=torch.bfloat16)).float().square().sum().backward()
    weights, gradients = storage(model.parameters()), storage(p.grad for p in model.parameters())
    for copy, parameter in zip(master, model.parameters(), strict=True):
        copy.grad, parameter.grad = parameter.grad.float(), None
    optimiser.step()
    n = sum(p.numel() for p in model.parameters())
    want = estimate(n, n, "mixed")
    _, _, moments = counted(model, optimiser, [])
    assert (weights, gradients, storage(master) + moments) == (want.weights, want.gradients, want.optimiser)


def test_training_with_autocast_stores_what_is_estimated():
    torch, model = network()
    optimiser = torch.optim.AdamW(model.parameters())
    copies = {}

    def keep(tensor):
        if tensor.dtype == torch.bfloat16 and tuple(tensor.T.shape) in {tuple(p.shape) for p in model.parameters()}:
            copies[tensor.data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), torch.autocast("cpu", torch.bfloat16):
        loss = model(torch.ones(4, 16)).float().square().sum()
    loss.backward()
    optimiser.step()
    weights, gradients, moments = counted(model, optimiser, list(model.parameters()))
    n = sum(p.numel() for p in model.parameters())
    want = estimate(n, n, "autocast")
    assert (gradients, moments) == (want.gradients, want.optimiser)
    # no gradient of the input needs the copy of the first matrix; copies of biases are not kept
    assert storage(copies.values()) == 2 * model[1].weight.numel()
    assert weights == want.weights - 2 * n


def test_fp32_lora_with_bf16_weights_costs_as_much_as_mixed():
    peft = pytest.importorskip("peft")
    torch, model = network()
    model = peft.get_peft_model(model.to(torch.bfloat16), peft.LoraConfig(r=2, target_modules=["0", "1"]))
    trained = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained)
    step(model, optimiser)
    assert {p.dtype for p in trained} == {torch.float32}
    n, k = sum(p.numel() for p in model.parameters()), sum(p.numel() for p in trained)
    assert sum(counted(model, optimiser, trained)) == estimate(n, k, "mixed").total


def test_activations_and_logits():
    sizes = {"batch_tokens": 100, "layers": 4, "hidden": 10}
    kept = estimate(0, 0, "bf16", **sizes)
    assert kept.activations == 100 * 4 * 10 * PRECISIONS["bf16"].kept >= 100 * 4 * 10 * FORMULA_BYTES
    assert estimate(0, 0, "fp32", **sizes).activations == 100 * 4 * 10 * PRECISIONS["fp32"].kept
    again = estimate(0, 0, "bf16", **sizes, checkpointing=True)
    assert again.activations == 100 * 10 * (4 * 2 + PRECISIONS["bf16"].kept) < kept.activations
    assert estimate(0, 0, "bf16", **sizes, vocabulary=50).logits == 8 * 100 * 50


def test_loading_and_the_printed_lines():
    assert [estimate(GIB, 0, name).total / GIB for name in ("fp32", "bf16", "int8", "int4")] == [4, 2, 1, 0.5]
    full = estimate(GIB, GIB, "mixed", batch_tokens=1, layers=1, hidden=1)
    assert full.total == 16 * GIB + PRECISIONS["mixed"].kept
    assert full.lines() == [
        "weights          2.00 GiB",
        "gradients        2.00 GiB",
        "optimiser       12.00 GiB",
        "activations     5e-08 GiB",
        "total           16.00 GiB",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((10, 10, "int8"), "for loading only"), ((10, 1, "int4"), "for loading only"), ((10, 0, "fp64"), "no precision is called"),
     ((10, 11, "fp32"), "do not describe a model"), ((-1, -1, "fp32"), "do not describe a model"),
     ((10, 1, "fp32", -1), "do not describe a model")],
)  # fmt: skip
def test_impossible_numbers_are_refused(arguments, said):
    *given, tokens = arguments if len(arguments) == 4 else (*arguments, 0)
    with pytest.raises(HarnessError, match=said):
        estimate(*given, batch_tokens=tokens)
