"""What is packed can be read again, by the rules that the page's scripts follow."""

from __future__ import annotations

import base64
import gzip
import json

import bundles
import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeoff.paper import packing

PART = st.text(st.sampled_from("ab1_ {}$"), min_size=1, max_size=4)
NAMES = st.lists(st.lists(PART, min_size=1, max_size=4).map(".".join), max_size=20)


def test_packed_values_are_letters_and_the_same_each_time() -> None:
    """Nothing in them ends a script element; the time of day is not in them."""
    value = {"a": "</script>", "ü": [1, None, 0.5]}
    text = packing.packed(value)
    assert text == packing.packed(value) and "<" not in text
    assert json.loads(gzip.decompress(base64.b64decode(text))) == value


@given(st.lists(st.integers(0, 9)))
def test_steps_lead_to_the_things(things: list[int]) -> None:
    """Those of a list in the order of first appearance."""
    assert bundles.walked(packing.steps(things), list(dict.fromkeys(things))) == things


@given(NAMES)
def test_names_can_be_told_from_the_ones_before(names: list[str]) -> None:
    """However many parts they have."""
    assert bundles.whole_names(packing.unlike_before(names)) == names


def test_a_repeated_part_is_left_out() -> None:
    """At its own place only."""
    names = ["spam.svm.error", "spam.mlp.error", "error", "a.error.b"]
    assert packing.unlike_before(names) == ["spam.svm.error", ".mlp.", "error", "a.error.b"]


@pytest.mark.parametrize("name", ["", "a..b", ".a"])
def test_names_with_empty_parts_are_refused(name: str) -> None:
    """They could not be told from parts that were left out."""
    with pytest.raises(ValueError, match="empty part"):
        packing.unlike_before([name])


@given(st.text(st.sampled_from("ab1_ {}$.")), NAMES.filter(bool))
def test_texts_are_told_by_the_parts_of_a_name(text: str, names: list[str]) -> None:
    """Braces and all."""
    assert bundles.filled(packing.by_parts(text, names[0]), names[0]) == text


def test_what_a_name_says_is_its_number() -> None:
    """The longest part first; the first of equal ones; single letters stay."""
    told = packing.by_parts("spam, spam_b: m = 500", "spam.spam_b.500.m.500")
    assert told == "{{0}}, {{1}}: m = {{2}}"
