"""The commands that help to write a config."""

from __future__ import annotations

import argparse
from pathlib import Path

from takeoff.commands import Commands


def add(commands: Commands) -> None:
    """`takeoff init` and `takeoff schema`."""
    _add_init(commands)
    schema = commands.add_parser("schema", help=write_schema.__doc__)
    schema.set_defaults(run=write_schema)
    schema.add_argument("--out", type=Path, required=True)


def init(chosen: argparse.Namespace) -> None:
    """Look at a table, arrays or picture folders, and write a config for a study of them."""
    from takeoff.proposal import Asked, name_for, propose

    name = chosen.name or name_for(chosen.file)
    keys = ("label", "task", "group", "time", "weight", "test_path")
    asked = Asked(path=chosen.file, name=name, **{key: getattr(chosen, key) for key in keys})
    print(propose(asked, chosen.out or Path(f"config/{name}.yaml"), force=chosen.force))


def write_schema(chosen: argparse.Namespace) -> None:
    """Write the JSON schema of a config, which editors use to check and complete."""
    from takeoff.files import write_json
    from takeoff.study import Study

    write_json(chosen.out, Study.model_json_schema())


def _add_init(commands: Commands) -> None:
    added = commands.add_parser("init", help=init.__doc__, description=init.__doc__)
    added.set_defaults(run=init)
    added.add_argument("file", type=Path, help="CSV, Parquet, NPZ, NPY, or a folder of pictures")
    added.add_argument("--label", help="column to be told from the others; not of pictures")
    added.add_argument("--name", help="of the study; without it, made of the file's name")
    added.add_argument("--task", choices=["classification", "regression"], help="else as it looks")
    added.add_argument("--group", help="column no value of which is both trained and tested on")
    added.add_argument("--time", help="column; the latest rows are the test set")
    added.add_argument("--weight", help="column; how much each row counts")
    added.add_argument("--test-path", type=Path, metavar="FILE", help="test rows, if given")
    added.add_argument("--out", type=Path, help="without it, config/NAME.yaml")
    added.add_argument("--force", action="store_true", help="replace a file that exists")
