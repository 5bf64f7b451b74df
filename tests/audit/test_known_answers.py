"""What the published lists are known to hold, found by the audit in the lists themselves.

The lists are not ours to commit: a test without them skips (EQUIPOISE_MIRROR names the folder).
"""

import csv
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from equipoise.audit import show
from equipoise.audit.result import audit
from equipoise.audit.samples import Samples
from equipoise.data.datasets import ave, crema_d, mmsd, mmsd2, ucf101
from equipoise.data.manifest import Column, Manifest, Row
from equipoise.data.tombert import parse as tombert
from equipoise.modalities.base import reader
from equipoise.store.extracted import Facts, summary

sys.path.insert(0, str(Path(__file__).parents[1] / "data/datasets"))
import miniature

POINTERS = Path(os.environ.get("EQUIPOISE_CREMA_D_LFS") or "/nowhere")
TEXT = {"tokenizer": "bytes", "length": 8, "inline": True}


def samples(items, texts="", files=(), checksums=None, **more):
    """The samples of a list; a file is what its path says, unless there are checksums."""
    rows = [
        Row(n, i.sample_id, i.label, i.split, i.group, {**i.media, **i.cells})
        for n, i in enumerate(items)
    ]
    columns = {texts: Column(texts, True)} if texts else {}
    columns |= {name: Column(name) for name in files}
    manifest = Manifest(None, tuple(rows[0].cells), columns, rows)
    own = reader("text", "text", TEXT)
    traces = {texts: [own.trace(None, row.cells[texts]) for row in rows]} if texts else {}
    sums = checksums or {row.cells[name]: row.cells[name] for row in rows for name in files}
    sides = [row.split for row in rows]
    return Samples(
        "list", manifest, rows, sides, sums, traces, {texts: "texts"}, official=True, **more
    )


def leak(found, by, other="train", side="test"):
    wanted = (by, other, side)
    one = [o for o in found["leaks"] if (o["by"], o["other"], o["side"]) == wanted]
    return one[0]["samples"] if one else 0


def test_58_test_texts_of_mmsd_stand_in_train():
    items = []
    for side in ("train", "val", "test"):
        items += mmsd.parse(miniature.real(f"mmsd-{side}"), side, "human", "")
    found = audit(samples(items, "text", ["image"]))
    assert show.in_test(found) == ["58 of 2,409 test texts stand in train"]
    assert leak(found, "content", side="val") == 36
    assert leak(found, "content", "val") == 13
    (two,) = found["contradictions"]
    assert two["contents"] == 18
    (words,) = found["label_words"]
    pure = {one["word"]: (one["class"], one["samples"], one["of"]) for one in words["pure_words"]}
    assert pure["#lol"] == ("sarcastic", 327, 327)
    assert pure["#funny"] == ("sarcastic", 499, 499)
    assert words["test"]["right"] > 0.8 * words["test"]["samples"]


def test_83_test_texts_of_mmsd2_stand_in_train():
    items = []
    for side in ("train", "val", "test"):
        items += mmsd2.parse("\n".join(miniature.real(f"mmsd2-{side}")), side)
    assert leak(audit(samples(items, "text", ["image"])), "content") == 83


@pytest.mark.parametrize("split", [1, 2, 3])
def test_no_source_of_ucf101_is_on_two_sides(split):
    classes = ucf101.numbers(miniature.real("ucf101-classind"))
    items = []
    for side in ("train", "test"):
        name = f"ucf101-{side}list0{split}"
        items += ucf101.parse(miniature.real(name), side, classes, name)
    found = audit(samples(items, files=["video"]))
    assert sum(found["samples"].values()) == 13320
    assert found["leaks"] == found["contradictions"] == []


def test_8_and_10_videos_of_ave_are_on_two_sides_with_other_labels():
    rows = []
    for side in ("train", "val", "test"):
        name = f"ave-{side}"
        rows += ave.choose(ave.parse(miniature.real(name), side, name), "first")
    items = ave.named(rows)
    found = audit(samples(items, files=["video"]))
    for by in ("bytes", "group"):
        assert [leak(found, by), leak(found, by, side="val"), leak(found, by, "val")] == [8, 10, 0]
    (two,) = found["contradictions"]
    assert (two["contents"], two["samples"]) == (18, 36)


def test_tweets_of_twitter15_have_targets_with_different_labels():
    items = []
    for side, name in (("train", "train"), ("val", "dev"), ("test", "test")):
        items += tombert(miniature.real(f"twitter15-{name}"), side, name)
    found = audit(samples(items, "template", ["image"]))
    by = {one["by"]: one for one in found["contradictions"]}
    assert by["bytes"]["contents"] == 500
    assert by["bytes"]["best_accuracy"]["test"] == pytest.approx(0.896, abs=0.0005)
    whole = audit(samples(items, "sentence", ["image"]))
    assert [leak(whole, by) for by in ("bytes", "content", "group")] == [0, 0, 0]


def test_three_pairs_of_sounds_of_crema_d_are_the_same_files():
    if not POINTERS.is_file():
        pytest.skip("EQUIPOISE_CREMA_D_LFS names no table of path, sha256 and bytes")
    with POINTERS.open(newline="") as file:
        table = {row["path"]: row for row in csv.DictReader(file, delimiter="\t")}
    votes = {row["FileName"]: row for row in csv.DictReader(miniature.real("crema-d-ratings"))}
    items = []
    for side in ("train", "test"):
        name = f"crema-d-ogm-ge-{side}"
        for clip in crema_d.parse(miniature.real(name), name):
            items.append(crema_d.item(clip, side, votes[clip]))
    seconds = np.array([(int(table[i.media["audio"]]["bytes"]) - 44) / 32000 for i in items])
    cuts = summary([Facts.of(len(seconds), {"audio.cut": np.maximum(0, 1 - 3 / seconds)})])
    sums = {path: row["sha256"] for path, row in table.items()}
    found = audit(samples(items, files=["video", "audio"], checksums=sums, cuts=cuts))
    audio = [o for o in found["contradictions"] if o["modality"] == "audio"]
    assert sorted(sorted(name for name, _ in pair) for pair in audio[0]["ids"]) == [
        ["1006_TIE_HAP_XX", "1006_TIE_NEU_XX"],
        ["1013_WSI_DIS_XX", "1013_WSI_SAD_XX"],
        ["1017_IWW_ANG_XX", "1017_IWW_FEA_XX"],
    ]
    assert [o["ids"] for o in found["leaks"] if o["by"] == "bytes"] == [
        [["1013_WSI_SAD_XX", "1013_WSI_DIS_XX"]]
    ]
    assert (leak(found, "group"), found["samples"]["test"]) == (744, 744)
    assert "as the official list has it" in show.in_test(found)[-1]
    assert found["cut"][0]["samples"] == 1252
    rated = {one["column"]: one["sides"] for one in found["raters"]}
    unique = {"VoiceVote": 3099, "FaceVote": 4931, "MultiModalVote": 5374}
    ties = {"VoiceVote": 644, "FaceVote": 470, "MultiModalVote": 420}
    assert {name: sides["all"]["agree"] for name, sides in rated.items()} == unique
    assert {name: sides["all"]["ties"] for name, sides in rated.items()} == ties
    shares = [100 * rated[name]["test"]["share"] for name in unique]
    assert shares == pytest.approx([44.2, 67.1, 72.5], abs=0.06)
