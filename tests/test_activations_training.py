"""Networks with unlike activations, trained alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from small import blobs, hills

from takeoff.experiments import activations_training as training
from takeoff.experiments.activations_training import Network, Run
from takeoff.experiments.settings import Activations
from takeoff.progress import Progress

SMALL: dict[str, Any] = {
    "dataset": "blobs", "m": 200, "activations": ["relu", "sigmoid"], "depths": [1, 3], "width": 8,
    "rates": {"sgd": [0.01, 0.1], "adam": [0.01, 0.03]}, "steps": 60, "evaluations": 10,
    "repeats": 3, "tuning_repeats": 2, "batch_size": 16,
}  # fmt: skip


def settings(**changes: Any) -> dict[str, Any]:
    """`Study.measure_settings` of a small experiment."""
    own = Activations(**SMALL | changes).model_dump(mode="json")
    more = {"validation_fraction": 0.2, "epochs": 3}
    return {"experiment": "activations", "settings": own, "seed": 1, "training": more}


def flat_settings(**changes: Any) -> dict[str, Any]:
    """As `train` takes them."""
    asked = settings(**changes)
    return {**asked["settings"], "seed": 1, "training": asked["training"]}


def measured(asked: dict[str, Any], cells: Path, data: Any = None) -> pd.DataFrame:
    """What `measure` returns, all parts told of."""
    with Progress(None, "activations", training.parts(asked), 1.0) as progress:
        table = training.measure(asked, data or blobs(), cells, progress)
        state = progress.state()
    assert state.done == state.total
    return table


def test_every_network_is_tuned_and_judged_in_other_repeats(tmp_path: Path) -> None:
    """With every rate of the grid, then with one of them."""
    table = measured(settings(), tmp_path)
    losses = table[table["kind"] == "loss"]
    by_phase = losses.groupby(["phase", "activation", "initialisation", "depth"])
    rates, repeats = (
        by_phase[name].agg(lambda x: tuple(sorted(set(x)))) for name in ("rate", "repeat")
    )
    assert set(rates["tuning"]) == {(0.01, 0.1)} and set(repeats["tuning"]) == {(0, 1)}
    assert {len(one) for one in rates["judged"]} == {1} and set(repeats["judged"]) == {(2, 3, 4)}
    assert len(rates["judged"]) == 8
    judged = losses[losses["phase"] == "judged"]
    assert (judged.groupby("activation")["loss"].min() < 1.0).all()  # of log 3, by guessing
    assert table["kind"].iloc[0] == "chance"
    assert table["loss"].iloc[0] == pytest.approx(np.log(3), abs=0.1)


def test_layers_are_looked_into(tmp_path: Path) -> None:
    """Gradients of all layers from the start on; slopes and dead units of the hidden ones."""
    table = measured(settings(), tmp_path)
    rows = table[(table["kind"] == "layer") & (table["depth"] == 3)]
    assert set(rows["layer"]) == {1, 2, 3, 4} and rows["step"].min() == 0
    assert rows["gradient"].notna().all()
    hidden = rows[rows["layer"] < 4]
    assert hidden["flat"].between(0, 1).all() and hidden["dead"].between(0, 1).all()
    assert rows.loc[rows["layer"] == 4, "flat"].isna().all()
    start = hidden[(hidden["step"] == 0) & (hidden["activation"] == "relu")]
    assert 0.2 < start["flat"].mean() < 0.8  # about half of all inputs are negative


def test_steps_are_timed(tmp_path: Path) -> None:
    """For each activation and depth, round by round."""
    table = measured(settings(), tmp_path)
    costs = table[table["kind"] == "cost"]
    assert (costs.groupby(["activation", "depth"]).size() == training.COST_ROUNDS - 1).all()
    assert (costs["seconds"] > 0).all()


def test_what_is_stored_is_not_trained_again(tmp_path: Path, monkeypatch: Any) -> None:
    """The same table from the store; another repeat trains the judged runs only."""
    first = measured(settings(), tmp_path)
    asked: list[str] = []
    train = training.train

    def counted(network: Network, runs: Any, phase: str, *more: Any) -> pd.DataFrame:
        asked.append(phase)
        return train(network, runs, phase, *more)

    monkeypatch.setattr(training, "train", counted)
    pd.testing.assert_frame_equal(measured(settings(), tmp_path), first)
    assert not asked
    measured(settings(repeats=4), tmp_path)
    assert set(asked) == {"judged"}


def test_a_run_is_the_same_whoever_is_beside_it() -> None:
    """Bit for bit: alone, among others, and when another diverges and is left out."""
    asked, network = flat_settings(), Network("sgd", "relu", "scaled", 3)
    seen = training.examples(blobs(), asked)
    runs = [Run(0.03, 1), Run(1e6, 0), Run(0.03, 0), Run(0.1, 1)]
    together = training.train(network, runs, "tuning", asked, seen)
    alone = training.train(network, [Run(0.03, 0)], "tuning", asked, seen)
    own = together[(together["rate"] == 0.03) & (together["repeat"] == 0)]
    assert own["loss"].tolist() == alone["loss"].tolist()
    diverged = together[together["rate"] == 1e6]
    assert np.isnan(diverged["loss"].iloc[-1])
    assert len(diverged) == len(own)


def test_repeats_are_paired_and_unlike() -> None:
    """The same batches for all activations of a repeat, others in another repeat."""
    asked = flat_settings()
    seen = training.examples(blobs(), asked)
    sides = [
        training._Side(
            Network("sgd", name, "default", depth), [Run(0.1, 0), Run(0.1, 1)], asked, seen
        )
        for name, depth in (("relu", 1), ("sigmoid", 3))
    ]
    assert torch.equal(sides[0].orders, sides[1].orders)
    assert not torch.equal(sides[0].orders[0], sides[0].orders[1])
    n = len(seen.x)
    assert sorted(sides[0].orders[0].flatten()[:n].tolist()) == list(range(n))


def test_held_out_examples_are_not_trained_on() -> None:
    """Both parts together are the labelled examples."""
    data = blobs()
    seen = training.examples(data, flat_settings())
    assert (len(seen.x), len(seen.x_held_out)) == (160, 40)
    both = torch.cat([seen.x, seen.x_held_out])
    assert len(torch.unique(both, dim=0)) == 200


def test_numbers_are_learned_too(tmp_path: Path) -> None:
    """A regression's guess has about the variance 1 of its scaled labels."""
    table = measured(settings(dataset="hills"), tmp_path, hills())
    assert table["loss"].iloc[0] == pytest.approx(1.0, abs=0.5)
    losses = table[(table["kind"] == "loss") & (table["phase"] == "judged")]
    assert losses["loss"].min() < 0.8 * table["loss"].iloc[0]


def test_adam_is_there_to_be_compared_with(tmp_path: Path) -> None:
    """With a grid of its own."""
    table = measured(settings(optimisers=["sgd", "adam"], depths=[1]), tmp_path)
    losses = table[table["kind"] == "loss"]
    assert set(losses.loc[losses["optimiser"] == "adam", "rate"]) <= {0.01, 0.03}
    assert set(losses["optimiser"]) == {"sgd", "adam"}
