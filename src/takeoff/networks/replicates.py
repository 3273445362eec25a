"""The arithmetic of R networks of one shape side by side, and their optimiser.

A network's parameters are a weight [out, in] and a bias [out, 1] for each layer, in that order. R
networks ("replicates") are the same tensors with a leading axis: [R, out, in], [R, out, 1]. Units
are kept as [R, units, B] with the batch last: for the few outputs of the last layer this is many
times faster on a CPU than the batch first, both in the product and in the softmax over classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.optim.adamw import adamw

Parameters = list[torch.Tensor]

BETAS = (0.9, 0.999)
EPSILON = 1e-8
# From this many parameters on, one pass over each replicate's (a fused kernel) costs less than
# ten over all of them; below, the calls cost more than the work.
FUSED_FROM = 2**15


def initial(n_features: int, hidden: Sequence[int], n_classes: int, seed: int) -> Parameters:
    """One network with He initialisation (He et al., 2015), drawn from its own seed on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    parameters = []
    for fan_in, fan_out in pairwise([n_features, *hidden, n_classes]):
        weight = torch.empty(fan_out, fan_in)
        nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator)
        parameters += [weight, torch.zeros(fan_out, 1)]
    return parameters


def logits(parameters: Sequence[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Forward pass of R networks.

    Args:
        parameters: [R, out, in] and [R, out, 1] in turn.
        x: [R, B, d], or [1, B, d] for the same rows in each.

    Returns:
        [R, C, B].
    """
    units = x.transpose(1, 2)
    last = len(parameters) - 2
    for layer in range(0, len(parameters), 2):
        units = torch.baddbmm(parameters[layer + 1], parameters[layer], units)
        if layer < last:
            units = functional.relu(units)
    return units


class ReplicateAdamW(torch.optim.Optimizer):
    """AdamW (Loshchilov and Hutter, 2019) with a rate and a step count for each replicate.

    The result for one replicate does not depend on which others are there.

    Attributes:
        rate: Learning rates of the next step, float64 [R] on the CPU.
        decay: Weight decay, float64 [R] on the CPU.
        steps: Steps taken so far, float64 [R] on the CPU.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], decay: torch.Tensor):
        super().__init__(parameters, {})
        self.decay = decay
        self.rate = torch.zeros_like(decay)
        self.steps = torch.zeros_like(decay)
        for parameter in self.parameters:
            self.state[parameter] = {name: torch.zeros_like(parameter) for name in MOMENTS}

    @property
    def parameters(self) -> list[nn.Parameter]:
        parameters: list[nn.Parameter] = self.param_groups[0]["params"]
        return parameters

    def moments(self, name: str) -> list[torch.Tensor]:
        """The first or second moments ("exp_avg", "exp_avg_sq") of every parameter."""
        return [self.state[parameter][name] for parameter in self.parameters]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step of every replicate, at its own rate."""
        result = None
        if closure is not None:
            with torch.enable_grad():
                result = closure()
        first = self.parameters[0]
        each = sum(parameter[0].numel() for parameter in self.parameters)
        if first.device.type == "cpu" and each >= FUSED_FROM:
            self._step_one_by_one()
        else:
            self._step_together()
        self.steps += 1
        return result

    def _step_one_by_one(self) -> None:
        """PyTorch's fused kernel for each replicate in turn."""
        parts = [
            _each(self.parameters),
            _each([_gradient(parameter) for parameter in self.parameters]),
            *(_each(self.moments(name)) for name in MOMENTS),
        ]
        settings = zip(self.rate.tolist(), self.decay.tolist(), self.steps.tolist(), strict=True)
        for values, gradients, first, second, (rate, decay, steps) in zip(
            *parts, settings, strict=True
        ):
            adamw(
                list(values),
                list(gradients),
                list(first),
                list(second),
                [],
                [torch.tensor(steps) for _ in values],
                fused=True,
                amsgrad=False,
                beta1=BETAS[0],
                beta2=BETAS[1],
                lr=rate,
                weight_decay=decay,
                eps=EPSILON,
                maximize=False,
            )

    def _step_together(self) -> None:
        device = self.parameters[0].device
        steps = self.steps + 1
        kept = 1.0 - self.rate * self.decay
        size = self.rate / (1.0 - BETAS[0] ** steps)
        root = 1.0 / torch.sqrt(1.0 - BETAS[1] ** steps)
        factors = torch.stack([kept, size, root]).float().to(device)[:, :, None, None]
        for parameter, first, second in zip(
            self.parameters, *(self.moments(name) for name in MOMENTS), strict=True
        ):
            gradient = _gradient(parameter)
            first.mul_(BETAS[0]).add_(gradient * (1.0 - BETAS[0]))
            second.mul_(BETAS[1]).add_(gradient.mul_(gradient).mul_(1.0 - BETAS[1]))
            spread = second.sqrt().mul_(factors[2]).add_(EPSILON)
            parameter.mul_(factors[0]).sub_(torch.div(first, spread, out=spread).mul_(factors[1]))


MOMENTS = ("exp_avg", "exp_avg_sq")


def _gradient(parameter: nn.Parameter) -> torch.Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _each(stacked: Sequence[torch.Tensor]) -> list[tuple[torch.Tensor, ...]]:
    """Views of the tensors of each replicate."""
    return list(zip(*(tensor.unbind() for tensor in stacked), strict=True))


def count(parameters: Sequence[torch.Tensor]) -> int:
    """Numbers in one network (tensors without the leading axis)."""
    return sum(math.prod(tensor.shape) for tensor in parameters)
