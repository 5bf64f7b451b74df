"""The findings in words: for the terminal, and for the line under a result table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Result = Mapping[str, Any]


def leak(one: Result) -> str:
    """Say what of one side stands on another: ``58 of 2,409 test texts stand in train``."""
    many, verb = f"{one['samples']:,} of {one['of']:,} {one['side']}", "stand"
    if one["by"] == "content":
        text = f"{many} {one['things']} {verb} in {one['other']}"
    elif one["by"] == "bytes":
        text = f"{many} {one['things']} {verb} byte for byte in {one['other']}"
    else:
        what = "group" if one["by"] == "group" else "source video"
        text = f"{many} samples are of a {what} that stands in {one['other']}"
    official = one["official"] and one["by"] == "group"
    return f"{text}, as the official list has it" if official else text


def in_test(result: Result) -> list[str]:
    """Return a line for everything in test that stands in train, said once."""
    said: dict[tuple[str, ...], str] = {}
    for one in result["leaks"]:
        if (one["other"], one["side"]) == ("train", "test"):
            same = (str(one["samples"]), *(pair[0] for pair in one["ids"]))
            said.setdefault(same, leak(one))
    return list(said.values())


def lines(result: Result) -> Iterator[str]:
    """Yield one line for each finding; nothing where nothing is found."""
    yield from (f"leak: {text}" for _, text in rows(result, "leaks"))
    for kind in ("contradictions", "cut", "constant", "rejects", "label_words", "raters"):
        yield from (f"{kind.replace('_', ' ')}: {text}" for _, text in rows(result, kind))


def rows(result: Result, kind: str) -> Iterator[tuple[Result, str]]:
    """Yield each finding under one key of the result, with its words."""
    if kind == "rejects":
        if result[kind]["samples"]:
            yield result[kind], _rejects(result[kind])
        return
    for one in result[kind]:
        yield from ((one, text) for text in WORDS[kind](one))


def _contradictory(one: Result) -> Iterator[str]:
    best = one["best_accuracy"]
    side = "test" if best.get("test", 1) < 1 else "all"
    yield (
        f"{one['contents']:,} {one['things']} under several labels ({one['samples']:,} of "
        f"{one['of']:,} samples); best accuracy by them alone {percent(best[side])} ({side})"
    )


def _cut(one: Result) -> Iterator[str]:
    if by := one.get("by"):
        yield (
            f"{one['modality']}: augment leaves out {percent(one['mean'])} of the {one['how']} of "
            f"every sample in {by}, {percent(one['most'])} at most"
        )
        return
    how = {
        "length": "are longer than what is stored",
        "area": "are pictures whose borders are cut off",
        "time": "go on behind the part that the stored frames stand for",
    }
    yield (
        f"{one['modality']}: {one['samples']:,} of {one['of']:,} samples {how[one['how']]}; "
        f"{percent(one['mean'])} of the {one['how']} is cut off on average, "
        f"{percent(one['most'])} at most"
    )


def _constant(one: Result) -> Iterator[str]:
    yield f"{one['modality']}: {one['samples']:,} of {one['of']:,} samples are {one['how']}"


def _rejects(one: Result) -> str:
    text = f"{one['samples']:,} of {one['of']:,} samples cannot be read"
    thin = [f"{name} ({n['samples']} of {n['of']})" for name, n in one["thinned"].items()]
    text += f"; classes thinned: {', '.join(thin)}" if thin else ""
    return text + (f"; classes lost: {', '.join(one['lost'])}" if one["lost"] else "")


def _label_words(one: Result) -> Iterator[str]:
    name, named, tested = one["modality"], one["class_words"], one["test"]
    if named["samples"]:
        yield (
            f"{name}: {named['samples']:,} of {named['of']:,} texts hold the name of their class"
        )
    if one["pure"]:
        first = ", ".join(
            f"{w['word']} ({w['samples']} of {w['of']} {w['class']})" for w in one["pure_words"][:3]
        )
        yield (
            f"{name}: {one['pure']:,} of {one['words']:,} frequent words stand in one class alone, "
            f"as {first}; {tested['samples']:,} of {tested['of']:,} test texts hold one, which "
            f"names the class of {tested['right']:,}"
        )


def _raters(one: Result) -> Iterator[str]:
    side = "test" if one["sides"]["test"]["samples"] else "all"
    told = one["sides"][side]
    yield (
        f"{one['column']}: raters give the label in {percent(told['share'])} of {side} "
        f"({told['agree']:,} of {told['samples']:,}; {told['ties']:,} ties)"
    )


def percent(value: float) -> str:
    """Return a share as words: ``72.5 %``."""
    return f"{100 * value:.1f} %"


WORDS = {
    "leaks": lambda one: iter([leak(one)]),
    "contradictions": _contradictory,
    "cut": _cut,
    "constant": _constant,
    "label_words": _label_words,
    "raters": _raters,
}
