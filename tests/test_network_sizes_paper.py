"""What the paper says of network sizes, for whatever came out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import synthetic_sizes as synthetic
import synthetic_study
from synthetic_sizes import additive, both_levers, neither_ends, nothing_helps
from test_paper import FIGURES as OTHER_FIGURES
from test_paper import REPORTS, plain, tidy, written

from takeoff import experiments
from takeoff.experiments import Findings, network_sizes
from takeoff.measures import Measure
from takeoff.paper import facts, figures, typeset
from takeoff.paper import report as paper
from takeoff.paper.experiments import Drawn, size_figures
from takeoff.paper.experiments import network_sizes as shown
from takeoff.paper.facts import Results

BLANK = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>'
NAME = "network_sizes"


def found(law: synthetic.Law, **changes: object) -> Findings:
    return network_sizes.analyse(synthetic.asked(law, **changes))  # type: ignore[arg-type]


def zero_where_large(n: float, m: float) -> float:
    return 0.0 if n > 1e5 else both_levers(n, m)


def worse_where_large(n: float, m: float) -> float:
    return 0.1 + 1e-7 * n + 20 / m


CASES: dict[str, Callable[[], Findings]] = {
    "supported": lambda: found(both_levers),
    "refuted": lambda: found(neither_ends),
    "undecided": lambda: found(both_levers, noise=0.5, seed=3),
    "priced": lambda: found(additive, costs=synthetic.PRICED),
    "labels priced": lambda: found(additive, costs=synthetic.PRICED | {"hour": None}),
    "hours priced": lambda: found(additive, costs=synthetic.PRICED | {"label": None}),
    "flat": lambda: found(nothing_helps),
    "worse": lambda: found(worse_where_large),
    "no surface": lambda: found(zero_where_large),
    "small": lambda: found(
        additive,
        networks={name: synthetic.HIDDEN[name] for name in ("mlp_1", "mlp_small", "mlp_large")},
        m=synthetic.M[1:],
        own_design=[{"dataset": "spam", "learner": "mlp_1"}],
    ),
}


@cache
def results() -> Results:
    raw = synthetic_study.config()
    raw["use"]["claims"] = ["plateau", "two_levers"]
    return synthetic_study.results(raw)


@cache
def with_findings(case: str) -> Results:
    return replace(results(), experiments={NAME: CASES[case]()})


@cache
def page(case: str) -> str:
    """The text that a reader of the page reads."""
    import tempfile

    names = [*OTHER_FIGURES, *experiments.FIGURES[NAME]]
    with tempfile.TemporaryDirectory() as work:
        some = written(with_findings(case))
        paper._fill(Path(work), some, dict.fromkeys(names, BLANK), b"{}", REPORTS)
        return plain(typeset.to_html(Path(work)).content)


def section(case: str) -> str:
    """On the claim, and what follows it up to the next one."""
    text = page(case)
    text = text[text.index("each only up to a point Performance") :]
    return text[: text.index(" 4 What")]


@pytest.mark.parametrize("case", sorted(CASES))
def test_the_text_reads_well_for_every_outcome(case: str) -> None:
    """No mark of a sentence that was put together badly."""
    assert tidy(section(case)) == []
    ahead = page(case)
    ahead = ahead[ahead.index(" 4.2 Ten times, and a hundred times") :]
    assert tidy(ahead[: ahead.index(" 4.3 ")]) == []


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("supported", "All four hold. With the most labels, the largest network has a lower error"),
        (
            "refuted",
            "From the smallest network, too, more labels still remove more than the margin",
        ),
        ("undecided", "Nothing is shown to speak against it, but not all of it is shown."),
        ("worse", "With the most labels, the largest network has a higher error"),
        ("no surface", "(a test error of zero has no relative reduction)"),
        ("small", "The grid is too small to be divided, so nothing shows"),
        ("priced", "A budget pays for the labels, at 0.05 EUR each, and for the computing of one"),
        ("labels priced", "A budget pays for the labels, at 0.05 EUR each. Networks"),
        ("hours priced", "A budget pays for the computing of one run, tuning included, at 2.00"),
        ("flat", "no network in the grid, however small, of which a doubling of the parameters"),
    ],
)
def test_the_text_says_what_came_out(case: str, words: str) -> None:
    """Each outcome has its words."""
    assert words in section(case).replace("\u00a0", " ")


def test_without_a_surface_nothing_is_said_of_it() -> None:
    """Neither where levers end, nor what to buy, nor what ten times the computing would bring."""
    assert "What a budget buys" in section("supported")
    assert not any(word in section("no surface") for word in ("budget buys", "surface"))
    assert "Ten times the budget" not in page("no surface")
    assert "Ten times the budget that is best spent within the grid" in page("priced")


def test_a_hundred_times_is_not_stated_and_why() -> None:
    """For labels by what such intervals were worth elsewhere; for a budget by its reach."""
    text = page("supported")
    assert "What a hundred times as many would bring is not stated" in text
    assert "92% of the errors a hundred times ahead lay within their 90% intervals" in text
    assert "A hundred times as much would need no more than 10 times the parameters" in text
    assert "A hundred times as much would take more than 10 times the labels" in page("priced")


def test_every_number_is_a_fact() -> None:
    """With its interval where it has one, and its source."""
    known = facts.build(with_findings("supported"))
    error = known["network_sizes.mlp_512x512.error"]
    assert error.value == pytest.approx(both_levers(526_338, 32_000), rel=0.05) and error.interval
    assert error.source["file"] == "experiments/network_sizes.json"
    assert known["network_sizes.n_own"].value == 5
    gain = known["network_sizes.mlp_1.labels.measured"]
    assert gain.value == pytest.approx(
        1 - (both_levers(517, 32_000) / both_levers(517, 8000)) ** 0.5, abs=0.03
    )
    assert known["network_sizes.mlp_512x512.network.measured"].value is None
    part = known["claim.two_levers.spam.network_few_labels"]
    assert part.text.endswith("%") and part.value is not None and part.value < 0.05


def test_an_open_end_is_said_to_be_open() -> None:
    """An interval that reaches to an end of the search has no end there."""
    row = {"low": 51.7, "high": 1234.0, "low_is_open": True, "high_is_open": False}
    assert shown.end_interval(row) == "below 52 to 1,200"
    row |= {"low_is_open": False, "high_is_open": True}
    assert shown.end_interval(row) == "52 to beyond 1,200"


@pytest.mark.parametrize(
    ("count", "text"),
    [(9.6e8, "0.96 billion"), (9.4e8, "940 million"), (7.77e9, "7.8 billion"),
     (3.75e11, "380 billion"), (2e16, "20 quadrillion"), (1234.0, "0.001 million")],
)  # fmt: skip
def test_operations_are_written_in_words(count: float, text: str) -> None:
    """With two digits."""
    assert shown.operations(count) == text.replace(" ", "\u00a0")


# Figures


@pytest.mark.parametrize("case", sorted(CASES))
def test_figures_are_drawn_for_every_outcome(case: str, tmp_path: Path) -> None:
    """Also without a surface; twice the same bytes."""
    findings = with_findings(case).experiments[NAME]
    saved: list[dict[str, bytes]] = []
    for _ in range(2):
        drawn = shown.draw(Drawn(findings, [], {"spam": "Spam"}, {"spam": Measure()}))
        assert tuple(drawn) == experiments.FIGURES[NAME]
        for name, figure in drawn.items():
            figures.save(figure, tmp_path / f"{name}.svg", name)
        saved.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    assert saved[0] == saved[1]


def test_every_error_is_written_in_its_cell() -> None:
    """The heat map has a number with its interval for each cell."""
    findings = with_findings("supported").experiments[NAME]
    figure = shown.draw(Drawn(findings, [], {}, {"spam": Measure()}))["size_errors"]
    texts = [text.get_text() for text in figure.axes[0].texts]
    cells = findings.tables["errors"]
    assert {Measure().write(error) for error in cells["error"]} <= set(texts)
    assert sum(" to " in text for text in texts) == len(cells)


def test_lines_part_cells_above_an_error_from_those_below() -> None:
    """A straight edge between many cells is one line."""
    errors = np.array([[0.3, 0.3, 0.1], [0.3, 0.3, 0.1], [0.3, 0.1, 0.1]])
    assert sorted(size_figures.edges(errors, 0.2)) == [
        ([1, 1], [2, 3]), ([1, 2], [2, 2]), ([2, 2], [0, 2])
    ]  # fmt: skip
    assert list(size_figures.edges(errors, 0.4)) == []


def test_a_chain_of_networks_doubles_at_every_step() -> None:
    """From the smallest on, without those that are hardly larger."""
    table = with_findings("supported").experiments[NAME].tables["gains"]
    known = table[table["measured"].notna()]
    chain = size_figures._chain(known, "mlp_1")
    assert chain == ["mlp_1", "mlp_4", "mlp_small", "mlp_64", "mlp_large"]


def test_findings_survive_their_file(tmp_path: Path) -> None:
    """What is said from the file is what is said from the findings themselves."""
    for case in ("priced", "flat", "no surface"):
        findings = CASES[case]()
        experiments.write(findings, tmp_path / "f.json")
        back = experiments.read(tmp_path / "f.json")
        some = [replace(results(), experiments={NAME: one}) for one in (findings, back)]
        said = [{one["id"]: one["text"] for one in facts.build(each).records()} for each in some]
        assert said[0] == said[1]
    assert math.isfinite(back.tables["errors"]["error"].sum())
