"""PyTorch Lightning, imported without what networks have no use for.

Lightning imports torchmetrics, and that imports SciPy's signal processing, Matplotlib and
torchvision where it finds them (torchmetrics, issue 3457): a third of the time in which a job that
trains networks starts. It goes without them where they are not installed, so while it is imported
they seem not to be. What the process has imported before stays as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from lightning_utilities.core import imports

SPARED = {"scipy": "scipy.signal", "matplotlib": "matplotlib.pyplot", "torchvision": "torchvision"}


@contextmanager
def hidden(packages: Collection[str]) -> Iterator[None]:
    """Let libraries of the Lightning family believe that some packages are not installed."""
    available, met = imports.package_available, imports.RequirementCache.__bool__

    def is_available(package: str) -> bool:
        return package not in packages and available(package)

    def is_met(requirement: imports.RequirementCache) -> bool:
        if requirement.requirement in packages:
            requirement.available = False  # also when it is asked again, later
            requirement.message = f"takeoff imports no {requirement.requirement} here"
        return met(requirement)

    imports.package_available = is_available  # type: ignore[assignment]
    imports.RequirementCache.__bool__ = is_met  # type: ignore[assignment]
    try:
        yield
    finally:
        imports.package_available = available
        imports.RequirementCache.__bool__ = met  # type: ignore[method-assign]


with hidden([package for package, module in SPARED.items() if module not in sys.modules]):
    import pytorch_lightning as lightning
    from lightning_fabric.plugins.environments.lightning import LightningEnvironment
    from lightning_fabric.utilities.exceptions import MisconfigurationException

__all__ = ["LightningEnvironment", "MisconfigurationException", "hidden", "lightning"]
