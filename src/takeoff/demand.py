"""What a study asks of the store: the meaning of each of its cells, as of now.

The workflow and the commands that look after the store must agree to the letter on what a cell
depends on, so both ask here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from takeoff.errors import TakeoffError
from takeoff.files import read_json
from takeoff.fingerprint import fingerprint, versions
from takeoff.study import Study, load_study
from takeoff.training import cell_meaning, curve_meaning

BASE_CONFIG = Path("config/config.yaml")
RESULTS = Path("results")
LIBRARIES = {
    True: ("numpy", "torch", "pytorch-lightning"),
    False: ("numpy", "scipy", "scikit-learn"),
}


@dataclass(frozen=True)
class Demand:
    """One learning curve that a study asks for.

    Attributes:
        dataset, learner: Which curve.
        settings: `full_settings` of the curve.
        digest: Of the data; None when the data set is not prepared yet.
        table: Where the finished curve is.
    """

    dataset: str
    learner: str
    settings: dict[str, Any]
    digest: str | None
    table: Path

    @property
    def curve(self) -> dict[str, Any]:
        """What all cells of the curve depend on alike; `data` is "" while it is not known."""
        return curve_meaning(self.settings, self.digest or "")

    def cells(self) -> Iterator[dict[str, Any]]:
        """The meaning of every cell, by m and repeat; `data` is "" while it is not known."""
        for m in self.settings["m"]:
            for repeat in range(self.settings["repeats"]):
                yield cell_meaning(self.settings, self.digest or "", m, repeat)


def load(config: dict[str, Any], files: Sequence[Path | str] = ()) -> Study:
    """The study that a config (already merged) asks for; see `takeoff.study.load_study`.

    What reads a table of curves is imported for studies that start from one only.
    """
    if config.get("runs") is None:
        return load_study(config, files)
    from takeoff import given

    return given.load(config, files)


def full_settings(study: Study, dataset: str, learner: str) -> dict[str, Any]:
    """What one learning curve depends on: its config, the code that trains it, the libraries."""
    settings = study.curve_settings(dataset, learner)
    libraries = LIBRARIES[study.learner(learner).is_network]
    code = fingerprint(f"takeoff.learners.{settings['fit']['kind']}")
    return settings | {"code": code, "versions": versions(*libraries)}


def code_behind(study: Study) -> dict[str, dict[str, str]]:
    """Fingerprints of the code that prepares each data set and trains each learner, by name."""
    if study.given:
        return {}
    learners = {name: study.learners[name].kind for name in study.use.learners}
    return {
        "datasets": {name: fingerprint(study.data_module(name)) for name in study.use.datasets},
        "learners": {
            name: fingerprint(f"takeoff.learners.{kind}") for name, kind in learners.items()
        },
    }


def demands(study: Study, results: Path = RESULTS) -> Iterator[Demand]:
    """Every curve that the study trains, in the paper's order, then those of its experiments.

    There are none if it starts from a table.

    Args:
        study: The study.
        results: Folder of all results; the sheets of prepared data sets tell their digests.
    """
    if study.given:
        return
    folder = results / study.study
    digests = {name: _digest(study, name, folder) for name in study.use.datasets}
    for dataset, learner in [*study.curves, *study.own_curves]:
        yield Demand(
            dataset=dataset,
            learner=learner,
            settings=full_settings(study, dataset, learner),
            digest=digests[dataset],
            table=folder / "runs" / dataset / f"{learner}.csv",
        )


def read_study(files: Sequence[Path], base: Path = BASE_CONFIG) -> Study:
    """The study that Snakemake would run with `--configfile FILES`.

    Args:
        files: Config files, each laid over the ones before.
        base: The file under all of them, where it exists.

    Raises:
        TakeoffError: A file is missing, is not YAML, or says something that it must not.
    """
    under = [base] if base.exists() else []
    over = [file for file in files if not base.exists() or file.resolve() != base.resolve()]
    config: dict[str, Any] = {}
    for file in [*under, *over]:
        config = laid_over(config, _read_config(file))
    return load(config, [*under, *over])


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """A config over another: mappings are merged, everything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = laid_over(old, value) if both else value  # type: ignore[arg-type]
    return merged


def set_by(config: Mapping[str, Any], files: Sequence[Path | str]) -> list[tuple[str, Any]]:
    """Which config file sets what, so that a paper can say where a setting comes from.

    Args:
        config: The files merged, and what the command line laid over them.
        files: Each is laid over the ones before.

    Returns:
        For each file its name and the keys that it sets (dotted), of the first one None instead;
        at the end the keys of the command line, if there are any. The names of files outside of
        the current folder come without their folders.
    """
    read = [_read_config(Path(file)) for file in files]
    merged: dict[str, Any] = {}
    for one in read:
        merged = laid_over(merged, one)
    found: list[tuple[str, Any]] = [
        (_known_as(Path(file)), sorted(_leaves(one)) if i else None)
        for i, (file, one) in enumerate(zip(files, read, strict=True))
    ]
    here, there = _leaves(config), _leaves(merged)
    typed = sorted(key for key, value in here.items() if key not in there or there[key] != value)
    return [*found, ("--config", typed)] if typed else found


def _known_as(file: Path) -> str:
    try:
        return file.absolute().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return file.name


def _leaves(config: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """The settings that are no mappings, by dotted key."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        inner = isinstance(value, Mapping) and value
        found |= _leaves(value, f"{above}{key}.") if inner else {f"{above}{key}": value}
    return found


def _read_config(file: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise TakeoffError(
            f"can't be read: {error}", where=str(file), remedy="give the path of a config file"
        ) from error
    if not isinstance(config, dict):
        raise TakeoffError("holds no settings", where=str(file), remedy="give a config file")
    return config


def _digest(study: Study, dataset: str, folder: Path) -> str | None:
    """Digest of a prepared data set; None when it is not there, or is of another size."""
    try:
        sheet = read_json(folder / "data" / f"{dataset}.json")
        sizes, digest = (sheet["n_pool"], sheet["n_test"]), sheet["digest"]
    except (TakeoffError, KeyError, TypeError):
        return None
    wanted = study.datasets[dataset]
    return str(digest) if sizes == (wanted.pool, wanted.test) else None
