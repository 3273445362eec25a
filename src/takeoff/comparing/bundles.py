"""A report to compare: read from its folder, from report.json, or from a git revision."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from takeoff import wording
from takeoff.errors import TakeoffError
from takeoff.measures import POINTS, Measure
from takeoff.metrics import Metric

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1  # the newest that is understood; 0 are reports from before they said theirs
PLACES = ("", "/report.json", "/report/report.json")  # of report.json, seen from what was given
CURVE = ("dataset", "learner", "m", "test_error", "low", "high")


class Record(BaseModel):
    """Part of report.json; what is not known is kept aside, not refused."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, frozen=True)


class Fact(Record):
    """See `takeoff.paper.facts.Fact`."""

    id: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    text: str = ""
    interval: str | None = None
    suffix: str = ""
    source: dict[str, str] = Field(default_factory=dict)

    @property
    def file(self) -> str:
        """Where it comes from, below results/<study>/."""
        return self.source.get("file", "")

    @property
    def shown(self) -> str:
        """As the paper prints it, with its unit and its interval."""
        suffix = self.suffix.replace(POINTS, "points")
        text = wording.clean(f"{self.text}{wording.NO_BREAK}{suffix}").strip(wording.NO_BREAK)
        return f"{text} ({wording.clean(self.interval)})" if self.interval else text


class Part(Record):
    """See `takeoff.statistics.claims.Part`."""

    dataset: str | None = None
    subject: str | None = None
    versus: str | None = None
    m: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    threshold: float | None = None
    verdict: str


class Claim(Record):
    """A claim and what it was decided from."""

    claim: str
    verdict: str
    threshold: float | None = None
    parts: list[Part] = Field(default_factory=list)


class Lever(Record):
    """See `takeoff.statistics.levers`."""

    kind: str
    answer: str
    removes: float | None = None


class Conclusion(Record):
    """What more labels would bring to one data set."""

    conclusion: str
    because: list[str] = Field(default_factory=list)
    best: str | None = None
    levers: list[Lever] = Field(default_factory=list)

    @property
    def advice(self) -> str:
        """What would help, in words."""
        because = ", ".join(self.because)
        return f"{self.conclusion} ({because})" if because else self.conclusion


class Options(Record):
    """See `takeoff.statistics.options`."""

    level: float | None = None
    datasets: dict[str, Conclusion] = Field(default_factory=dict)


class Data(Record):
    """What tells one data set from another; see `takeoff.paper.report`."""

    title: str = ""
    digest: str = ""
    metric: Metric = "error_rate"
    unit: str = ""
    n_pool: int | None = None
    n_test: int | None = None
    floor: float | None = None
    generated: bool = False
    test_se: dict[str, float] = Field(default_factory=dict)


class Report(Record):
    """report.json."""

    schema_: int = Field(default=0, alias="schema")
    study: str
    title: str = ""
    version: str = ""
    versions: dict[str, str] | None = None
    config: dict[str, Any] | None = None
    code: dict[str, dict[str, str]] | None = None
    data: dict[str, Data] | None = None
    facts: list[Fact]
    claims: list[Claim] = Field(default_factory=list)
    options: Options | None = None
    tables: dict[str, list[dict[str, Any]]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Point:
    """One point of a learning curve: its mean error, and the standard error of that (NaN where it
    isn't known) over so many repeats.
    """

    dataset: str
    learner: str
    m: float
    error: float
    se: float
    repeats: int


@dataclass(frozen=True)
class Bundle:
    """A report, and what comparing wants to know of it.

    Attributes:
        where: As it was given.
        report: What report.json holds.
    """

    where: str
    report: Report

    @cached_property
    def facts(self) -> dict[str, Fact]:
        return {fact.id: fact for fact in self.report.facts}

    @cached_property
    def curves(self) -> pd.DataFrame:
        """dataset, learner, m, test_error, low, high, and se, repeats: NaN where not known."""
        import pandas as pd

        named = [row for row in self.report.tables.get("curves", []) if _names_a_curve(row)]
        rows = pd.DataFrame(named).reindex(columns=[*CURVE, "se", "repeats"])
        numbers = list(rows.columns[2:])
        rows[numbers] = rows[numbers].apply(pd.to_numeric, errors="coerce")
        return rows[(rows["m"] > 0) & rows["test_error"].notna()]

    @property
    def datasets(self) -> dict[str, str]:
        """Name -> what readers see, in the paper's order."""
        names = _used(self.report, "datasets") or list(dict.fromkeys(self.curves["dataset"]))
        data = self.report.data or {}
        titles = {name: data[name].title for name in names if name in data}
        return {name: wording.clean(titles.get(name) or _in_words(name)) for name in names}

    @cached_property
    def learners(self) -> list[dict[str, Any]]:
        """As `Study.ladder`: name, label, family, rank; networks from small to large."""
        names = _used(self.report, "learners") or list(dict.fromkeys(self.curves["learner"]))
        settings = (self.report.config or {}).get("learners") or {}
        networks = sorted(filter(self._is_network, names), key=self._size)
        return [
            {
                "name": name,
                "label": wording.clean(_label(settings, name)),
                "family": "network" if name in networks else "traditional",
                "rank": networks.index(name) + 1 if name in networks else 0,
            }
            for name in names
        ]

    def _is_network(self, name: str) -> bool:
        rows = self.report.tables.get("last_doublings", [])
        return any((row.get("family"), row.get("learner")) == ("network", name) for row in rows)

    def _size(self, name: str) -> float:
        """Mean number of parameters; of networks that were given, the place in the list."""
        ends = f".{name}.n_params"
        sizes = [fact.value or 0.0 for fact in self.report.facts if fact.id.endswith(ends)]
        return sum(sizes) / len(sizes) if sizes else 0.0

    @cached_property
    def points(self) -> dict[tuple[str, str], dict[str, Point]]:
        """Data set and learner -> m, as in the ids of facts, or "" for the largest -> the point."""
        found: dict[tuple[str, str], dict[str, Point]] = {}
        for row in self.curves.sort_values("m").to_dict("records"):
            repeats = int(row["repeats"]) if row["repeats"] > 0 else 0
            names = (str(row["dataset"]), str(row["learner"]))
            point = Point(*names, row["m"], row["test_error"], row["se"], repeats)
            found.setdefault(names, {})[f"{row['m']:.0f}"] = point
            found[names][""] = point
        return found

    @cached_property
    def measures(self) -> dict[str, Measure]:
        """What every data set is judged by; by its unit, in reports that say no more."""
        curves = self.curves.groupby("dataset")
        errors = {str(name): rows["test_error"] for name, rows in curves}
        names = {*self.datasets, *errors}
        return {name: Measure.of(self._judged_by(name), errors.get(name, ())) for name in names}

    def _judged_by(self, dataset: str) -> dict[str, Any]:
        data = (self.report.data or {}).get(dataset)
        if data is not None:
            return data.model_dump()
        units = {fact.unit for name, fact in self.facts.items()
                 if name.startswith(f"{dataset}.") and name.endswith(".error_at_max")}  # fmt: skip
        unit = min(units, default="share")
        metric = {"share": "error_rate", "nats": "log_loss"}.get(unit, "rmse")
        return {"metric": metric, "unit": unit if metric == "rmse" else ""}

    def setting(self, fact_id: str, default: float) -> float:
        """The value of a fact."""
        fact = self.facts.get(fact_id)
        return default if fact is None or fact.value is None else fact.value


def read(where: str) -> Bundle:
    """Read a report.

    Args:
        where: A report's folder, results/<study>, report.json, or REVISION:PATH of one of them
            in the git repository around the working folder.

    Raises:
        TakeoffError: There is no report, or it is damaged, or of a newer takeoff, or not one.
    """
    text = _of_files(where) if Path(where).exists() else _of_git(where)
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise _foreign(where, f"isn't JSON: {error}") from error
    if not isinstance(raw, dict):
        raise _foreign(where, "isn't a report")
    _check_schema(where, raw.get("schema", 0))
    try:
        return Bundle(where, Report.model_validate(raw))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise _foreign(where, f"isn't a whole report: {key}: {first['msg']}") from None


def _check_schema(where: str, schema: Any) -> None:
    known = isinstance(schema, int) and not isinstance(schema, bool) and 0 <= schema <= SCHEMA
    if not known:
        raise TakeoffError(
            f"this report says schema {schema!r}; this takeoff knows up to {SCHEMA}",
            where=where,
            remedy="compare with the takeoff that wrote the newer report",
        )


def _foreign(where: str, problem: str) -> TakeoffError:
    return TakeoffError(
        problem, where=where, remedy="give the report of a study: results/<study>/report"
    )


def _of_files(where: str) -> str:
    for place in PLACES:
        file = Path(where + place)
        if file.is_file():
            try:
                return file.read_text(encoding="utf-8")
            except (OSError, ValueError) as error:
                raise _foreign(where, f"can't be read: {error}") from error
    raise _foreign(where, "holds no report.json")


def _of_git(where: str) -> str:
    revision, colon, path = where.partition(":")
    if not colon or not revision or revision.startswith("-"):
        raise _foreign(where, "is missing")
    said = ""
    for place in PLACES:
        if not (path + place).endswith(".json"):
            continue  # of a folder, git would show the list of its files
        done = _git_show(f"{revision}:{path.rstrip('/')}{place}", where)
        if done.returncode == 0:
            return done.stdout.decode("utf-8", errors="replace")
        said = said or done.stderr.decode("utf-8", errors="replace").strip()
    raise TakeoffError(
        f"git finds no report there: {said}",
        where=where,
        remedy="give REVISION:PATH, with the path of a committed report as git knows it",
    )


def _git_show(name: str, where: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(["git", "show", name], capture_output=True, check=False)
    except OSError as error:
        raise _foreign(where, f"is missing, and git can't be run: {error.strerror}") from error


def _names_a_curve(row: Mapping[str, Any]) -> bool:
    return all(isinstance(row.get(key), str) for key in ("dataset", "learner"))


def _used(report: Report, kind: str) -> list[str]:
    """Names under `use`, where the config is there and lists some."""
    use = (report.config or {}).get("use")
    names = use.get(kind) if isinstance(use, Mapping) else None
    return [str(name) for name in names] if isinstance(names, list) else []


def _label(settings: Any, name: str) -> str:
    own = settings.get(name) if isinstance(settings, Mapping) else None
    label = own.get("label") if isinstance(own, Mapping) else None
    return label if isinstance(label, str) and label else _in_words(name)


def _in_words(name: str) -> str:
    return name.replace("_", " ")
