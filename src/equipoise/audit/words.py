"""Words that give the label away: the name of the class, and words of one class alone."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from equipoise.audit.leaks import share
from equipoise.audit.samples import LISTED, Samples

#: A word of one class alone stands in so many training samples or more, this share in one class.
SEEN, PURE = 10, 0.95
#: Chance that any word at all seems so pure, where words and classes have nothing in common.
CHANCE = 0.01
SHOWN = 100


def label_words(samples: Samples) -> list[dict[str, Any]]:
    """Return, for each modality with words, class names in them and words of one class."""
    found = []
    for name, traces in samples.traces.items():
        said = [frozenset(trace.words) for trace in traces]
        if any(said):
            one = {"modality": name, "class_words": _class_words(samples, said)}
            found.append(one | _pure(samples, said))
    return found


def _class_words(samples: Samples, said: Sequence[frozenset[str]]) -> dict[str, Any]:
    """Count texts that hold all words of a class name: of this class, and of the others."""
    names = {row.label: _words(row.label) for row in samples.rows}
    own: Counter[str] = Counter()
    total: Counter[str] = Counter(row.label for row in samples.rows)
    others: Counter[str] = Counter()
    for row, words in zip(samples.rows, said, strict=True):
        plain = {word.lstrip("#") for word in words}
        for label, parts in names.items():
            if parts and parts <= plain:
                (own if label == row.label else others)[label] += 1
    count, rows = sum(own.values()), len(samples.rows)
    classes = {
        label: {
            "own": share(own[label], total[label]),
            "others": share(others[label], rows - total[label]),
        }
        for label in sorted(own)
    }
    return {"samples": count, "of": rows, "share": share(count, rows), "classes": classes}


def _words(label: str) -> set[str]:
    plain = unicodedata.normalize("NFC", label).casefold()  # as texts are compared
    parts = set(re.findall(r"[^\W_]+", plain))
    return parts if any(len(part) > 2 and not part.isdecimal() for part in parts) else set()


def _pure(samples: Samples, said: Sequence[frozenset[str]]) -> dict[str, Any]:
    """Find words of one class in training, and how often they are right in test.

    A word that stands in n training samples, k of them of its most frequent class, is pure when k/n
    is :data:`PURE` at least and so many would not come by chance: the binomial tail with the share
    of that class, times the number of words tried, is below :data:`CHANCE`.
    """
    from scipy.stats import binom

    counts: dict[str, Counter[str]] = defaultdict(Counter)
    classes: Counter[str] = Counter()
    for row, side, words in zip(samples.rows, samples.sides, said, strict=True):
        if side == "train":
            classes[row.label] += 1
            for word in words:
                counts[word][row.label] += 1
    often = {word: labels for word, labels in counts.items() if labels.total() >= SEEN}
    train = classes.total()
    pure: dict[str, tuple[str, int, int]] = {}
    for word, labels in often.items():
        (label, right), seen = labels.most_common(1)[0], labels.total()
        if right < PURE * seen:
            continue
        if binom.sf(right - 1, seen, classes[label] / train) * len(often) < CHANCE:
            pure[word] = (label, right, seen)
    order = sorted(pure, key=lambda word: (-pure[word][1], word))
    keys = ("class", "samples", "of")
    return {
        "words": len(often),
        "pure": len(pure),
        "pure_words": [
            {"word": word, **dict(zip(keys, pure[word], strict=True))} for word in order[:SHOWN]
        ],
        **_tested(samples, said, pure),
    }


def _tested(
    samples: Samples, said: Sequence[frozenset[str]], pure: dict[str, tuple[str, int, int]]
) -> dict[str, Any]:
    """Count test samples with a pure word, and those whose class its most frequent one names."""
    ids: list[str] = []
    right = total = 0
    for row, side, words in zip(samples.rows, samples.sides, said, strict=True):
        if side == "test":
            total += 1
            if known := sorted(word for word in words if word in pure):
                ids.append(row.sample_id)
                right += pure[max(known, key=lambda word: pure[word][1])][0] == row.label
    tested = {"samples": len(ids), "of": total, "share": share(len(ids), total), "right": right}
    return {"test": tested, "ids": ids[:LISTED]}
