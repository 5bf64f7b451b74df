"""crema_d: the real lists by their counts, a git repository with LFS pointers in miniature."""

import csv
import hashlib
import json
import shutil
from collections import Counter

import miniature
import pytest

from equipoise import layout
from equipoise.data import lfs, published
from equipoise.data.datasets import crema_d
from equipoise.errors import UserError

EMOTIONS = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
#: Clips of each emotion in train and test (shared counts of the published files).
COUNTS = {
    "ogm_ge": ((1166, 1142, 1138, 1148, 973, 1131), (105, 129, 133, 123, 114, 140)),
    "mla": ((1140, 1143, 1161, 1158, 959, 1137), (131, 128, 110, 113, 128, 134)),
}
ENTRY = {
    "modalities": {
        "video": {"kind": "frames", "pick": {"even": 1}, "size": 8},
        "audio": {"kind": "sound", "rate": 8000, "seconds": 0.3, "n_fft": 64, "hop": 64},
    },
    "encoders": {"video": "conv_frames", "audio": "conv_spectrogram"},
}
RATINGS = '"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote",""\n'


def names(name, side):
    key = f"crema-d-{name.replace('_', '-')}-{side}"
    return crema_d.parse(miniature.real(key), key)


@pytest.mark.parametrize("name", COUNTS)
def test_counts_of_the_real_lists(name):
    for side, expected in zip(("train", "test"), COUNTS[name], strict=True):
        found = Counter(clip.split("_")[2] for clip in names(name, side))
        assert found == dict(zip(EMOTIONS, expected, strict=True))


def test_the_three_lists_are_different_and_share_all_actors():
    tests = {name: set(names(name, "test")) for name in ("ogm_ge", "mla", "multi_modal_base")}
    assert {name: len(clips) for name, clips in tests.items()} == dict.fromkeys(tests, 744)
    assert len(tests["ogm_ge"] & tests["mla"]) == 71
    assert len(tests["ogm_ge"] & tests["multi_modal_base"]) == 74
    assert all(len({clip[:4] for clip in clips}) == 91 for clips in tests.values())
    cut = [*names("relearn", "train"), *names("relearn", "val")]
    assert len(cut) == 5954 + 744 and set(cut) == set(names("ogm_ge", "train"))
    assert set(names("relearn", "test")) == tests["ogm_ge"]  # one has a header, one has none


def test_agreement_on_the_real_table_is_as_counted():
    rows = list(csv.DictReader(miniature.real("crema-d-ratings")))
    for column, alone, among in (("VoiceVote", 3099, 3563), ("FaceVote", 4931, 5285)):
        found = [crema_d.agreement(row[column], row["FileName"].split("_")[2]) for row in rows]
        assert found.count(1.0) == alone and sum(value > 0 for value in found) == among


def test_disjoint_actors_of_the_real_table():
    rows = csv.DictReader(miniature.real("crema-d-ratings"))
    sides = crema_d.by_actor([row["FileName"] for row in rows])
    assert len(sides) == 7442
    assert {side: len({n[:4] for n in sides if sides[n] == side}) for side in crema_d.ACTORS} == {
        "train": 63,
        "val": 14,
        "test": 14,
    }
    assert sides["1063_IEO_ANG_HI"] == "train" and sides["1064_IEO_ANG_HI"] == "val"
    assert sides["1078_IEO_ANG_HI"] == "test"


@pytest.mark.parametrize(
    "line", ["1001_DFA_ANG_XX,SAD", "1001_DFA_ANG_X,ANG", "name,label", "1001_DFA_ANG_XX"]
)
def test_a_bad_line_is_named(line):
    with pytest.raises(UserError, match="mine: line 2: "):
        crema_d.parse(["1001_DFA_ANG_XX.flv Anger", line], "mine")


CLIPS = [f"{1001 + n // 6}_DFA_{EMOTIONS[n % 6]}_XX" for n in range(18)]


def film(folder, number, name):
    """As published: Sorenson with MP3 in FLV, 16 kHz mono WAV."""
    flash, wave = folder / f"VideoFlash/{name}.flv", folder / f"AudioWAV/{name}.wav"
    for path in (flash, wave):
        path.parent.mkdir(parents=True, exist_ok=True)
    sound = ("-f", "lavfi", "-i", f"sine=f={200 + 50 * number}:r=16000:d=0.4")
    colour = f"color=0x{8 * number:02x}40{200 - 9 * number:02x}:s=48x36:r=30:d=0.4"
    coded = ("-c:v", "flv1", "-c:a", "libmp3lame", "-ar", "44100")
    miniature.ffmpeg("-f", "lavfi", "-i", colour, *sound, *coded, flash)
    miniature.ffmpeg(*sound, "-ac", "1", wave)
    return flash, wave


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    folder = tmp_path_factory.mktemp("crema-d")
    for number, name in enumerate(CLIPS):
        film(folder, number, name)
    return folder


@pytest.fixture
def lists(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lists = miniature.Lists(tmp_path / "mirror", monkeypatch)
    votes = "".join(f'"1","{name}","A","50","H:S","40","A","60"\n' for name in CLIPS)
    lists.put("crema-d-ratings", RATINGS + votes)
    rows = [f"{name},{name.split('_')[2]}" for name in CLIPS]
    lists.put("crema-d-ogm-ge-train", "".join(f"{row}\r\n" for row in rows[:12]))
    lists.put("crema-d-ogm-ge-test", "\ufeff" + "".join(f"{row}\r\n" for row in rows[12:]))
    return lists


def publish(lists, media):
    """A remote with pointers; the first place has all files but one, which it shows as a page."""
    upstream = lists.root.parent / "upstream"
    for path in sorted(media.rglob("*.*")):
        inner = path.relative_to(media)
        content = path.read_bytes()
        text = "version https://git-lfs.github.com/spec/v1\noid sha256:"
        text += f"{hashlib.sha256(content).hexdigest()}\nsize {len(content)}\n"
        (upstream / inner).parent.mkdir(parents=True, exist_ok=True)
        (upstream / inner).write_text(text)
    (upstream / ".gitattributes").write_text("*.flv filter=lfs diff=lfs merge=lfs -text\n")
    commit = miniature.commit(upstream)
    address = lists.root / "github.com/CheyneyComputerScience/CREMA-D.git"
    miniature.git(upstream, "clone", "-q", "--bare", upstream, address)
    entry = lists.entries["crema-d"].model_copy(update={"commit": commit})
    lists.entries["crema-d"] = entry
    inner = f"media.githubusercontent.com/media/CheyneyComputerScience/CREMA-D/{commit}"
    first, second = lists.root / inner, lists.root / "gitlab.com/cs-cooper-lab/crema-d-mirror/-/raw"
    for path in sorted(media.rglob("*.*")):
        name = path.relative_to(media)
        (first / name).parent.mkdir(parents=True, exist_ok=True)
        (first / name).write_bytes(path.read_bytes())
    odd = f"AudioWAV/{CLIPS[3]}.wav"
    (first / odd).write_bytes((upstream / odd).read_bytes())  # a pointer in place of the file
    (second / "HEAD/AudioWAV").mkdir(parents=True)
    (second / "HEAD" / odd).write_bytes((media / odd).read_bytes())


def test_a_miniature_from_git_and_lfs_through_the_stages(lists, media):
    publish(lists, media)
    entry = ENTRY | {"download": {}, "split": {"val_fraction": 0.5}}
    sides = miniature.one_epoch("crema_d", entry)
    assert {name: sides[name] for name in CLIPS[12:]} == dict.fromkeys(CLIPS[12:], "test")
    assert Counter(sides.values()) == {"train": 6, "val": 6, "test": 6}
    table = miniature.table("crema_d")
    assert [row["sample_id"] for row in table] == CLIPS
    assert {row["group"] for row in table} == {"1001", "1002", "1003"}
    assert (table[0]["VoiceVote"], table[0]["FaceVote"]) == ("A", "H:S")
    for kind in ("VideoFlash", "AudioWAV"):
        for path in (media / kind).iterdir():
            ours = layout.raw("crema_d")["media"] / kind / path.name
            assert ours.read_bytes() == path.read_bytes()


def test_other_options_fetch_nothing_again(lists, media, tmp_path):
    publish(lists, media)
    crema_d.download(tmp_path / "state/a", crema_d.Settings())
    for folder in ("media.githubusercontent.com", "gitlab.com", "github.com"):
        shutil.rmtree(lists.root / folder)  # nobody answers any more
    words = {code: word for word, code in crema_d.LABELS.items()}
    rows = [f"{name}.flv {words[name.split('_')[2]]}\n" for name in CLIPS]
    lists.put("crema-d-mla-train", "".join(rows[6:]))
    lists.put("crema-d-mla-test", "".join(rows[:6]))
    for number, options in enumerate(({"allow_missing": 3}, {"list": "mla"})):
        folder = tmp_path / f"state/{number}"
        crema_d.download(folder, crema_d.Settings(**options))
        for path in media.rglob("*.*"):
            ours = folder / "media" / path.relative_to(media)
            assert ours.read_bytes() == path.read_bytes()
            assert ours.samefile(tmp_path / "state/files" / path.relative_to(media))


def test_pointers_of_a_zip_download_are_refused(lists, media, tmp_path):
    publish(lists, media)
    settings = crema_d.Settings(media=str(tmp_path / "upstream"))
    with pytest.raises(UserError, match=r"36 file.s. are no media; first .*: Git LFS pointer"):
        crema_d.download(tmp_path / "out", settings)


def test_the_old_name_of_a_file_is_said_to_be_absent(lists, media, tmp_path):
    (tmp_path / "mine").mkdir()
    for path in sorted(media.rglob("*.*")):
        link = tmp_path / "mine" / path.relative_to(media)
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(path)
    old = tmp_path / f"mine/AudioWAV/{CLIPS[5]}.wav"
    old.rename(old.with_name(old.name.replace("_XX", "_X")))
    with pytest.raises(UserError, match=f"1 of 18 listed samples .*{CLIPS[5]}"):
        crema_d.download(tmp_path / "out", crema_d.Settings(media=str(tmp_path / "mine")))
    settings = crema_d.Settings(media=str(tmp_path / "mine"), allow_missing=1)
    crema_d.download(tmp_path / "out", settings)
    report = json.loads((tmp_path / "out" / published.COVERAGE).read_text())
    assert report["samples"] == [CLIPS[5]]


def test_room_on_the_disk_is_looked_at_first(tmp_path):
    source = lfs.FileSource(urls=["https://a.invalid/b"], size=1 << 60, sha256=64 * "0", licence="")
    with pytest.raises(UserError, match="1152921504606846976 bytes are still to come"):
        lfs.fetch_all([(source, tmp_path / "b")], tmp_path)
