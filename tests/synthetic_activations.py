"""Made-up runs of networks with unlike activations: when they arrive is what the caller says."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from takeoff.experiments import Asked, arrivals
from takeoff.experiments.settings import Activations

CHANCE, BEST = 2.3, 0.3
Arrives = Callable[[str, str, int], float]  # activation, initialisation, depth -> mean steps


def lecture_is_right(activation: str, initialisation: str, depth: int) -> float:
    """The sigmoid needs twice the steps, and with default weights as much again per layer."""
    slow = {"relu": 1.0, "gelu": 0.9, "tanh": 1.3, "sigmoid": 2.0}[activation]
    worse = 1 + 0.3 * depth * (initialisation == "default") * (activation == "sigmoid")
    return 50 * slow * worse * (1 + 0.1 * depth)


def all_alike(activation: str, initialisation: str, depth: int) -> float:
    """No difference in truth."""
    return 100 * (1 + 0.1 * depth)


def kept(activation: str, initialisation: str) -> float:
    """Of a gradient, per layer on the way down."""
    if initialisation == "scaled":
        return 0.8 if activation == "sigmoid" else 0.98
    return {"sigmoid": 0.15, "relu": 0.45}.get(activation, 0.6)


def asked(
    arrives: Arrives,
    *,
    noise: float = 0.1,
    seed: int = 0,
    kept_per_layer: Callable[[str, str], float] = kept,
    **changes: Any,
) -> Asked:
    """What `activations.analyse` is asked.

    Args:
        arrives: The mean number of steps to the target; infinity for never.
        noise: Standard deviation of the logarithm of steps, and of gradients.
        seed: Of the noise.
        kept_per_layer: What is kept of a gradient per layer.
        changes: Of the experiment's settings.
    """
    settings = Activations(**{"dataset": "fashion_mnist"} | changes).model_dump(mode="json")
    random = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = [{"kind": "chance", "loss": CHANCE}]
    names = ("optimisers", "activations", "initialisations", "depths")
    for network in itertools.product(*(settings[name] for name in names)):
        kind = dict(zip(arrivals.NETWORK, network, strict=True))
        mean = arrives(*network[1:])
        rows += _tuning(kind, mean, settings)
        for repeat in range(settings["repeats"]):
            own = kind | {"phase": "judged", "rate": 0.03, "repeat": 2 + repeat}
            rows += _losses(own, mean * math.exp(noise * random.normal()), settings)
            rows += _layers(own, kept_per_layer(*network[1:3]), noise, settings, random)
    rows += _costs(settings, random)
    table = pd.DataFrame(rows)
    return Asked({"settings": settings, "level": 0.95}, pd.DataFrame(), table, {})


def _tuning(kind: dict[str, Any], mean: float, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Runs of three rates, of which the middle one is best; one of the shallowest sees `BEST`."""
    rows = []
    for rate, slower in ((0.01, 2.0), (0.03, 1.0), (0.1, 3.0)):
        own = kind | {"phase": "tuning", "rate": rate, "repeat": 0}
        rows += _losses(own, mean * slower, settings)
    if kind["depth"] == min(settings["depths"]):
        rows[-1]["loss"] = BEST
    return rows


def _losses(
    run: dict[str, Any], arrives_at: float, settings: dict[str, Any]
) -> list[dict[str, Any]]:
    """An exponential fall from guessing that is at the target at this step."""
    left = 1 - settings["target"]
    steps = arrivals.evaluations(settings["steps"], settings["evaluations"])
    return [
        run | {"kind": "loss", "step": step,
               "loss": BEST + (CHANCE - BEST) * left ** (step / arrives_at)}
        for step in steps
    ]  # fmt: skip


def _layers(
    run: dict[str, Any],
    per_layer: float,
    noise: float,
    settings: dict[str, Any],
    random: np.random.Generator,
) -> list[dict[str, Any]]:
    depth = run["depth"]
    return [
        run | {"kind": "layer", "step": step, "layer": layer,
               "gradient": per_layer ** (depth + 1 - layer) * math.exp(noise * random.normal()),
               "flat": 0.1 * layer / depth if layer <= depth else np.nan,
               "dead": 0.01 if layer <= depth else np.nan}
        for step in (0, settings["steps"])
        for layer in range(1, depth + 2)
    ]  # fmt: skip


def _costs(settings: dict[str, Any], random: np.random.Generator) -> list[dict[str, Any]]:
    names = ("optimisers", "activations", "depths")
    return [
        {"kind": "cost", "optimiser": optimiser, "activation": activation, "depth": depth,
         "repeat": turn, "seconds": 1e-4 * (1 + 0.1 * depth) * random.uniform(1, 1.1)}
        for optimiser, activation, depth in itertools.product(*(settings[name] for name in names))
        for turn in range(1, 6)
    ]  # fmt: skip
