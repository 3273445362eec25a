"""The pages that every build makes anew: the commands, the config, and the lecture's report."""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from takeoff import cli
from takeoff.paper.markdown import escape

ROOT = Path(__file__).parents[1]
SCHEMA = Path("workflow/schemas/study.schema.json")
REPORT = Path("results/lecture/report")
ABSENT = """# The lecture study

This site was built without the report of the lecture study. `make report` makes it, in about ten
minutes on two cores; the next `make docs` shows it here.
"""
OF_WORKFLOW = ("takeoff.commands.rules", "takeoff.commands.experiments")
COLUMNS = 76
SITE_FILES = ("index.md", "report.html", "report.pdf", "report.json", "badge.svg")


def make_pages(docs: Path, root: Path = ROOT) -> None:
    """Write made/commands.md, made/settings.md and report/ below `docs`."""
    made = docs / "made"
    made.mkdir(exist_ok=True)
    (made / "commands.md").write_text("".join(commands()), encoding="utf-8")
    schema = json.loads((root / SCHEMA).read_text(encoding="utf-8"))
    (made / "settings.md").write_text("".join(settings(schema)), encoding="utf-8")
    place_report(root / REPORT, docs / "report")


def place_report(source: Path, target: Path) -> None:
    """Copy what a site shows of a report; without a report, a page that says how to make it."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    if not (source / "index.md").exists():
        (target / "index.md").write_text(ABSENT, encoding="utf-8")
        return
    for name in SITE_FILES:
        shutil.copyfile(source / name, target / name)
    for name in ("figures", "tables"):
        shutil.copytree(source / name, target / name)


# The command line


def commands() -> Iterator[str]:
    """A page with the help of every command: yours first, then those that the workflow calls."""
    yield "# Commands\n\nThe same texts as `takeoff COMMAND --help` prints.\n"
    found = list(_commands_of(cli._parser()))
    for title, of_workflow in (("For you", False), ("For the workflow", True)):
        yield f"\n## {title}\n"
        for name, command in found:
            if (command.get_default("run").__module__ in OF_WORKFLOW) == of_workflow:
                yield f"\n### {escape(name)}\n\n```text\n{_help(command)}\n```\n"


def _commands_of(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Name and parser of every command that has none below it."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                deeper = list(_commands_of(below))
                yield from deeper or [(below.prog, below)]


def _help(command: argparse.ArgumentParser) -> str:
    """In as many columns as the site has, whatever the terminal has."""
    command.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=COLUMNS)
    if hasattr(command, "color"):
        command.color = False
    return command.format_help().strip()


# The config


def settings(schema: Mapping[str, Any]) -> Iterator[str]:
    """A page with every key that a config may have, from its JSON schema."""
    yield "# Settings\n\nEvery key of a config file. A key that is not here is an error.\n\n"
    yield from _table(schema)
    for name in _in_order(schema):
        section = schema["$defs"][name]
        yield f"\n(settings-{name.lower()})=\n## {_heading(name)}\n\n"
        yield f"{_prose(section.get('description', ''))}\n\n"
        yield from _table(section)


def _in_order(schema: Mapping[str, Any]) -> list[str]:
    """The definitions, as the reader first meets them from the top."""
    found: list[str] = []
    waiting = [schema]
    while waiting:
        for name in re.findall(r"#/\$defs/(\w+)", json.dumps(waiting.pop(0)["properties"])):
            if name not in found:
                found.append(name)
                waiting.append(schema["$defs"][name])
    return found


def _heading(name: str) -> str:
    """DatasetSettings -> Dataset settings."""
    words = re.sub(r"(?<=[A-Za-z])(?=[A-Z][a-z])", " ", name)
    return words[0] + words[1:].lower()


def _prose(text: str) -> str:
    """A docstring: its paragraphs, with what stands in backticks as code."""
    return "\n\n".join(_marked(paragraph) for paragraph in text.split("\n\n"))


def _marked(text: str) -> str:
    parts = re.split(r"`([^`]+)`", text)
    return "".join(f"`{part}`" if i % 2 else escape(part) for i, part in enumerate(parts))


def _table(section: Mapping[str, Any]) -> Iterator[str]:
    if not section.get("properties"):
        return
    yield "| key | takes | default | meaning |\n| --- | --- | --- | --- |\n"
    required = section.get("required", ())
    for key, value in section["properties"].items():
        meaning = _marked(_meaning(value))
        yield f"| `{key}` | {_takes(value)} | {_default(key, value, required)} | {meaning} |\n"


def _default(key: str, value: Mapping[str, Any], required: Any) -> str:
    if key in required:
        return "required"
    default = value.get("default")
    return "" if default is None or isinstance(default, dict) else f"`{json.dumps(default)}`"


def _meaning(value: Mapping[str, Any]) -> str:
    """Its description, or that of what it may be."""
    ways = [value, *value.get("anyOf", ())]
    return next((way["description"] for way in ways if "description" in way), "")


def _takes(value: Mapping[str, Any]) -> str:
    """What values a key may have, in words."""
    if "$ref" in value:
        name = value["$ref"].split("/")[-1]
        return f"[{_heading(name)}](#settings-{name.lower()})"
    for key in ("anyOf", "oneOf"):
        if key in value:
            return " or ".join(_takes(way) for way in value[key] if way.get("type") != "null")
    if "const" in value or "enum" in value:
        words = value.get("enum") or [value["const"]]
        return ", ".join(f"`{word}`" for word in words)
    if value["type"] == "array":
        return f"list of {_takes(value['items'])}"
    if value["type"] == "object":
        below = [*value.get("patternProperties", {}).values(), value.get("additionalProperties")]
        return f"by name: {_takes(next(one for one in below if one))}"
    return value["type"] + _bounds(value)


def _bounds(value: Mapping[str, Any]) -> str:
    signs = {
        "minimum": "≥",
        "exclusiveMinimum": "above",
        "maximum": "≤",
        "exclusiveMaximum": "below",
    }
    bounds = [f"{sign} {value[key]}" for key, sign in signs.items() if key in value]
    return f", {', '.join(bounds)}" if bounds else ""
