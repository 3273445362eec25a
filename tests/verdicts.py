"""What the paper says of a claim for every verdict; `python tests/verdicts.py` prints it all.

Verdicts are forced on made-up studies, with each mixture of verdicts on the claim's parts that may
stand behind one. Only the claims' own templates are filled in, so all of it is a second's work.
"""

from __future__ import annotations

import html
import importlib
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import synthetic_study

from takeoff.experiments import EXPERIMENT_OF
from takeoff.paper import experiments, facts, prose, typeset, views
from takeoff.paper.facts import Results
from takeoff.statistics import claims

REPORTS = Path(__file__).parents[1] / "reports"
CLAIMS = sorted(path.name.removesuffix(".typ.j2") for path in REPORTS.glob("claims/*.typ.j2"))
OF_THE_STUDY = [claim for claim in CLAIMS if claim in claims.CLAIMS]
NETWORKS = ["mlp_small", "mlp_large"]
STUDIES: dict[str, dict[str, list[str]]] = {
    "several data sets and learners": {},
    "one data set": {"datasets": ["spam"]},
    "few learners": {"learners": ["logistic_regression", *NETWORKS]},
    "one data set, few learners": {
        "datasets": ["fashion_mnist"], "learners": ["logistic_regression", *NETWORKS]
    },
    "networks alone": {"learners": NETWORKS, "datasets": ["spam"]},
    "one learner": {"learners": ["svm_rbf"], "datasets": ["spam"]},
}  # fmt: skip
MIXTURES = {  # verdict -> which verdicts its parts may have, in turn
    "supported": [["supported"]],
    "undecided": [["undecided"], ["undecided", "supported"]],
    "refuted": [
        ["refuted"],
        ["refuted", "supported"],
        ["refuted", "undecided"],
        ["refuted", "supported", "undecided"],
        ["refuted", "supported", "supported", "supported", "supported", "supported", "undecided"],
    ],
}
TEMPLATE = """
<% import "words.typ.j2" as words with context %>
<% import "figures.typ.j2" as figures with context %>
<% for claim in claims if claim.id == id %>
<% import "claims/" ~ claim.id ~ ".typ.j2" as text with context %>
#section[<< text.title() >>][<< text.clause() >>][<< text.statement() >>][
<% if claim.measured %>
<< text.measured(claim) >>
<% endif %>
][
<% if claim.reason %>
<< claim.reason|capitalised >>.
<% else %>
<< text[claim.verdict](claim) >>
<% endif %>
]
<% endfor %>
"""
SECTION = """
#let section(..texts) = for text in texts.pos() { html.elem("section", text) }
"""
REFERENCE = re.compile(r"(?<![\w.])@[\w-]+(?:\.[\w-]+)*")


@dataclass(frozen=True)
class Reading:
    """What is said of one claim.

    Attributes:
        study, claim, verdict, parts: Of what: the study, the claim, its forced verdict, and the
            verdicts of its parts.
        title, clause, statement, measured, said: The texts; `said` is what follows the verdict.
    """

    study: str
    claim: str
    verdict: str
    parts: str
    title: str
    clause: str
    statement: str
    measured: str
    said: str

    @property
    def texts(self) -> tuple[str, ...]:
        return self.title, self.clause, self.statement, self.measured, self.said

    @property
    def where(self) -> str:
        return f"{self.claim}, {self.verdict} ({self.parts}), {self.study}"


def read(study: str, some: Results) -> list[Reading]:
    """Every claim of a study with every verdict."""
    asked = [
        (claim["claim"], verdict, mixture)
        for claim in some.claims_in_use
        for verdict, mixtures in MIXTURES.items()
        for mixture in mixtures
        if len(claim["parts"]) >= len(mixture)
    ]
    write = _writer(some)
    texts = iter(_texts("\n".join(write(*one) for one in asked)))
    return [
        Reading(study, claim, verdict, ", ".join(mixture), *islice(texts, 5))
        for claim, verdict, mixture in asked
    ]


def force(some: Results, claim: str, verdict: str, mixture: list[str]) -> Results:
    """The study with this verdict on the claim, and these on its parts, in turn."""

    def forced(entry: Mapping[str, Any]) -> dict[str, Any]:
        if entry["claim"] != claim:
            return dict(entry)
        words = cycle(mixture)
        parts = [{**part, "verdict": next(words)} for part in entry["parts"]]
        return {**entry, "verdict": verdict, "parts": parts}

    claims = [forced(entry) for entry in some.claims["claims"]]
    found = {
        name: replace(findings, claims=[forced(entry) for entry in findings.claims])
        for name, findings in some.experiments.items()
    }
    return replace(some, claims={**some.claims, "claims": claims}, experiments=found)


def _writer(some: Results) -> Callable[[str, str, list[str]], str]:
    """What fills in a claim's texts; all that a verdict doesn't change is made once."""
    known = facts.build(some)
    context = views.context(some)
    datasets = {view.name: view for view in context["datasets"]}
    learners = {view.name: view for view in context["learners"]}
    template = prose._environment(REPORTS, known).from_string(TEMPLATE)

    def write(claim: str, verdict: str, mixture: list[str]) -> str:
        forced = force(some, claim, verdict, mixture)
        known._facts |= {fact.id: fact for fact in facts._claims(forced)}
        entry = next(one for one in forced.claims_in_use if one["claim"] == claim)
        subjects = learners | views._subjects(forced, claim)
        view = views._claim(forced, entry, datasets, subjects)
        shown = {
            name: experiments.module(name).view(forced, findings)
            for name, findings in forced.experiments.items()
        }
        filled = template.render(context, id=claim, claims=[view], experiments=shown)
        return REFERENCE.sub("[1]", filled)

    return write


def _texts(source: str) -> Iterator[str]:
    """The text of each section of a page, as one line."""
    with tempfile.TemporaryDirectory() as folder:
        style = (REPORTS / "style.typ").read_text(encoding="utf-8")
        (Path(folder) / "style.typ").write_text(style, encoding="utf-8")
        document = f'#import "style.typ": *\n{SECTION}\n{source}'
        (Path(folder) / "paper.typ").write_text(document, encoding="utf-8")
        content = typeset.to_html(Path(folder)).content
    for found in re.findall(r"<section>(.*?)</section>", content, re.DOTALL):
        text = html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"</(?:p|li)>", " ", found)))
        yield " ".join(text.replace("\u00a0", " ").split())


def studies() -> dict[str, Callable[[], Results]]:
    """What makes each of them, the studies of the experiments' tests included."""
    found: dict[str, Callable[[], Results]] = {
        name: partial(_results, name) for name in [*STUDIES, "several measures"]
    }
    for name in sorted(set(EXPERIMENT_OF.values())):
        try:
            tests = importlib.import_module(f"test_{name}_paper")
        except ModuleNotFoundError:
            continue
        study = getattr(tests, "with_findings", None) or tests.results
        found |= {f"{name}, {case}": partial(study, case) for case in tests.CASES}
    return found


@cache
def _results(name: str) -> Results:
    if name == "several measures":
        return synthetic_study.mixed(claims=OF_THE_STUDY)
    return synthetic_study.results(synthetic_study.config(**STUDIES[name], claims=OF_THE_STUDY))


def every_reading() -> Iterator[Reading]:
    for name, study in studies().items():
        yield from read(name, study())


def print_all() -> None:
    """For reading: what follows each verdict, said once, with the first study that says it."""
    seen: set[str] = set()
    for reading in sorted(every_reading(), key=lambda one: (one.claim, one.verdict)):
        for text in (
            reading.title,
            reading.clause,
            reading.statement,
            reading.measured,
            reading.said,
        ):
            if text and text not in seen:
                seen.add(text)
                print(f"[{reading.where}]\n  {text}")


if __name__ == "__main__":
    print_all()
