"""The arithmetic of R networks of one shape side by side, and their optimiser.

R networks ("replicates") are one matrix [R, n]: a row holds all parameters of one network. The
optimiser sees that matrix; the forward pass sees views of it, a weight [R, out, in] and a bias
[R, out, 1] for each layer.

Units are kept as [R, units, B] with the batch last: for the few outputs of the last layer this is
many times faster on a CPU than the batch first, in the product and in the softmax over classes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

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

    @property
    def n_params(self) -> int:
        """Parameters of one network."""
        return sum(map(math.prod, self.sizes))

    @property
    def length(self) -> int:
        """Numbers in one row: the parameters, and zeros up to a round length."""
        return -(-self.n_params // PADDING) * PADDING

    def layers(self, networks: torch.Tensor) -> list[torch.Tensor]:
        """Views of the rows [R, n]: [R, out, in] and [R, out, 1] in turn."""
        return [
            networks[:, start:end].view(-1, *size)
            for (start, end), size in zip(self._ends(), self.sizes, strict=True)
        ]

    def joined(self, layers: Sequence[torch.Tensor]) -> torch.Tensor:
        """The inverse of `layers`: rows [R, n], with zeros for padding."""
        parts = [layer.flatten(1) for layer in layers]
        padding = parts[0].new_zeros(len(parts[0]), self.length - self.n_params)
        return torch.cat([*parts, padding], dim=1)

    def _ends(self) -> Iterator[tuple[int, int]]:
        start = 0
        for size in self.sizes:
            yield start, start + math.prod(size)
            start += math.prod(size)


def initial(shape: Shape, seed: int) -> torch.Tensor:
    """One network [n] with He initialisation (He et al., 2015), from its own seed, on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    network = torch.zeros(1, shape.length)
    for weight in shape.layers(network)[::2]:
        nn.init.kaiming_normal_(weight[0], nonlinearity="relu", generator=generator)
    return network[0]


class WorkSpace:
    """Room for what R networks make of a batch, used again at each step.

    New tensors would do, but each of them would have to find its way into the caches.

    Args:
        layers: [R, out, in] and [R, out, 1] in turn.
        rows: Of a batch, B.

    Attributes:
        units: Of each layer, [R, out, B].
        slopes: Derivatives by the units of all but the last layer, [R, out, B].
    """

    def __init__(self, layers: Sequence[torch.Tensor], rows: int):
        sizes = [(*bias.shape[:2], rows) for bias in layers[1::2]]
        self.units = [layers[0].new_empty(size) for size in sizes]
        self.slopes = [layers[0].new_empty(size) for size in sizes[:-1]]


def logits(layers: Sequence[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Forward pass of R networks.

    Args:
        layers: [R, out, in] and [R, out, 1] in turn.
        x: [R, B, d].

    Returns:
        [R, C, B].
    """
    return deque(_units(layers, x), maxlen=1).pop()


@torch.no_grad()
def differentiate(
    layers: Sequence[torch.Tensor],
    x: torch.Tensor,
    slope: Callable[[torch.Tensor], torch.Tensor],
    gradients: Sequence[torch.Tensor],
    work: WorkSpace | None = None,
) -> None:
    """Forward and backward pass of R networks.

    By hand: so few operations need no graph of them, and each can overwrite what is used up.

    Args:
        layers: [R, out, in] and [R, out, 1] in turn.
        x: [R, B, d].
        slope: Derivatives of a loss by the logits, [R, C, B], from the logits, which it may change.
        gradients: Where the derivatives by each layer are written, of the layers' sizes.
        work: Room for all else. Automatic precision makes its own, as it passes over operations
            that are told where to write.
    """
    mixed = torch.is_autocast_enabled(x.device.type)
    room = None if mixed else work
    units = [x.mT, *_units(layers, x, room)]
    above = slope(units.pop())
    for layer in reversed(range(0, len(layers), 2)):
        below = units.pop()
        if mixed:
            gradients[layer].copy_(torch.bmm(above, below.mT))
        else:
            torch.bmm(above, below.mT, out=gradients[layer])
        torch.sum(above, dim=2, keepdim=True, out=gradients[layer + 1])
        if layer:
            there = None if room is None else room.slopes[layer // 2 - 1]
            above = torch.bmm(layers[layer].mT, above, out=there)
            # The derivative of the ReLU: what came out as zero lets nothing pass.
            torch.ops.aten.threshold_backward.grad_input(above, below, 0, grad_input=above)


def _units(
    layers: Sequence[torch.Tensor], x: torch.Tensor, work: WorkSpace | None = None
) -> Iterator[torch.Tensor]:
    """What each layer makes of the inputs, [R, units, B]; the last are the logits."""
    units, last = x.mT, len(layers) - 2
    for layer in range(0, len(layers), 2):
        there = None if work is None else work.units[layer // 2]
        units = torch.baddbmm(layers[layer + 1], layers[layer], units, out=there)
        yield units.relu_() if layer < last else units


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
        self._gradient = torch.zeros_like(networks)
        self.gradients = shape.layers(self._gradient)
        self._rates: list[list[float]] = []
        self._factors: list[torch.Tensor] = []
        self._steps: list[list[torch.Tensor]] = []
        self._one_by_one = networks.device.type in FUSED_ON
        if self._one_by_one:
            parts = (networks, self._gradient, *self.moments)
            rows = zip(*(part.unbind() for part in parts), strict=True)
            self._own = [[[part] for part in own] for own in rows]  # as the kernel takes them
            self._decays = self.decay.tolist()
        else:
            self._spread = torch.empty_like(networks)

    def schedule(self, rates: torch.Tensor) -> None:
        """Set the learning rates of the next K steps, [K, R]."""
        steps = self.taken + torch.arange(1, len(rates) + 1, dtype=torch.float64)[:, None]
        kept = 1.0 - rates * self.decay
        size = rates / (1.0 - BETAS[0] ** steps)
        root = 1.0 / torch.sqrt(1.0 - BETAS[1] ** steps)
        factors = torch.stack([kept, size, root], dim=1)[..., None].float()
        self._factors = list(factors.to(self.networks.device))[::-1]
        self._rates = rates.tolist()[::-1]
        self._steps = [list(step.unbind()) for step in steps.float()][::-1]

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """As `advance`, with the gradients that the layers hold; they are used up."""
        for layer, gradient in zip(self.layers, self.gradients, strict=True):
            assert layer.grad is not None
            gradient.copy_(layer.grad)
            layer.grad = None
        self.advance()

    @torch.no_grad()
    def advance(self) -> None:
        """One step of every network at its scheduled rate, with `gradients`."""
        rates, factors, steps = self._rates.pop(), self._factors.pop(), self._steps.pop()
        if self._one_by_one:
            self._step_one_by_one(rates, steps)
        else:
            self._step_together(factors)
        self.taken += 1

    def _step_one_by_one(self, rates: list[float], steps: list[torch.Tensor]) -> None:
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
        [step],
        amsgrad=False,
        lr=rate,
        beta1=BETAS[0],
        beta2=BETAS[1],
        weight_decay=decay,
        eps=EPSILON,
        maximize=False,
    )
