"""The claims' sentences for every verdict; `python tests/verdicts.py` prints them."""

from __future__ import annotations

import re
from functools import cache

import pytest
import verdicts
from test_paper import tidy
from verdicts import CLAIMS, Reading

STUDIES = verdicts.studies()
COUNTS = "(?i:two|three|four|five|six|seven|eight|nine|ten)|[0-9]+"
NOUNS = (
    "pair", "part", "learner", "network", "data set", "curve", "doubling", "repeat", "class",
    "claim", "layer", "value", "row", "point",
)  # fmt: skip
PLURAL = {noun: f"{noun}es" if noun.endswith("s") else f"{noun}s" for noun in NOUNS}


@cache
def readings(study: str) -> list[Reading]:
    return verdicts.read(study, STUDIES[study]())


def few() -> list[str]:
    """All studies of the claims that every study may have, and for each experiment a few cases."""
    chosen: dict[str, list[str]] = {}
    for name in STUDIES:
        chosen.setdefault(name.split(",")[0] if name not in verdicts.STUDIES else name, []).append(
            name
        )
    return [name for names in chosen.values() for name in names[:3]]


def awkward(text: str) -> list[str]:
    """What no sentence of natural English has."""
    found = tidy(text)
    patterns = [
        r"\(\s*\)", r"  ", r"\b[Nn]o \w+s? \w+ and no\w*\b(?=[.,])", r"[;:,]$",
        r"\b[Aa] (?!one\b|uni|us[aei]|eu)[aeiou]\w*", r"\b[Aa]n (?!hour|honest|[aeiou8mM_])\w+",
        rf"\b(?:{COUNTS}) (?:{'|'.join(NOUNS)})\b(?!-)",
        rf"\b[Oo]ne (?:{'|'.join(PLURAL.values())})\b",
        rf"\b[Oo]ne (?:{'|'.join(NOUNS)}) (?:are|stay|have|were)\b",
        rf"(?<!of the )\b(?:{COUNTS}) (?:{'|'.join(PLURAL.values())}) (?:is|stays|has|was)\b",
        r"\b(?:is|are) (?:is|are)\b", r"\band (?:and|or|,)", r"\b[Nn]one of the two\b",
    ]  # fmt: skip
    for pattern in patterns:
        for match in re.finditer(pattern, text):
            found.append(text[max(0, match.start() - 40) : match.end() + 20])
    return found


def test_every_claim_is_read() -> None:
    """A claim of the folder is part of some made-up study, so that its sentences are checked."""
    read = set(verdicts.OF_THE_STUDY) | {
        claim
        for claim, experiment in verdicts.EXPERIMENT_OF.items()
        if any(name.startswith(f"{experiment},") for name in STUDIES)
    }
    assert read == set(CLAIMS)


@pytest.mark.parametrize("study", few())
def test_sentences_are_natural_english(study: str) -> None:
    """Whatever the verdict and the verdicts of the parts: agreement, articles, no seams."""
    found = readings(study)
    assert found
    for reading in found:
        for text in (
            reading.title,
            reading.clause,
            reading.statement,
            reading.measured,
            reading.said,
        ):
            assert awkward(text) == [], reading.where
        for text in (reading.statement, reading.measured, reading.said):
            assert re.fullmatch(r'(?:["“]?[A-Z0-9].*[.:]["”]?)?', text), reading.where
        assert reading.said and reading.statement and reading.title
        assert reading.clause[0].islower() and reading.clause[-1].isalnum(), reading.where


@pytest.mark.parametrize("study", few())
def test_no_sentence_is_said_twice(study: str) -> None:
    """Within what is said of one verdict."""
    for reading in readings(study):
        sentences = re.split(r"(?<=[a-z)]\.) (?=[A-Z])", f"{reading.measured} {reading.said}")
        assert len(sentences) == len(set(sentences)), reading.where


@pytest.mark.parametrize("study", [name for name in few() if "one data set" in name])
def test_a_single_data_set_is_not_counted(study: str) -> None:
    """Where there is one, nothing is said of every data set, or of the data set by name."""
    for reading in readings(study):
        text = f"{reading.measured} {reading.said}"
        assert not re.search(r"(?:each|every|all|another) data sets?\b", text), reading.where


@pytest.mark.parametrize("study", few())
def test_each_verdict_has_its_own_words(study: str) -> None:
    """No two verdicts on a claim are told alike, unless a reason is all that there is to say."""
    said: dict[tuple[str, str], str] = {}
    for reading in readings(study):
        other = said.setdefault((reading.claim, reading.said), reading.verdict)
        assert other == reading.verdict, reading.where


@pytest.mark.parametrize(
    "text",
    [
        "Three pair stay.", "One pairs stays.", "Five pairs is shown.", "It is a error.",
        "An pair.", "It holds ( ).", "Shown , and more.", "It is and and.", "One pair stay open.",
    ],
)  # fmt: skip
def test_awkward_sentences_are_seen(text: str) -> None:
    """The checks themselves can fail."""
    assert awkward(text)


def test_good_sentences_pass() -> None:
    """What is natural is not refused."""
    text = (
        "One pair is shown, and three pairs stay undecided: an 8-layer network (a one-sided test, "
        "in a unit of its own) against a used one."
    )
    assert awkward(text) == []
