"""Pairs of bit strings that are near, against integers of Python compared one by one."""

import itertools
import random

import numpy as np
import pytest

from equipoise.audit import hashes

BITS, TOLERANCE = 512, 0.03


def packed(numbers):
    return np.frombuffer(b"".join(n.to_bytes(BITS // 8, "big") for n in numbers), np.uint8).reshape(
        len(numbers), BITS // 8
    )


def by_hand(numbers):
    return {
        (a, b)
        for (a, x), (b, y) in itertools.combinations(enumerate(numbers), 2)
        if (x ^ y).bit_count() <= TOLERANCE * (x.bit_count() + y.bit_count())
    }


def drawn(seed, strings=120):
    """Strings of 40 to 400 bits set, and copies of which some have a bit too many changed."""
    dice, numbers = random.Random(seed), []
    for _ in range(strings):
        one = sum(1 << place for place in dice.sample(range(BITS), dice.randint(40, 400)))
        numbers.append(one)
        for _ in range(dice.randint(0, 3)):
            allowed = int(2 * TOLERANCE * one.bit_count())
            copy = one
            for place in dice.sample(range(BITS), max(0, allowed + dice.randint(-2, 2))):
                copy ^= 1 << place
            numbers.append(copy)
    dice.shuffle(numbers)
    return numbers


@pytest.mark.parametrize("dear", [0, 4, 10**9], ids=["by parts", "as it stands", "all with all"])
@pytest.mark.parametrize("seed", range(3))
def test_the_pairs_are_those_of_a_plain_count(monkeypatch, seed, dear):
    monkeypatch.setattr(hashes, "_DEAR", dear)
    monkeypatch.setattr(hashes, "_BLOCK", 50)
    monkeypatch.setattr(hashes, "_PAIRS", 7)
    numbers = drawn(seed)
    expected = by_hand(numbers)
    assert len(expected) > 50
    found = {tuple(sorted(pair)) for pair in hashes.pairs(packed(numbers), TOLERANCE)}
    assert found == expected


def test_many_of_the_same(monkeypatch):
    same = (1 << 100) - 1
    found = set(hashes.pairs(packed([same] * 5 + [same << 200]), TOLERANCE))
    assert {tuple(sorted(pair)) for pair in found} == set(itertools.combinations(range(5), 2))


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_to_compare(count):
    assert list(hashes.pairs(packed([7] * count), TOLERANCE)) == []


def test_few_are_compared_where_strings_differ(monkeypatch):
    """Random strings: by parts, of 2,000 strings not one pair in a hundred has its bits counted."""
    compared = []
    plain = hashes._agreeing
    monkeypatch.setattr(
        hashes, "_agreeing", lambda part: (compared.append(len(p[0])) or p for p in plain(part))
    )
    monkeypatch.setattr(hashes, "_all", None)
    draw = np.random.default_rng(5).random((2000, 4096)) < 0.1
    assert list(hashes.pairs(np.packbits(draw, axis=1), TOLERANCE)) == []
    assert sum(compared) < 2000 * 1999 // 2 // 100
