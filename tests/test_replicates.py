"""R networks side by side are R networks."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from takeoff.networks import replicates
from takeoff.networks.losses import CrossEntropy, SquaredError
from takeoff.networks.replicates import ReplicateAdamW, Shape

SHAPE = Shape(5, (8, 6), 3)
CROWDED = Shape(5, (256, 4), 3)  # some rows would lie a multiple of 256 numbers apart


def stacked(n: int) -> torch.Tensor:
    """n networks with their own seeds, [n, length]."""
    return torch.stack([replicates.initial(SHAPE, seed) for seed in range(n)])


def sequential(network: torch.Tensor) -> nn.Sequential:
    """One row as PyTorch's own layers."""
    layers: list[nn.Module] = []
    parts = SHAPE.layers(network[None])
    for weight, bias in zip(parts[::2], parts[1::2], strict=True):
        layer = nn.Linear(weight.shape[2], weight.shape[1])
        layer.weight.data, layer.bias.data = weight[0].clone(), bias[0, :, 0].clone()
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("shape", [SHAPE, CROWDED], ids=["small", "crowded"])
def test_a_row_holds_all_layers_and_nothing_else(shape: Shape) -> None:
    """No number is in two layers, and the others are zero; they make the length round."""
    networks = torch.stack([replicates.initial(shape, seed) for seed in range(4)])
    assert shape.length % replicates.PADDING == 0 <= shape.length - shape.n_params
    layers = shape.layers(networks)
    assert [tuple(layer.shape[1:]) for layer in layers] == list(shape.sizes)
    for layer in layers:
        layer.fill_(1.0)
    assert networks.sum(dim=1).tolist() == [shape.n_params] * 4


def test_the_rows_of_a_matrix_do_not_fight_for_the_same_places() -> None:
    """Neither in the parameters nor in their gradients, whatever the width."""
    networks = torch.zeros(2, CROWDED.length)
    optimizer = ReplicateAdamW(CROWDED, networks, torch.zeros(2))
    for layer in [*CROWDED.layers(networks), *optimizer.gradients]:
        assert layer.stride(1) % replicates.CROWDED


def test_layers_are_views() -> None:
    """What the optimiser changes is what the forward pass sees."""
    networks = stacked(2)
    layer = SHAPE.layers(networks)[2]
    networks.zero_()
    assert not layer.any()


def test_the_forward_pass_is_that_of_linear_layers() -> None:
    """Each replicate gives what the same layers of PyTorch give."""
    networks, x = stacked(4), torch.randn(4, 10, 5)
    found = replicates.logits(SHAPE.layers(networks), x)
    assert found.shape == (4, 3, 10)
    for network, rows, logits in zip(networks, x, found, strict=True):
        torch.testing.assert_close(logits.T, sequential(network)(rows))


def test_no_gradient_reaches_another_replicate() -> None:
    """The loss of one replicate leaves the others' gradients at zero."""
    networks = stacked(3).requires_grad_()
    replicates.logits(SHAPE.layers(networks), torch.randn(3, 4, 5))[1].sum().backward()
    assert not networks.grad[0].any() and not networks.grad[2].any()
    assert networks.grad[1].any()


def test_first_weights_depend_on_the_seed_alone() -> None:
    """He initialisation: variance 2 / fan-in; another seed is another draw."""
    shape = Shape(400, (300,), 10)
    first, again, other = (replicates.initial(shape, seed) for seed in (1, 1, 2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    weight, bias, *_ = shape.layers(first[None])
    assert not torch.equal(weight, shape.layers(other[None])[0])
    assert float(weight.var()) == pytest.approx(2 / 400, rel=0.02)
    assert not bias.any()


@pytest.mark.parametrize("hidden", [(8,), (8, 6), (7, 5, 6), (256, 4)])
def test_the_backward_pass_is_that_of_autograd(hidden: tuple[int, ...]) -> None:
    """The same gradients for every layer, of the loss itself, for any depth."""
    shape = Shape(5, hidden, 3)
    networks = torch.stack([replicates.initial(shape, seed) for seed in range(4)])
    networks += 0.1 * torch.randn(networks.shape, generator=torch.Generator().manual_seed(1))
    x, y = torch.randn(4, 20, 5), torch.randint(3, (4, 20))
    layers = [layer.requires_grad_() for layer in shape.layers(networks)]
    CrossEntropy.each(replicates.logits(layers, x), y).sum().backward()
    gradients = [torch.full_like(layer, math.nan) for layer in layers]
    passes, before = replicates.passes(layers, gradients, len(y[0])), x.clone()
    passes.differentiate(x, partial(CrossEntropy.slope, labels=y))
    assert torch.equal(x, before)
    for found, layer in zip(gradients, layers, strict=True):
        torch.testing.assert_close(found, layer.grad)


def gradients_of(
    passes: replicates.Passes | replicates.MixedPasses, gradients: list[torch.Tensor], seed: int
) -> list[torch.Tensor]:
    """A pass over a batch of its own."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(4, 20, 5, generator=generator)
    y = torch.randint(3, (4, 20), generator=generator)
    passes.differentiate(x, partial(CrossEntropy.slope, labels=y))
    return [gradient.clone() for gradient in gradients]


def test_nothing_is_left_of_the_last_batch() -> None:
    """Its work space is used again; and the layers are read anew at each pass."""
    shape = Shape(5, (8, 6), 3)
    networks = torch.stack([replicates.initial(shape, seed) for seed in range(4)])
    layers = shape.layers(networks)
    gradients = [torch.empty_like(layer) for layer in layers]
    used = replicates.Passes(layers, gradients, 20)
    gradients_of(used, gradients, 1)
    networks.mul_(1.5)
    again = gradients_of(used, gradients, 2)
    unused = replicates.Passes(layers, gradients, 20)
    assert all(map(torch.equal, again, gradients_of(unused, gradients, 2)))


def test_the_gradients_of_mixed_precision_are_nearly_those_of_full() -> None:
    """bfloat16 keeps eight bits; the gradients themselves stay in single precision."""
    shape = Shape(5, (8, 6), 3)
    networks = torch.stack([replicates.initial(shape, seed) for seed in range(4)])
    layers = shape.layers(networks)
    gradients = [torch.empty_like(layer) for layer in layers]
    full = gradients_of(replicates.passes(layers, gradients, 20), gradients, 1)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = gradients_of(replicates.passes(layers, gradients, 20), gradients, 1)
    for one, other in zip(full, mixed, strict=True):
        assert one.dtype == other.dtype == torch.float32
        assert 0 < float((one - other).norm() / one.norm()) < 0.05


def test_mixed_precision_keeps_no_copies_of_old_weights() -> None:
    """While it is on, PyTorch may keep what it made of a parameter, and misses later changes."""
    shape = Shape(5, (8, 6), 3)
    networks = torch.stack([replicates.initial(shape, seed) for seed in range(4)])
    layers = shape.layers(networks)
    gradients = [torch.empty_like(layer) for layer in layers]
    with torch.autocast("cpu", torch.bfloat16):
        used = replicates.passes(layers, gradients, 20)
        gradients_of(used, gradients, 1)
        networks.mul_(1.5)
        later = gradients_of(used, gradients, 1)
    with torch.autocast("cpu", torch.bfloat16):
        anew = gradients_of(replicates.passes(layers, gradients, 20), gradients, 1)
    assert all(map(torch.equal, later, anew))


def test_the_derivative_of_the_cross_entropy() -> None:
    """By every logit, also where a probability is as good as zero."""
    logits = 30 * torch.randn(2, 4, 50)
    labels = torch.randint(4, (2, 50))
    wanted = logits.clone().requires_grad_()
    CrossEntropy.each(wanted, labels).sum().backward()
    torch.testing.assert_close(CrossEntropy.slope(logits, labels), wanted.grad)


def test_the_derivative_of_the_squared_error() -> None:
    """By the one output of each network."""
    outputs, numbers = torch.randn(2, 1, 50), torch.randn(2, 50)
    wanted = outputs.clone().requires_grad_()
    losses = SquaredError.each(wanted, numbers)
    torch.testing.assert_close(losses, (outputs[:, 0] - numbers) ** 2)
    losses.sum().backward()
    torch.testing.assert_close(SquaredError.slope(outputs, numbers), wanted.grad)


def test_what_pads_the_rows_stays_zero() -> None:
    """Steps change the parameters and nothing else."""
    networks = torch.stack([replicates.initial(CROWDED, seed) for seed in range(2)])
    optimizer = ReplicateAdamW(CROWDED, networks, torch.full((2,), 0.1))
    passes = replicates.passes(optimizer.layers, optimizer.gradients, 20)
    optimizer.schedule(torch.full((3, 2), 0.01, dtype=torch.float64))
    for _ in range(3):
        x, y = torch.randn(2, 20, 5), torch.randint(3, (2, 20))
        passes.differentiate(x, partial(CrossEntropy.slope, labels=y))
        with torch.no_grad():
            optimizer.advance()
    for layer in CROWDED.layers(networks):
        layer.zero_()
    assert not networks.any()


@pytest.mark.parametrize("fused", [True, False])
def test_each_replicate_is_stepped_as_by_adamw(fused: bool, monkeypatch) -> None:
    """With its own rate (which changes), decay and step count: as PyTorch's AdamW, alone."""
    monkeypatch.setattr(replicates, "FUSED_ON", ("cpu",) if fused else ())
    rates, decays = torch.tensor([0.1, 0.01, 0.003]).double(), torch.tensor([0.0, 0.1, 0.01])
    start, x, y = stacked(3), torch.randn(3, 20, 5), torch.randint(3, (3, 20))
    networks = start.clone()
    optimizer = ReplicateAdamW(SHAPE, networks, decays)
    factors = 1 - torch.arange(20).double()[:, None] / 40
    for block in (rates * factors[:13], rates * factors[13:]):
        optimizer.schedule(block)
        for _ in block:
            found = replicates.logits(optimizer.layers, x)
            (functional.cross_entropy(found, y, reduction="sum") / 20).backward()
            optimizer.step()
    assert optimizer.taken.tolist() == [20, 20, 20]
    for replicate in range(3):
        network = sequential(start[replicate])
        alone = torch.optim.AdamW(network.parameters(), weight_decay=float(decays[replicate]))
        for step in range(20):
            alone.param_groups[0]["lr"] = float(rates[replicate]) * (1 - step / 40)
            alone.zero_grad()
            functional.cross_entropy(network(x[replicate]), y[replicate]).backward()
            alone.step()
        reached = sequential(networks[replicate])
        for found, other in zip(reached.parameters(), network.parameters(), strict=True):
            torch.testing.assert_close(found, other, rtol=1e-3, atol=1e-5)
