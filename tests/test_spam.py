"""The generated e-mails: the drawn ones follow the stated distribution, exactly."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from takeoff.datasets import spam
from takeoff.datasets.base import Bytes, Labels, Probabilities

N = 30_000


@pytest.fixture(scope="module")
def world() -> spam.World:
    """A full world."""
    return spam.make_world(seed=7)


@pytest.fixture(scope="module")
def mails(world: spam.World) -> tuple[Bytes, Labels, Probabilities]:
    """Mails from it, their labels and their posterior."""
    x, y = spam.draw(world, 7, spam.TEST, N)
    return x, y, spam.posterior(world, x)


@pytest.fixture(scope="module")
def tiny() -> spam.World:
    """A world small enough to list every mail; both ends of the lengths are clipped a lot."""
    probability = np.array([[0.5, 0.2, 0.3, 0.0], [0.1, 0.4, 0.25, 0.25], [0.0, 0.7, 0.0, 0.3]])
    return spam.World(
        share=np.array([0.5, 0.3, 0.2]),
        label=np.array([0, 1, 1]),
        weights=spam.whole_weights(probability),
        mean_length=np.array([2.0, 1.0, 4.0]),
        shortest=1,
        longest=3,
    )


def joint_by_hand(world: spam.World) -> dict[tuple[int, ...], npt.NDArray[np.float64]]:
    """P(kind, counts) of every possible mail, word sequence by word sequence."""
    joint: dict[tuple[int, ...], npt.NDArray[np.float64]] = {}
    for length in range(world.shortest, world.longest + 1):
        for words in itertools.product(range(world.n_buckets), repeat=length):
            counts = tuple(words.count(bucket) for bucket in range(world.n_buckets))
            joint.setdefault(counts, np.zeros(2))
            for source, label in enumerate(world.label):
                p = world.share[source] * length_by_hand(world, source, length)
                p *= math.prod(world.weights[source, word] / 2**32 for word in words)
                joint[counts][label] += p
    return joint


def length_by_hand(world: spam.World, source: int, length: int) -> float:
    """P(length | source): clipping moves each tail to its end."""
    success = 4 / (4 + world.mean_length[source])

    def negative_binomial(k: int) -> float:
        return math.comb(k + 3, 3) * float(success) ** 4 * float(1 - success) ** k

    if length == world.shortest:
        return sum(negative_binomial(k) for k in range(length + 1))
    if length == world.longest:
        return 1 - sum(negative_binomial(k) for k in range(length))
    return negative_binomial(length)


def test_the_posterior_is_bayes_rule_by_hand(tiny: spam.World) -> None:
    """Over all mails of a tiny world it equals the sum over all word sequences."""
    joint = joint_by_hand(tiny)
    assert sum(p.sum() for p in joint.values()) == pytest.approx(1, abs=1e-12)
    possible = {counts: p for counts, p in joint.items() if p.sum() > 0}
    found = spam.posterior(tiny, np.array(list(possible), dtype=np.uint8))
    expected = np.array([p / p.sum() for p in possible.values()])
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_mails_are_drawn_with_the_stated_probabilities(tiny: spam.World) -> None:
    """Every (kind, mail) of a tiny world is as frequent as it should be (chi-square test)."""
    x, y = spam.draw(tiny, 3, spam.POOL, 200_000)
    found = Counter(zip(map(tuple, x.tolist()), y.tolist(), strict=True))
    expected = {
        (counts, kind): p[kind] for counts, p in joint_by_hand(tiny).items() for kind in (0, 1)
    }
    assert all(expected[case] > 0 for case in found)
    cases = [case for case, p in expected.items() if p > 0]
    observed = np.array([found[case] for case in cases])
    result = stats.chisquare(observed, len(y) * np.array([expected[case] for case in cases]))
    assert result.pvalue > 1e-4


def test_a_mail_that_no_source_writes_has_no_posterior(tiny: spam.World) -> None:
    """Bucket 0 with bucket 3 occurs in source 1 alone; other worlds' mails are refused."""
    one_source = np.array([[1, 0, 0, 1]], dtype=np.uint8)
    assert spam.posterior(tiny, one_source).tolist() == [[0.0, 1.0]]
    with pytest.raises(ValueError, match="more than 3 words"):
        spam.posterior(tiny, np.array([[4, 0, 0, 0]], dtype=np.uint8))
    with pytest.raises(ValueError, match="any source"):
        spam.posterior(tiny, np.zeros((1, 4), dtype=np.uint8))


@given(
    log_columns=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
    concentration=st.sampled_from([0.01, 0.3, 1.0, 100.0]),
)
@settings(max_examples=60, deadline=None)
def test_an_alias_table_holds_exactly_its_weights(
    log_columns: int, seed: int, concentration: float
) -> None:
    """Summed over the columns, each bucket has its weight to the last unit."""
    n = 2**log_columns
    probability = np.random.default_rng(seed).dirichlet(np.full(n, concentration))
    weights = spam.whole_weights(probability[None])[0]
    table = spam.alias_table(weights).astype(np.int64)
    own, alias = table // n, table % n
    held = own + np.bincount(alias, weights=2**32 // n - own, minlength=n).astype(np.int64)
    assert held.tolist() == weights.tolist()


def test_a_look_up_changes_sides_at_exactly_the_own_weight(tiny: spam.World) -> None:
    """In each column, as many of the 2**30 random fractions give the own bucket as it weighs."""
    for entry, (row, column) in zip(tiny.table, np.ndindex(3, 4), strict=True):
        own, alias = int(entry) // 4, int(entry) % 4
        fractions = {0, max(own - 1, 0), own, 2**30 - 1}
        for fraction in fractions:
            bits = np.array([column << 30 | fraction], dtype=np.uint32)
            found = spam._look_up(tiny, np.array([row * 4]), bits)
            assert found[0] == (column if fraction < own else alias)


def test_rounding_to_whole_weights_keeps_zeros_and_totals() -> None:
    """Rows sum to 2**32; an impossible bucket stays impossible; nothing moves visibly."""
    probability = np.random.default_rng(0).dirichlet(np.full(512, 0.2), size=5)
    probability[:, ::3] = 0
    probability /= probability.sum(axis=1, keepdims=True)
    weights = spam.whole_weights(probability)
    assert (weights.sum(axis=1) == 2**32).all()
    assert (weights[:, ::3] == 0).all()
    np.testing.assert_allclose(weights / 2**32, probability, atol=1e-7)


def calibration(p: npt.NDArray[np.float64], y: Labels) -> npt.NDArray[np.float64]:
    """Standardised number of spam mails in each of ten bins of P(spam)."""
    edges = [1e-4, 1e-3, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999]
    bins = np.digitize(p, edges)
    excess = np.bincount(bins, weights=y - p, minlength=10)
    return excess / np.sqrt(np.bincount(bins, weights=p * (1 - p), minlength=10))


def test_the_posterior_is_calibrated(mails: tuple[Bytes, Labels, Probabilities]) -> None:
    """Of mails with P(spam) near p, a share p is spam, within 4 standard errors in each bin.

    Given the mails, the number of spam in a bin is a sum of independent coins with variance
    p (1 - p). The same check notices a posterior that is a little too sure of itself.
    """
    _, y, posterior = mails
    p = posterior[:, 1]
    assert np.abs(calibration(p, y)).max() < 4
    sharper = p**1.5 / (p**1.5 + (1 - p) ** 1.5)
    assert np.abs(calibration(sharper, y)).max() > 6


def test_the_best_rule_errs_as_often_as_the_posterior_says(
    mails: tuple[Bytes, Labels, Probabilities],
) -> None:
    """Its share of wrong labels is the Bayes error within 4 standard errors."""
    _, y, posterior = mails
    expected = 1 - posterior.max(axis=1)
    error = np.mean(posterior.argmax(axis=1) != y)
    assert abs(error - expected.mean()) < 4 * np.sqrt(np.sum(expected * (1 - expected))) / N
    assert 0.002 < expected.mean() < 0.05


def test_mails_look_as_the_data_sheet_says(
    world: spam.World, mails: tuple[Bytes, Labels, Probabilities]
) -> None:
    """40 % are spam (4 standard errors); lengths keep to their limits, around 45 words."""
    x, y, _ = mails
    length = x.sum(axis=1, dtype=np.int64)
    assert abs(y.mean() - 0.4) < 4 * math.sqrt(0.4 * 0.6 / N)
    assert length.min() >= 5
    assert length.max() <= 120
    assert 40 < length.mean() < 55
    assert x.shape == (N, 512)
    assert world.share[world.label == 1].sum() == pytest.approx(0.4)


def test_a_prefix_does_not_depend_on_how_much_is_drawn(world: spam.World) -> None:
    """The first m mails are the same within a block, at its end and past it."""
    x, y = spam.draw(world, 5, spam.POOL, 3 * spam.BLOCK + 7)
    for m in (1, 100, spam.BLOCK - 1, spam.BLOCK, spam.BLOCK + 1, 2 * spam.BLOCK + 3):
        x_m, y_m = spam.draw(world, 5, spam.POOL, m)
        assert np.array_equal(x_m, x[:m])
        assert np.array_equal(y_m, y[:m])


def test_chunks_are_the_stream_in_portions(world: spam.World) -> None:
    """Put together they are what `draw` gives, and none is longer than a block."""
    counts, labels = zip(*spam.chunks(world, 5, spam.POOL, 2500), strict=True)
    x, y = spam.draw(world, 5, spam.POOL, 2500)
    assert np.array_equal(np.concatenate(counts), x)
    assert np.array_equal(np.concatenate(labels), y)
    assert [len(part) for part in labels] == [spam.BLOCK, spam.BLOCK, 2500 - 2 * spam.BLOCK]


def test_mails_stay_what_they_were() -> None:
    """Every word and label of two blocks is what it was before worlds had word lists.

    Results of several versions are compared, so what is added to a world must not move its mails.
    Counts are whole numbers, which the last bits of another processor hardly ever reach. Should
    numpy change its streams, this has to be renewed, and the change be told.
    """
    x, y = spam.draw(spam.make_world(seed=0), 0, spam.POOL, 2 * spam.BLOCK)
    found = hashlib.sha256(x.tobytes() + y.astype("<i8").tobytes()).hexdigest()
    assert found == "18e26b5b4958e6019d643e62edb62e119d9de00ea7e09327ecb094c5a01b60be"


def test_seeds_and_streams_are_independent(world: spam.World) -> None:
    """No stream repeats another's mails, and other seeds make other worlds and mails."""
    streams = [
        spam.draw(world, seed, stream, 500)[0].astype(np.float64)
        for seed, stream in ((5, spam.POOL), (5, spam.TEST), (6, spam.POOL))
    ]
    for first, second in itertools.combinations(streams, 2):
        assert (first == second).all(axis=1).sum() == 0
    other = spam.make_world(seed=8)
    assert not np.array_equal(other.weights, world.weights)
    assert np.array_equal(spam.make_world(seed=7).weights, world.weights)


def test_prepare_gives_a_whole_data_set(tmp_path: Path) -> None:
    """Sizes, levels and posterior are right; a larger pool leaves the test set as it is."""
    small = spam.prepare(seed=2, pool=100, test=50, cache=tmp_path)
    large = spam.prepare(seed=2, pool=1500, test=50, cache=tmp_path)
    assert np.array_equal(large.x_pool[:100], small.x_pool)
    assert np.array_equal(large.x_test, small.x_test)
    assert small.posterior_test is not None
    assert small.posterior_test.shape == (50, 2)
    assert small.levels[[0, 1, 255]] == pytest.approx([0, math.log(2), math.log(256)])
    assert small.generated
    assert small.digest != spam.prepare(seed=3, pool=100, test=50, cache=tmp_path).digest


def test_hand_made_features_are_shares_of_word_lists(
    world: spam.World, mails: tuple[Bytes, Labels, Probabilities]
) -> None:
    """Computed by hand for some mails; a mail has no more words on lists than it has words."""
    x = mails[0][:200]
    features = spam.hand_made(world, x)
    assert world.lists is not None
    by_hand = x.astype(float) @ world.lists / x.sum(axis=1, keepdims=True)
    assert features[:, : spam.N_LISTS] == pytest.approx(by_hand, abs=1e-5)
    assert (features[:, : spam.N_LISTS].sum(axis=1) <= 1 + 1e-5).all()
    assert features[:, spam.N_LISTS] == pytest.approx(np.log(x.sum(axis=1)))
    assert np.isfinite(features).all()


def test_word_lists_know_most_words_but_not_all(world: spam.World) -> None:
    """Of the words beyond everyday ones, they count about three in four."""
    assert world.lists is not None
    assert (world.lists.sum(axis=1) <= 1 + 1e-9).all()
    frequency = world.share @ (world.weights / 2**32)
    listed = float(frequency @ world.lists.sum(axis=1))
    unlisted = spam.KNOWN_WORDS * (1 - spam.MIXTURE[0])
    assert listed == pytest.approx(unlisted, abs=0.08)


def test_spam_has_more_misspelt_triggers(
    world: spam.World, mails: tuple[Bytes, Labels, Probabilities]
) -> None:
    """The list of misspellings is made for that, though hashing dilutes it."""
    x, y, _ = mails
    misspelt = spam.hand_made(world, x[:5000])[:, spam.N_LISTS - 1]
    kinds = [misspelt[y[:5000] == kind] for kind in (0, 1)]
    assert stats.ttest_ind(kinds[1], kinds[0], alternative="greater").pvalue < 1e-6
