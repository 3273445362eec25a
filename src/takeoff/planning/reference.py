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
            "cell": 0.04579,
            "numbers": 0.0,
            "trees": 9.723e-05,
            "rows": 5.529e-09,
            "leaves": 5.74e-08,
        },
        "logistic_regression": {
            "cell": 0.0,
            "numbers": 4.241e-09,
            "products": 2.712e-09,
            "metric": 2.193e-11,
            "coordinates": 2.158e-09,
        },
        "mlp": {
            "cell": 0.006155,
            "steps": 0.000129,
            "inputs": 6.084e-10,
            "products": 1.375e-11,
            "parameters": 0.0,
            "judged": 2.124e-11,
        },
        "ridge": {
            "cell": 0.000468,
            "numbers": 7.082e-10,
            "products": 2.702e-11,
            "decomposition": 1.759e-10,
        },
        "svm_rbf": {
            "cell": 0.0,
            "numbers": 4.466e-09,
            "kernel": 0.0,
            "solver": 7.393e-09,
            "judged": 2.049e-11,
            "pairs": 5.859e-11,
        },
    },
    spread={
        "gradient_boosting": 0.209,
        "logistic_regression": 0.564,
        "mlp": 0.102,
        "ridge": 0.611,
        "svm_rbf": 0.396,
    },
    stopping=Stopping(
        level=-0.2502, slope=-0.0886, spread=0.1151, trees=32.91, growth=0.3539, trees_spread=0.4677
    ),
)
PROBES = {  # CPU seconds of `calibration.seconds_of_probe`
    "logistic_regression": 0.0102,
    "ridge": 0.0121,
    "svm_rbf": 0.0439,
    "gradient_boosting": 0.2766,
}
# CPU seconds a unit of a step in `calibration.seconds_a_step`: fewer than in MODEL, as the networks
# of a study are evaluated more often, and not all at the same time.
STEP = {"steps": 1.923e-05, "inputs": 4.49e-10, "products": 1.18e-11, "parameters": 3.92e-09}

# Seconds of a core; they are rounded, as they are small beside the cells. Lightning's import and
# Snakemake's start have become shorter since: they were scaled by how much, on another machine.
START_NETWORK = 2.7  # to start Python and to import Lightning
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
ENGINE, ENGINE_JOB = 2.0, 0.08  # Snakemake's own start, and what it does for each job
IMPORTS = 3.0  # of `python -c "import takeoff.learners.mlp"`: what other machines are held against
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
