"""A config proposed for data of one's own: `takeoff init`.

The file is looked at (kinds of columns by its first rows, labels by all of them), and what a first
study of it could be is written down with the reasons, for a person to read and change. Neither the
config nor a message says what is written in a cell.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from takeoff.datasets import encoding, readers, table
from takeoff.datasets.choosing import Labelling, Wish, divide
from takeoff.errors import TakeoffError, nearest
from takeoff.files import replacing
from takeoff.kinds import KINDS, Kind
from takeoff.planning.cells import Width, planned
from takeoff.planning.costs import NETWORK
from takeoff.planning.reference import MODEL
from takeoff.settings import CLAIMS, TrainingSettings

MOST_TESTED = 10_000
TESTED = 0.2  # of the rows
LARGEST_M = 32_000  # that is proposed; beyond, a first look takes long
SMALLEST_M = 20
# Of the pool, up to which m goes: repeats of more would share most of their rows, and intervals
# would say next to nothing about other rows.
LARGEST_SHARE = 0.5
SIZES = 8  # values of m at most
NUMBERS_AS_CLASSES = 20  # different numbers, up to which they are taken for classes
# A training part of one class teaches nothing; a smallest m is wanted that is this unlikely to.
SINGLE_CLASS = 1e-3
GROUPS_LEFT = 0.95  # of the rows outside the test set's groups: another seed leaves fewer

CLASSIFIERS = ("logistic_regression", "svm_rbf", "gradient_boosting")
REGRESSORS = ("ridge", "svm_rbf", "gradient_boosting")
NETWORKS = {"mlp_small": [16, 16], "mlp_medium": [64, 64], "mlp_large": [256, 256]}
# What their cost depends on, in config/config.yaml: there, every grid has so many settings.
TRIED = 3
FITS: Mapping[str, dict[str, Any]] = {
    **{name: {"kind": name, "max_trees": 200} for name in {*CLASSIFIERS, *REGRESSORS}},
    **{name: {"kind": NETWORK, "hidden": hidden} for name, hidden in NETWORKS.items()},
}
TRAINING = TrainingSettings().model_dump()
WIDER = {"logistic_regression": [0.01, 0.1, 1], "ridge": [0.001, 0.1, 10]}  # strengths C

SECONDS_A_CELL = 8.0  # of one learner at one m, tuning included: larger m are left out
SECONDS_OF_CELLS = 400.0  # of all: beyond, there are three repeats instead of five
OTHER_SECONDS = 60.0  # imports, fits, figures and the paper


@dataclass(frozen=True)
class Asked:
    """What the user says about the file.

    Attributes:
        path: The file, or a folder of picture folders.
        label: Column to be told; None for pictures.
        name: Of the data set and the study.
        task: "classification" or "regression"; None to have it told from the label.
        group, time, weight: Columns, if there are such.
        test_path: A file of test rows, if there is one.
        seed: That the study will have.
    """

    path: Path
    label: str | None
    name: str
    task: str | None = None
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    test_path: Path | None = None
    seed: int = 2026

    def settings(self, task: str, kinds: Mapping[str, Kind]) -> dict[str, Any]:
        """As of `DatasetSettings.table_settings`."""
        roles = {"label": self.label, "group": self.group, "time": self.time, "weight": self.weight}
        return {
            **roles,
            **{"task": task, "columns": dict(kinds), "metric": None, "unit": "", "classes": None},
            **{"image_size": 32, "title": None, "description": None},
        }


@dataclass(frozen=True)
class Seen:
    """What the file turned out to hold.

    Attributes:
        task: "classification" or "regression".
        kinds: Kind of each feature column, and the reason.
        features: Numbers that an example becomes, by the sample.
        shares: Of the classes in the rows that can be used; empty in regression.
        rows: That have a label.
        pool, test: Rows of the two parts.
        left_out: Rows in neither, by reason.
    """

    task: str
    kinds: dict[str, tuple[Kind, str]]
    features: int
    shares: list[float]
    rows: int
    pool: int
    test: int
    left_out: Mapping[str, int] = field(default_factory=dict)


def propose(asked: Asked, out: Path, *, force: bool = False) -> str:
    """Look at the file and write a config.

    Args:
        asked: What the user says about it.
        out: Where to write to.
        force: Whether an existing file may be replaced.

    Returns:
        What was found and the next command, for the terminal.

    Raises:
        TakeoffError: The file can't be used, or `out` exists.
    """
    if out.exists() and not force:
        raise TakeoffError(
            "exists already", where=str(out), remedy="name another file with --out, or add --force"
        )
    seen = look(asked)
    text = config(asked, seen, out)
    with replacing(out) as file:
        file.write(text)
    return (
        f"{seen.rows:,} labelled rows, {len(seen.kinds)} columns as {seen.features} features, "
        f"{seen.task}: {out}\n"
        f"  read it, then: snakemake --cores all --configfile {out}"
    )


def name_for(path: Path) -> str:
    """An identifier made of a file's name."""
    found = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_")
    return found if re.match(r"[a-z]", found) else f"data_{found}".rstrip("_")


def look(asked: Asked) -> Seen:
    """Read the file: a sample for the columns, every row for the labels.

    Raises:
        TakeoffError: The file can't be used.
    """
    if asked.path.is_dir():
        kinds: dict[str, tuple[Kind, str]] = {}
        task = "classification"
    else:
        held = readers.open_table(asked.path)
        _check(asked, held)
        roles = {asked.label, asked.group, asked.time, asked.weight}
        kinds = table.guess_kinds(held, [name for name in held.columns if name not in roles])
        task = asked.task or _task(held, str(asked.label))
    settings = asked.settings(task, {name: kind for name, (kind, _) in kinds.items()})
    return _divided(asked, settings, task, kinds)


def _check(asked: Asked, held: readers.Table) -> None:
    roles = {"label": asked.label, "group": asked.group, "time": asked.time}
    for role, name in (roles | {"weight": asked.weight}).items():
        if name is not None and name not in held.columns:
            raise TakeoffError(
                f"has no column '{name}'",
                where=readers.shown(asked.path),
                remedy=f"--{role}: {nearest(name, held.columns)}",
            )
    if asked.label is None:
        raise TakeoffError(
            "it isn't clear which column is the label",
            where=readers.shown(asked.path),
            remedy=f"say it with --label; the columns are: {', '.join(held.columns)}",
        )


def _task(held: readers.Table, label: str) -> str:
    """Many different numbers are a regression; everything else is classes."""
    seen: set[float] = set()
    for batch in held.batches([label]):
        cells = batch.column(0).drop_null()
        if len(cells) == 0:
            continue
        if encoding.guess(cells, label)[0] not in ("number", "ignore", "boolean"):
            return "classification"
        values = encoding.numbers(cells, label)
        if not np.isfinite(values).all():
            return "classification"
        seen.update(np.unique(values).tolist())
        if len(seen) > NUMBERS_AS_CLASSES:
            return "regression"
    return "classification"


def _divided(
    asked: Asked, settings: dict[str, Any], task: str, kinds: dict[str, tuple[Kind, str]]
) -> Seen:
    paths = {"path": asked.path}
    if asked.test_path is not None:
        paths["test_path"] = asked.test_path
    wish = Wish(asked.name, asked.seed, 0, 1, settings, paths)
    files = [table.open_source(path, wish) for path in paths.values()]
    labels = Labelling(wish)
    known = [labels.read(file.table, file.left_out) for file in files]
    classes = labels.finish(known)
    usable = [len(one.usable) for one in known]
    test = min(MOST_TESTED, round(TESTED * usable[0]) if len(files) == 1 else usable[1])
    wish = Wish(asked.name, asked.seed, 0, test, settings, paths)
    given = known[1] if len(known) > 1 else None
    random = np.random.default_rng([asked.seed, 1])
    rest, _, left_out = divide(wish, known[0], given, random)
    pool = len(rest) if asked.group is None else math.floor(GROUPS_LEFT * len(rest))
    if min(LARGEST_SHARE * pool, test) < SMALLEST_M:
        raise TakeoffError(
            f"has too few labelled rows for a learning curve: {pool:,} to learn from, {test:,} "
            "to test on",
            where=readers.shown(asked.path),
            remedy="give a table with more rows"
            + (", or more groups" if asked.group is not None else ""),
        )
    counts = np.bincount(known[0].label[rest]) / len(rest) if classes else np.empty(0)
    features = files[0].features(rest[: table.SAMPLE], table.Scratch(Path.cwd()))
    width = features.take(files[0], rest[:1]).shape[1]
    return Seen(task, kinds, width, counts.tolist(), usable[0], pool, test, dict(left_out))


# ------------------------------------------------------------------------------------------------
# What is proposed


def grid(pool: int, shares: list[float], clustered: bool) -> list[int]:
    """Values of m that double, up to half of the pool, from where a training part has two classes.

    Args:
        pool: Rows.
        shares: Of the classes; empty in regression.
        clustered: Whether rows come in groups or in order of time, so that few are alike.
    """
    least = float(SMALLEST_M)
    if shares:
        least = max(least, math.log(SINGLE_CLASS) / (0.8 * math.log(max(shares))))
    least *= 2 if clustered else 1
    found = [_round(min(int(LARGEST_SHARE * pool), LARGEST_M))]
    while len(found) < SIZES and found[-1] / 2 >= least:
        found.append(found[-1] // 2)
    return found[::-1]


def _round(number: int) -> int:
    """The number, rounded down to two digits."""
    unit: int = 10 ** max(len(str(number)) - 2, 0)
    return number // unit * unit


def learners(task: str) -> list[str]:
    """The learners for a task, traditional ones first, networks from small to large."""
    return [*(REGRESSORS if task == "regression" else CLASSIFIERS), *NETWORKS]


def seconds(learner: str, m: int, seen: Seen) -> float:
    """CPU seconds of one cell on the machine of the cost model's reference, tuning included."""
    fit = {"grid": {"any": range(TRIED)}, **FITS[learner]}
    width = Width(seen.pool, seen.test, seen.features, len(seen.shares) or 1)
    return MODEL.seconds(planned(m, fit, TRAINING, width, MODEL.stopping))


@dataclass(frozen=True)
class Plan:
    """The study that is proposed.

    Attributes:
        m: Sizes.
        repeats: Of each.
        learners: In the paper's order.
        caps: The largest m of the learners that would take too long beyond.
        seconds: Of one core, all in all.
    """

    m: list[int]
    repeats: int
    learners: list[str]
    caps: dict[str, int]
    seconds: float


def plan(seen: Seen, *, clustered: bool) -> Plan:
    """Sizes, repeats and caps for a first study of a few minutes."""
    sizes, names = grid(seen.pool, seen.shares, clustered), learners(seen.task)
    cost = {name: [seconds(name, m, seen) for m in sizes] for name in names}
    caps = {}
    for name in names:
        fast = [m for m, cell in zip(sizes, cost[name], strict=True) if cell <= SECONDS_A_CELL]
        if len(fast) < len(sizes):
            caps[name] = max([sizes[0], *fast])
    one = sum(
        cell
        for name in names
        for m, cell in zip(sizes, cost[name], strict=True)
        if m <= caps.get(name, m)
    )
    repeats = 5 if 5 * one <= SECONDS_OF_CELLS else 3
    return Plan(sizes, repeats, names, caps, repeats * one + OTHER_SECONDS)


def config(asked: Asked, seen: Seen, out: Path) -> str:
    """The text of the config file."""
    chosen = plan(seen, clustered=bool(asked.group or asked.time))
    return "\n".join(
        [
            *_head(asked, seen, chosen, out),
            f"datasets:\n  {asked.name}:",
            *(f"    {line}" for line in _data_lines(asked, seen, chosen)),
            "",
            *_learner_lines(asked, chosen),
        ]
    )


def _head(asked: Asked, seen: Seen, chosen: Plan, out: Path) -> Iterator[str]:
    what = f"“{asked.label}”" if asked.label else "a picture's class"
    asks = (
        f"What holds us back in telling {what}: the number of labels, the size of the network, or "
        "noise that neither removes?"
    )
    yield from (
        "# Written by `takeoff init`; read it and change what you know better.",
        "# It is laid over config/config.yaml, which has the other settings. Then:",
        f"#   snakemake --cores all --configfile {readers.shown(out)}",
        f"# Cost, very roughly: {_minutes(chosen.seconds)} of one core "
        f"({chosen.repeats} repeats of {len(chosen.m)} sizes, {len(chosen.learners)} learners, "
        f"{seen.features:,} features).",
        "",
        f"study: {asked.name}",
        f"title: {_quoted(f'Would more labels help to tell {what}?')}",
        f"question: {_quoted(asks)}",
        "use:",
        f"  datasets: [{asked.name}]",
        f"  learners: [{', '.join(chosen.learners)}]",
        f"  claims: [{', '.join(CLAIMS)}] # those that need no more training",
        "",
    )


def _minutes(duration: float) -> str:
    return f"{max(round(duration / 60), 1)} min" if duration < 5400 else f"{duration / 3600:.0f} h"


def _data_lines(asked: Asked, seen: Seen, chosen: Plan) -> Iterator[str]:
    yield f"path: {_quoted(_written(asked.path))}"
    if asked.test_path is not None:
        yield f"test_path: {_quoted(_written(asked.test_path))}"
    roles = {"label": asked.label, "group": asked.group, "time": asked.time}
    why = {
        "group": "no value of it is both trained and tested on",
        "time": "the latest rows are the test set",
        "weight": "how much a row counts",
    }
    for role, name in (roles | {"weight": asked.weight}).items():
        if name is not None:
            yield f"{role}: {_quoted(name)}{_comment(why.get(role))}"
    yield f"task: {seen.task}{_comment(_why_task(seen))}"
    if seen.task == "classification":
        yield '# classes: {"0": stays, "1": leaves}  # names for readers, if not the values'
    else:
        yield 'unit: ""  # of the label, for readers'
    balanced = bool(seen.shares) and min(seen.shares) < table.RARE / len(seen.shares)
    if not seen.shares:
        yield "metric: rmse"
    elif balanced:
        yield "metric: balanced_error  # a class is rare; or error_rate, log_loss"
    else:
        yield "metric: error_rate  # or balanced_error, log_loss"
    yield f"m: {chosen.m}  # labelled rows; {_why_m(seen, chosen)}"
    yield f"repeats: {chosen.repeats}  # at every m"
    left = sum(seen.left_out.values())
    yield f"pool: {seen.pool}  # rows that the subsets are drawn from"
    neither = f"; {left:,} rows are in neither" if left else ""
    yield f"test: {seen.test}  # rows of the test set{neither}"
    if seen.kinds:
        yield f"columns:  # kinds: {', '.join(KINDS)}"
    for name, (kind, reason) in seen.kinds.items():
        yield f"  {_quoted(name)}: {kind}{_comment(reason)}"


def _why_task(seen: Seen) -> str:
    if seen.task == "regression":
        return "the label is a number"
    shares = ", ".join(f"{share:.1%}" for share in sorted(seen.shares, reverse=True)[:5])
    more = ", ..." if len(seen.shares) > 5 else ""
    return f"{len(seen.shares)} classes, of {shares}{more} of the rows"


def _why_m(seen: Seen, chosen: Plan) -> str:
    more = chosen.m[-1] * 2
    if more <= LARGEST_SHARE * seen.pool:
        return f"add {more} and more if you have the time, the pool has the rows"
    return f"{more} would work, but its repeats would share nearly all their rows"


def _learner_lines(asked: Asked, chosen: Plan) -> Iterator[str]:
    """Settings that differ from those of the config below: nobody has tuned them for this table."""
    yield "learners:"
    for name in chosen.learners:
        lines = []
        if name in WIDER:
            lines.append(
                f"grid: {{C: {WIDER[name]}}}  # wider than the lecture's: a table nobody knows"
            )
        if name in chosen.caps:
            lines.append(
                f"m_max: {{{asked.name}: {chosen.caps[name]}}}"
                "  # beyond, it takes long; drop this line if you can wait"
            )
        if lines:
            yield f"  {name}:"
            yield from (f"    {line}" for line in lines)
    yield ""
    yield "# costs: {label: 0.05, hour: 1.0, currency: EUR}  # then the paper speaks of prices, too"
    yield ""


def _written(path: Path) -> str:
    """A path for the config: from the project's folder where it lies within."""
    absolute = path.absolute()
    here = Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def _quoted(text: str) -> str:
    """A YAML scalar, whatever is in the text."""
    return json.dumps(text, ensure_ascii=False)


def _comment(text: str | None) -> str:
    return f"  # {' '.join(text.split())}" if text else ""
