"""Where each number and figure of the paper comes from.

A fact says which file it was read from (`Fact.source`) and which line of code wrote it (`Fact.by`).
What is known here is the way back from there: the rule that makes the file, the code behind the
rule, what the rule reads, the digests of all that, the cells at the beginning, and the command that
makes the file again. Line numbers are looked up when the paper is written.
"""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from takeoff.experiments import FIGURES, MEASURED
from takeoff.files import canonical_json, sha256
from takeoff.fingerprint import ROOT
from takeoff.paper import packing
from takeoff.paper.packing import Places

if TYPE_CHECKING:
    from takeoff.paper.fact import Fact
    from takeoff.paper.facts import Facts, Results

CONFIG, CODE = "config", "code"  # sources that no rule makes
FITS = {
    "curves": "takeoff.statistics.fits.summarise",
    "fits": "takeoff.statistics.fits.fit_laws",
    "forecast": "takeoff.statistics.forecasts.forecast_curves",
    "held_out": "takeoff.statistics.forecasts.hold_out",
}
GIVEN_FITS = FITS | {"curves": "takeoff.given.summarise", "fits": "takeoff.given.fit_laws"}
TABLES = {"fits": "fits/*.csv", "claims": "claims/*", "decisions": "decisions/*"}
GROUPS = TABLES | {"runs": "runs/*/*.csv", "data": "data/*.json"}
STUDY_FIGURES = (
    *("learning_curves", "above_floor", "forecasts", "held_out", "brief"),
    *("last_doublings", "differences", "agreement", "gains", "cost"),
)
PACKAGE = f"src/{ROOT.name}/"
SHOWN_DIGITS, TOLD_DIGITS = 12, 16  # of a digest, in a table and by the page's script
WORKED_ON = ("src", "reports", "workflow")  # what a commit of the paper's code is about


@dataclass(frozen=True)
class Where:
    """What a paper can know of the place that it is written in.

    Attributes:
        results: Folder of the study's results; None leaves digests out.
        configs: The config files, each over the ones before, by a name that says nothing of the
            machine; and the keys that it sets (None: all that the others don't).
        commit: The commit of the code, or "".
        changed: Whether the code was changed since.
    """

    results: Path | None = None
    configs: Sequence[tuple[str, Sequence[str] | None]] = (("config/config.yaml", None),)
    commit: str = ""
    changed: bool = False

    def config_of(self, key: str) -> str:
        """Which config file sets a key such as "statistics.level"."""
        for name, keys in reversed(self.configs):
            if keys is None or any(_within(key, one) or _within(one, key) for one in keys):
                return name
        return "the defaults in src/takeoff/settings.py"

    @property
    def options(self) -> str:
        """Of a `snakemake` that runs the study."""
        _, *over = (name for name, _ in self.configs if not name.startswith("-"))
        return f"--cores all --configfile {' '.join(over)}" if over else "--cores all"


@dataclass(frozen=True)
class Source:
    """A file that numbers are read from, or several that are named together.

    Attributes:
        file: Below the folder of the study's results; "runs" stands for all tables of runs.
        rule: The rule that makes it, or "".
        code: Path, line and name of the functions behind the rule.
        digest: Its SHA-256; of several files, that of the lines that `sha256sum` prints of them.
        inputs: What the rule reads, as other sources name it.
        command: What makes it again, or "".
        cells: Of a table of runs: how many cells it has at each m.
    """

    file: str
    rule: str = ""
    code: tuple[str, ...] = ()
    digest: str = ""
    inputs: tuple[str, ...] = ()
    command: str = ""
    cells: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Origin:
    """Where one number, or several alike, come from.

    Attributes:
        source: The file.
        by: Path, line and name of the code that wrote the fact.
        tables: The tables of runs behind it.
    """

    source: str
    by: str = ""
    tables: tuple[str, ...] = ()


@dataclass
class Origins:
    """All of them.

    Attributes:
        where: The place.
        folder: Of the study's results, as the project names it.
        sources: By their files.
        origins: In the order of their first facts' ids; `Fact.origin` is a place in it.
        figures: The file of each figure, by name.
    """

    where: Where
    folder: str
    sources: dict[str, Source] = field(default_factory=dict)
    origins: list[Origin] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """For report.json."""
        return {
            "commit": self.where.commit,
            "changed": self.where.changed,
            "options": self.where.options,
            "sources": [asdict(source) for source in self.sources.values()],
            "origins": [asdict(origin) for origin in self.origins],
            "figures": self.figures,
        }

    def page(self, shown: Sequence[Fact], figures: Sequence[str]) -> dict[str, Any]:
        """For the page: the same, of what it shows, with places in lists for names.

        Args:
            shown: The facts that the page shows, one by one.
            figures: The figures that it shows.

        Returns:
            commit, folder, options: Of the place, and how the study is run.
            files: Of each file its name, rule, digest, code, inputs and cells.
            origins: Of each origin its file, code, and set of tables.
            tables: The sets of tables, as files.
            figures: The file of each.
            code: Lines of code.
            ids: Of each fact, in the order in which they first appear (`packing.unlike_before`).
            selects: What is read from its file (`packing.by_parts` of its id).
            from: Its origin (`packing.steps`).
            numbers: The fact that each number on the page is (`packing.steps`).
        """
        facts = list({fact.id: fact for fact in shown}.values())
        behind = [self._of(fact) for fact in facts]
        files, code = Places(self.sources), Places()
        known = list(dict.fromkeys(behind))
        tables = Places(origin.tables for origin in known)
        return {
            "commit": self.where.commit + (" with local changes" if self.where.changed else ""),
            "folder": self.folder,
            "options": self.where.options,
            "files": [
                [one.file, one.rule, one.digest[:TOLD_DIGITS], code.all(one.code),
                 files.all(one.inputs), one.cells]
                for one in self.sources.values()
            ],
            "origins": [[files[one.source], code[one.by], tables[one.tables]] for one in known],
            "tables": [files.all(one) for one in tables],
            "figures": {name: files[self.figures[name]] for name in figures},
            "code": [line.removeprefix(PACKAGE) for line in code],
            "ids": packing.unlike_before(fact.id for fact in facts),
            "selects": [packing.by_parts(fact.source["select"], fact.id) for fact in facts],
            "from": packing.steps(behind),
            "numbers": packing.steps(fact.id for fact in shown),
        }  # fmt: skip

    def _of(self, fact: Fact) -> Origin:
        if fact.origin is None:
            raise ValueError(f"the fact {fact.id} was not traced")
        return self.origins[fact.origin]

    def view(self) -> dict[str, Any]:
        """For the templates."""
        settings = _digest_of_settings(self.sources)
        return {
            "commit": self.where.commit[:SHOWN_DIGITS],
            "changed": self.where.changed,
            "options": self.where.options,
            "configs": [name for name, _ in self.where.configs if not name.startswith("-")],
            "settings": settings[:SHOWN_DIGITS],
            "rules": self._by_rule(),
        }

    def _by_rule(self) -> list[dict[str, Any]]:
        """The rules with their code, and the files that each of them makes."""
        rules: dict[str, dict[str, Any]] = {}
        for source in self.sources.values():
            if not source.rule or source.file in GROUPS:
                continue
            known = rules.setdefault(source.rule, {"name": source.rule, "code": [], "files": []})
            known["code"] += [one for one in source.code if one not in known["code"]]
            known["files"].append((source.file, source.digest[:SHOWN_DIGITS]))
        return list(rules.values())


def _digest_of_settings(sources: Mapping[str, Source]) -> str:
    """That of all settings; they are named after the files that they come from."""
    return next((s.digest for s in sources.values() if s.file.startswith(f"{CONFIG}/")), "")


def trace(facts: Facts, results: Results, where: Where) -> tuple[Facts, Origins]:
    """The origins of all facts, and the facts with their places among them."""
    found, cells = Origins(where, f"results/{results.study['study']}"), _cells(results)
    drawn = {name: f"figures/{name}.svg" for name in _drawn(results, where)}
    found.figures = drawn
    for file in [*_files(results, cells), *drawn.values()]:
        _add(found, file, results)
    for table, counts in cells.items():
        found.sources[table] = replace(found.sources[table], cells=counts)
    places: dict[Origin, int] = {}
    placed = []
    for fact in facts:
        origin = _origin(fact, where, cells)
        _add(found, origin.source, results)
        placed.append(replace(fact, origin=places.setdefault(origin, len(places))))
    found.origins = list(places)
    return type(facts)(placed), found


def _files(results: Results, tables: Iterable[str]) -> Iterator[str]:
    """Files that are listed even where no fact is read from them, in the order of the rules."""
    yield from (f"data/{dataset}.json" for dataset in results.datasets)
    yield from tables
    yield from (f"fits/{name}.csv" for name in FITS)
    for experiment in results.experiments:
        if experiment in MEASURED:
            yield f"experiments/{experiment}.csv"
        yield f"experiments/{experiment}.json"


def _drawn(results: Results, where: Where) -> list[str]:
    """The figures of the study: those that are there, where that can be seen."""
    of_experiments = (figure for name in results.experiments for figure in FIGURES[name])
    names = [*STUDY_FIGURES, *of_experiments]
    if where.results is None:
        return names
    return [name for name in names if (where.results / f"figures/{name}.svg").exists()]


def _add(found: Origins, file: str, results: Results) -> None:
    if file in found.sources:
        return
    rule, code, inputs = _made(file, results)
    for needed in inputs:
        _add(found, needed, results)
    command = ""
    if rule and file not in GROUPS:
        # Snakemake takes all that follows --configfile for config files.
        target = f"{found.folder}/{file} --forcerun {rule}"
        command = f"snakemake {target} {found.where.options}"
    lines = tuple(code_line(name) for name in code)
    digest = _digest(file, results, found.where)
    found.sources[file] = Source(file, rule, lines, digest, tuple(inputs), command)


# What makes which file


def _made(file: str, results: Results) -> tuple[str, list[str], list[str]]:
    """The rule that makes a file, the functions behind it, and what it reads.

    Of what no rule makes, such as a benchmark's findings, nothing more than its name is known.
    """
    folder, _, rest = file.partition("/")
    return MAKERS[folder](rest, results) if folder in MAKERS else ("", [], [])


Made = tuple[str, list[str], list[str]]


def _runs(rest: str, results: Results) -> Made:
    if results.study.get("given"):
        return "read_table", ["takeoff.given.write_runs"], []
    dataset, _, learner = rest.removesuffix(".csv").partition("/")
    if not learner:
        return "", [], ["data"]
    kind = results.study["learners"][learner]["kind"]
    fits = f"takeoff.learners.{kind}"
    own = "fit_together" if "fit_together" in _defined(_path(fits)) else "candidates"
    rule = "train_network" if kind == "mlp" else "train_baseline"
    return rule, ["takeoff.training.train_curve", f"{fits}.{own}"], [f"data/{dataset}.json"]


def _data(rest: str, results: Results) -> Made:
    if results.study.get("given"):
        return "read_table", ["takeoff.given.write_runs"], []
    dataset = rest.removesuffix(".json")
    if not dataset:
        return "", [], []
    own = results.study["datasets"][dataset].get("path") is not None
    return "prepare_dataset", [f"takeoff.datasets.{'table' if own else dataset}.prepare"], []


def _fits(rest: str, results: Results) -> Made:
    known = GIVEN_FITS if results.study.get("given") else FITS
    name = rest.removesuffix(".csv")
    return "fit_curves", [known[name]] if name else [], ["runs", "data"]


def _claims(rest: str, results: Results) -> Made:
    module = "claims_from_means" if results.study.get("given") else "claims"
    return "check_claims", [f"takeoff.statistics.{module}.check"], ["runs", "data"]


def _decisions(rest: str, results: Results) -> Made:
    return "weigh_options", ["takeoff.statistics.options.weigh"], ["runs", "data"]


def _experiments(rest: str, results: Results) -> Made:
    name, _, kind = rest.partition(".")
    if kind == "csv":
        code = [f"takeoff.experiments.{name}_training.measure"]
        return f"measure_{name}", code, ["data"]
    own = [f"experiments/{name}.csv"] if name in MEASURED else []
    return f"analyse_{name}", [f"takeoff.experiments.{name}.analyse"], ["runs", *own, "data"]


def _figures(rest: str, results: Results) -> Made:
    figure = rest.removesuffix(".svg")
    for name, drawn in FIGURES.items():
        if figure in drawn:
            code = [f"takeoff.paper.experiments.{name}.draw"]
            return f"plot_{name}", code, [f"experiments/{name}.json", "data"]
    return "plot_figures", [f"takeoff.paper.figures.{figure}"], [*TABLES, "data"]


MAKERS: dict[str, Callable[[str, Results], Made]] = {
    "runs": _runs,
    "data": _data,
    "fits": _fits,
    "claims": _claims,
    "decisions": _decisions,
    "experiments": _experiments,
    "figures": _figures,
    CONFIG: lambda rest, results: ("", ["takeoff.study.load_study"], []),
}


def _digest(file: str, results: Results, where: Where) -> str:
    """SHA-256 of a file, of several, or of the settings; "" where there is none to read."""
    folder, _, rest = file.partition("/")
    if folder == CONFIG:
        return hashlib.sha256(canonical_json(results.study).encode()).hexdigest()
    if where.results is None or folder not in MAKERS:
        return ""
    if rest and "." in rest:
        return sha256(where.results / file)
    pattern = GROUPS[folder].replace("*/", f"{rest}/" if rest else "*/", 1)
    files = sorted(path.relative_to(where.results) for path in where.results.glob(pattern))
    lines = (f"{sha256(where.results / path)}  {path.as_posix()}\n" for path in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


# One fact


def _cells(results: Results) -> dict[str, dict[int, int]]:
    """How many cells each table of runs has at each m."""
    found: dict[str, dict[int, int]] = {}
    for (dataset, learner), rows in results.runs.groupby(["dataset", "learner"], sort=False):
        sizes = rows.groupby("m").size()
        m = [int(one) for one in sizes.index]
        found[f"runs/{dataset}/{learner}.csv"] = dict(zip(m, sizes.tolist(), strict=True))
    return found


def _origin(fact: Fact, where: Where, tables: Iterable[str]) -> Origin:
    file, select = fact.source["file"], fact.source["select"]
    folder, _, rest = file.partition("/")
    if file == CONFIG:
        return Origin(f"{CONFIG}/{where.config_of(select)}", fact.by)
    if file == CODE:
        return Origin(f"{CODE}/{code_line(select)}", fact.by)
    if folder not in MAKERS or folder == "data" or rest.partition(".")[0] in MEASURED:
        return Origin(file, fact.by)
    return Origin(file, fact.by, named(f"{fact.id} {file} {select}", tables))


def named(text: str, tables: Iterable[str]) -> tuple[str, ...]:
    """The tables runs/<data set>/<learner>.csv whose data set and learner a text names.

    A text that names no data set is about all of them; so with learners.
    """
    words = set(re.split(r"\W+", text))
    known = [tuple(table.removesuffix(".csv").split("/")[1:]) for table in tables]
    datasets = words & {dataset for dataset, _ in known}
    learners = words & {learner for _, learner in known}
    return tuple(
        f"runs/{dataset}/{learner}.csv"
        for dataset, learner in known
        if dataset in (datasets or [dataset]) and learner in (learners or [learner])
    )


def written_by(facts: Iterator[Fact]) -> str:
    """Path, line and name of the code that just yielded a fact, in the innermost generator."""
    running: Any = facts
    while isinstance(getattr(running, "gi_yieldfrom", None), GeneratorType):
        running = running.gi_yieldfrom
    if not isinstance(running, GeneratorType):
        return ""
    code, frame = running.gi_code, running.gi_frame
    line = frame.f_lineno if frame else code.co_firstlineno
    return f"{shown_path(code.co_filename)}:{line} {code.co_name}"


# Code


@cache
def code_line(name: str) -> str:
    """Path, line and name of a function or constant, such as takeoff.statistics.fits.fit_laws.

    Raises:
        ValueError: The module has none of this name.
    """
    module, _, own = name.rpartition(".")
    path = _path(module)
    try:
        return f"{shown_path(path)}:{_defined(path)[own]} {own}"
    except KeyError:
        raise ValueError(f"{module} defines no {own}") from None


def shown_path(path: Path | str) -> str:
    """A file of the package as the repository names it."""
    return f"src/{Path(path).relative_to(ROOT.parent).as_posix()}"


def _path(module: str) -> Path:
    path = ROOT.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _defined(path: Path) -> dict[str, int]:
    """The lines of what a module defines at its top."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node.lineno
        elif isinstance(node, ast.Assign):
            found |= {one.id: node.lineno for one in node.targets if isinstance(one, ast.Name)}
    return found


def commit(root: Path = ROOT.parents[1]) -> tuple[str, bool]:
    """The last commit of the code that the paper is made with, and whether it was changed since.

    Args:
        root: The folder that holds `src`, `reports` and `workflow`.

    Returns:
        "" and False where there is no repository, or where it is not this code's.
    """
    try:
        _git(root, "ls-files", "--error-unmatch", "src/takeoff/__init__.py")
        last = _git(root, "log", "-1", "--format=%H", "--", *WORKED_ON)
        return last, bool(_git(root, "status", "--porcelain", "--", *WORKED_ON))
    except (OSError, subprocess.CalledProcessError):
        return "", False


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, check=True, text=True
    )
    return done.stdout.strip()


def _within(key: str, outer: str) -> bool:
    """Whether a key is another one, or below it; `datasets: repeats` is below `datasets`."""
    return key == outer or key.startswith((f"{outer}.", f"{outer}:"))
