"""Learning curves from runs: means with intervals, and a power law with a floor.

A *curve* is the test error of one learner on one data set as a function of m, the number of
labelled examples. What was measured of it is described by a law,

    error(m) = floor + amplitude * m ** -exponent

with the floor in units of the error (a fraction of the test set), the exponent a pure number, and
the amplitude in units of the error times m ** exponent: what lies above the floor, extrapolated to
m = 1. What lies beyond the largest m is not read off this law: see `takeoff.statistics.forecasts`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from takeoff.errors import TakeoffError
from takeoff.statistics.intervals import mean_of

Floats = NDArray[np.float64]

CANDIDATES = 80  # floors tried in the first pass
ROUNDS = 12  # of refinement; each looks at a quarter of the range before it
POINTS_NEEDED = 4  # three parameters, and one point to contradict them
PRIOR_REPEATS = 5  # weight of the pooled standard error, see `shrunken_se`
CLOSE = 0.01  # a relative distance from the last error that is never called a miss
NEAR_LAST = 0.9  # a floor that may be this fraction of the last error isn't known

PARAMETERS = ("amplitude", "exponent", "floor")
CURVE_COLUMNS = [
    *("dataset", "learner", "m", "repeats", "test_error", "sd", "se", "low", "high"),
    *("log_loss", "seconds"),
]
FIT_COLUMNS = [
    *("dataset", "learner", "points", "m_min", "m_max"),
    *(f"{name}{end}" for name in PARAMETERS for end in ("", "_low", "_high")),
    *("log_rmse", "status"),
]


@dataclass(frozen=True)
class PowerLaw:
    """B power laws with floors, one per bootstrap replicate (see the module's docstring).

    Attributes:
        amplitude: [B] error times m ** exponent, >= 0.
        exponent: [B] >= 0; 0 where the errors don't fall with m (then the floor is 0 too).
        floor: [B] error, >= 0 and below the smallest error fitted.
    """

    amplitude: Floats
    exponent: Floats
    floor: Floats

    def error(self, m: Floats) -> Floats:
        """The error at each m: [M] -> [B, M]."""
        powers = np.exp(-self.exponent[:, None] * np.log(m))
        return self.floor[:, None] + self.amplitude[:, None] * powers


def summarise(runs: pd.DataFrame, level: float) -> pd.DataFrame:
    """The mean of each cell's repeats, with a t interval for the mean test error.

    Args:
        runs: A row per data set, learner, m and repeat, with test_error (fraction), log_loss
            (nats) and seconds.
        level: Of the two-sided interval, such as 0.95.

    Returns:
        A row per data set, learner and m: repeats (their number), test_error (mean), sd, se (of
        the mean), low, high, and the means of log_loss and seconds. With one repeat, sd, se, low
        and high are NaN. The interval is not clipped to [0, 1].
    """
    groups = runs.groupby(["dataset", "learner", "m"], sort=True)
    curves = groups.agg(
        repeats=("test_error", "size"),
        test_error=("test_error", "mean"),
        sd=("test_error", "std"),
        log_loss=("log_loss", "mean"),
        seconds=("seconds", "mean"),
    ).reset_index()
    repeats = curves["repeats"].to_numpy(dtype=float)
    curves["se"] = curves["sd"] / np.sqrt(repeats)
    half = special.stdtrit(np.maximum(repeats - 1, 1), (1 + level) / 2) * curves["se"]
    curves["low"], curves["high"] = curves["test_error"] - half, curves["test_error"] + half
    return curves[CURVE_COLUMNS]


def error_table(runs: pd.DataFrame) -> pd.DataFrame:
    """The test errors of one curve as a table: a row per m (ascending), a column per repeat.

    Args:
        runs: The rows of one data set and one learner.

    Raises:
        TakeoffError: A cell is there twice, or is missing for some repeat, or has no error.
    """
    where = f"runs of {runs['learner'].iloc[0]} on {runs['dataset'].iloc[0]}"
    if runs.duplicated(["m", "repeat"]).any():
        twice = runs[runs.duplicated(["m", "repeat"])].iloc[0]
        raise TakeoffError(
            f"m = {twice['m']}, repeat {twice['repeat']} is there more than once",
            where=where,
            remedy="delete this curve's results and run the same command again",
        )
    table = runs.pivot(index="m", columns="repeat", values="test_error").sort_index(axis=1)
    missing = table.isna().to_numpy()
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise TakeoffError(
            f"no test error for m = {table.index[row]}, repeat {table.columns[column]}",
            where=where,
            remedy="run the same command again: it trains what is missing",
        )
    return table.astype(float)


def error_tables(runs: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The `error_table` of every learner of one data set, by learner, in alphabetical order.

    Raises:
        TakeoffError: As in `error_table`, or the learners don't have the same repeats, so that
            nothing could be paired.
    """
    tables = {str(name): error_table(rows) for name, rows in runs.groupby("learner", sort=True)}
    first, *others = tables
    for other in others:
        if list(tables[first].columns) != list(tables[other].columns):
            raise TakeoffError(
                f"{first} and {other} don't have the same repeats",
                where=f"runs on {runs['dataset'].iloc[0]}",
                remedy="run the same command again: it trains what is missing",
            )
    return tables


def profile_fit(m: Floats, errors: Floats, se: Floats) -> PowerLaw:
    """Fit the power law with a floor, by a profile over the floor.

    Given a floor e, log(error - e) is a straight line in log m, found in closed form by weighted
    least squares. The standard error of log(error - e) is se / (error - e) (delta method), so
    the weights are ((error - e) / se) ** 2. No starting values and no local minima: about 80
    floors in [0, smallest error) are tried, and the neighbourhood of the best one is refined.

    Floors are compared by the weighted sum of squares of error - fit, with weights 1 / se ** 2.
    The sum of squares that each regression minimises would not do: its response and its weights
    change with the floor, so its values for two floors measure different things. On the error
    scale data and weights are the same for every floor.

    A line that would rise with m is replaced by a constant (exponent 0). A constant can be split
    between floor and amplitude in any way; it is all given to the amplitude.

    Args:
        m: [P] labelled examples, distinct, P >= 2.
        errors: [B, P] test error of B replicates of the curve.
        se: [P] standard errors, all > 0; only their ratios matter.

    Returns:
        B power laws.
    """
    smallest = np.maximum(errors.min(axis=1), 0.0)[:, None]
    spaced = 1 - np.geomspace(1.0, 1e-5, CANDIDATES)  # dense near the smallest error
    shares = np.broadcast_to(spaced, (len(errors), CANDIDATES))
    log_m, relative_se = np.log(m), se / np.median(se)
    for _ in range(ROUNDS):
        best = _best(_misfit(log_m, errors, relative_se, smallest * shares))
        shares = _around(shares, best)
    best = _best(_misfit(log_m, errors, relative_se, smallest * shares))
    share = np.take_along_axis(shares, best, axis=1)
    floor = smallest * np.where(share < 1e-6, 0.0, share)
    intercept, slope = (line[:, 0] for line in _lines(log_m, errors, relative_se, floor))
    return _power_law(errors, relative_se, intercept, slope, floor[:, 0])


def _lines(log_m: Floats, errors: Floats, se: Floats, floors: Floats) -> tuple[Floats, Floats]:
    """Intercepts and slopes (<= 0) of log(error - floor) on log m, for floors [B, K]: [B, K]."""
    excess = _excess(errors, floors)
    weights = (excess / se) ** 2
    weights /= weights.sum(axis=2, keepdims=True)
    logs = np.log(excess)
    centre = weights @ log_m
    from_centre = log_m - centre[..., None]
    weighted = weights * from_centre
    spread = np.maximum((weighted * from_centre).sum(axis=2), np.finfo(float).tiny)
    slope = np.minimum((weighted * logs).sum(axis=2) / spread, 0.0)
    intercept: Floats = (weights * logs).sum(axis=2) - slope * centre
    return intercept, slope


def _excess(errors: Floats, floors: Floats) -> Floats:
    """Errors [B, P] above floors [B, K]: [B, K, P], kept positive for the logarithm.

    Only an error of exactly zero comes to the bound; its weight is then next to nothing.
    """
    largest = errors.max(axis=1)
    bound = 1e-12 * np.where(largest > 0, largest, 1.0)
    excess: Floats = np.maximum(errors[:, None, :] - floors[:, :, None], bound[:, None, None])
    return excess


def _misfit(log_m: Floats, errors: Floats, se: Floats, floors: Floats) -> Floats:
    """Weighted sum of squares of error - fit for each floor: [B, K]."""
    intercept, slope = _lines(log_m, errors, se, floors)
    fitted = floors[..., None] + np.exp(intercept[..., None] + slope[..., None] * log_m)
    misfit: Floats = (((errors[:, None, :] - fitted) / se) ** 2).sum(axis=2)
    return misfit


def _best(misfit: Floats) -> NDArray[np.intp]:
    """Column of the smallest misfit, the first of equals: [B, 1]."""
    columns: NDArray[np.intp] = misfit.argmin(axis=1)[:, None]
    return columns


def _around(shares: Floats, best: NDArray[np.intp]) -> Floats:
    """Nine shares from the left to the right neighbour of the best one: [B, 9]."""
    last = shares.shape[1] - 1
    left = np.take_along_axis(shares, np.maximum(best - 1, 0), axis=1)
    right = np.take_along_axis(shares, np.minimum(best + 1, last), axis=1)
    between: Floats = left + (right - left) * np.linspace(0.0, 1.0, 9)
    return between


def _power_law(
    errors: Floats, se: Floats, intercept: Floats, slope: Floats, floor: Floats
) -> PowerLaw:
    """Power laws from lines in the logarithms; constants have no floor of their own."""
    constant = slope == 0
    mean = (errors / se**2).sum(axis=1) / (1 / se**2).sum()
    return PowerLaw(
        amplitude=np.where(constant, mean, np.exp(intercept)),
        exponent=np.where(constant, 0.0, -slope),
        floor=np.where(constant, 0.0, floor),
    )


def shrunken_se(errors: Floats, se: Floats, repeats: int) -> Floats:
    """Standard errors that no single lucky point can dominate.

    With few repeats a standard error is itself noisy: from five, one point in twenty gets less
    than 0.42 of its true value, and so more than five times its due weight; where the repeats
    happen to agree it gets all of it. As is done for variances of genes (Smyth 2004), each squared
    standard error is averaged with a pooled one, in proportion to the degrees of freedom. Pooled
    is the *relative* standard error (its median over the curve), because errors of 0.5 and 0.01
    have no common absolute one. The pooled value counts as much as PRIOR_REPEATS repeats.

    Args:
        errors: [P] mean errors of the curve.
        se: [P] their standard errors; NaN with one repeat.
        repeats: Number of repeats behind each.

    Returns:
        [P] positive; proportional to the error where `se` says nothing (one repeat, or all zero).
    """
    scale = np.maximum(errors, max(1e-3 * float(errors.max()), np.finfo(float).tiny))
    own = np.nan_to_num((se / scale) ** 2)
    pooled = float(np.median(own)) or float(own.mean()) or 1.0
    freedom, prior = max(repeats - 1, 0), PRIOR_REPEATS - 1
    result: Floats = scale * np.sqrt((prior * pooled + freedom * own) / (prior + freedom))
    return result


def resampled(errors: Floats, weights: Floats, spreads: Floats) -> Floats:
    """Bootstrap replicates of a mean curve, from whole repeats.

    A plain percentile interval from R repeats is too narrow twice over: resampling R values gives
    (R - 1) / R of the variance, and normal quantiles stand where t quantiles belong
    (Hesterberg 2015). His remedy, percentiles further out in the tails, has nothing to reach for
    with three to five repeats: no resample lies outside the repeats themselves. So the same two
    corrections are made in the replicates: each deviation from the mean curve is multiplied by
    sqrt(R / (R - 1)) and by a draw of sqrt((R - 1) / chi-squared), whose product with a normal
    variable is Student's t. Plain percentiles of the replicates then have the width of t
    intervals, and parameters still keep to their bounds. Deviations are applied as factors
    exp(deviation / mean), so that no error becomes negative.

    Args:
        errors: [P, R] test errors of one curve.
        weights: [B, R] how often each repeat was drawn, divided by R; the same for every learner
            of a data set, so that their replicates stay paired.
        spreads: [B] the two corrections, as a factor.

    Returns:
        [B, P] test errors.
    """
    mean = errors.mean(axis=1)
    deviation = (weights - 1 / errors.shape[1]) @ errors.T * spreads[:, None]
    share = np.divide(deviation, mean, out=np.zeros_like(deviation), where=mean > 0)
    replicates: Floats = mean * np.exp(np.clip(share, -20, 20))
    return replicates


def fit_laws(runs: pd.DataFrame, *, level: float, bootstrap: int, seed: int) -> pd.DataFrame:
    """Fit the law to every curve.

    Intervals are percentiles over bootstrap replicates (see `resampled`), each refitted with the
    weights of the original fit; NaN with one repeat. They say how far the repeats let the
    parameters vary *if the curve follows the law*. In simulated studies with a floor, 95 %
    intervals from three to ten repeats cover 92 to 97 %. Where the true floor is zero, at the
    bound, the bootstrap is known to fail (Andrews 2000): the floor's interval covers 95 % or more,
    that of the exponent only 83 to 91 %.

    The status of a curve is the first of these that holds:

    - "too few points": fewer than four different m. No fit: NaN.
    - "not decreasing": the errors don't fall with m. Exponent and floor are 0.
    - "misses the end": at the largest m the law lies outside the t interval of the measured mean,
      and off it by more than 1 %. The curve does not follow the law there.
    - "floor not identified": the floor's interval reaches from 0 to near the last fitted error.
    - "floor at zero": the best floor is the bound.
    - "converged".

    Args:
        runs: A row per data set, learner, m and repeat, with the test error.
        level: Of the intervals, such as 0.95.
        bootstrap: Number of replicates.
        seed: Equal seeds give equal results. A data set's draws don't depend on the others.

    Returns:
        A row per curve: dataset, learner, points, m_min, m_max, then amplitude, exponent and
        floor, each followed by its interval (`_low`, `_high`), log_rmse (root mean square of the
        natural logarithm of error / fit) and status.

    Raises:
        TakeoffError: The runs of a curve have gaps or duplicates, or learners of one data set
            have different repeats.
    """
    tails = [(1 - level) / 2, (1 + level) / 2]
    rows = [
        names | _parameter_row(table, _fit_replicates(table, *draws), tails)
        for names, table, draws in _paired_curves(runs, bootstrap, seed)
    ]
    return pd.DataFrame(rows, columns=FIT_COLUMNS)


def _paired_curves(
    runs: pd.DataFrame, bootstrap: int, seed: int
) -> Iterator[tuple[dict[str, Any], pd.DataFrame, tuple[Floats, Floats]]]:
    """Each curve's names and errors, with the draws that it shares with its data set."""
    for dataset, of_dataset in runs.groupby("dataset", sort=True):
        tables = error_tables(of_dataset)
        repeats = next(iter(tables.values())).shape[1]
        draws = _draws(repeats, bootstrap, [seed, zlib.crc32(str(dataset).encode())])
        for learner, table in tables.items():
            yield {"dataset": dataset, "learner": learner}, table, draws


def _draws(repeats: int, bootstrap: int, seed: list[int]) -> tuple[Floats, Floats]:
    """Weights [B, R] and spreads [B] for `resampled`; empty with one repeat."""
    if repeats < 2:
        return np.empty((0, repeats)), np.empty(0)
    random = np.random.default_rng(seed)
    weights = random.multinomial(repeats, np.full(repeats, 1 / repeats), size=bootstrap) / repeats
    return weights, np.sqrt(repeats / random.chisquare(repeats - 1, size=bootstrap))


def _fit_replicates(table: pd.DataFrame, weights: Floats, spreads: Floats) -> PowerLaw | None:
    """The fit to the mean curve, then to its replicates: [1 + B]; None with too few points."""
    if len(table) < POINTS_NEEDED:
        return None
    errors = table.to_numpy()
    mean, repeats = errors.mean(axis=1), errors.shape[1]
    sd = errors.std(axis=1, ddof=1) if repeats > 1 else np.full(len(mean), np.nan)
    se = shrunken_se(mean, sd / np.sqrt(repeats), repeats)
    curves = np.vstack([mean, resampled(errors, weights, spreads)])
    return profile_fit(table.index.to_numpy(dtype=float), curves, se)


def _parameter_row(
    table: pd.DataFrame, fits: PowerLaw | None, tails: list[float]
) -> dict[str, Any]:
    row = {"points": len(table), "m_min": table.index[0], "m_max": table.index[-1]}
    if fits is None:
        return row | {"status": "too few points"}
    for name in PARAMETERS:
        values = getattr(fits, name)
        low, high = _percentiles(values, tails)
        row |= {name: values[0], f"{name}_low": low, f"{name}_high": high}
    mean = table.to_numpy().mean(axis=1)
    fitted = fits.error(table.index.to_numpy(dtype=float))[0]
    row["log_rmse"] = _log_rmse(mean, fitted)
    misses = _misses_the_end(table.to_numpy()[-1], fitted[-1], tails)
    return row | {"status": _status(row, last=fitted[-1], misses=misses)}


def _misses_the_end(errors: Floats, fitted: float, tails: list[float]) -> bool:
    """Whether the law is off the last mean error by more than chance between repeats explains.

    Args:
        errors: [R] the test errors at the largest m.
        fitted: The law's error there.
        tails: Of the interval.
    """
    if errors.size < 2:
        return False
    last = mean_of(errors)
    low, high = last.interval(tails[1] - tails[0])
    return not low <= fitted <= high and abs(fitted - last.value) > CLOSE * last.value


def _log_rmse(errors: Floats, fitted: Floats) -> float:
    """Root mean square of log(error / fitted), over the errors that have a logarithm."""
    known = (errors > 0) & (fitted > 0)
    if not known.any():
        return float("nan")
    return float(np.sqrt(np.mean(np.log(errors[known] / fitted[known]) ** 2)))


def _percentiles(values: Floats, tails: list[float]) -> tuple[float, float]:
    """Percentiles over the replicates: all but the first of the [1 + B] values."""
    if len(values) == 1:
        return float("nan"), float("nan")
    low, high = np.quantile(values[1:], tails)
    return float(low), float(high)


def _status(row: dict[str, Any], last: float, misses: bool) -> str:
    if row["exponent"] == 0:
        return "not decreasing"
    if misses:
        return "misses the end"
    if row["floor_low"] == 0 and row["floor_high"] >= NEAR_LAST * last:
        return "floor not identified"
    return "floor at zero" if row["floor"] == 0 else "converged"
