"""E-mails, generated: is this one spam? A data set whose best possible error is known exactly.

What is drawn
    A *source* (a sender or a campaign; 200 legitimate ones, 200 of spam) writes the e-mail, and
    its kind is the label: 40 % of the mails are spam. Within a kind, a source's share of the mails
    follows Zipf's law, so a few write much and most write little. A source has two topics, a
    style, a habit of misspelling its topics' trigger words, eight signature words that it likes,
    its own mixture of these with everyday words, and a typical length. The length of a mail is
    negative binomial (about 45 words, clipped to 5..120), and its words are independent draws
    from the source's distribution. There are 2,304 words. Each is hashed into one of 512
    buckets, and an example is the count of words in each bucket, which learners see as
    log(1 + count).

Why it is like the real thing
    Topics and styles belong to both kinds, only in different proportions, and neighbouring topics
    share words, so hardly any single word gives a mail away: topic, style and spelling have to be
    seen together. The long tail of rare sources always leaves something to learn from more mails.
    Hashing merges words, as filters with a fixed number of features do. Nothing in it refers to
    any learner.

What it lacks
    Word order, grammar, capitals, headers, links, files; senders that change over time or adapt to
    a filter; wrong labels; languages. No numbers come from a corpus: all are round ones, chosen.

What is known exactly
    P(spam | counts), by Bayes' rule: a sum over the sources of share x P(length) x P(counts |
    length), given just what a learner sees. The words' probabilities are multiples of 2**-32, and
    the tables that mails are drawn from hold the same integers as the posterior uses. A bucket
    that a source never uses has the probability zero, in both. So no learner's expected error on
    the test set can be lower than the exact floor.

Hand-made features
    What someone makes of mails with word lists at hand: one for each topic, one for each style, and
    one of misspelt triggers. A list holds each word of its kind with a probability of three in
    four: nobody knows them all. Since words are hashed, a bucket counts for a list as much as the
    list's words make up of it. Features are the share of each list in the mail, the log of its
    length, the shares of different words and of the most frequent one, and how evenly the mail is
    spread over the topics. The lists come from a generator of their own, so that mails do not
    depend on them. All is computed of the counts and blind to labels, so that the floor is the
    same.

How the numbers were chosen
    A first version (600 sources, about 30 words a mail) was given up for this one after an early
    look at how a few learners did on it: it was too hard for the amounts of data at hand. So the
    design is not blind to results, though it was not changed after that one revision. Every study
    draws a fresh world from its own seed; none of them is a world of that early look.

A world is drawn from `seed`, and so are two streams of mails, for the pool and for the test set. A
stream is drawn in blocks, each with a generator of its own, so its first m mails are the same
however many are drawn. This holds for one version of numpy on one kind of
processor: others may draw or round otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from takeoff.datasets.base import Bytes, Dataset, Labels, Probabilities

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Table = npt.NDArray[np.uint32]

NAME = "spam"
CLASSES = ("legitimate", "spam")
SPAM_SHARE = 0.4
N_SOURCES = 200  # of each kind
SOURCE_EXPONENT = 0.9  # of Zipf's law for the sources' shares

N_BUCKETS = 512
N_EVERYDAY, EVERYDAY_EXPONENT = 240, 0.9
N_TOPICS, TOPIC_WORDS, TOPIC_EXPONENT = 24, 60, 0.7
N_SHARED_TOPIC, SHARED_TOPIC_EXPONENT, SHARED_TOPIC_WEIGHT = 20, 0.5, 0.35
N_TRIGGERS = 18  # words of a topic that are at times misspelt
N_STYLES, STYLE_WORDS, STYLE_EXPONENT = 8, 24, 0.7
N_SHARED_STYLE, SHARED_STYLE_WEIGHT = 8, 0.05
# Words are numbered: everyday words, then topic by topic, style by style, misspelt triggers.
FIRST_TOPIC = N_EVERYDAY
FIRST_STYLE = FIRST_TOPIC + N_TOPICS * TOPIC_WORDS
FIRST_MISSPELT = FIRST_STYLE + N_STYLES * STYLE_WORDS
N_WORDS = FIRST_MISSPELT + N_TOPICS * N_TRIGGERS
N_LISTS = N_TOPICS + N_STYLES + 1

# Concentrations: how unlike each other the two kinds are in their topics and styles.
POPULARITY = 3.0
TOPIC_CONCENTRATION, STYLE_CONCENTRATION = 0.7, 2.0
SMALLEST_SHARE = 1e-6  # of a topic or style, so that each can occur
MISSPELLING = ((0.3, 12.0), (1.0, 3.0))  # beta distribution of the share misspelt, by kind
FIRST_TOPIC_SHARE = (0.5, 0.95)
N_SIGNATURE = 8
MIXTURE = (0.40, 0.36, 0.14, 0.10)  # everyday, topics, style, signature words
MIXTURE_CONCENTRATION = 40.0

LENGTH_SHAPE = 4.0  # of the negative binomial
MEAN_LENGTH, MEAN_LENGTH_SPREAD = 45.0, 0.35  # median over the sources, standard deviation of log
SHORTEST, LONGEST = 5, 120

RANDOM_BITS = 32
WHOLE = 1 << RANDOM_BITS
BLOCK = 1024
WORLD, POOL, TEST, LISTS = 0, 1, 2, 3
KNOWN_WORDS = 0.75  # share of its kind that a word list holds
# Keeps this data set's random numbers apart from those of others with the same seed.
KEY = int.from_bytes(NAME.encode(), "big")
POSTERIOR_ROWS = 4096


def prepare(seed: int, pool: int, test: int, cache: Path) -> Dataset:
    """Draw a world of sources, and mails from it.

    Args:
        seed: Makes the world, the pool and the test set.
        pool: Number of mails to draw subsets from.
        test: Number of mails in the test set.
        cache: Not used: nothing is downloaded.
    """
    world = make_world(seed)
    x_pool, y_pool = draw(world, seed, POOL, pool)
    x_test, y_test = draw(world, seed, TEST, test)
    return Dataset(
        name=NAME,
        title="Spam",
        description="Generated e-mails by many senders, frequent and rare, each with its own "
        "topics, style and spelling; given as counts of hashed words",
        task="whether the e-mail is spam",
        source="drawn by takeoff from the study's seed",
        licence="MIT",
        citation="",
        generated=True,
        classes=CLASSES,
        x_pool=x_pool,
        y_pool=y_pool,
        x_test=x_test,
        y_test=y_test,
        levels=np.log1p(np.arange(256)).astype(np.float32),
        posterior_test=posterior(world, x_test),
        hand_pool=hand_made(world, x_pool),
        hand_test=hand_made(world, x_test),
    )


@dataclass(frozen=True)
class World:
    """All that the mails' distribution depends on; S sources, V buckets.

    Attributes:
        share: Probability that a mail comes from the source, [S].
        label: 0 or 1: whether the source sends spam, [S].
        weights: Probability of each bucket in units of 2**-32, [S, V]; rows sum to 2**32.
        mean_length: Mean number of words, before clipping, [S].
        shortest: Lengths below are raised to it.
        longest: Lengths above are lowered to it; at most 255, so that counts fit a byte.
        lists: How much each bucket counts for each word list, [V, N_LISTS], rows sum to at most 1.
    """

    share: Floats
    label: Labels
    weights: Integers
    mean_length: Floats
    shortest: int = SHORTEST
    longest: int = LONGEST
    lists: Floats | None = None

    @property
    def n_buckets(self) -> int:
        """Number of buckets, V; a power of two."""
        return int(self.weights.shape[1])

    @cached_property
    def table(self) -> Table:
        """Alias table of each source, [S * V]; see `alias_table`."""
        return np.concatenate([alias_table(row) for row in self.weights])

    @cached_property
    def log_probability(self) -> Floats:
        """Logarithm of each bucket's probability, [V, S]; minus infinity where that is zero."""
        p = np.ascontiguousarray(self.weights.T) / WHOLE
        return np.log(p, out=np.full(p.shape, -np.inf), where=p > 0)

    @cached_property
    def log_length(self) -> Floats:
        """Logarithm of the probability of each length, from 0 to the longest, [longest + 1, S].

        Clipping puts all of either tail on the shortest and the longest length.
        """
        from scipy.stats import nbinom

        success = LENGTH_SHAPE / (LENGTH_SHAPE + self.mean_length)
        log_p = np.full((self.longest + 1, len(self.share)), -np.inf)
        inside = np.arange(self.shortest + 1, self.longest)[:, None]
        log_p[self.shortest + 1 : self.longest] = nbinom.logpmf(inside, LENGTH_SHAPE, success)
        log_p[self.shortest] = nbinom.logcdf(self.shortest, LENGTH_SHAPE, success)
        log_p[self.longest] = nbinom.logsf(self.longest - 1, LENGTH_SHAPE, success)
        return log_p


def draw(world: World, seed: int, stream: int, n: int) -> tuple[Bytes, Labels]:
    """The first n mails of a stream: their counts, [n, V], and labels, [n].

    Args:
        world: Where the mails come from.
        seed: With `stream`, decides on the mails; the same world can be drawn from again.
        stream: `POOL`, `TEST` or another positive number; streams are independent.
        n: Number of mails.
    """
    x = np.empty((n, world.n_buckets), dtype=np.uint8)
    y = np.empty(n, dtype=np.int64)
    start = 0
    for counts, labels in chunks(world, seed, stream, n):
        rows = slice(start, start + len(labels))
        x[rows], y[rows] = counts, labels
        start = rows.stop
    return x, y


def chunks(world: World, seed: int, stream: int, n: int) -> Iterator[tuple[Bytes, Labels]]:
    """The same in portions, so that memory doesn't grow with n; arguments as of `draw`."""
    for start in range(0, n, BLOCK):
        # A block is always drawn whole, so the first rows don't depend on n.
        counts, labels = _draw_block(world, _generator(seed, stream, start // BLOCK))
        yield counts[: n - start], labels[: n - start]


def _draw_block(world: World, random: np.random.Generator) -> tuple[Bytes, Labels]:
    cumulative = np.cumsum(world.share)
    source = np.searchsorted(cumulative, random.random(BLOCK) * cumulative[-1], side="right")
    # A gamma mixture of Poisson distributions is the negative binomial.
    rate = random.standard_gamma(LENGTH_SHAPE, BLOCK) * (world.mean_length[source] / LENGTH_SHAPE)
    length = np.clip(random.poisson(rate), world.shortest, world.longest)
    bits = random.integers(0, WHOLE, size=int(length.sum()), dtype=np.uint32)
    row_of_table = np.repeat(source * world.n_buckets, length)
    bucket = _look_up(world, row_of_table, bits)
    mail = np.repeat(np.arange(BLOCK) * world.n_buckets, length)
    counts = np.zeros(BLOCK * world.n_buckets, dtype=np.uint8)
    np.add.at(counts, mail + bucket, np.uint8(1))
    return counts.reshape(BLOCK, world.n_buckets), world.label[source]


def _look_up(world: World, row: Integers, bits: Table) -> Table:
    """The bucket that 32 random bits stand for: the first bits choose a column, the rest a side."""
    column_bits = _log2(world.n_buckets)
    column = bits >> np.uint32(RANDOM_BITS - column_bits)
    entry = world.table[row + column]
    fraction = bits & np.uint32((WHOLE >> column_bits) - 1)
    alias = entry & np.uint32(world.n_buckets - 1)
    return np.where(fraction < entry >> np.uint32(column_bits), column, alias)


def alias_table(weights: Integers) -> Table:
    """Walker's alias table (1977), built as by Vose (1991), in whole numbers: nothing is rounded.

    Every column holds the same weight, shared by its own bucket and one other, the alias.

    Args:
        weights: Weights of the V buckets, [V], which sum to 2**32; V is a power of two.

    Returns:
        For each column, [V], the weight of its own bucket times V, plus the alias.
    """
    capacity = WHOLE // len(weights)
    own = weights.tolist()
    alias = list(range(len(own)))
    small = [k for k, weight in enumerate(own) if weight < capacity]
    large = [k for k, weight in enumerate(own) if weight > capacity]
    while small:
        needy, donor = small.pop(), large[-1]
        alias[needy] = donor
        own[donor] -= capacity - own[needy]
        if own[donor] <= capacity:
            large.pop()
            if own[donor] < capacity:
                small.append(donor)
    # A full column needs no alias but itself, and its weight would need one bit too many.
    own = [weight if weight < capacity else 0 for weight in own]
    return np.array([w * len(own) + a for w, a in zip(own, alias, strict=True)], dtype=np.uint32)


def posterior(world: World, x: Bytes) -> Probabilities:
    """The exact P(legitimate | counts) and P(spam | counts), [n, 2].

    Args:
        world: Where the mails come from.
        x: Counts, [n, V].

    Raises:
        ValueError: No source of this world can have written one of the mails.
    """
    parts = [
        _posterior(world, x[start : start + POSTERIOR_ROWS])
        for start in range(0, len(x), POSTERIOR_ROWS)
    ]
    return np.concatenate(parts)


def _posterior(world: World, x: Bytes) -> Probabilities:
    from scipy.sparse import csr_array

    length = x.sum(axis=1, dtype=np.int64)
    if length.max() > world.longest:
        raise ValueError(f"a mail has more than {world.longest} words")
    # A sparse product leaves out buckets with no word: 0 times minus infinity never occurs.
    log_joint = csr_array(x) @ world.log_probability
    log_joint += world.log_length[length]
    log_joint += np.log(world.share)
    best = log_joint.max(axis=1, keepdims=True)
    if best.min() == -np.inf:
        raise ValueError("a mail can't come from any source of this world")
    joint = np.exp(log_joint - best, out=log_joint)
    kinds = joint @ np.eye(len(CLASSES))[world.label]
    return np.asarray(kinds / kinds.sum(axis=1, keepdims=True))


def hand_made(world: World, x: Bytes) -> npt.NDArray[np.float32]:
    """Hand-made features of mails with the counts [n, V]: [n, N_LISTS + 4].

    Args:
        world: One from `make_world`, whose word lists are used.
        x: Counts.
    """
    assert world.lists is not None
    lists = world.lists.astype(np.float32)
    # Filled portion by portion: put together at the end, they would take twice the memory.
    found = np.empty((len(x), N_LISTS + 4), dtype=np.float32)
    for start in range(0, len(x), POSTERIOR_ROWS):
        rows = slice(start, start + POSTERIOR_ROWS)
        found[rows] = _hand_made(lists, x[rows])
    return found


def _hand_made(lists: npt.NDArray[np.float32], x: Bytes) -> npt.NDArray[np.float32]:
    from scipy.sparse import csr_array

    length = x.sum(axis=1, keepdims=True, dtype=np.float32)
    shares = (csr_array(x, dtype=np.float32) @ lists) / length
    topics = shares[:, :N_TOPICS]
    evenness = topics.sum(axis=1) ** 2 / np.maximum((topics**2).sum(axis=1), np.float32(1e-6))
    columns = [
        np.log(length[:, 0]),
        np.count_nonzero(x, axis=1) / length[:, 0],
        x.max(axis=1) / length[:, 0],
        evenness,
    ]
    return np.column_stack([shares, *columns]).astype(np.float32)


def _lists(random: np.random.Generator, bucket: Integers, frequency: Floats) -> Floats:
    """How much each bucket counts for each word list, [V, N_LISTS].

    Args:
        random: Which words the lists know.
        bucket: Of each word, [W].
        frequency: Of each word in all mails, [W].
    """
    of_word = np.full(N_WORDS, -1)
    of_word[FIRST_TOPIC:FIRST_STYLE] = np.repeat(np.arange(N_TOPICS), TOPIC_WORDS)
    of_word[FIRST_STYLE:FIRST_MISSPELT] = N_TOPICS + np.repeat(np.arange(N_STYLES), STYLE_WORDS)
    of_word[FIRST_MISSPELT:] = N_LISTS - 1
    known = (random.random(N_WORDS) < KNOWN_WORDS) & (of_word >= 0)
    mass = np.zeros((N_BUCKETS, N_LISTS))
    np.add.at(mass, (bucket[known], of_word[known]), frequency[known])
    total = np.bincount(bucket, frequency, minlength=N_BUCKETS)
    return np.asarray(mass / np.maximum(total, np.finfo(float).tiny)[:, None])


def make_world(seed: int) -> World:
    """Draw the sources of a world."""
    random = _generator(seed, WORLD)
    topics, misspelt = _topics(random)
    styles = _styles()
    topic_share = _preferences(random, N_TOPICS, TOPIC_CONCENTRATION)
    style_share = _preferences(random, N_STYLES, STYLE_CONCENTRATION)
    label = np.repeat([0, 1], N_SOURCES)
    words = np.empty((len(label), N_WORDS))
    for source, kind in enumerate(label):
        pair = random.choice(N_TOPICS, 2, replace=False, p=topic_share[kind])
        style = styles[random.choice(N_STYLES, p=style_share[kind])]
        misspells = random.beta(*MISSPELLING[kind])
        spelt = (1 - misspells) * topics[pair] + misspells * misspelt[pair]
        known = np.flatnonzero(topics[pair].sum(axis=0) + style)
        words[source] = _mixture(random, spelt, style, known)
    bucket = random.integers(0, N_BUCKETS, N_WORDS)
    share = _shares(random)
    return World(
        share=share,
        label=label,
        weights=whole_weights(_hashed(words, bucket)),
        mean_length=MEAN_LENGTH * np.exp(random.normal(0, MEAN_LENGTH_SPREAD, len(label))),
        lists=_lists(_generator(seed, LISTS), bucket, share @ words),
    )


def _topics(random: np.random.Generator) -> tuple[Floats, Floats]:
    """Each topic's distribution over words, and the same with all its triggers misspelt."""
    topics = np.zeros((N_TOPICS, N_WORDS))
    for topic, own in enumerate(_word_ranges(FIRST_TOPIC, N_TOPICS, TOPIC_WORDS)):
        topics[topic, own] = random.permutation(_zipf(TOPIC_WORDS, TOPIC_EXPONENT))
        # Neighbours share words: a bank statement and a phishing mail both say "account".
        neighbour = FIRST_TOPIC + (topic + 1) % N_TOPICS * TOPIC_WORDS
        shared = _zipf(N_SHARED_TOPIC, SHARED_TOPIC_EXPONENT)
        topics[topic, neighbour : neighbour + N_SHARED_TOPIC] = SHARED_TOPIC_WEIGHT * shared
    topics /= topics.sum(axis=1, keepdims=True)
    misspelt = topics.copy()
    for topic, variants in enumerate(_word_ranges(FIRST_MISSPELT, N_TOPICS, N_TRIGGERS)):
        triggers = random.choice(TOPIC_WORDS, N_TRIGGERS, replace=False)
        triggers += FIRST_TOPIC + topic * TOPIC_WORDS
        misspelt[topic, variants] = topics[topic, triggers]
        misspelt[topic, triggers] = 0
    return topics, misspelt


def _styles() -> Floats:
    """Each style's distribution over words; neighbours share some."""
    styles = np.zeros((N_STYLES, N_WORDS))
    for style, own in enumerate(_word_ranges(FIRST_STYLE, N_STYLES, STYLE_WORDS)):
        styles[style, own] = _zipf(STYLE_WORDS, STYLE_EXPONENT)
        neighbour = FIRST_STYLE + (style + 1) % N_STYLES * STYLE_WORDS
        styles[style, neighbour : neighbour + N_SHARED_STYLE] = SHARED_STYLE_WEIGHT
    return np.asarray(styles / styles.sum(axis=1, keepdims=True))


def _preferences(random: np.random.Generator, n: int, concentration: float) -> Floats:
    """How often each kind of mail uses each of n topics or styles, [2, n]: alike, not equal."""
    popularity = random.dirichlet(np.full(n, POPULARITY))
    share = random.dirichlet(popularity * n * concentration, size=len(CLASSES)) + SMALLEST_SHARE
    return np.asarray(share / share.sum(axis=1, keepdims=True))


def _mixture(
    random: np.random.Generator, topics: Floats, style: Floats, known: npt.NDArray[np.intp]
) -> Floats:
    """A source's distribution over words, [W].

    Args:
        random: Where the source's habits are drawn from.
        topics: Its two topics, spelt its way, [2, W].
        style: Its style, [W].
        known: The words that its signature words are chosen from.
    """
    everyday = np.zeros(N_WORDS)
    everyday[:N_EVERYDAY] = _zipf(N_EVERYDAY, EVERYDAY_EXPONENT)
    first_share = random.uniform(*FIRST_TOPIC_SHARE)
    themes = first_share * topics[0] + (1 - first_share) * topics[1]
    signature = np.zeros(N_WORDS)
    favourites = random.choice(known, N_SIGNATURE, replace=False)
    signature[favourites] = random.dirichlet(np.ones(N_SIGNATURE))
    parts = random.dirichlet(np.array(MIXTURE) * MIXTURE_CONCENTRATION)
    return np.asarray(sum(parts[:, None] * [everyday, themes, style, signature]))


def _shares(random: np.random.Generator) -> Floats:
    """Share of each source in all mails: Zipf's law within a kind, in random order."""
    law = _zipf(N_SOURCES, SOURCE_EXPONENT)
    kinds = (1 - SPAM_SHARE, SPAM_SHARE)
    return np.concatenate([kind * random.permutation(law) for kind in kinds])


def _hashed(words: Floats, bucket: Integers) -> Floats:
    """Distributions over words, [S, W], as distributions over buckets, [S, V]."""
    hashed = np.zeros((N_BUCKETS, len(words)))
    np.add.at(hashed, bucket, words.T)
    return np.ascontiguousarray(hashed.T)


def whole_weights(probability: Floats) -> Integers:
    """Probabilities, [S, V], as whole numbers of 2**-32 that sum to 2**32 in each row."""
    scaled = probability * (WHOLE / probability.sum(axis=1, keepdims=True))
    weights: Integers = np.rint(scaled).astype(np.int64)
    # Each row's largest takes up what rounding left over: a few parts in 10**7 of it.
    rows = np.arange(len(weights))
    weights[rows, weights.argmax(axis=1)] += WHOLE - weights.sum(axis=1)
    return weights


def _zipf(n: int, exponent: float) -> Floats:
    """Zipf's law: probability of rank r proportional to r**-exponent, [n]."""
    weights = np.arange(1, n + 1) ** -exponent
    return np.asarray(weights / weights.sum())


def _word_ranges(first: int, n: int, words: int) -> list[slice]:
    """The numbers of the words of each of n topics or styles."""
    return [slice(first + k * words, first + (k + 1) * words) for k in range(n)]


def _log2(power: int) -> int:
    return power.bit_length() - 1


def _generator(seed: int, *key: int) -> np.random.Generator:
    sequence = np.random.SeedSequence(seed, spawn_key=(KEY, *key))
    return np.random.Generator(np.random.SFC64(sequence))
