"""Kinds of columns: what they are taken for, and the numbers that they become."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from takeoff.datasets import encoding
from takeoff.datasets.base import INDICATOR, NUMERIC, Floats
from takeoff.errors import TakeoffError


def encoded(kind: str, values: list[Any], other: list[Any] | None = None) -> tuple[Floats, Any]:
    """A column whose pool is `values`: the features of these, or of others, and the encoder."""
    column = encoding.ENCODERS[kind]("c")
    column.look(pa.array(values))
    found = column.encode(pa.array(values if other is None else other))
    assert found.shape[1] == len(column.kinds)
    return found, column


def test_numbers_stay_numbers_and_gaps_are_marked() -> None:
    """Infinite values and words count as missing, and are counted; empty cells are not odd."""
    found, column = encoded("number", ["1", " 2.5 ", "inf", None, "many", "1e300"])
    assert found[:2, 0].tolist() == [1.0, 2.5] and np.isnan(found[2:, 0]).all()
    assert found[:, 1].tolist() == [0, 0, 1, 1, 1, 1]
    assert column.odd == 3 and column.kinds == [NUMERIC, INDICATOR]


def test_large_numbers_close_together_keep_their_digits() -> None:
    """Seconds since 1970 would lose theirs in single precision."""
    found, _ = encoded("number", [1.7e9 + i for i in range(5)])
    assert np.diff(found[:, 0]).tolist() == [1.0] * 4


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("number", [3, 3, 3]),
        ("category", ["a", "a", "a"]),
        ("boolean", [True, True, True]),
        ("date", ["2020-01-01"] * 3),
        ("text", ["one text"] * 3),
        ("number", ["x", "y", "z"]),
    ],
)
def test_a_column_that_never_changes_is_no_feature(kind: str, values: list[Any]) -> None:
    """Unless some cells are missing: then where they are is one."""
    found, column = encoded(kind, values)
    if values[0] != "x":
        assert found.shape == (3, 0)
        assert encoded(kind, [*values, None])[0].tolist() == [[0], [0], [0], [1]]
    assert column.constant


def test_categories_are_switches() -> None:
    """One for each value of the pool, in alphabetical order; a new value switches on none."""
    found, column = encoded("category", ["b", "a ", "a"], ["a", "b", "c", None])
    assert found.tolist() == [[1, 0], [0, 1], [0, 0], [0, 0]]
    assert column.odd == 0


def test_equal_values_are_one_category_whatever_their_type() -> None:
    """A whole number has no decimal point."""
    for values in ([1, 2], [1.0, 2.0], ["1", "2"], [" 1", "2 "]):
        assert encoded("category", ["1", "2"], values)[0].tolist() == [[1, 0], [0, 1]]


def test_many_categories_are_hashed_alike_in_every_process() -> None:
    """Python's own hash of a text is another one in every process."""
    code = "from takeoff.datasets.encoding import stable_hash; print(stable_hash('Zürich'))"
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PYTHONPATH": "src"},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert said == {f"{encoding.stable_hash('Zürich')}\n"}
    found, _ = encoded("category", [f"v{i}" for i in range(65)])
    assert found.shape == (65, 64) and (found.sum(axis=1) == 1).all()


def test_yes_and_no_have_many_names() -> None:
    """What is neither is missing and counted."""
    found, column = encoded("boolean", ["yes", "No", "TRUE", "0", "maybe", None])
    assert found.tolist() == [[1, 0], [0, 0], [1, 0], [0, 0], [0, 1], [0, 1]]
    assert column.odd == 1


def test_a_date_is_its_parts_and_the_trend() -> None:
    """Days since 2000, month, day, hour, weekday; against the calendar of the library."""
    values = ["2000-01-01 00:00", "2024-02-29T18:30:00", "1999-12-31", "31.12.2023", None]
    found, column = encoded("date", values)
    assert found[0, :4].tolist() == [0, 1, 1, 0]
    assert found[1, :4].tolist() == pytest.approx([8825 + 18.5 / 24, 2, 29, 18.5], abs=1e-3)
    assert found[2, :4].tolist() == [-1, 12, 31, 0]
    weekdays = [5, 3, 4, 6]
    kept = sorted(set(weekdays))
    assert [kept[int(row[4:-1].argmax())] for row in found[:4]] == weekdays
    assert np.isnan(found[4, :4]).all() and found[4, 4:].tolist() == [0] * len(kept) + [1]
    assert column.odd == 0
    moments = pa.array(np.array(["2000-01-01T00:00", "2024-02-29T18:30"], "datetime64[us]"))
    both = encoding.dates(moments, "c"), encoding.dates(pa.array(values[:2]), "c")
    assert (both[0] == both[1]).all()


def test_text_is_hashed_words_and_its_length() -> None:
    """Equal texts are equal, the order of words shows in the pairs, unit length in the sum."""
    found, _ = encoded("text", ["good day", "day good", "good day", "", None])
    words, length = found[:, : encoding.TEXT_WIDTH], found[:, encoding.TEXT_WIDTH]
    assert (words[0] == words[2]).all() and (words[0] != words[1]).any()
    assert np.allclose((words[:3] ** 2).sum(axis=1), 1)
    assert length[:4].tolist() == [8, 8, 8, 0] and np.isnan(length[4])


def test_a_column_of_another_type_is_named() -> None:
    """A date is no number, a list is nothing that can be used."""
    days = pa.array(np.array(["2020-01-01"], "datetime64[D]"))
    with pytest.raises(TakeoffError, match="column 'c' is of type date32"):
        encoding.numbers(days, "c")
    with pytest.raises(TakeoffError, match="column 'c' is of type int64, which holds no dates"):
        encoding.dates(pa.array([1]), "c")


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1.5", "2", "-3e4", "0"], "number"),
        ([str(i % 7) for i in range(99)] + ["?"], "number"),
        (["0", "1", "1", None], "boolean"),
        (["yes", "No"], "boolean"),
        ([True, False], "boolean"),
        ([str(i) for i in range(30)], "ignore"),
        (["2020-01-01", "2020-02-03 10:00"], "date"),
        ([f"customer-{i}" for i in range(50)], "ignore"),
        (["red", "green", "red"], "category"),
        ([f"the {i}th of many long texts" for i in range(200)], "text"),
        ([None, None], "ignore"),
        ([[1], [2]], "ignore"),
    ],
)
def test_kinds_are_told_from_a_sample(values: list[Any], kind: str) -> None:
    """What a person would take the column for; the reason never quotes a cell."""
    found, reason = encoding.guess(pa.array(values), "c")
    assert found == kind
    assert not any(len(str(v)) > 3 and str(v) in reason for v in values)
