"""The arithmetic of R networks of one shape side by side, and their optimiser.

R networks ("replicates") are one matrix [R, n]: a row holds all parameters of one network. The
optimiser sees that matrix; the forward pass sees views of it, a weight [R, out, in] and a bias
[R, out, 1] for each layer.

Units are kept as [R, units, B] with the batch last: for the few outputs of the last layer this is
many times faster on a CPU than the batch first, in the product and in the softmax over classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import torch
from torch import nn

BETAS = (0.9, 0.999)
EPSILON = 1e-8
# Kinds of devices on which one pass over each network's parameters (a fused kernel) costs less than
# ten over those of all together.
FUSED_ON = ("cpu",)
# Vector instructions take so many numbers at a time; what is left over may be rounded otherwise.
# A row of full length leaves nothing over, so no network's place in the matrix can matter.
PADDING = 64
# Where the rows of a matrix lie a multiple of so many numbers apart, the numbers of a column fight
# for the same few places in the caches: with 512 x 512 weights, a transposed product takes 15 %
# longer.
CROWDED, APART = 256, 16


@dataclass(frozen=True)
class Shape:
    """The shape that all networks of a batch share.

    Attributes:
        n_features: Inputs.
        hidden: Width of each hidden layer.
        n_classes: Outputs.
    """

    n_features: int
    hidden: tuple[int, ...]
    n_classes: int

    @cached_property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Of the parameters in turn: [out, in] of a weight, [out, 1] of a bias."""
        widths = pairwise([self.n_features, *self.hidden, self.n_classes])
        return tuple(size for fan_in, out in widths for size in ((out, fan_in), (out, 1)))

    @cached_property
    def stored(self) -> tuple[tuple[int, int], ...]:
        """As `sizes`, with the numbers from one row to the next."""
        return tuple((out, n + APART * (n % CROWDED == 0)) for out, n in self.sizes)

    @property
    def n_params(self) -> int:
        """Parameters of one network."""
        return sum(map(math.prod, self.sizes))

    @property
    def length(self) -> int:
        """Numbers in one row: the parameters, with zeros for padding, up to a round length."""
        return -(-sum(map(math.prod, self.stored)) // PADDING) * PADDING

    def layers(self, networks: torch.Tensor) -> list[torch.Tensor]:
        """Views of the rows [R, n]: [R, out, in] and [R, out, 1] in turn."""
        return self.without_padding(self.padded_layers(networks))

    def padded_layers(self, networks: torch.Tensor) -> list[torch.Tensor]:
        """Views of the rows [R, n], each of one piece of them: of the sizes in `stored`."""
        ends = list(accumulate(map(math.prod, self.stored)))
        return [
            networks[:, end - math.prod(size) : end].view(-1, *size)
            for end, size in zip(ends, self.stored, strict=True)
        ]

    def without_padding(self, layers: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Of layers of the sizes in `stored`, those that are in use."""
        return [layer[..., :n] for layer, (_, n) in zip(layers, self.sizes, strict=True)]


def initial(shape: Shape, seed: int) -> torch.Tensor:
    """One network [n] with He initialisation (He et al., 2015), from its own seed, on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    network = torch.zeros(1, shape.length)
    for weight in shape.layers(network)[::2]:
        nn.init.kaiming_normal_(weight[0], nonlinearity="relu", generator=generator)
    return network[0]


def logits(layers: Sequence[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Forward pass of R networks.

    Args:
        layers: [R, out, in] and [R, out, 1] in turn.
        x: [R, B, d].

    Returns:
        [R, C, B].
    """
    units = torch.baddbmm(layers[1], layers[0], x.mT)
    for weight, bias in zip(layers[2::2], layers[3::2], strict=True):
        units = torch.baddbmm(bias, weight, units.relu_())
    return units


class Passes:
    """Forward and backward passes of R networks, over one batch of B rows after the other.

    By hand: so few operations need no graph of them. All that a pass makes has its place, and the
    views of it are there: a new tensor would have to find its way into the caches at each step,
    and a new view costs as much as a small operation.

    Args:
        layers: [R, out, in] and [R, out, 1] in turn; what is in them may change between passes.
        gradients: Where the derivatives by each layer are written, of the layers' sizes.
        rows: B.
    """

    def __init__(
        self, layers: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor], rows: int
    ):
        values = [layer.detach() for layer in layers]
        weights, biases = values[::2], values[1::2]
        units = [bias.new_empty(*bias.shape[:2], rows) for bias in biases]
        slopes = [torch.empty_like(hidden) for hidden in units[:-1]]
        self._forward = list(zip(biases, weights, units, strict=True))
        self._first, *others = zip(gradients[::2], gradients[1::2], strict=True)
        turned = [weight.mT for weight in weights[1:]]
        below = [(hidden, hidden.mT) for hidden in units[:-1]]
        self._backward = list(zip(others, turned, below, slopes, strict=True))[::-1]

    def differentiate(self, x: torch.Tensor, slope: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """Write the gradients of one batch.

        Args:
            x: [R, B, d].
            slope: Derivatives of a loss by the logits, [R, C, B], from the logits.
        """
        (bias, weight, there), *others = self._forward
        units = torch.baddbmm(bias, weight, x.mT, out=there)
        for bias, weight, there in others:
            units = torch.baddbmm(bias, weight, units.relu_(), out=there)
        above = slope(units)
        for gradients, turned, (hidden, hidden_turned), there in self._backward:
            _write(gradients, above, hidden_turned)
            above = torch.bmm(turned, above, out=there)
            # The derivative of the ReLU: what came out as zero lets nothing pass.
            torch.ops.aten.threshold_backward.grad_input(above, hidden, 0, grad_input=above)
        _write(self._first, above, x)


def _write(
    gradients: tuple[torch.Tensor, torch.Tensor], above: torch.Tensor, below: torch.Tensor
) -> None:
    """By a weight and a bias, from the slopes [R, out, B] above and what comes in, [R, B, in]."""
    torch.bmm(above, below, out=gradients[0])
    torch.sum(above, dim=2, keepdim=True, out=gradients[1])


class MixedPasses:
    """The same under automatic precision, which passes over operations told where to write.

    Args:
        layers, gradients: As of `Passes`.
    """

    def __init__(self, layers: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]):
        self._layers = [layer.detach().requires_grad_() for layer in layers]
        self._gradients = gradients

    def differentiate(self, x: torch.Tensor, slope: Callable[[torch.Tensor], torch.Tensor]) -> None:
        """As `Passes.differentiate`."""
        torch.clear_autocast_cache()  # else it takes the weights of the first pass again
        with torch.enable_grad():
            found = logits(self._layers, x)
        above = slope(found.detach()).to(found.dtype)
        each = torch.autograd.grad(found, self._layers, above)
        for gradient, own in zip(self._gradients, each, strict=True):
            gradient.copy_(own)


def passes(
    layers: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor], rows: int
) -> Passes | MixedPasses:
    """What suits the precision that is set now; see `Passes`."""
    if torch.is_autocast_enabled(layers[0].device.type):
        return MixedPasses(layers, gradients)
    return Passes(layers, gradients, rows)


class ReplicateAdamW(torch.optim.Optimizer):
    """AdamW (Loshchilov and Hutter, 2019) with a rate, a decay and a step count for each network.

    What happens to one network does not depend on which others are there.

    Args:
        shape: Of each network.
        networks: [R, n]; changed in place.
        decay: Weight decay, [R].
        moments: First and second moments so far, [2, R, n]; zeros without.
        taken: Steps taken so far, float64 [R] on the CPU; zeros without.

    Attributes:
        layers: The parameters: leaves that share the memory of `networks`, as `Shape.layers`.
        gradients: Where the next step takes its gradients from: of the sum of the networks' losses,
            for each of `layers`.
    """

    def __init__(
        self,
        shape: Shape,
        networks: torch.Tensor,
        decay: torch.Tensor,
        moments: torch.Tensor | None = None,
        taken: torch.Tensor | None = None,
    ):
        self.layers = [layer.detach().requires_grad_() for layer in shape.layers(networks)]
        super().__init__(self.layers, {})
        self.shape, self.networks, self.decay = shape, networks, decay.double()
        count = len(networks)
        self.moments = torch.zeros(2, *networks.shape) if moments is None else moments
        self.moments = self.moments.to(networks.device)
        self.taken = torch.zeros(count, dtype=torch.float64) if taken is None else taken
        self._rates: list[list[float]] = []
        self._steps: list[torch.Tensor] = []
        self._factors: list[torch.Tensor] = []
        self._one_by_one = networks.device.type in FUSED_ON
        if self._one_by_one:
            # Each in one piece: products that are written in strides take longer.
            values = [shape.padded_layers(part) for part in (networks, *self.moments)]
            gradients = [layer.new_zeros(layer.shape) for layer in values[0]]
            self.gradients = shape.without_padding(gradients)
            values.insert(1, gradients)
            # As the kernel takes them: of each network, its layers of each kind.
            self._own = [
                [[layer[replicate] for layer in layers] for layers in values]
                for replicate in range(count)
            ]
            self._decays = self.decay.tolist()
        else:
            self._gradient, self._spread = torch.zeros_like(networks), torch.empty_like(networks)
            self.gradients = shape.layers(self._gradient)

    def schedule(self, rates: torch.Tensor) -> None:
        """Set the learning rates of the next K steps, [K, R]."""
        steps = self.taken + torch.arange(1, len(rates) + 1, dtype=torch.float64)[:, None]
        if self._one_by_one:
            self._rates = rates.tolist()[::-1]
            self._steps = list(steps.float())[::-1]
            return
        kept = 1.0 - rates * self.decay
        size = rates / (1.0 - BETAS[0] ** steps)
        root = 1.0 / torch.sqrt(1.0 - BETAS[1] ** steps)
        factors = torch.stack([kept, size, root], dim=1)[..., None].float()
        self._factors = list(factors.to(self.networks.device))[::-1]

    @property
    def left(self) -> int:
        """Steps whose rates are set and that are still to be taken."""
        return len(self._rates or self._factors)

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """As `advance`, with the gradients that the layers hold; they are used up."""
        for layer, gradient in zip(self.layers, self.gradients, strict=True):
            assert layer.grad is not None
            gradient.copy_(layer.grad)
            layer.grad = None
        with torch.no_grad():
            self.advance()

    def advance(self) -> None:
        """One step of every network at its scheduled rate, with `gradients`.

        To be called without autograd (`torch.no_grad`).
        """
        if self._one_by_one:
            self._step_one_by_one(self._rates.pop(), self._steps.pop())
        else:
            self._step_together(self._factors.pop())
        self.taken += 1

    def _step_one_by_one(self, rates: list[float], steps: torch.Tensor) -> None:
        """PyTorch's fused kernel for each network in turn: one pass instead of ten."""
        for own, rate, decay, step in zip(self._own, rates, self._decays, steps, strict=True):
            _fused_adamw(*own, rate=rate, decay=decay, step=step)

    def _step_together(self, factors: torch.Tensor) -> None:
        """The same for all at once, in work space that is there: it can't run out of memory."""
        kept, size, root = factors
        gradient, (first, second) = self._gradient, self.moments
        first.lerp_(gradient, 1.0 - BETAS[0])
        second.mul_(BETAS[1]).add_(gradient.square_(), alpha=1.0 - BETAS[1])
        spread = torch.sqrt(second, out=self._spread).mul_(root).add_(EPSILON)
        self.networks.mul_(kept).sub_(torch.div(first, spread, out=spread).mul_(size))


def _fused_adamw(
    network: list[torch.Tensor],
    gradient: list[torch.Tensor],
    first: list[torch.Tensor],
    second: list[torch.Tensor],
    *,
    rate: float,
    decay: float,
    step: torch.Tensor,
) -> None:
    """The kernel behind `torch.optim.AdamW(fused=True)`.

    It has no public name of its own: what `torch.optim` does around it (sorting tensors by device,
    counting steps in tensors) takes longer than the kernel itself for a network of this size.
    """
    torch._fused_adamw_(
        network,
        gradient,
        first,
        second,
        [],
        [step] * len(network),
        amsgrad=False,
        lr=rate,
        beta1=BETAS[0],
        beta2=BETAS[1],
        weight_decay=decay,
        eps=EPSILON,
        maximize=False,
    )
