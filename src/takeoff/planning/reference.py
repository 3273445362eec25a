"""What a study cost on the machine on which the reference was measured.

MODEL was fitted to every cell of the lecture study (two cores of an AMD EPYC of the Zen 4 family at
2.6 GHz, takeoff 0.1, PyTorch 2.13, scikit-learn 1.9), ridge to small fits, by

    python benchmarks/cost_reference.py --results results/lecture

The other seconds are those of the jobs of the same run, less what their cells took.
"""

from __future__ import annotations

import math

from takeoff.planning.costs import Model, Stopping

MODEL = Model(
    units={
        "gradient_boosting": {
            "cell": 0.07764,
            "numbers": 0.0,
            "trees": 3.51e-05,
            "rows": 5.541e-09,
            "leaves": 1.289e-07,
        },
        "logistic_regression": {
            "cell": 0.0,
            "numbers": 5.652e-09,
            "products": 1.849e-09,
            "metric": 1.441e-10,
            "coordinates": 3.777e-09,
        },
        "mlp": {
            "cell": 0.03263,
            "steps": 0.0001656,
            "inputs": 6.764e-10,
            "products": 1.851e-11,
            "parameters": 0.0,
            "judged": 7.493e-12,
        },
        "ridge": {
            "cell": 0.0005683,
            "numbers": 6.743e-10,
            "products": 3.158e-11,
            "decomposition": 1.763e-10,
        },
        "svm_rbf": {
            "cell": 0.0,
            "numbers": 8.553e-09,
            "kernel": 0.0,
            "solver": 8.472e-09,
            "judged": 1.912e-11,
            "pairs": 1.544e-10,
        },
    },
    spread={
        "gradient_boosting": 0.21,
        "logistic_regression": 0.732,
        "mlp": 0.144,
        "ridge": 0.398,
        "svm_rbf": 0.495,
    },
    stopping=Stopping(
        level=-0.2532, slope=-0.0881, spread=0.1135, trees=25.66, trees_spread=0.4009
    ),
)
PROBES = {  # CPU seconds of `calibration.seconds_of_probe`
    "logistic_regression": 0.0104,
    "ridge": 0.0124,
    "svm_rbf": 0.0466,
    "gradient_boosting": 0.292,
}
# CPU seconds a unit of a step in `calibration.seconds_a_step`: fewer than in MODEL, as the networks
# of a study are evaluated more often, and not all at the same time.
STEP = {"steps": 2.0e-05, "inputs": 2.62e-10, "products": 1.03e-11, "parameters": 4.9e-09}

# Seconds of a core; they are rounded, as they are small beside the cells.
START_NETWORK = 4.0  # to start Python and to import Lightning
START_BASELINE = 0.75
LOAD = 0.3 / 100 / 2**20  # a byte of a prepared data set: its checksum
ROWS = {  # an example of a generated or downloaded data set
    "spam": 1.0e-5,
    "ad_click": 6e-6,
    "car_position": 5.5e-5,
    "car_distance": 5.5e-5,
    "car_offset": 5.5e-5,
    "fashion_mnist": 2e-6,
}
OWN_ROW = 2e-5
STATISTICS = {  # to start, and for each curve
    "fit_curves": (1.0, 0.12),
    "check_claims": (0.9, 0.005),
    "weigh_options": (0.9, 0.02),
}
ANALYSIS, DRAWING = (1.5, 0.0), (1.5, 0.0)
FIGURES, PAPER = (2.5, 0.06), (2.0, 0.02)
ENGINE, ENGINE_JOB = 4.0, 0.08  # Snakemake's own start, and what it does for each job
IMPORTS = 4.67  # of `python -c "import takeoff.learners.mlp"`: what other machines are held against
# Of experiments that measure by themselves: how many times the steps of the whole grid the four
# ways of `speed` come to; seconds of a layer in a step of a run of `activations`; seconds of one
# that nothing is known of.
FOUR_WAYS, LAYER_STEP, MEASURE = 3.6, 2.3e-5, 30.0

# Standard deviations of logs: of a job, of such an experiment, of a machine that is not known.
SPREAD = 0.3
SPREAD_OF_MEASURES = 0.3
UNKNOWN_MACHINE = math.log(1.6)
CALIBRATED_MACHINE = math.log(1.1)

GUESSED_WIDTH = (64, 0, 2, 4)  # as below, of a data set that nothing is known of
WIDTHS = {  # of the data sets that are modules: features, hand-made features, classes, bytes
    "spam": (512, 37, 2, 1),
    "ad_click": (177, 27, 2, 4),
    "car_position": (768, 235, 9, 1),
    "fashion_mnist": (784, 0, 10, 1),
}
