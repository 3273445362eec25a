"""Where each number and figure comes from."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import browser
import bundles
import pytest
import synthetic_study
from hypothesis import given
from hypothesis import strategies as st
from pages import Page

from takeoff.demand import set_by
from takeoff.paper import facts, figures, origins
from takeoff.paper import report as paper
from takeoff.paper.facts import Results
from takeoff.paper.origins import Where, named
from takeoff.study import load_study

ROOT = Path(__file__).parents[1]
REPORTS = ROOT / "reports"
OVERLAID = Where(configs=[("config/config.yaml", None), ("config/mine.yaml", ["statistics.level"])])


@cache
def results() -> Results:
    return synthetic_study.results()


@cache
def weighed() -> Results:
    """With options, as a whole study has them."""
    return synthetic_study.weighed(results())


@cache
def traced() -> tuple[facts.Facts, origins.Origins]:
    return origins.trace(facts.build(weighed()), weighed(), OVERLAID)


def line_at(where: str) -> str:
    """The line of code that "path:line name" points at."""
    path, line = where.split(" ")[0].split(":")
    return (ROOT / path).read_text().splitlines()[int(line) - 1]


# Code


def test_every_fact_leads_to_the_line_that_wrote_it() -> None:
    """That line yields something, and lies in a function that is named."""
    numbers, found = traced()
    lines = {found.origins[fact.origin or 0].by for fact in numbers}
    assert len(lines) > 30
    for line in lines:
        assert "yield" in line_at(line), line


def test_every_file_leads_to_the_code_behind_it() -> None:
    """Each source that a rule makes has functions, at the lines that define them."""
    _, found = traced()
    made = [source for source in found.sources.values() if source.rule]
    assert {source.file.split("/")[0] for source in made} == {
        "data", "runs", "fits", "claims", "decisions", "figures"
    }  # fmt: skip
    for source in made:
        for code in source.code:
            assert line_at(code).startswith(f"def {code.split(' ')[1]}("), code


def test_rules_are_those_of_the_workflow() -> None:
    """A rule that is named is a rule of the Snakefile, which makes files of that kind."""
    _, found = traced()
    named_there = set(re.findall(r"rule (\w+):", (ROOT / "workflow" / "Snakefile").read_text()))
    assert {source.rule for source in found.sources.values()} - {""} <= named_there


def test_constants_lead_to_their_lines() -> None:
    """A number that is fixed in the code leads to where that is."""
    numbers, found = traced()
    source = found.sources[found.origins[numbers["option.farthest"].origin or 0].source]
    path = source.file.removeprefix("code/")
    assert line_at(path).startswith("FARTHEST = ") and not source.rule


def test_unknown_code_is_an_error() -> None:
    """A line that isn't there is not made up."""
    with pytest.raises(ValueError, match="defines no gone"):
        origins.code_line("takeoff.statistics.fits.gone")


def test_only_settings_code_and_benchmarks_have_no_rule() -> None:
    """Every other number was read from a file that a rule of the workflow makes."""
    numbers, found = traced()
    assert len({fact.origin for fact in numbers}) == len(found.origins)
    lost = {origin.source for origin in found.origins if not found.sources[origin.source].rule}
    known = (f"{origins.CONFIG}/", f"{origins.CODE}/", "benchmarks/", "runs")
    assert {source for source in lost if not source.startswith(known)} == set()


# Cells


def test_cells_behind_a_number_are_counted() -> None:
    """The table of the curve, with as many cells as it has repeats at each m."""
    numbers, found = traced()
    origin = found.origins[numbers["spam.mlp_large.error.500"].origin or 0]
    assert origin.tables == ("runs/spam/mlp_large.csv",)
    assert found.sources[origin.tables[0]].cells == dict.fromkeys(synthetic_study.M, 5)
    pair = found.origins[numbers["spam.mlp_large.less_than.mlp_small"].origin or 0]
    assert pair.tables == ("runs/spam/mlp_small.csv", "runs/spam/mlp_large.csv")


@given(st.sets(st.sampled_from(["a", "b", "x", "y", "z"])))
def test_a_name_that_is_missing_stands_for_all(words: set[str]) -> None:
    """Data sets and learners are told apart by the names in the text."""
    tables = [f"runs/{dataset}/{learner}.csv" for dataset in "ab" for learner in "xyz"]
    found = named(" ".join(sorted(words)), tables)
    assert len(found) == (len(words & set("ab")) or 2) * (len(words & set("xyz")) or 3)
    assert set(found) <= set(tables)


# Digests


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files of the study, each with something in it."""
    _, found = traced()
    for file in found.sources:
        if "." in file and file.split("/")[0] in {*origins.GROUPS, "figures"}:
            path = tmp_path / "results" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(file)
    return tmp_path / "results"


def sources_in(folder: Path) -> dict[str, origins.Source]:
    return origins.trace(facts.build(weighed()), weighed(), Where(folder))[1].sources


def test_digests_are_those_of_the_files(folder: Path) -> None:
    """A file has its own; a group that of what `sha256sum` prints of its files, by name."""
    before = sources_in(folder)
    text = b"fits/fits.csv"
    assert before["fits/fits.csv"].digest == hashlib.sha256(text).hexdigest()
    files = sorted((folder / "runs").glob("*/*.csv"))
    listed = subprocess.run(
        ["sha256sum", *(str(file.relative_to(folder)) for file in files)],
        cwd=folder, capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert before["runs"].digest == hashlib.sha256(listed).hexdigest()
    files[0].write_text("another run")
    after = sources_in(folder)
    changed = {name for name in before if before[name].digest != after[name].digest}
    assert changed == {files[0].relative_to(folder).as_posix(), "runs", "runs/fashion_mnist"}


# Settings


def test_settings_lead_to_the_file_that_sets_them() -> None:
    """The uppermost config file that sets a key, or something below it."""
    own = ("a.yaml", ["use.datasets", "datasets.x.m"])
    where = Where(configs=[("config/config.yaml", None), own])
    for key, file in [
        ("seed", "config/config.yaml"),
        ("use.datasets", "a.yaml"),
        ("use.learners", "config/config.yaml"),
        ("datasets: repeats", "config/config.yaml"),
        ("datasets.x.m", "a.yaml"),
    ]:  # fmt: skip
        assert where.config_of(key) == file, key
    numbers, found = traced()
    level = found.origins[numbers["study.level"].origin or 0]
    assert level.source == "config/config/mine.yaml"
    assert Where(configs=[("own.yaml", ["seed"])]).config_of("costs").startswith("the defaults")


def test_who_set_what_is_found_in_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys by file; what the command line changed; and no folder of the machine."""
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    (project / "base.yaml").write_text("seed: 1\nuse: {claims: [a, b]}\n")
    (tmp_path / "mine.yaml").write_text("use: {claims: [a]}\n")
    merged: dict[str, Any] = {"seed": 1, "use": {"claims": ["a"]}}
    files = [Path("base.yaml"), tmp_path / "mine.yaml"]
    assert set_by(merged, files) == [("base.yaml", None), ("mine.yaml", ["use.claims"])]
    assert set_by(merged | {"seed": 2}, files)[-1] == ("--config", ["seed"])


def test_the_command_names_the_study() -> None:
    """The file, the rule and the study's config, in an order that Snakemake takes."""
    _, found = traced()
    assert found.sources["fits/fits.csv"].command == (
        "snakemake results/synthetic/fits/fits.csv --forcerun fit_curves"
        " --cores all --configfile config/mine.yaml"
    )


# The commit


def git(folder: Path, *arguments: str) -> str:
    whole = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run([*whole, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_commit_is_that_of_the_code(tmp_path: Path) -> None:
    """The last one that touched code or text; changes since are told; nothing without git."""
    code = tmp_path / "src" / "takeoff" / "__init__.py"
    code.parent.mkdir(parents=True)
    code.write_text("")
    assert origins.commit(tmp_path) == ("", False)
    git(tmp_path, "init", "--quiet")
    assert origins.commit(tmp_path) == ("", False)  # someone else's repository
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "code")
    first = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "README").write_text("words")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "words")
    assert origins.commit(tmp_path) == (first, False)
    code.write_text("changed = True")
    assert origins.commit(tmp_path) == (first, True)


# In the paper


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the figures of the synthetic study."""
    folder = tmp_path_factory.mktemp("figures")
    ladder = load_study(synthetic_study.config()).ladder()
    for name, figure in synthetic_study.draw(results(), ladder):
        figures.save(figure, folder / f"{name}.svg", name)
    return folder


@pytest.fixture(scope="module")
def report(drawn: Path) -> Path:
    """The report of the synthetic study, which knows a commit."""
    where = Where(None, OVERLAID.configs, "c0ffee" + "0" * 34, True)
    paper.render(results(), drawn, REPORTS, drawn.parent / "report", where=where)
    return drawn.parent / "report"


def test_every_number_and_figure_of_the_page_has_an_origin(report: Path) -> None:
    """Their places are those of report.json; the page tells of no others."""
    page, known = Page.of(report / "report.html"), bundles.told(report)
    record = json.loads((report / "report.json").read_text())
    by_id = {fact["id"]: fact for fact in record["facts"]}
    assert len(known["facts"]) == len(page.numbers) > 100
    for fact_id, select, place in known["facts"]:
        fact, (file, by, tables) = by_id[fact_id], known["origins"][place]
        whole = record["origins"]["origins"][fact["origin"]]
        assert fact["source"]["select"] == select
        assert known["files"][file][0] == whole["source"]
        assert f"src/takeoff/{known['code'][by]}" == whole["by"]
        assert [known["files"][i][0] for i in known["tables"][tables]] == whole["tables"]
    assert {place for *_, place in known["facts"]} == set(range(len(known["origins"])))
    assert set(known["figures"]) == {path.stem for path in (report / "figures").iterdir()}


def test_the_appendix_lists_every_file(report: Path) -> None:
    """Rules, files and the commit stand in the text, for whoever has no script and no page."""
    _, text = Page.of(report / "report.html").text.rsplit("Where the numbers come from", 1)
    assert "commit c0ffee000000, to which there were local changes" in text
    for source in json.loads((report / "report.json").read_text())["origins"]["sources"]:
        if source["rule"] and "." in source["file"]:
            assert source["rule"] in text and source["file"] in text


def test_no_string_ends_the_list_of_origins(drawn: Path, tmp_path: Path) -> None:
    """A name with a tag in it stays within the script element that holds it."""
    where = Where(configs=[("</script><b>.yaml", None)])
    paper.render(results(), drawn, REPORTS, tmp_path / "report", where=where)
    page = Page.of(tmp_path / "report" / "report.html")
    assert len(page.scripts) == 2 and ".yaml" not in "".join(page.scripts)
    assert any(
        "</script><b>.yaml" in file[0] for file in bundles.told(tmp_path / "report")["files"]
    )


@browser.needs_browser
def test_a_number_opens_its_origin(report: Path, tmp_path: Path) -> None:
    """By click and by Enter; Escape closes the panel; arrows lead to the next number."""
    said = browser.run(report / "report.html", """
      const [first, second] = page.querySelectorAll("main b");
      const open = () => page.querySelector("dialog.origin").open;
      first.click();
      const text = page.querySelector("dialog.origin").textContent;
      page.querySelector("dialog.origin button").click();
      const closed = !open();
      first.focus();
      press(first, "ArrowRight");
      const moved = page.activeElement === second;
      press(second, "Enter");
      const entered = open();
      page.querySelector("dialog.origin button").click();
      page.querySelector(".origin-of").click();
      const figure = page.querySelector("dialog.origin").textContent;
      return { text, closed, moved, entered, figure,
               stops: page.querySelectorAll("main b[tabindex='0']").length,
               buttons: page.querySelectorAll(".origin-of").length };
    """)  # fmt: skip
    assert said["closed"] and said["moved"] and said["entered"]
    for word in ("facts.py:", "_study", "c0ffee", "number of rows"):
        assert word in said["text"]
    assert "src/takeoff/paper/figures.py:" in said["figure"] and "plot_figures" in said["figure"]
    assert said["buttons"] == len(bundles.told(report)["figures"]) and 0 < said["stops"] < 150
