"""R networks of one shape side by side, of any activation: their first weights, a step of each.

What `takeoff.networks.replicates` does for ReLU networks, with as few operations, for others too.

The initialisations:
    default: What `torch.nn.Linear` does without being asked: weights and biases uniform within
        1 / sqrt(fan-in).
    scaled: Made for the activation. ReLU and GELU: He et al. (2015). tanh: Glorot and Bengio
        (2010), normal. Sigmoid: as 1 / (1 + exp(-z)) = (1 + tanh(z / 2)) / 2, there are weights and
        biases for which a sigmoid network computes what a tanh network computes: the same, times 2
        before the first hidden layer, times 4 between hidden layers, times 2 after the last, with
        biases that make up for outputs that lie around 1/2 (inputs around zero: LeCun et al.,
        1998). It starts from those of the tanh network, so that it, too, keeps the variance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from takeoff.networks.replicates import ReplicateAdamW, Shape

Layers = Sequence[torch.Tensor]  # [R, out, in] and [R, out, 1] in turn


@dataclass(frozen=True)
class Activation:
    """A function of one number, and how a gradient comes back through it.

    Attributes:
        value: Of any shape.
        back: The gradient by what went in, from the gradient by what came out, what went in and
            what came out.
        steepest: The largest slope.
    """

    value: Callable[[torch.Tensor], torch.Tensor]
    back: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
    steepest: float


_aten = torch.ops.aten
ACTIVATIONS: Mapping[str, Activation] = {
    "relu": Activation(torch.relu, lambda g, z, a: _aten.threshold_backward(g, a, 0), 1.0),
    "sigmoid": Activation(torch.sigmoid, lambda g, z, a: _aten.sigmoid_backward(g, a), 0.25),
    "tanh": Activation(torch.tanh, lambda g, z, a: _aten.tanh_backward(g, a), 1.0),
    # The slope Phi(z) + z phi(z) is largest where its derivative (2 - z^2) phi(z) is zero.
    "gelu": Activation(functional.gelu, lambda g, z, a: _aten.gelu_backward(g, z), 1.128904),
}


# First weights


def initial(shape: Shape, activation: str, initialisation: str, seed: int) -> torch.Tensor:
    """One network [n], from its own seed, on the CPU; see the module for the kinds."""
    generator = torch.Generator().manual_seed(seed)
    network = torch.zeros(1, shape.length)
    layers = shape.layers(network)
    pairs = list(zip(layers[::2], layers[1::2], strict=True))
    for place, (weight, bias) in enumerate(pairs):
        if initialisation == "default":
            bound = weight.shape[2] ** -0.5
            nn.init.uniform_(weight, -bound, bound, generator=generator)
            nn.init.uniform_(bias, -bound, bound, generator=generator)
        elif activation in ("relu", "gelu"):
            gain = 2.0 if place < len(pairs) - 1 else 1.0
            nn.init.normal_(weight, 0.0, (gain / weight.shape[2]) ** 0.5, generator=generator)
        else:
            nn.init.xavier_normal_(weight[0], generator=generator)
    if (activation, initialisation) == ("sigmoid", "scaled"):
        _as_tanh(pairs)
    return network[0]


def _as_tanh(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Weights of a tanh network -> of the sigmoid network that computes the same, in place."""
    for place, (weight, bias) in enumerate(pairs):
        if place < len(pairs) - 1:  # tanh(z) takes half of what the sigmoid takes
            weight.mul_(2)
            bias.mul_(2)
        if place > 0:  # what comes in is (1 + tanh) / 2
            weight.mul_(2)
            bias.sub_(weight.sum(dim=2, keepdim=True) / 2)


# Forward and backward


def differentiate(
    layers: Layers,
    x: torch.Tensor,
    activation: Activation,
    slope: Callable[[torch.Tensor], torch.Tensor],
    gradients: Layers,
) -> None:
    """Forward and backward pass of R networks; `replicates.differentiate` for any activation.

    Args:
        layers: [R, out, in] and [R, out, 1] in turn.
        x: [R, B, d].
        activation: After every layer but the last.
        slope: Derivatives of a loss by the outputs, [R, C, B], from the outputs.
        gradients: Where the derivatives by each layer are written, of the layers' sizes.
    """
    before, after = passed(layers, x.mT, activation)
    above = slope(before.pop())
    for layer in reversed(range(0, len(layers), 2)):
        below = after.pop()
        torch.bmm(above, below.mT, out=gradients[layer])
        torch.sum(above, dim=2, keepdim=True, out=gradients[layer + 1])
        if layer:
            above = activation.back(torch.bmm(layers[layer].mT, above), before.pop(), below)


def passed(
    layers: Layers, inputs: torch.Tensor, activation: Activation
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """What goes into each activation and, last, the outputs; the inputs, and what comes out."""
    before: list[torch.Tensor] = []
    after = [inputs]
    for layer in range(0, len(layers), 2):
        before.append(torch.baddbmm(layers[layer + 1], layers[layer], after[-1]))
        if layer < len(layers) - 2:
            after.append(activation.value(before[-1]))
    return before, after


# Optimisers


class ReplicateSGD:
    """Gradient descent with momentum (Polyak, 1964) for R networks, each at its own rate.

    With its velocity v and the gradient g a weight w goes on by v <- momentum v + g and
    w <- w - rate v.

    Args:
        shape: Of each network.
        networks: [R, n]; changed in place.
        rates: [R].
        momentum: Share of the velocity that is kept.
        velocity: So far, [R, n]; zeros without.
    """

    def __init__(
        self,
        shape: Shape,
        networks: torch.Tensor,
        rates: torch.Tensor,
        momentum: float,
        velocity: torch.Tensor | None = None,
    ):
        self.shape, self.networks, self.rates, self.momentum = shape, networks, rates, momentum
        self.layers = shape.layers(networks)
        self._gradient = torch.zeros_like(networks)
        self.gradients = shape.layers(self._gradient)
        self._velocity = torch.zeros_like(networks) if velocity is None else velocity
        self._factors = rates.float()[:, None]

    def advance(self) -> None:
        """One step of every network, with `gradients`."""
        self._velocity.mul_(self.momentum).add_(self._gradient)
        self.networks.addcmul_(self._velocity, self._factors, value=-1)

    def only(self, some: torch.Tensor) -> ReplicateSGD:
        """Of the replicates that are true in bool [R]."""
        velocity = self._velocity[some]
        return ReplicateSGD(
            self.shape, self.networks[some], self.rates[some], self.momentum, velocity
        )


class ReplicateAdam(ReplicateAdamW):
    """Adam (Kingma and Ba, 2015) at constant rates, as the package's other networks use it.

    Args:
        shape: Of each network.
        networks: [R, n]; changed in place.
        rates: float64 [R].
        steps: How many are still to be taken.
        moments, taken: See `ReplicateAdamW`.
    """

    def __init__(
        self,
        shape: Shape,
        networks: torch.Tensor,
        rates: torch.Tensor,
        steps: int,
        moments: torch.Tensor | None = None,
        taken: torch.Tensor | None = None,
    ):
        super().__init__(shape, networks, torch.zeros(len(networks)), moments, taken)
        self.layers = shape.layers(networks)  # leaves that autograd knows nothing of
        self.rates = rates
        self.schedule(rates.expand(steps, -1))

    def only(self, some: torch.Tensor) -> ReplicateAdam:
        """Of the replicates that are true in bool [R]."""
        left, moments, taken = self.left, self.moments[:, some], self.taken[some]
        return ReplicateAdam(
            self.shape, self.networks[some], self.rates[some], left, moments, taken
        )
