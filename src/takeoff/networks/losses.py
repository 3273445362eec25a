"""What networks are trained to lower, with its derivative by what they put out.

A loss has two functions of outputs [R, C, B] (units before the batch, see `replicates`) and targets
[R, B]: `each` is the loss of every example, [R, B], and `slope` its derivative, [R, C, B]. Both are
in single precision, whatever that of the outputs.
"""

from __future__ import annotations

import torch
from torch.nn import functional


class CrossEntropy:
    """Minus the log-probability of the label, in nats; outputs are logits, targets int64 labels."""

    @staticmethod
    def each(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """-log softmax(logits)[label]."""
        return functional.cross_entropy(logits.float(), labels, reduction="none")

    @staticmethod
    def slope(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """softmax(logits), less one at the label."""
        found = functional.softmax(logits.float(), dim=1)
        own = labels[:, None]
        return found.scatter_(1, own, found.gather(1, own).sub_(1.0))


class SquaredError:
    """Squared distance from the target, a number; there is one output."""

    @staticmethod
    def each(outputs: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """(output - number)^2."""
        return (outputs[:, 0].float() - numbers).square_()

    @staticmethod
    def slope(outputs: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """2 (output - number)."""
        return (outputs.float() - numbers[:, None]).mul_(2.0)
