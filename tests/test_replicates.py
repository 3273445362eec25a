"""R networks side by side are R networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from takeoff.networks import replicates
from takeoff.networks.replicates import ReplicateAdamW

WIDTHS = (5, 8, 6, 3)


def stacked(n: int, widths: tuple[int, ...] = WIDTHS) -> list[torch.Tensor]:
    """n networks with their own seeds, as tensors with a leading axis."""
    networks = [replicates.initial(widths[0], widths[1:-1], widths[-1], seed) for seed in range(n)]
    return [torch.stack(parts) for parts in zip(*networks, strict=True)]


def sequential(parameters: list[torch.Tensor], replicate: int) -> nn.Sequential:
    """One replicate as PyTorch's own layers."""
    layers: list[nn.Module] = []
    for weight, bias in zip(parameters[::2], parameters[1::2], strict=True):
        layer = nn.Linear(weight.shape[2], weight.shape[1])
        layer.weight.data, layer.bias.data = (
            weight[replicate].clone(),
            bias[replicate, :, 0].clone(),
        )
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def test_the_forward_pass_is_that_of_linear_layers() -> None:
    """Each replicate gives what the same layers of PyTorch give."""
    parameters, x = stacked(4), torch.randn(4, 10, 5)
    found = replicates.logits(parameters, x)
    assert found.shape == (4, 3, 10)
    for replicate in range(4):
        expected = sequential(parameters, replicate)(x[replicate])
        torch.testing.assert_close(found[replicate].T, expected)


def test_no_gradient_reaches_another_replicate() -> None:
    """The summed loss of some replicates leaves the others' gradients at zero."""
    parameters = [nn.Parameter(tensor) for tensor in stacked(3)]
    replicates.logits(parameters, torch.randn(3, 4, 5))[1].sum().backward()
    for parameter in parameters:
        assert not parameter.grad[0].any() and not parameter.grad[2].any()
        assert parameter.grad[1].any()


def test_first_weights_depend_on_the_seed_alone() -> None:
    """He initialisation: variance 2 / fan-in; another seed is another draw."""
    first, again, other = (replicates.initial(400, [300], 10, seed) for seed in (1, 1, 2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first[0], other[0])
    assert float(first[0].var()) == pytest.approx(2 / 400, rel=0.02)
    assert not first[1].any()
    assert replicates.count(first) == 400 * 300 + 300 + 300 * 10 + 10


@pytest.mark.parametrize("fused", [True, False])
def test_each_replicate_is_stepped_as_by_adamw(fused: bool, monkeypatch) -> None:
    """With its own rate (which changes), decay and step count: as PyTorch's AdamW, alone."""
    monkeypatch.setattr(replicates, "FUSED_FROM", 0 if fused else 10**9)
    rates, decays = torch.tensor([0.1, 0.01, 0.003]).double(), torch.tensor([0.0, 0.1, 0.01])
    start, x, y = stacked(3), torch.randn(3, 20, 5), torch.randint(3, (3, 20))
    weights = nn.ParameterList(nn.Parameter(tensor.clone()) for tensor in start)
    optimizer = ReplicateAdamW(weights, decays.double())
    for step in range(20):
        optimizer.zero_grad()
        found = replicates.logits(list(weights), x)
        (functional.cross_entropy(found, y, reduction="sum") / 20).backward()
        optimizer.rate = rates * (1 - step / 40)
        optimizer.step()
    for replicate in range(3):
        network = sequential(start, replicate)
        alone = torch.optim.AdamW(network.parameters(), weight_decay=float(decays[replicate]))
        for step in range(20):
            alone.param_groups[0]["lr"] = float(rates[replicate]) * (1 - step / 40)
            alone.zero_grad()
            functional.cross_entropy(network(x[replicate]), y[replicate]).backward()
            alone.step()
        expected = sequential([weight.detach() for weight in weights], replicate)
        for found, other in zip(expected.parameters(), network.parameters(), strict=True):
            torch.testing.assert_close(found, other, rtol=1e-3, atol=1e-5)
