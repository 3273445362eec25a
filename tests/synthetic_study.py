"""A made-up study with everything a paper is made from, drawn from seeded random numbers.

The curves are power laws with a floor. One learner is capped, and one data set has a Bayes error.
`mixed` is a study of four data sets that are judged by four different measures.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from takeoff.paper import figures
from takeoff.paper.facts import Results
from takeoff.statistics import claims, fits, forecasts, options
from takeoff.study import load_study

M = [125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000]
CONFIG: dict[str, Any] = {
    "study": "synthetic",
    "title": "Why did deep learning take off? The lecture's argument, measured",
    "seed": 2026,
    "use": {
        "datasets": ["fashion_mnist", "spam"],
        "learners": [
            *("logistic_regression", "svm_rbf", "gradient_boosting"),
            *("mlp_small", "mlp_medium", "mlp_large"),
        ],
        "claims": ["plateau", "bigger_is_better", "keeps_improving", "unclear_when_small"],
    },
    "datasets": {
        "fashion_mnist": {"m": M, "repeats": 5, "pool": 60000, "test": 10000},
        "spam": {"m": M, "repeats": 5, "pool": 40000, "test": 20000},
    },
    "learners": {
        "logistic_regression": {
            "kind": "logistic_regression",
            "label": "logistic regression",
            "grid": {"C": [0.001, 0.01, 0.1]},
        },
        "svm_rbf": {
            "kind": "svm_rbf",
            "label": "RBF support vector machine",
            "grid": {"C": [1, 10, 100]},
            "m_max": {"fashion_mnist": 8000, "spam": 8000},
        },
        "gradient_boosting": {
            "kind": "gradient_boosting",
            "label": "gradient boosting",
            "grid": {"learning_rate": [0.05, 0.1, 0.2]},
        },
        "mlp_small": {
            "kind": "mlp",
            "label": "small network",
            "hidden": [16, 16],
            "grid": {"learning_rate": [0.0003, 0.001, 0.003]},
        },
        "mlp_medium": {
            "kind": "mlp",
            "label": "medium network",
            "hidden": [64, 64],
            "grid": {"learning_rate": [0.0003, 0.001, 0.003]},
        },
        "mlp_large": {
            "kind": "mlp",
            "label": "large network",
            "hidden": [256, 256],
            "grid": {"learning_rate": [0.0003, 0.001, 0.003]},
        },
    },
    "statistics": {"level": 0.95, "bootstrap": 100},
}
METRIC = {
    "metric": "error_rate", "unit": "", "scaling": "common", "noise_sd": 0.0,
    "floor_is_bound": False, "time_ordered": False, "left_out": {}, "n_hand_made": 0,
}  # fmt: skip
SHEETS: dict[str, dict[str, Any]] = {
    "fashion_mnist": {
        "title": "Fashion-MNIST",
        "description": "Grey pictures of single garments, shoes and bags from a shop's catalogue",
        "task": "which kind of garment is on the picture",
        "source": "Zalando Research, https://github.com/zalandoresearch/fashion-mnist",
        "licence": "MIT",
        "citation": "xiao2017fashion",
        "generated": False,
        "classes": ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt",
                    "Sneaker", "Bag", "Ankle boot"],
        "n_features": 784,
        "class_shares": [0.1] * 10,
        **METRIC, "floors": {}, "floor": None, "chance": 0.9,
    },
    "spam": {
        "title": "Spam",
        "description": "Generated e-mails by many senders, given as counts of words",
        "task": "whether the e-mail is spam",
        "source": "drawn by takeoff from the study's seed",
        "licence": "CC0",
        "citation": "",
        "generated": True,
        "classes": ["legitimate", "spam"],
        "n_features": 400,
        "class_shares": [0.62, 0.38],
        **METRIC, "floors": {"error_rate": 0.0412, "log_loss": 0.1127}, "floor": 0.0412,
        "chance": 0.38,
    },
}  # fmt: skip
MIXED: dict[str, dict[str, Any]] = {  # what the sheets say in a study of all measures
    "fashion_mnist": {
        "metric": "balanced_error", "chance": 0.9, "left_out": {"without a label": 12},
    },
    "spam": {
        "metric": "error_rate", "floors": {"error_rate": 0.0412, "log_loss": 0.1127, "auc": 0.981},
        "floor": 0.0412, "floor_is_bound": True, "n_hand_made": 38,
    },
    "ad_click": {
        "title": "Ad clicks",
        "description": "Generated impressions of advertisements",
        "task": "whether the impression is clicked",
        "source": "drawn by takeoff from the study's seed",
        "licence": "CC0",
        "citation": "",
        "generated": True,
        "classes": ["no click", "click"],
        "n_features": 240,
        "class_shares": [0.93, 0.07],
        **METRIC, "metric": "log_loss", "scaling": "each", "time_ordered": True,
        "floors": {"error_rate": 0.0663, "log_loss": 0.2079, "auc": 0.742}, "floor": 0.2079,
        "chance": 0.2536,
    },
    "car_position": {
        "title": "Car position",
        "description": "Generated views of another car from a moving camera",
        "task": "how far ahead the other car is",
        "source": "drawn by takeoff from the study's seed",
        "licence": "CC0",
        "citation": "",
        "generated": True,
        "classes": [],
        "n_features": 768,
        "class_shares": [],
        **METRIC, "metric": "rmse", "unit": "m", "noise_sd": 0.3, "floors": {"rmse": 0.3},
        "floor": 0.3, "chance": 18.4,
    },
}  # fmt: skip
LAWS = {  # floor, amplitude, exponent
    "fashion_mnist": {
        "logistic_regression": (0.148, 1.9, 0.52),
        "svm_rbf": (0.06, 1.15, 0.32),
        "gradient_boosting": (0.08, 1.9, 0.4),
        "mlp_small": (0.11, 1.7, 0.42),
        "mlp_medium": (0.085, 1.6, 0.38),
        "mlp_large": (0.07, 1.45, 0.355),
    },
    "spam": {
        "logistic_regression": (0.115, 1.4, 0.5),
        "svm_rbf": (0.05, 0.9, 0.33),
        "gradient_boosting": (0.06, 1.1, 0.38),
        "mlp_small": (0.052, 1.2, 0.37),
        "mlp_medium": (0.048, 1.25, 0.39),
        "mlp_large": (0.0475, 1.3, 0.4),
    },
    "ad_click": {
        "logistic_regression": (0.2115, 0.35, 0.5),
        "svm_rbf": (0.2105, 0.4, 0.45),
        "gradient_boosting": (0.2082, 0.6, 0.5),
        "mlp_small": (0.2088, 0.7, 0.5),
        "mlp_medium": (0.2083, 0.8, 0.52),
        "mlp_large": (0.2081, 0.9, 0.54),
    },
    "car_position": {
        "logistic_regression": (5.2, 40.0, 0.5),
        "svm_rbf": (2.2, 60.0, 0.45),
        "gradient_boosting": (1.1, 90.0, 0.5),
        "mlp_small": (0.9, 110.0, 0.5),
        "mlp_medium": (0.55, 130.0, 0.52),
        "mlp_large": (0.35, 150.0, 0.53),
    },
}
NOISE_FREE = {"ad_click": 0.2079, "car_position": 0.3}  # the part of an error that has no noise
PARAMETERS = {"mlp_small": 12_970, "mlp_medium": 55_050, "mlp_large": 269_322}
SECONDS = {
    "logistic_regression": 0.02, "svm_rbf": 0.01, "gradient_boosting": 0.4,
    "mlp_small": 0.5, "mlp_medium": 0.7, "mlp_large": 1.2,
}  # fmt: skip


def config(**changes: Any) -> dict[str, Any]:
    """The config, with entries of `use` replaced."""
    changed = copy.deepcopy(CONFIG)
    changed["use"] |= changes
    return changed


def mixed(**changes: Any) -> Results:
    """A study whose data sets are judged by four different measures."""
    raw = config(datasets=list(MIXED)) | {"study": "mixed", "title": "Four tasks, four measures"}
    raw["use"] |= changes
    m = M[2:-1]
    raw["datasets"] = {name: {"m": m, "repeats": 5, "pool": 40000, "test": 10000} for name in MIXED}
    raw["learners"]["svm_rbf"]["m_max"] = {"spam": 4000, "ad_click": 4000}
    return results(raw, sheets={name: SHEETS.get(name, {}) | MIXED[name] for name in MIXED})


def results(
    raw: dict[str, Any] | None = None,
    seed: int = 7,
    sheets: dict[str, dict[str, Any]] = SHEETS,
) -> Results:
    """Everything the paper is made from."""
    study = load_study(raw or config())
    runs = make_runs(study, np.random.default_rng(seed))
    curves = fits.summarise(runs, 0.95)
    limits = {name: forecasts.Limits.of(sheets[name]) for name in study.use.datasets}
    ladder = [claims.Learner(**learner) for learner in study.ladder()]
    settings = claims.ClaimSettings(level=0.95, **study.claims.model_dump(exclude={"population"}))
    findings = claims.check(runs, ladder, settings)
    return Results(
        study=study.model_dump(mode="json"),
        sheets={name: _sheet(study, name, sheets[name]) for name in study.use.datasets},
        runs=runs,
        curves=curves,
        fits=fits.fit_laws(runs, level=0.95, bootstrap=100, seed=1),
        forecast=forecasts.forecast_curves(curves, 0.9, limits),
        held_out=forecasts.hold_out(curves, 0.9, limits),
        last_doublings=findings.last_doublings,
        differences=findings.differences,
        agreement=findings.agreement,
        claims=findings.claims,
    )


def weighed(some: Results) -> Results:
    """The study with what more labels would bring."""
    ladder = load_study(config(learners=some.learners)).ladder()
    return replace(some, options=options.weigh(some.runs, ladder, some.measures, options.Asked()))


def make_runs(study: Any, random: np.random.Generator) -> pd.DataFrame:
    """A row per cell; the repeats of one data set share a part of their luck."""
    rows = []
    for dataset, learner in study.curves:
        floor, amplitude, exponent = LAWS[dataset][learner]
        definition = study.learners[learner]
        luck = np.random.default_rng(len(dataset)).normal(size=(len(M), 99))
        for i, m in enumerate(study.sizes(dataset, learner)):
            for repeat in range(study.datasets[dataset].repeats):
                noise = 0.6 * luck[i, repeat] + 0.8 * random.normal()
                still = NOISE_FREE.get(dataset, 0.0)
                moving = floor - still + amplitude * m**-exponent
                error = still + moving * np.exp(0.16 * noise * m**-0.25)
                key, values = next(iter(definition.grid.model_dump().items()))
                rows.append({
                    "dataset": dataset, "learner": learner, "m": m, "repeat": repeat,
                    "n_train": m - m // 5, "n_validation": m // 5,
                    "test_error": error if still else min(error, 0.95),
                    "test_se": np.sqrt(error / 20000),
                    "error_rate": min(error, 0.95), "balanced_error": min(error, 0.95),
                    "log_loss": 3 * error, "auc": np.nan, "rmse": np.nan, "mae": np.nan,
                    "validation_error": error, "validation_loss": 3 * error,
                    "settings": json.dumps({key: values[random.integers(len(values))]}),
                    "n_params": PARAMETERS.get(learner, 10 * m), "steps": 500,
                    "seconds": SECONDS[learner] * (m / 125) ** 0.8 * np.exp(0.1 * noise),
                    "device": "cpu",
                    "versions": json.dumps({"numpy": "2.4.6", "torch": "2.13.0"}),
                })  # fmt: skip
    return pd.DataFrame(rows)


def _sheet(study: Any, name: str, sheet: dict[str, Any]) -> dict[str, Any]:
    return sheet | {
        "name": name,
        "n_pool": study.datasets[name].pool,
        "n_test": study.datasets[name].test,
        "n_classes": len(sheet["classes"]),
        "digest": "0" * 64,
    }


def draw(results: Results, learners: list[dict[str, Any]]) -> Iterator[tuple[str, Figure]]:
    """All figures of a study, by name."""
    titles = {name: sheet["title"] for name, sheet in results.sheets.items()}
    shared = (learners, titles, results.measures)
    yield "learning_curves", figures.learning_curves(results.curves, *shared)
    yield "above_floor", figures.above_floor(results.curves, *shared)
    yield "forecasts", figures.forecasts(results.curves, results.forecast, *shared)
    yield "held_out", figures.held_out(results.held_out, *shared)
    yield "last_doublings", figures.last_doublings(results.last_doublings, *shared, 0.05)
    yield "differences", figures.differences(results.differences, *shared)
    yield "agreement", figures.agreement(results.agreement, titles, 2)
    yield "cost", figures.cost(results.curves, learners, titles)


def with_verdict(results: Results, claim: str, verdict: str) -> dict[str, Any]:
    """The claims, with one claim's verdict and those of its parts forced.

    A refuted claim keeps a part of each kind, where it has three.
    """
    forced = copy.deepcopy(results.claims)
    for entry in forced["claims"]:
        if entry["claim"] != claim:
            continue
        entry["verdict"] = verdict
        others = {"supported": [], "undecided": ["supported"],
                  "refuted": ["supported", "undecided"]}[verdict]  # fmt: skip
        kinds = [verdict, *others, *["supported"] * 99]
        for part, kind in zip(entry["parts"], kinds, strict=False):
            part["verdict"] = kind
    return forced
