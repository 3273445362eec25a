"""Generated advertisements shown to people, a few of which are clicked on: the data sheet.

What is drawn. An impression is one advertisement shown to one person in one place. Drawn are the
advertiser (48 of them, which fix the category, and whose volumes follow Zipf's law), the format;
the site and the slot on its page, the device, the hour and the day of the week; the person's main
interest (which depends on the site), region, gender and age; how often this person has seen this
advertisement and how long ago; a score that sums up how readily the person has clicked so far; and
the bid. The log-odds of a click are a sum of

- effects of the advertiser, site, interest, region, slot, format and device;
- crosses: slot by device, format by device, category by hour (a daily rhythm), by weekend, by
  gender and by age (a bump at the age that it appeals to), and a few of region by advertiser;
- products of hidden vectors, as in matrix factorisation: what an interest and an advertiser, and a
  site and an advertiser, have in common;
- fatigue: the more often it was seen, the fewer clicks, which wears off within days;
- the person's score.

An intercept is set so that 8 % of the impressions are clicked on. Raw features are one column for
each value of a category, and the numbers.

Why it is like the real thing. A click is a rare event, and hardly any impression has one that is
more likely than not: to tell clicks from no clicks is hopeless, to know their probability is worth
money. A part of it is told by single categories, a part only by pairs of them, most of which are
rare, and hidden tastes tie the pairs together.

What it lacks. Time: tastes do not drift, and people do not come back. Real logs have millions of
advertisements and sites; here their numbers are such that pairs of them are seen again. Clicks are
as frequent as in good places on a page of search results; banners have less than one in a hundred.
And more can be known of these clicks than models have been seen to know of real ones: the
probability itself had an area under the ROC curve of 0.81 to 0.87 in six worlds, and in all of them
pairs varied the log-odds more than all single categories did. On the Criteo log,
logistic regression is reported at 0.77 and the best network, which finds pairs, at 0.80 (Guo and
others, DeepFM, IJCAI 2017). So the gain from pairs is larger here than there.

What is known. The label is drawn from the probability of a click given the features, rounded as
they are, so every floor is exact. The error rate says nothing (never to expect a click is nearly as
good as anything can be), so the data set is judged by its log-loss.

Hand-made features: what an engineer makes of a log of earlier impressions. Click rates, as smoothed
log-odds, of every category and of the pairs that are known to matter, among 100,000 impressions
drawn separately from the same world; no label of the pool or of the test set is used. And the
numbers with a fatigue term. So these features bring in what 100,000 further labels tell, as they do
where a log is at hand, and m does not count those: their lead over raw features is that of the
engineer and of the log together.

How its numbers were set. A first version, with 160 advertisers, 32 interests and 6 % clicks, was
looked at with learners once: networks equalled logistic regression up to 30,000 impressions, since
pairs hardly ever came back. It was revised that once, in a direction that helps networks at an m
that can be reached, to the values here. A study's results come from a fresh world: its own seed.

Streams: row k of a stream depends on the seed and on k alone, not on how many are drawn. The same
numpy on the same platform gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from takeoff.datasets.base import INDICATOR, NUMERIC, Dataset, Floats, Labels
from takeoff.metrics import Doubles

NAME = "ad_click"
CLASSES = ("no click", "click")
CLICK_RATE = 0.08

SIZES = {  # of the categories
    "advertiser": 48, "category": 12, "site": 40, "interest": 12, "region": 12, "device": 4,
    "hour": 24, "weekday": 7, "slot": 6, "format": 5, "gender": 2,
}  # fmt: skip
NUMBERS = ("age", "log frequency", "log hours since", "score", "bid")
STARTS = dict(zip(SIZES, np.cumsum([0, *SIZES.values()])[:-1].tolist(), strict=True))
N_INDICATORS = sum(SIZES.values())

ADVERTISERS, SITES, INTERESTS, REGIONS = (1.0, 2), (1.0, 2), (0.6, 2), (0.8, 1)  # Zipf, shift
DEVICE_SHARES, SLOT_SHARES = (0.55, 0.3, 0.1, 0.05), (0.3, 0.22, 0.18, 0.13, 0.1, 0.07)
AUDIENCE = 12.0  # concentration: how alike the audiences of sites are
HIDDEN = 4  # length of the hidden vectors
CATEGORY_PART, OWN_PART = 0.75, 0.66  # of an advertiser's hidden vector
INTEREST_WEIGHT, SITE_WEIGHT = 1.0, 0.45  # of the products of hidden vectors
SPREADS = {  # standard deviations of the effects, in log-odds
    "advertiser": 0.45, "site": 0.35, "interest": 0.2, "region": 0.15, "format": 0.25,
    "slot device": 0.3, "format device": 0.35, "weekend": 0.25, "gender": 0.35,
}  # fmt: skip
SLOT_EFFECTS, DEVICE_EFFECTS = (0.55, 0.25, 0.0, -0.25, -0.5, -0.8), (0.1, 0.0, -0.3, -0.5)
RHYTHM, BUSIEST, BUSY = 0.45, 20, 0.7  # of the day: on clicks; the hour and share of the traffic
LOCAL_SHARE, LOCAL = 0.12, (0.6, 0.4)  # pairs of region and advertiser: how many, mean and sd
AGE, AGE_PEAK, AGE_WIDTH, AGE_EFFECT = (18.0, 85.0), (20.0, 65.0), (8.0, 25.0), 0.6
FATIGUE, MOST_SEEN, RECOVERY = 0.22, 8, 30.0  # a view; views that count; hours
SEEN_AGAIN, HOURS = 0.28, 20.0  # of the geometric frequency; mean hours since
READINESS, SCORE_NOISE, SCORE_EFFECT = 0.6, 0.25, 0.5

HISTORY_ROWS = 100_000
PRIOR_VIEWS = 50.0  # at the overall rate, that every historical rate starts with
PAIRS = (
    ("interest", "category"), ("interest", "advertiser"), ("site", "category"),
    ("region", "advertiser"), ("slot", "device"), ("format", "device"), ("category", "gender"),
    ("category", "day part"), ("category", "age group"), ("category", "weekend"),
)  # fmt: skip

BLOCK = 1024
WORLD, POOL, TEST, HISTORY, SETTING = 0, 1, 2, 3, 4
# Keeps these random numbers apart from those of other data sets with the same seed.
KEY = int.from_bytes(NAME.encode(), "big")

Codes = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Impressions:
    """Advertisements shown.

    Attributes:
        codes: The value of each category, [n] each.
        numbers: [n, 5], in the order of `NUMBERS`.
        probability: Of a click, [n].
        clicked: 0 or 1, [n].
    """

    codes: dict[str, Codes]
    numbers: Floats
    probability: Doubles
    clicked: Labels


@dataclass(frozen=True)
class World:
    """All that the impressions' distribution depends on; effects are in log-odds.

    Attributes:
        category_of: Of each advertiser, [48].
        audience: Of each site, the shares of the interests, [40, 12].
        main: Effect of each value of a category, [size], by category.
        pairs: Effect of two values, [size of the first, size of the second], by categories.
        age_peak, age_width: Of the people that a category appeals to, years, [12].
        intercept: Sets the overall click rate.
    """

    category_of: Codes
    audience: Doubles
    main: dict[str, Doubles]
    pairs: dict[tuple[str, str], Doubles]
    age_peak: Doubles
    age_width: Doubles
    intercept: float = 0.0


def prepare(seed: int, pool: int, test: int, cache: Path) -> Dataset:
    """Draw a world, and impressions from it.

    Args:
        seed: Makes the world, the pool and the test set.
        pool: Number of impressions to draw subsets from.
        test: Number of impressions in the test set.
        cache: Not used: nothing is downloaded.
    """
    world = make_world(seed)
    rates = historical_rates(world, seed)
    x_pool, hand_pool, _, y_pool = draw(world, rates, seed, POOL, pool)
    x_test, hand_test, probability, y_test = draw(world, rates, seed, TEST, test)
    return Dataset(
        name=NAME,
        title="Ad clicks",
        description="Generated advertisements, each shown to one person in one place, given as "
        "categories and numbers",
        task="whether the advertisement is clicked on",
        source="drawn by takeoff from the study's seed",
        licence="MIT",
        citation="",
        generated=True,
        classes=CLASSES,
        x_pool=x_pool,
        y_pool=y_pool,
        x_test=x_test,
        y_test=y_test,
        posterior_test=np.column_stack([1 - probability, probability]),
        metric="log_loss",
        scaling="each",
        kinds=np.repeat([INDICATOR, NUMERIC], [N_INDICATORS, len(NUMBERS)]).astype(np.int8),
        hand_pool=hand_pool,
        hand_test=hand_test,
    )


def draw(
    world: World, rates: Rates, seed: int, stream: int, n: int
) -> tuple[Floats, Floats, Doubles, Labels]:
    """The first n impressions of a stream: raw and hand-made features, probabilities, labels."""
    x = np.zeros((n, N_INDICATORS + len(NUMBERS)), dtype=np.float32)
    hand = np.empty((n, rates.width), dtype=np.float32)
    probability, clicked = np.empty(n), np.empty(n, dtype=np.int64)
    start = 0
    for part in chunks(world, seed, stream, n):
        rows = slice(start, start + len(part.clicked))
        fill_raw(x[rows], part)
        hand[rows] = rates.features(part)
        probability[rows], clicked[rows] = part.probability, part.clicked
        start = rows.stop
    return x, hand, probability, clicked


def chunks(world: World, seed: int, stream: int, n: int) -> Iterator[Impressions]:
    """The first n impressions of a stream in portions, so that memory doesn't grow with n.

    Args:
        world: Where they come from.
        seed, stream: Decide on them; streams (`POOL`, `TEST`, ...) are independent.
        n: Number of impressions.
    """
    for start in range(0, n, BLOCK):
        # A block is always drawn whole, so the first rows don't depend on n.
        whole = _draw_block(world, _generator(seed, stream, start // BLOCK))
        yield whole if n - start >= BLOCK else _first(whole, n - start)


def _first(part: Impressions, n: int) -> Impressions:
    codes = {name: values[:n] for name, values in part.codes.items()}
    return Impressions(codes, part.numbers[:n], part.probability[:n], part.clicked[:n])


def fill_raw(x: Floats, part: Impressions) -> None:
    """Write the raw features of n impressions into zeros [n, N_INDICATORS + 5]."""
    rows = np.arange(len(x))
    for name, start in STARTS.items():
        x[rows, start + part.codes[name]] = 1
    x[:, N_INDICATORS:] = part.numbers


# Impressions


def _draw_block(world: World, random: np.random.Generator) -> Impressions:
    codes = _draw_codes(world, random)
    age = np.clip(AGE[0] + 8 * random.standard_gamma(3.0, BLOCK), *AGE)
    seen = random.geometric(SEEN_AGAIN, BLOCK) - 1
    hours = random.exponential(HOURS, BLOCK)
    # How readily someone clicks is hidden; the score is what is left of it in a history.
    score = random.normal(0, READINESS, BLOCK) + random.normal(0, SCORE_NOISE, BLOCK)
    bid = random.normal(0, 1, BLOCK) + world.main["advertiser"][codes["advertiser"]]
    numbers = np.stack([age, np.log1p(seen), np.log1p(hours), score, bid], axis=1, dtype=np.float32)
    codes |= derived(codes, numbers)
    probability = 1 / (1 + np.exp(-log_odds(world, codes, numbers)))
    clicked = (random.random(BLOCK) < probability).astype(np.int64)
    return Impressions(codes, numbers, probability, clicked)


def derived(codes: dict[str, Codes], numbers: Floats) -> dict[str, Codes]:
    """Categories that follow from other features of n impressions, [n] each."""
    return {
        "weekend": (codes["weekday"] >= 5).astype(np.intp),
        "day part": codes["hour"] // 4,
        "age group": ((numbers[:, 0] - AGE[0]) // 8).astype(np.intp),
    }


def log_odds(world: World, codes: dict[str, Codes], numbers: Floats) -> Doubles:
    """The exact log-odds of a click given the features and nothing else, [n].

    Args:
        world: Where the impressions come from.
        codes: Of every category, derived ones included, [n] each.
        numbers: [n, 5], in the order of `NUMBERS`.
    """
    age, log_seen, log_hours, score, _ = numbers.T.astype(np.float64)
    category = codes["category"]
    appeal = np.exp(-(((age - world.age_peak[category]) / world.age_width[category]) ** 2) / 2)
    found = world.intercept + AGE_EFFECT * (appeal - 0.5) + SCORE_EFFECT * score
    views = np.minimum(np.rint(np.expm1(log_seen)), MOST_SEEN)
    found -= FATIGUE * views * np.exp(-np.expm1(log_hours) / RECOVERY)
    for name, effect in world.main.items():
        found += effect[codes[name]]
    for (first, second), effects in world.pairs.items():
        found += effects[codes[first], codes[second]]
    return np.asarray(found)


def _draw_codes(world: World, random: np.random.Generator) -> dict[str, Codes]:
    def choice(shares: Doubles) -> Codes:
        return np.searchsorted(np.cumsum(shares)[:-1], random.random(BLOCK), side="right")

    codes = {
        "advertiser": choice(_zipf(SIZES["advertiser"], *ADVERTISERS)),
        "site": choice(_zipf(SIZES["site"], *SITES)),
        "region": choice(_zipf(SIZES["region"], *REGIONS)),
        "device": choice(np.array(DEVICE_SHARES)),
        "slot": choice(np.array(SLOT_SHARES)),
        "hour": choice(_traffic()),
    }
    codes |= {
        name: random.integers(0, SIZES[name], BLOCK) for name in ("weekday", "format", "gender")
    }
    ends = np.cumsum(world.audience, axis=1)[:, :-1]
    codes["interest"] = (ends[codes["site"]] <= random.random((BLOCK, 1))).sum(axis=1)
    return codes | {"category": world.category_of[codes["advertiser"]]}


def _traffic() -> Doubles:
    wave = 1 + BUSY * np.cos((np.arange(SIZES["hour"]) - BUSIEST) * 2 * np.pi / SIZES["hour"])
    return np.asarray(wave / wave.sum())


# The world


def make_world(seed: int) -> World:
    """Draw the effects of a world, and set its intercept so that the click rate is right."""
    random = _generator(seed, WORLD)
    category_of = random.integers(0, SIZES["category"], SIZES["advertiser"])
    interests = _zipf(SIZES["interest"], *INTERESTS)
    world = World(
        category_of=category_of,
        audience=random.dirichlet(interests * AUDIENCE, SIZES["site"]),
        main={
            "slot": np.array(SLOT_EFFECTS),
            "device": np.array(DEVICE_EFFECTS),
            **{
                name: random.normal(0, SPREADS[name], SIZES[name])
                for name in ("advertiser", "site", "interest", "region", "format")
            },
        },
        pairs=_crosses(random) | _hidden_products(random, category_of),
        age_peak=random.uniform(*AGE_PEAK, SIZES["category"]),
        age_width=random.uniform(*AGE_WIDTH, SIZES["category"]),
    )
    return replace(world, intercept=_intercept(world, seed))


def _crosses(random: np.random.Generator) -> dict[tuple[str, str], Doubles]:
    sizes = SIZES | {"weekend": 2}

    def drawn(first: str, second: str, spread: str) -> Doubles:
        return random.normal(0, SPREADS[spread], (sizes[first], sizes[second]))

    phase = random.uniform(0, SIZES["hour"], (SIZES["category"], 1))
    hours = np.arange(SIZES["hour"])
    weekend = random.normal(0, SPREADS["weekend"], SIZES["category"])
    local = random.random((SIZES["region"], SIZES["advertiser"])) < LOCAL_SHARE
    return {
        ("slot", "device"): drawn("slot", "device", "slot device"),
        ("format", "device"): drawn("format", "device", "format device"),
        ("category", "gender"): drawn("category", "gender", "gender"),
        ("category", "hour"): RHYTHM * np.cos((hours - phase) * 2 * np.pi / SIZES["hour"]),
        ("category", "weekend"): np.outer(weekend, [0.0, 1.0]),
        ("region", "advertiser"): local * random.normal(*LOCAL, local.shape),
    }


def _hidden_products(
    random: np.random.Generator, category_of: Codes
) -> dict[tuple[str, str], Doubles]:
    """Products of hidden vectors: of interests, and of sites, with advertisers."""

    def vectors(name: str) -> Doubles:
        return random.normal(0, 1, (SIZES[name], HIDDEN))

    shared = CATEGORY_PART * vectors("category")[category_of]
    advertiser = (shared + OWN_PART * vectors("advertiser")) / np.sqrt(HIDDEN)
    return {
        ("interest", "advertiser"): INTEREST_WEIGHT * vectors("interest") @ advertiser.T,
        ("site", "advertiser"): SITE_WEIGHT * vectors("site") @ advertiser.T,
    }


def _intercept(world: World, seed: int) -> float:
    """The intercept that makes `CLICK_RATE` of the impressions of a stream of their own clicks."""
    from scipy.optimize import brentq

    probability = np.concatenate(
        [part.probability for part in chunks(world, seed, SETTING, 64 * BLOCK)]
    )
    logit = np.log(probability / (1 - probability))

    def too_many(intercept: float) -> float:
        return float(np.mean(1 / (1 + np.exp(-logit - intercept)))) - CLICK_RATE

    return float(brentq(too_many, -15, 15))


# Hand-made features


@dataclass(frozen=True)
class Rates:
    """Historical click rates as log-odds: of each category, [size], and of each pair of them.

    Attributes:
        single: By category.
        pairs: By two categories: [size of the first, size of the second].
    """

    single: dict[str, Floats]
    pairs: dict[tuple[str, str], Floats]

    @property
    def width(self) -> int:
        """Number of hand-made features."""
        return len(self.single) + len(self.pairs) + len(NUMBERS) + 1

    def features(self, part: Impressions) -> Floats:
        """Hand-made features of n impressions, [n, width]."""
        codes, numbers = part.codes, part.numbers
        seen, hours = np.expm1(numbers[:, 1]), np.expm1(numbers[:, 2])
        tired = np.minimum(seen, MOST_SEEN) * np.exp(-hours / 24)
        columns = [
            *(rate[codes[name]] for name, rate in self.single.items()),
            *(rate[codes[first], codes[second]] for (first, second), rate in self.pairs.items()),
            *(*numbers.T, tired),
        ]
        return np.stack(columns, axis=1, dtype=np.float32)


def historical_rates(world: World, seed: int, rows: int = HISTORY_ROWS) -> Rates:
    """Click rates among earlier impressions, which are in no other stream."""
    parts = list(chunks(world, seed, HISTORY, rows))
    codes = {name: np.concatenate([p.codes[name] for p in parts]) for name in parts[0].codes}
    clicked = np.concatenate([part.clicked for part in parts]).astype(np.float64)
    # Bands of age have no end above, but there are no more than these.
    sizes = SIZES | {"weekend": 2, "day part": 6, "age group": int((AGE[1] - AGE[0]) // 8) + 1}
    return Rates(
        single={name: _log_odds(codes[name], clicked, sizes[name]) for name in SIZES},
        pairs={
            (first, second): _log_odds(
                codes[first] * sizes[second] + codes[second],
                clicked,
                sizes[first] * sizes[second],
            ).reshape(sizes[first], sizes[second])
            for first, second in PAIRS
        },
    )


def _log_odds(value: Codes, clicked: Doubles, size: int) -> Floats:
    """Of a click given each of `size` values, shrunk to the overall rate where few were seen."""
    views = np.bincount(value, minlength=size)
    clicks = np.bincount(value, clicked, minlength=size)
    rate = (clicks + PRIOR_VIEWS * clicked.mean()) / (views + PRIOR_VIEWS)
    return np.asarray(np.log(rate / (1 - rate)), dtype=np.float32)


def _zipf(n: int, exponent: float, shift: float) -> Doubles:
    """Shares of n things by rank: proportional to (rank + shift)**-exponent, [n]."""
    weights = (np.arange(1, n + 1) + shift) ** -exponent
    return np.asarray(weights / weights.sum())


def _generator(seed: int, *key: int) -> np.random.Generator:
    sequence = np.random.SeedSequence(seed, spawn_key=(KEY, *key))
    return np.random.Generator(np.random.SFC64(sequence))
