"""Networks of any activation side by side: first weights, gradients, optimisers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from takeoff.experiments import activation_networks as networks
from takeoff.experiments.activation_networks import ACTIVATIONS, ReplicateAdam, ReplicateSGD
from takeoff.networks.losses import CrossEntropy
from takeoff.networks.replicates import Shape

SHAPE = Shape(5, (8, 6), 3)


def stacked(n: int, activation: str = "tanh") -> torch.Tensor:
    """n networks with their own seeds, [n, length]."""
    first = [networks.initial(SHAPE, activation, "default", seed) for seed in range(n)]
    return torch.stack(first)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_gradients_are_those_of_autograd(name: str) -> None:
    """For every layer and every activation."""
    activation = ACTIVATIONS[name]
    x, y = torch.randn(4, 20, 5), torch.randint(3, (4, 20))
    layers = [layer.clone().requires_grad_() for layer in SHAPE.layers(stacked(4, name))]
    before, _ = networks.passed(layers, x.mT, activation)
    CrossEntropy.each(before[-1], y).sum().backward()
    gradients = SHAPE.layers(torch.full((4, SHAPE.length), math.nan))
    with torch.no_grad():
        networks.differentiate(
            layers, x, activation, lambda found: CrossEntropy.slope(found, y), gradients
        )
    for found, layer in zip(gradients, layers, strict=True):
        torch.testing.assert_close(found, layer.grad)


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_the_steepest_slope_is_that(name: str) -> None:
    """No slope is larger, and one as large is there."""
    z = torch.linspace(-8, 8, 100_001, dtype=torch.float64)
    activation = ACTIVATIONS[name]
    slopes = activation.back(torch.ones_like(z), z, activation.value(z))
    assert float(slopes.max()) == pytest.approx(activation.steepest, rel=1e-6)


def test_default_weights_are_those_of_a_linear_layer() -> None:
    """Uniform within the same bounds as PyTorch's own, weights and biases."""
    shape = Shape(400, (300,), 10)
    for initialised in ("sigmoid", "relu"):
        layers = shape.layers(networks.initial(shape, initialised, "default", seed=1)[None])
        for weight, bias, (fan_in, out) in zip(
            layers[::2], layers[1::2], ((400, 300), (300, 10)), strict=True
        ):
            linear = nn.Linear(fan_in, out)
            bound = fan_in**-0.5
            assert 0.9 * bound < float(bias.abs().max()) <= bound
            assert 0.99 * bound < float(weight.abs().max()) <= bound
            assert float(weight.std()) == pytest.approx(
                float(linear.weight.detach().std()), rel=0.06
            )


def test_scaled_weights_have_the_variance_of_their_source() -> None:
    """He: 2 / fan-in; Glorot: 2 / (fan-in + fan-out); no bias; outputs are linear."""
    shape = Shape(400, (300, 300), 10)
    relu = shape.layers(networks.initial(shape, "relu", "scaled", seed=1)[None])
    assert [float(w.var()) for w in relu[::2]] == pytest.approx(
        [2 / 400, 2 / 300, 1 / 300], rel=0.1
    )
    tanh = shape.layers(networks.initial(shape, "tanh", "scaled", seed=1)[None])
    wanted = [2 / 700, 2 / 600, 2 / 310]
    assert [float(w.var()) for w in tanh[::2]] == pytest.approx(wanted, rel=0.1)
    assert not any(bias.any() for bias in [*relu[1::2], *tanh[1::2]])


def test_a_scaled_sigmoid_network_starts_as_the_tanh_network() -> None:
    """The same outputs for the same seed, and inputs of every unit that lie around zero."""
    shape, x = Shape(50, (40, 30, 20), 3), torch.randn(1, 1000, 50)
    found = {}
    for name in ("sigmoid", "tanh"):
        layers = shape.layers(networks.initial(shape, name, "scaled", seed=3)[None])
        found[name], _ = networks.passed(layers, x.mT, ACTIVATIONS[name])
    torch.testing.assert_close(found["sigmoid"][-1], found["tanh"][-1], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found["sigmoid"][1], 2 * found["tanh"][1], rtol=1e-4, atol=1e-5)


def test_first_weights_depend_on_the_seed_alone() -> None:
    """The same again, another for another seed."""
    first, again, other = (networks.initial(SHAPE, "gelu", "scaled", seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_each_replicate_is_stepped_as_by_pytorch(kind: str) -> None:
    """With its own rate, for several steps, also after another has been left out."""
    rates, momentum = torch.tensor([0.1, 0.03, 0.01], dtype=torch.float64), 0.9
    start = stacked(3)
    own: ReplicateSGD | ReplicateAdam
    if kind == "sgd":
        own = ReplicateSGD(SHAPE, start.clone(), rates, momentum)
    else:
        own = ReplicateAdam(SHAPE, start.clone(), rates, steps=6)
    alone = [nn.Parameter(start[r].clone()) for r in (0, 2)]
    peers = [
        torch.optim.SGD([one], lr=float(rates[r]), momentum=momentum)
        if kind == "sgd"
        else torch.optim.Adam([one], lr=float(rates[r]))
        for one, r in zip(alone, (0, 2), strict=True)
    ]
    for step in range(6):
        if step == 3:
            own = own.only(torch.tensor([True, False, True]))
        gradient = torch.zeros(len(own.networks), SHAPE.length)
        for view, part in zip(own.gradients, SHAPE.layers(gradient), strict=True):
            view.copy_(part.normal_())
        for place, (one, peer) in enumerate(zip(alone, peers, strict=True)):
            one.grad = gradient[place if step >= 3 else 2 * place].clone()
            peer.step()
        with torch.no_grad():
            own.advance()
    torch.testing.assert_close(own.networks, torch.stack([one.detach() for one in alone]))


def test_the_functions_are_the_known_ones() -> None:
    """By their definitions."""
    z = torch.linspace(-5, 5, 11, dtype=torch.float64)
    values = {name: activation.value(z) for name, activation in ACTIVATIONS.items()}
    torch.testing.assert_close(values["sigmoid"], 1 / (1 + torch.exp(-z)))
    torch.testing.assert_close(values["relu"], torch.where(z > 0, z, 0.0))
    torch.testing.assert_close(values["tanh"], 2 * values["sigmoid"].new_tensor(
        [1 / (1 + math.exp(-2 * float(one))) for one in z]) - 1)  # fmt: skip
    torch.testing.assert_close(values["gelu"], z * (1 + torch.erf(z / math.sqrt(2))) / 2)
    torch.testing.assert_close(values["gelu"], functional.gelu(z))
