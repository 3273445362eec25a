"""Which numbers moved, and which of them beyond what their intervals allow.

The test. Two reports estimate the same number, each with an interval of known level. An interval is
turned back into the standard error that it was made from: its half-width over the quantile of a t
distribution with R - 1 degrees of freedom, R being the repeats behind it. Then the difference is
held against zero by Welch's t test (Welch 1947). Numbers are compared on the scale on which their
intervals are about symmetric: forecasts and other positive numbers of uncertain size on the
logarithm, removed shares r on log(1 - r), which is the slope that they come from, errors as they
are. Of an interval that is lopsided, or cut where no error can be, the longer half counts.

Two reports that share data and seed were measured on the same examples. What they have in common is
not in the reports, so the test takes them as independent: it then errs on the side of calling a
move noise. Numbers that are equal to the last digits are "same" and not tested.

Where the data of a data set are others (another seed of a generator, another table), intervals over
repeats are too narrow for the comparison: they speak of one pool and one test set. They are widened
by the ratio of the standard errors of the curve's error for other pools and test sets (Nadeau and
Bengio 2003; see `takeoff.statistics.measured`) and for these. That holds for other examples of the
same kind; a generator may draw another world from another seed, whose numbers differ indeed.

Many numbers. The p-values of all tested numbers are adjusted together (Benjamini and Hochberg
1995). So where nothing but luck differs, any number at all is named as moved with a probability of
at most 1 - level (0.05); where something did change, at most that share of the named ones is
expected to be there by luck. `benchmarks/compare_calibration.py` measures the first. Three repeats
show little: a number whose intervals don't even overlap, but whose p-value isn't small enough, is
"apart".

Numbers without intervals "changed" or did not; seconds and what is computed from them are noisy,
have no interval, and stand apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from scipy import special
from scipy.stats import false_discovery_control

from takeoff.comparing.bundles import Bundle, Fact, Point
from takeoff.statistics.intervals import KNOWN, Estimate, binomial_variance

State = Literal["same", "within", "apart", "beyond", "changed", "appeared", "vanished"]
Data = Mapping[str, bool]  # data set -> whether both reports are about the same examples

LEVEL = 0.95
CLOSE = 1e-9  # relative: what differs by less is equal
NOTHING = 1e-12  # absolute: rounding
MOST_MORE = 3  # times the degrees of freedom, where part of the noise is known
MOST_SHARED = 0.95  # of a pool: the variance for other pools has no end where all of it is used

GROUPS = {  # in the order of the page
    "claims": "Effects of the claims",
    "ends": "Errors at the largest m",
    "curves": "Errors at each m",
    "shapes": "Slopes, differences and fits",
    "forecasts": "Forecasts",
    "decisions": "What more labels would bring",
    "experiments": "Experiments",
    "design": "The study and its data",
    "costs": "Costs",
}
NOT_TESTED = ("design", "costs")
NO_ESTIMATES = ("rank", "text", "p-value", "probability")  # units


@dataclass(frozen=True)
class Move:
    """One number in both reports.

    Attributes:
        id: Of the fact.
        group: One of `GROUPS`.
        state: What became of it.
        old, new: The facts; None where a report lacks it.
        z: The difference in standard errors (new minus old), on the scale of the test; None where
            the number has no interval.
        p: Two-sided p-value, adjusted for all numbers of both reports; None where not tested.
    """

    id: str
    group: str
    state: State
    old: Fact | None
    new: Fact | None
    z: float | None = None
    p: float | None = None

    @property
    def names(self) -> list[str]:
        return self.id.split(".")


def moves(old: Bundle, new: Bundle, same_data: Data, level: float = LEVEL) -> list[Move]:
    """What became of every number of two reports, ordered by group and id.

    Args:
        old, new: The reports.
        same_data: Data sets that aren't in it are taken to have the same data.
        level: One minus the probability of naming any number although only luck differs.
    """
    ids = {name for bundle in (old, new) for name in bundle.facts}
    ids = {name for name in ids if not name.startswith("version.")}  # see `changes`
    order = list(GROUPS)
    found = [_move(name, old, new, same_data) for name in ids]
    found.sort(key=lambda move: (order.index(move.group), move.id))
    return _judged(found, level)


def group_of(fact: Fact) -> str:
    """The family that a fact belongs to."""
    file, name = fact.file, fact.id
    if _is_cost(fact):
        return "costs"
    if name.startswith("claim.") and not fact.unit.startswith("count"):
        return "claims"
    if file.startswith(("config", "data/")) or name.startswith("study.n_"):
        return "design"
    if file.startswith("fits/") and not file.endswith("fits.csv"):
        return "forecasts"
    for folder, group in (("decisions", "decisions"), ("experiments", "experiments")):
        if file.startswith(folder):
            return group
    if name.endswith(".error_at_max"):
        return "ends"
    return "curves" if ".error." in name and file.startswith("runs/") else "shapes"


def _is_cost(fact: Fact) -> bool:
    """Whether a number is a time, or comes from times: it is another one in every run."""
    names = fact.id.split(".")
    timed = "second" in fact.unit or fact.unit == "µs" or any("seconds" in name for name in names)
    of_speed = names[0] == "speed" or "iteration_speed" in names
    of_experiment = fact.file.startswith("experiments") and names[-1] == "cost"
    return timed or of_speed or of_experiment or names[-1].startswith(("price", "money"))


def _move(name: str, old: Bundle, new: Bundle, same_data: Data) -> Move:
    before, after = old.facts.get(name), new.facts.get(name)
    group = group_of(after or before)  # type: ignore[arg-type]
    if before is None or after is None:
        return Move(name, group, "appeared" if after else "vanished", before, after)
    if _equal(before, after):
        return Move(name, group, "same", before, after)
    move = Move(name, group, "changed", before, after)
    if group in NOT_TESTED or before.unit != after.unit or after.unit in NO_ESTIMATES:
        return move
    return _tested(move, *(_estimate(fact, bundle, same_data)
                           for fact, bundle in ((before, old), (after, new))))  # fmt: skip


def _equal(before: Fact, after: Fact) -> bool:
    numbers = ((getattr(before, key), getattr(after, key)) for key in ("value", "low", "high"))
    return before.text == after.text and all(_close(*pair) for pair in numbers)


def _close(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=CLOSE, abs_tol=NOTHING)


def _tested(move: Move, before: Estimate | None, after: Estimate | None) -> Move:
    """With the p-value of the difference; with one interval only, the plain look whether the other
    number lies in it.
    """
    assert move.old and move.new
    if before is not None and after is not None:
        apart = difference(before, after)
        p = 2 * min(apart.p_above(0.0), apart.p_below(0.0))
        z = apart.value / apart.se if 0 < apart.se < math.inf else None
        return replace(move, z=z, p=min(p, 1.0))
    if (before is None and after is None) or None in (move.old.value, move.new.value):
        return move
    known, other = (move.old, move.new) if before else (move.new, move.old)
    return replace(move, state="within" if _inside(other.value, known) else "beyond")


def _inside(value: float | None, fact: Fact) -> bool:
    low, high = _interval(fact)
    return value is not None and low <= value <= high


def difference(before: Estimate, after: Estimate) -> Estimate:
    """After minus before, of independent estimates, with Welch's degrees of freedom."""
    squares = (before.se**2, after.se**2)
    se = math.sqrt(sum(squares))
    if not 0 < se < math.inf:
        return Estimate(after.value - before.value, se, min(before.df, after.df))
    shares = [square / se**2 for square in squares]
    df = 1 / (shares[0] ** 2 / before.df + shares[1] ** 2 / after.df)
    return Estimate(after.value - before.value, se, max(int(df), 1))


def _judged(found: list[Move], level: float) -> list[Move]:
    tested = [move.p for move in found if move.p is not None]
    adjusted = iter(false_discovery_control(tested) if tested else ())
    return [
        move if move.p is None else _with_state(replace(move, p=float(next(adjusted))), level)
        for move in found
    ]


def _with_state(move: Move, level: float) -> Move:
    assert move.old and move.new and move.p is not None
    if move.p < 1 - level:
        return replace(move, state="beyond")
    return replace(move, state="within" if _overlap(move.old, move.new) else "apart")


def _overlap(before: Fact, after: Fact) -> bool:
    """Whether the intervals do; an end that isn't known is no end."""
    (a, b), (c, d) = (_interval(fact) for fact in (before, after))
    return max(a, c) <= min(b, d)


def _interval(fact: Fact) -> tuple[float, float]:
    low = -math.inf if fact.low is None else fact.low
    return low, math.inf if fact.high is None else fact.high


# Standard errors from intervals


def _estimate(fact: Fact, bundle: Bundle, same_data: Data) -> Estimate | None:
    """The number on its scale with its standard error; None where its interval isn't known."""
    scale = _scale_of(fact)
    value = scale(fact.value)
    if value is None:
        return None
    ends = [scale(end) for end in (fact.low, fact.high)]
    halves = [abs(end - value) for end in ends if end is not None]
    if not halves:
        return None
    repeats = _repeats(fact, bundle)
    df = repeats - 1 if repeats > 1 else KNOWN
    se = max(halves) / float(special.stdtrit(df, (1 + _level(fact, bundle)) / 2))
    return _for_other_data(Estimate(value, se, df), fact, bundle, same_data)


def _scale_of(fact: Fact) -> Callable[[float | None], float | None]:
    """The scale on which a fact is compared; None has no place on any, and zero none on logs."""
    removed = fact.id.endswith(("reduction", ".relative")) or ".lever." in fact.id
    relative_effect = fact.id.startswith("claim.") and fact.unit == "share"
    if removed or relative_effect:
        return lambda r: -math.log1p(-r) if r is not None and r < 1 else None
    positive = (fact.value or 0) > 0 and (fact.low is None or fact.low >= 0)
    uncertain = fact.file.startswith(("fits/", "decisions")) and not fact.unit.startswith("errors")
    if positive and uncertain and not fact.id.endswith("fit.floor"):  # which may be all but zero
        return lambda x: math.log(x) if x is not None and x > 0 else None
    return lambda x: x


def _level(fact: Fact, bundle: Bundle) -> float:
    """Of the interval of a fact."""
    if fact.file.startswith(("fits/forecast", "decisions")):
        return bundle.setting("study.forecast_level", 0.9)
    return bundle.setting("study.level", 0.95)


def _points(fact: Fact, bundle: Bundle) -> list[Point]:
    """The points of the learning curves that a fact is about: at its m, or else the last ones.

    A fact that names no data set, or no learner, is taken to be about all of them.
    """
    names = fact.id.split(".")
    datasets = {dataset for dataset, _ in bundle.points if dataset in names}
    learners = {learner for _, learner in bundle.points if learner in names}
    return [
        points.get(names[-1], points[""])
        for (dataset, learner), points in bundle.points.items()
        if (dataset in datasets or not datasets) and (learner in learners or not learners)
    ]


def _repeats(fact: Fact, bundle: Bundle) -> int:
    """The fewest repeats of the curves that a fact is about; 0 where that isn't known."""
    counts = [point.repeats for point in _points(fact, bundle)]
    return min(counts, default=0)


def _for_other_data(known: Estimate, fact: Fact, bundle: Bundle, same_data: Data) -> Estimate:
    """The estimate, if need be with an error that holds for other pools and test sets, too.

    A fact about several curves gets the most that one of them needs. Of an error, the part that
    comes from the test set is known: there are more degrees of freedom. But it is known how large a
    part only as well as the rest is, so that they are limited.
    """
    named = [name for name in fact.id.split(".") if name in same_data]
    if all(same_data[name] for name in named or same_data):
        return known
    spreads = (_spread(point, bundle) for point in _points(fact, bundle))
    pools, tests = max(spreads, key=lambda both: math.hypot(*both), default=(1.0, 0.0))
    if not math.isfinite(pools):
        return replace(known, se=math.inf)
    if ".error" not in fact.id or not fact.file.startswith("runs/"):
        return replace(known, se=known.se * math.hypot(pools, tests))
    widened = replace(known, se=known.se * pools).widened(known.se * tests)
    return replace(widened, df=min(widened.df, MOST_MORE * known.df))


def _spread(point: Point, bundle: Bundle) -> tuple[float, float]:
    """The standard errors of a mean error that come from the pool with the repeats, and from the
    test set, in units of the one that the repeats show.
    """
    if not point.se > 0:
        return math.inf, 0.0  # no noise between repeats says nothing about other data
    share = min(point.m / bundle.setting(f"{point.dataset}.n_pool", math.inf), MOST_SHARED)
    pools = math.sqrt(1 + point.repeats * share / (1 - share))
    return pools, math.sqrt(_test_noise(point, bundle)) / point.se


def _test_noise(point: Point, bundle: Bundle) -> float:
    """The variance of a mean error that comes from which examples it was tested on."""
    tests = bundle.setting(f"{point.dataset}.n_test", math.inf)
    if bundle.measures[point.dataset].is_share and math.isfinite(tests) and point.error <= 1:
        return float(binomial_variance(point.error, tests))
    data = (bundle.report.data or {}).get(point.dataset)
    return (data.test_se.get(point.learner, 0.0) if data else 0.0) ** 2
