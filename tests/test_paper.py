"""The paper: text, PDF and page."""

from __future__ import annotations

import html
import json
import re
import shutil
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import bundles
import pandas as pd
import pytest
import synthetic_study
import typst
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Page

from takeoff import wording
from takeoff.errors import TakeoffError
from takeoff.paper import facts, figures, prose, typeset, views
from takeoff.paper import report as paper
from takeoff.paper.facts import Results
from takeoff.statistics.evidence import MEMBERS
from takeoff.statistics.families import SEPARABLE
from takeoff.study import load_study

REPORTS = Path(__file__).parents[1] / "reports"
CLAIMS = ("plateau", "bigger_is_better", "keeps_improving", "unclear_when_small")
FIGURES = (
    *("learning_curves", "above_floor", "forecasts", "held_out"),
    *("last_doublings", "differences", "agreement", "cost"),
)
NASTY = [
    'quote " and \\ backslash',
    "#panic() $x$ *bold* _it_ `raw` @ref <label>",
    "<script>alert('x')</script> & <b>",
    "\u05e8\u05e9\u05ea \u0627\u0644\u0634\u0628\u0643\u0629 \u202eturned",
    "{{ seven }} << num('x') >> <% if %> //comment /* here */",
]


@cache
def results() -> Results:
    return synthetic_study.results()


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with small stand-ins for all figures."""
    folder = tmp_path_factory.mktemp("figures")
    blank = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>'
    for name in FIGURES:
        (folder / f"{name}.svg").write_text(blank)
    return folder


def written(some: Results) -> str:
    """The Typst source of the paper."""
    return prose.write_typst(REPORTS, facts.build(some), views.context(some))


def read(some: Results, drawn: Path, work: Path) -> str:
    """What a reader of the page reads, as one line."""
    work.mkdir()
    svg = {file.stem: file.read_text() for file in drawn.iterdir()}
    paper._fill(work, written(some), svg, b"{}", REPORTS)
    return plain(typeset.to_html(work).content)


def plain(page: str) -> str:
    return Page(page).text


def section(text: str, number: int) -> str:
    """The text on one claim."""
    start = text.index(f" 3.{number} ")
    return re.split(r" 3\.\d | 4 What", text[start + 1 :])[0]


def tidy(text: str) -> list[str]:
    """Marks of a sentence that was put together badly."""
    marks = (r"\s[,.;:)]", r"\(\s", r"[,;:]\s*[.,;]", r"\.\.", r"[a-z)]\.[A-Z]")
    words = (r"\b([A-Za-z]+) \1\b", r"\bNone\b", r"\bnan\b", r"\b\w+_\w+\b")
    found = []
    text = text.split(" References ")[0]
    for pattern in (*marks, *words):
        found += [text[max(0, m.start() - 40) : m.end() + 20] for m in re.finditer(pattern, text)]
    return found


# The whole report


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the synthetic study with its real figures, beside a second one."""
    folder = tmp_path_factory.mktemp("reports")
    learners = load_study(synthetic_study.config()).ladder()
    some = results()
    for name, figure in synthetic_study.draw(some, learners):
        figures.save(figure, folder / "figures" / f"{name}.svg", name)
    for out in ("one", "elsewhere/two"):
        paper.render(some, folder / "figures", REPORTS, folder / out)
    return folder / "one"


def test_same_results_give_the_same_bytes(report: Path) -> None:
    """Two renders into different folders are equal, file by file, and name no folder."""
    other = report.parent / "elsewhere" / "two"
    files = sorted(path.relative_to(report) for path in report.rglob("*") if path.is_file())
    assert len(files) == 9 + len(FIGURES) + len(paper.TABLES)
    for file in files:
        content = (report / file).read_bytes()
        assert content == (other / file).read_bytes(), file
        assert str(report.parent).encode() not in content
    assert not [path for path in report.parent.iterdir() if path.name.startswith(".")]


def test_page_has_every_figure_and_loads_nothing(report: Path) -> None:
    """Each figure is an SVG within the page; nothing is fetched; the file is small."""
    text, page = (report / "report.html").read_text(), Page.of(report / "report.html")
    drawn = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(drawn) == len(FIGURES)
    assert all(one["role"] == "img" and one["aria-label"] for one in drawn)
    assert not re.search(r"(?:src|srcset|data)=[\"']?(?:https?:)?//", text)
    assert not re.search(r"<link|@import|url\(\s*[\"']?(?:https?:|//|data:)", text)
    assert len(text.encode()) < 400_000


def test_ids_in_the_page_are_unique_and_links_lead_somewhere(report: Path) -> None:
    """No id occurs twice, and every link and reference within the page has its target."""
    page = Page.of(report / "report.html")
    ids = page.attributes("id")
    assert len(ids) == len(set(ids)) > 50
    links = [link[1:] for link in page.attributes("href") if link.startswith("#")]
    named = " ".join([*page.styles, *page.attributes("style"), *page.attributes("clip-path")])
    used = re.findall(r"url\(#([^)]+)\)", named)
    assert links and used and {*links, *used} <= set(ids)


def test_page_colours_follow_the_reader(report: Path) -> None:
    """Text in figures takes the page's colour, and learners have colours for dark pages."""
    text = (report / "report.html").read_text()
    assert figures.INK not in "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    (light, *_), (dark, *_) = (text.split("{--s0:")[i:] for i in (1, 2))
    looks = list(figures.looks(load_study(synthetic_study.config()).ladder()).values())
    for colours, shown in (
        (light, [look.colour for look in looks]), (dark, [look.dark for look in looks])
    ):  # fmt: skip
        told = "".join(f";--s{i}:{colour}" for i, colour in enumerate(shown)).removeprefix(";--s0:")
        assert colours.startswith(f"{told}}}")
    assert all(f"var(--s{i})" in text for i in range(len(looks)))


def test_pdf_is_tagged_archival_and_carries_the_numbers(report: Path) -> None:
    """The PDF says it is PDF/A-3a and PDF/UA-1 (Typst checks) and holds report.json."""
    content = (report / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert b"pdfuaid:part" in content and b"pdfaid:part" in content
    assert b"report.json" in content


def test_numbers_in_the_page_are_facts_of_the_report(report: Path) -> None:
    """Every number shown with a source is in report.json with the same text."""
    page = Page.of(report / "report.html")
    record = json.loads((report / "report.json").read_text())
    known = {fact["id"]: fact["text"] for fact in record["facts"]}
    assert len(page.numbers) > 100
    assert page.numbers == [known[fact_id] for fact_id, _, _ in bundles.told(report)["facts"]]


def test_prose_has_no_seams(report: Path) -> None:
    """No doubled words, stray spaces before commas, or names of variables in the text."""
    text = (report / "report.html").read_text()
    assert tidy(plain(text[text.index("<main") :])) == []


def test_failure_leaves_the_old_report_alone(report: Path, drawn: Path, tmp_path: Path) -> None:
    """When the paper can't be made, nothing of the last one is touched."""
    out = tmp_path / "report"
    shutil.copytree(report, out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    broken = shutil.copytree(drawn, tmp_path / "broken")
    (broken / "cost.svg").write_text("<svg")
    with pytest.raises(TakeoffError, match=r"cost\.svg"):
        paper.render(results(), broken, REPORTS, out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_figures_of_an_older_paper_go(report: Path, drawn: Path, tmp_path: Path) -> None:
    """A figure that the paper no longer shows does not stay behind."""
    out = tmp_path / "report"
    shutil.copytree(report, out)
    some = synthetic_study.results(synthetic_study.config(claims=["plateau"]))
    paper.render(some, drawn, REPORTS, out)
    names = {path.stem for path in (out / "figures").iterdir()}
    assert names == set(FIGURES) - {"differences", "agreement"}


# What the text says


@pytest.mark.parametrize("claim", CLAIMS)
def test_text_follows_the_verdict(claim: str, drawn: Path, tmp_path: Path) -> None:
    """Each verdict has its own words, in the section and in the abstract, without seams."""
    abstracts, sections = set(), set()
    for verdict in facts.VERDICTS:
        some = replace(results(), claims=synthetic_study.with_verdict(results(), claim, verdict))
        text = read(some, drawn, tmp_path / verdict)
        assert tidy(text) == [], verdict
        abstracts.add(text[: text.index("Introduction")])
        sections.add(section(text, CLAIMS.index(claim) + 1))
    assert len(abstracts) == len(sections) == 3


def test_text_names_who_breaks_a_claim(drawn: Path, tmp_path: Path) -> None:
    """A refuted claim names the learner and the data set, with effect and interval, by label."""
    claims = synthetic_study.with_verdict(results(), "plateau", "refuted")
    text = read(replace(results(), claims=claims), drawn, tmp_path / "work")
    part = next(claim for claim in claims["claims"] if claim["claim"] == "plateau")["parts"][0]
    effect = facts.build(results())[facts.part_id("plateau", part)]
    numbers = f"({effect.text}, interval {effect.interval})"
    assert f"logistic regression on Fashion-MNIST {numbers}" in text


@pytest.mark.parametrize(
    "use",
    [
        {"claims": []},
        {"claims": ["unclear_when_small"]},
        {"datasets": ["spam"]},
        {"datasets": ["fashion_mnist"]},
        {"learners": ["logistic_regression", "mlp_small", "mlp_large"]},
        {"learners": ["mlp_small", "mlp_medium"]},
        {"learners": ["logistic_regression", "gradient_boosting"]},
        {"learners": ["mlp_large"], "datasets": ["fashion_mnist"]},
    ],
    ids=str,
)
def test_smaller_studies_read_well(use: dict[str, Any], drawn: Path, tmp_path: Path) -> None:
    """Whatever a study drops, the text speaks only of what is there."""
    some = synthetic_study.results(synthetic_study.config(**use))
    text = read(some, drawn, tmp_path / "work")
    assert tidy(text) == []
    if use.get("datasets") == ["fashion_mnist"]:
        assert "Spam" not in text and "best possible" not in text
    if "svm_rbf" not in use.get("learners", ["svm_rbf"]):
        assert "ring" not in text.split() and "Gaps" not in text
    if "learners" in use and not any(name.startswith("mlp") for name in use["learners"]):
        assert "AdamW" not in text and "convolutional" not in text


def test_a_part_without_an_estimate_gives_its_reason(drawn: Path, tmp_path: Path) -> None:
    """Where nothing could be estimated, the text says why instead of a number."""
    claims = synthetic_study.with_verdict(results(), "plateau", "undecided")
    part = claims["claims"][0]["parts"][0]
    part |= dict.fromkeys(("effect", "low", "high", "p_for", "p_against"))
    part["reason"] = "a test error of zero has no relative reduction"
    text = read(replace(results(), claims=claims), drawn, tmp_path / "work")
    assert "logistic regression on Fashion-MNIST (a test error of zero has no relative" in text


# What data sets are judged by

JUDGED_BY = {  # data set -> as sentences call it, and the unit that follows a number
    "fashion_mnist": ("balanced test error", "%"),
    "spam": ("test error", "%"),
    "ad_click": ("log-loss", " nats"),
    "car_position": ("root mean squared error", " m"),
}


@cache
def mixed() -> Results:
    return synthetic_study.mixed()


def decided(some: Results, verdict: str) -> Results:
    """The study with this verdict on all of its claims."""
    for claim in CLAIMS:
        some = replace(some, claims=synthetic_study.with_verdict(some, claim, verdict))
    return some


@pytest.mark.parametrize("verdict", facts.VERDICTS)
def test_measures_side_by_side_read_well(verdict: str, drawn: Path, tmp_path: Path) -> None:
    """Data sets with unlike measures share sentences that call all of them the error."""
    text = read(decided(mixed(), verdict), drawn, tmp_path / "work")
    assert tidy(text) == []
    assert "Spam by the test error, Ad clicks by the log-loss and Car position by the" in text
    assert "removes less than 5% of the error;" in text
    for dataset, (name, unit) in JUDGED_BY.items():
        title = mixed().sheets[dataset]["title"]
        sentence = f"On {title}, the lowest {name} at .{{0,3}} = 16,000 was [0-9.]+{unit} \\("
        assert re.search(sentence, text.replace("\u00a0", " ")), dataset


@pytest.mark.parametrize("verdict", facts.VERDICTS)
@pytest.mark.parametrize("dataset", sorted({*JUDGED_BY} - {"spam"}))
def test_a_single_measure_has_the_word(
    dataset: str, verdict: str, drawn: Path, tmp_path: Path
) -> None:
    """A study of one data set speaks of its measure, in its unit, and of no other one's."""
    some = decided(alone(dataset), verdict)
    text = read(some, drawn, tmp_path / "work").replace("\u00a0", " ")
    name, unit = JUDGED_BY[dataset]
    assert tidy(text) == []
    assert f"less than 5% of the {name};" in text
    assert re.search(f"The lowest {name} at .{{0,3}} = 16,000 was [0-9.]+{unit} \\(", text)
    if unit != "%":
        assert "test error" not in text and "percentage point" not in text
        assert not re.search("[0-9] points|error rate|wrong decisions", text)
    if unit == " m":
        assert "nats" not in text and "log-loss" not in text and "class" not in text


@cache
def alone(dataset: str) -> Results:
    """The part of the mixed study that is about one data set."""
    whole = mixed()
    claims = {"claims": [
        claim | {"parts": [part for part in claim["parts"] if part["dataset"] == dataset]}
        for claim in whole.claims["claims"]
    ]}  # fmt: skip
    use = whole.study["use"] | {"datasets": [dataset]}
    tables = ("runs", "curves", "fits", "forecast", "held_out", "last_doublings", "differences",
              "agreement")  # fmt: skip
    own = {name: rows[rows["dataset"] == dataset] for name in tables
           if (rows := getattr(whole, name)) is not None}  # fmt: skip
    return replace(
        whole,
        study=whole.study | {"use": use},
        sheets={dataset: whole.sheets[dataset]},
        claims=claims,
        **own,
    )


def test_each_data_set_is_described_as_what_it_is(drawn: Path, tmp_path: Path) -> None:
    """Classes only where there are some; generated or real; what was left out; order in time."""
    text = read(mixed(), drawn, tmp_path / "work")
    fashion, spam, clicks, car = re.split(
        "Spam \\(generated\\)|Ad clicks \\(generated\\)|Car position \\(generated\\)",
        text[text.index(" 2.1 Data sets") : text.index("different measures on")],
    )
    assert "(real data)" in fashion and "ten classes" in fashion
    assert "Left out were 12 rows (without a label)." in fashion and "Left out" not in spam
    assert "400 features, and 38 hand-made ones besides" in spam
    assert "order in time" in clicks and "order in time" not in spam + car
    assert "how far ahead the other car is: a number in m." in car and "class" not in car


def test_what_is_known_of_the_best_possible_is_told(drawn: Path, tmp_path: Path) -> None:
    """Floors stand with a sign where they are bounds, and a dash stands for what is unknown."""
    text = read(mixed(), drawn, tmp_path / "work").replace("\u00a0", " ")
    table = text[text.index("Table 1") : text.index(" 2.2 Design")]
    assert "Fashion-MNIST balanced test error 90.0% \u2013 \u2013 \u2013 \u2013" in table
    assert "Spam test error 38.0% \u22654.12% \u22650.1127 \u22640.981 \u2013" in table
    assert "Ad clicks log-loss in nats 0.2536 nats 6.63% 0.2079 0.742 \u2013" in table
    assert "root mean squared error in m 18.40 m \u2013 \u2013 \u2013 0.30 m" in table
    assert "lower bound" in text[: text.index(" 2 Methods")]
    assert "the large network ends at most 3.34 percentage points" in text


def test_a_floor_next_to_the_curve_is_a_limitation(drawn: Path, tmp_path: Path) -> None:
    """Where no doubling could pass the margin, the paper says so, and judges what lies above."""
    text = read(mixed(), drawn, tmp_path / "work")
    limits = text[text.index("Shares of the whole error.") : text.index("Generated data.")]
    clicks, car = limits.split("Of the root mean squared error")
    assert "2.37% lies above" in clicks
    assert "every curve counts as flat" in clicks and "counts as flat" not in car
    assert "still removed more than 5% from every learner, all of which count as flat" in clicks
    text = read(alone("fashion_mnist"), drawn, tmp_path / "other")
    assert "Shares of the whole error" not in text and "best possible" not in text


def test_nasty_units_and_reasons_reach_the_reader(drawn: Path, tmp_path: Path) -> None:
    """What a user's table brings along is shown as it is, in sentences and in tables."""
    changed = {"unit": NASTY[1], "title": NASTY[0], "left_out": {NASTY[2]: 3, NASTY[4]: 1}}
    sheets = {name: dict(sheet) for name, sheet in mixed().sheets.items()}
    sheets["car_position"] |= changed
    text = read(replace(mixed(), sheets=sheets), drawn, tmp_path / "work")
    shown = [" ".join(wording.clean(NASTY[i]).split()) for i in (0, 1, 2, 4)]
    for string in shown:
        assert string in text
    assert f"a number in {shown[1]}." in text


def test_a_number_without_a_unit_has_none(drawn: Path, tmp_path: Path) -> None:
    """No bracket, and no word, stands where a unit would."""
    sheets = {"car_position": dict(mixed().sheets["car_position"]) | {"unit": ""}}
    some = decided(replace(alone("car_position"), sheets=sheets), "supported")
    text = read(some, drawn, tmp_path / "work")
    assert tidy(text) == []
    assert "how far ahead the other car is: a number." in text
    assert "the last three in the unit of the label" not in text  # one data set: no such table


def test_a_study_may_ask_its_own_question(drawn: Path, tmp_path: Path) -> None:
    """`question` in the config opens the abstract and the introduction."""
    study = dict(results().study) | {"question": "Shall we label another thousand mails?"}
    text = read(replace(results(), study=study), drawn, tmp_path / "work")
    assert text.count("Shall we label another thousand mails?") == 2


# Forecasts and what they are worth


def trust(text: str) -> str:
    """The section on the held-out octave."""
    return text[text.rindex("How far these forecasts can be trusted") :].split(" 4.3 ")[0]


def held_out(inside: int, off: float, last_value: float) -> pd.DataFrame:
    """The held-out octave of the synthetic study with so many rows inside, and these errors."""
    rows = results().held_out.copy()
    rows["inside"] = [i < inside for i in range(len(rows))]
    rows["predicted"], rows["last_value"] = rows["measured"] + off, rows["measured"] + last_value
    return rows


@pytest.mark.parametrize(
    ("inside", "off", "last_value", "says", "never"),
    [
        (12, 0.01, 0.02, "Each of the 12 held-out means lies", "narrow"),
        (11, 0.01, 0.02, "Of the 12 held-out means, 11 lie within", "narrow"),
        (1, 0.01, 0.02, "Of the 12 held-out means, one lies within", "no less"),
        (0, 0.01, 0.02, "Not one of the 12 held-out means lies within", "no less"),
        (6, 0.01, 0.02, "they are too narrow", "no less"),
        (12, 0.01, 0.02, "went on in a way that could be foretold", "better not"),
        (12, 0.02, 0.02, "neither better nor worse than not", "foretold"),
        (12, 0.03, 0.02, "it would have been better not to continue", "foretold"),
    ],
)
def test_text_follows_the_held_out_octave(
    inside: int, off: float, last_value: float, says: str, never: str, drawn: Path, tmp_path: Path
) -> None:
    """Coverage and gain over the last value have their words, good or bad."""
    some = replace(results(), held_out=held_out(inside, off, last_value))
    text = read(some, drawn, tmp_path / "work")
    assert tidy(text) == []
    assert says in trust(text) and never not in trust(text)


@pytest.mark.parametrize(("inside", "where"), [(True, "within"), (False, "outside")])
def test_one_held_out_mean_is_one(inside: bool, where: str, drawn: Path, tmp_path: Path) -> None:
    """A single held-out mean makes a sentence, and no table."""
    some = replace(results(), held_out=held_out(12, 0.01, 0.02).iloc[:1].assign(inside=inside))
    text = read(some, drawn, tmp_path / "work")
    assert f"The only held-out mean lies {where} the 90% interval" in trust(text)
    assert "Within the interval" not in text


def test_nothing_held_out_is_said(drawn: Path, tmp_path: Path) -> None:
    """Without a curve to check, the text says that nothing was."""
    some = replace(results(), held_out=results().held_out.iloc[:0])
    text = read(some, drawn, tmp_path / "work")
    assert tidy(text) == []
    assert "nothing here shows how far" in trust(text)


def test_the_data_set_that_does_badly_is_named(drawn: Path, tmp_path: Path) -> None:
    """Good overall, bad on one data set: the one is told apart."""
    rows = held_out(12, 0.001, 0.05)
    fashion = rows["dataset"] == "fashion_mnist"
    rows.loc[fashion, "last_value"] = rows.loc[fashion, "measured"]
    text = read(replace(results(), held_out=rows), drawn, tmp_path / "work")
    assert "On Fashion-MNIST alone, the last error was the better forecast." in trust(text)
    assert "On Spam alone" not in trust(text)


@pytest.mark.parametrize("shape", ["flat", "stuck", "dipping", "peaking", "increasing",
                                   "non-monotone", "too short"])  # fmt: skip
def test_ill_behaved_curves_are_named(shape: str, drawn: Path, tmp_path: Path) -> None:
    """Learner and data set of a curve that doesn't simply fall are told, under its shape."""
    forecast = results().forecast.copy()
    own = (forecast["dataset"] == "spam") & (forecast["learner"] == "mlp_small")
    forecast.loc[own, "shape"] = shape
    text = read(replace(results(), forecast=forecast), drawn, tmp_path / "work")
    assert tidy(text) == []
    assert ": the small network on Spam." in text
    assert "Every curve falls" not in text


def test_curves_that_fall_are_said_to(drawn: Path, tmp_path: Path) -> None:
    """Without an ill-behaved curve there is no list of them."""
    forecast = results().forecast.assign(shape="decreasing")
    text = read(replace(results(), forecast=forecast), drawn, tmp_path / "work")
    assert "Every curve falls from end to end" in text


@pytest.mark.parametrize(
    ("family", "status", "says"),
    [
        ("pow4", "converged", "From the course of its curve,"),
        ("last_value", "not extrapolated", "Nothing foretold the course of its curve better"),
        ("last_value", "too few points", "Its curve has too few points for a forecast"),
        ("m4", "at a bound", "power law below guessing (at a bound)"),
    ],
)
def test_text_says_what_a_forecast_rests_on(
    family: str, status: str, says: str, drawn: Path, tmp_path: Path
) -> None:
    """A forecast that is only the last error isn't sold as more."""
    forecast = results().forecast.assign(family=family, status=status)
    text = read(replace(results(), forecast=forecast), drawn, tmp_path / "work")
    assert tidy(text) == []
    assert says in text
    assert ("is expected" in text[: text.index("Introduction")]) == (family != "last_value")


def test_every_family_has_its_words() -> None:
    """Whatever the average may rest on, and every shape, is known to the templates."""
    words = (REPORTS / "words.typ.j2").read_text()
    for name in {*(family for family, _ in MEMBERS), *SEPARABLE}:
        assert f'"{name}": "' in words


# Failing loudly


def test_missing_fact_names_id_and_template(tmp_path: Path) -> None:
    """A template that asks for a fact that isn't there fails, naming both."""
    (tmp_path / "paper.typ.j2").write_text('Error: << num("spam.nobody.error") >>')
    with pytest.raises(TakeoffError, match=r"paper\.typ\.j2: there is no fact 'spam\.nobody\.e"):
        prose.write_typst(tmp_path, facts.build(results()), {})


def test_missing_fact_in_an_included_template_names_that_template(tmp_path: Path) -> None:
    """The template named is the one with the mistake, not the one that includes it."""
    (tmp_path / "paper.typ.j2").write_text('<% include "part.typ.j2" %>')
    (tmp_path / "part.typ.j2").write_text('<< estimate("no.such") >>')
    with pytest.raises(TakeoffError, match=r"reports/part\.typ\.j2"):
        prose.write_typst(tmp_path, facts.build(results()), {})


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("<< nothing >>", "'nothing' is undefined"),
        ("<< study.titel >>", "titel"),
        ("<% if %>", "Expected an expression"),
        ('<% include "gone.typ.j2" %>', r"gone\.typ\.j2"),
        ("<< learners|length >>", "neither text nor a fact"),
        ("<< 3 >>", "neither text nor a fact"),
    ],
)
def test_broken_templates_are_reported(template: str, message: str, tmp_path: Path) -> None:
    """Unknown variables, syntax errors, and numbers that are no facts fail the build."""
    (tmp_path / "paper.typ.j2").write_text(template)
    with pytest.raises(TakeoffError, match=message):
        prose.write_typst(tmp_path, facts.build(results()), views.context(results()))


def test_unwritable_folder_is_named(drawn: Path, tmp_path: Path) -> None:
    """A report that has nowhere to go is one clear message, not a traceback."""
    (tmp_path / "file").write_text("")
    with pytest.raises(TakeoffError, match="can't be written"):
        paper.render(results(), drawn, REPORTS, tmp_path / "file" / "report")


def test_unknown_citation_names_data_set_and_key(drawn: Path, tmp_path: Path) -> None:
    """A data set that cites what the bibliography lacks is told which entry to add."""
    sheets = {
        name: dict(sheet) | {"citation": "nobody1999"} for name, sheet in results().sheets.items()
    }
    with pytest.raises(TakeoffError, match=r"fashion_mnist cites 'nobody1999'"):
        paper.render(replace(results(), sheets=sheets), drawn, REPORTS, tmp_path / "out")


def test_typst_warnings_fail_the_build(tmp_path: Path) -> None:
    """What Typst would silently leave out of the page is an error."""
    (tmp_path / "paper.typ").write_text("#grid(columns: 2)[lost][content]")
    with pytest.raises(TakeoffError, match="HTML"):
        typeset.to_html(tmp_path)


def test_inaccessible_pdf_fails_the_build(tmp_path: Path) -> None:
    """A formula without alternative text is not PDF/UA-1."""
    (tmp_path / "paper.typ").write_text('#set document(title: "t")\n= A\n$ x^2 $')
    with pytest.raises(TakeoffError, match="PDF"):
        typeset.to_pdf(tmp_path)


# No typed numbers


def test_our_own_templates_type_no_number() -> None:
    """The lint passes on the templates that are shipped."""
    prose.check_prose(REPORTS)


def test_planted_number_fails_with_file_and_line(tmp_path: Path) -> None:
    """A number typed into a section is found, with file, line and text."""
    reports = shutil.copytree(REPORTS, tmp_path / "reports")
    section = reports / "sections" / "limitations.typ.j2"
    lines = section.read_text().splitlines()
    section.write_text("\n".join([*lines[:6], "We saw 12.5 percent.", *lines[6:]]))
    with pytest.raises(TakeoffError, match=r"sections/limitations\.typ\.j2:7: the number 12\.5"):
        prose.check_prose(reports)


@pytest.mark.parametrize(
    ("template", "typed"),
    [
        ("about 3,000 labels", ["3,000"]),
        ("= Heading 7", ["7"]),
        ('#fig("id4", width: 90%, [caption with 6])', ["6"]),
        ("#f(alt: <% filter quoted %>alt 8<% endfilter %>)", ["8"]),
        ("#strong[body 9] #f(1)[and 2](3)[ 4]", ["9", "2", "4"]),
        ("#text(9pt)[#emph[inner 5]]", ["5"]),
        ("https://example.org/10", ["10"]),
        ("#let a = 5pt\nb", []),
        ("#set text(size: 9pt)\n#counter(page).update(0)", []),
        ('<< num("x.5") >> <% set y = 3 %> <# 4 \n 5 #>', []),
        ("$x^2$ `code 3` ```sh\nrun 4\n``` @fig-2 <tab-3> // 7", []),
        ("#table(columns: 3, [a], [b])", []),
        ("#if x { f(1) } else { [text 2] }\nend 3", ["2", "3"]),
    ],
)
def test_lint_tells_prose_from_code(template: str, typed: list[str]) -> None:
    """Digits count in what a reader reads, and nowhere else."""
    assert [number for _, number in prose.typed_numbers(template)] == typed


@pytest.mark.parametrize(
    ("template", "typed"),
    [
        ("The means of three repeats", ["three repeats"]),
        ("on two large\ndata sets", ["two large data sets"]),
        ("#fig(alt: <% filter quoted %>Four panels<% endfilter %>)", ["Four panels"]),
        ('<< bare("Six learners stay") >>', ["Six learners"]),
        ("<% macro title() %>Two claims<% endmacro %>", ["Two claims"]),
        ('<< n_of("x", "repeat", "repeats") >> of two-sided tests', []),
        ("ten times the labels, two levers, one curve", []),
        ("No two learners differ. <# idiom #>", []),
        ("No two learners differ. <# other words #>", ["two learners"]),
        ("#let three = rows", []),
    ],
)
def test_counts_in_words_are_facts_too(template: str, typed: list[str]) -> None:
    """What a study can have more or fewer of is counted, unless the line is an idiom."""
    assert [count for _, count in prose.typed_counts(template)] == typed


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("claims/new.typ.j2", '<# 1\n2 #>\n<< both(some, "in 12 of them") >>', 3),
        ("sections/new.typ.j2", "Fine.\n<# idiom\n#>\nAll four learners.", 4),
        ("summary.md.j2", "# Title\n\n[5 figures](figure-1.svg)", 3),
        ("words.typ.j2", "<% macro pairs() %>\nall 9<% endmacro %>", 2),
    ],
)
def test_lint_reads_every_template(name: str, text: str, line: int, tmp_path: Path) -> None:
    """Macros, strings in tags, Markdown: file and line of what was typed are named."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    with pytest.raises(TakeoffError, match=re.escape(f"{name}:{line}: the ")):
        prose.check_prose(tmp_path)


# Strings from users


def test_nasty_strings_reach_the_reader_unharmed(drawn: Path, tmp_path: Path) -> None:
    """Labels and titles with quotes, markup, tags or right-to-left text are shown as they are."""
    raw = synthetic_study.config()
    for learner, label in zip(raw["learners"].values(), NASTY, strict=False):
        learner["label"] = label
    raw["title"] = NASTY[0] + NASTY[2]
    some = synthetic_study.results(raw)
    sheets = {name: dict(sheet) | {"title": NASTY[1], "task": NASTY[2], "description": NASTY[4]}
              for name, sheet in some.sheets.items()}  # fmt: skip
    paper.render(replace(some, sheets=sheets), drawn, REPORTS, tmp_path / "out")
    page = Page.of(tmp_path / "out" / "report.html")
    for string in NASTY:
        assert " ".join(wording.clean(string).split()) in page.text
    assert len(page.scripts) == 2  # its own, and the data that it shows
    assert page.text.startswith(" ".join(raw["title"].split()))


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40))
def test_any_string_is_a_literal(string: str) -> None:
    """Typst shows any string as it is, and neither evaluates nor refuses it."""
    document = f'#set document(title: "t")\n= A\nx{prose.shown(string)}y'
    shown = typst.Compiler(document.encode(), ignore_system_fonts=True).compile(format="html")
    assert isinstance(shown, bytes)
    found = re.search(r"<p>x(.*)y</p>", shown.decode(), re.DOTALL)
    assert found
    assert html.unescape(found[1]).split() == wording.clean(string).split()


def test_noise_of_repeated_rows_is_said_where_there_is_some() -> None:
    """A share of the cases; nothing is said of rows that agree, or that never repeat."""
    some = results()
    for noise, said in [(0.034, True), (0.0, False), (None, False)]:
        sheets = {name: {**sheet, "label_noise": noise} for name, sheet in some.sheets.items()}
        text = written(replace(some, sheets=sheets))
        assert ("unlike labels" in text) is said


def test_what_figures_repeat_is_said_once() -> None:
    """Styles become classes, ids short names; what has a class keeps its style."""
    svg = (
        '<svg role="img"><g class="series" style="opacity:1"><path id="a-long-name"'
        ' style="fill:none"/></g><use href="#a-long-name" style="fill:none"/>'
        '<path clip-path="url(#a-long-name)" style="fill:red"/></svg>'
    )
    content, sheet = typeset._shared(f"<p id='x'>{svg}</p>{svg}")
    assert sheet == ".z0{fill:none}\n.z1{fill:red}\n"
    assert content.count('class="z0"') == 4 and content.count('style="opacity:1"') == 2
    assert content.count('href="#i0"') == 2 and content.count("url(#i0)") == 2
