"""Nothing half-written keeps a final name."""

import errno
import json
import os
import pickle
from pathlib import Path

import pytest

from equipoise import files, params
from equipoise.errors import UserError


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    final = tmp_path / "a.json"
    files.write_json(final, {"old": 1})
    with pytest.raises(ZeroDivisionError), files.atomic_path(final) as temporary:
        temporary.write_text("half")
        _ = 1 / 0
    assert json.loads(final.read_text()) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_failed_folder_leaves_the_old_folder(tmp_path: Path) -> None:
    final = tmp_path / "folder"
    with files.atomic_directory(final) as temporary:
        (temporary / "x").write_text("1")
    with pytest.raises(ZeroDivisionError), files.atomic_directory(final) as temporary:
        (temporary / "y").write_text("2")
        _ = 1 / 0
    assert [p.name for p in final.iterdir()] == ["x"]
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_csv_keeps_every_digit(tmp_path: Path) -> None:
    files.write_csv(tmp_path / "a.csv", ["x", "y"], [{"x": 0.1 + 0.2, "y": "a,b"}])
    assert (tmp_path / "a.csv").read_text() == 'x,y\n0.30000000000000004,"a,b"\n'


def test_digest_does_not_depend_on_order() -> None:
    assert files.digest({"a": 1, "b": [2.0]}) == files.digest({"b": [2.0], "a": 1})
    assert files.digest({"a": 1}) != files.digest({"a": 2})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"\xff{}", "not JSON"),
        (b"[" * 3000, "not JSON"),
        (b"[1]", "holds no dict"),
        (b"{}", "has no 'samples'"),
        (b'{"samples": {}}', "has no 'train'"),
    ],
)
def test_a_record_that_is_not_what_it_was_is_named(
    content: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "record.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"^{path}: {said}.*; make it again$"):
        print(files.read_json(path, "make it again")["samples"]["train"])


def test_a_record_is_the_table_that_was_written(tmp_path: Path) -> None:
    value = {"a": {"b": [1, {"c": None}]}}
    files.write_json(tmp_path / "r.json", value)
    found = files.read_json(tmp_path / "r.json", "")
    assert found == value and pickle.loads(pickle.dumps(found)) == value
    assert json.loads(json.dumps(found)) == value and found.get("d", 4) == 4 and "d" not in found


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"id,side\na,\xe9\n", "not UTF-8 text"),
        (b"id,side\na," + b"x" * 200_000, "not a table"),
        (b"name,side\na,b\n", "has no column 'id'"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"^{path}: {said}"):
        files.read_pairs(path, "id", "side")


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    """A named pipe that nobody writes into would be waited for, for ever."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for read in (
        lambda: files.read_json(path, ""),
        lambda: files.read_pairs(path, "a", "b"),
        lambda: files.read_sha256(path),
        lambda: params.read_yaml(path),
        lambda: params.read_yaml(Path("/dev/zero")),
    ):
        with pytest.raises(UserError, match=r"named pipe or device, not a file"):
            read()


def test_a_second_name_for_a_file_or_a_copy_of_it(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("x")
    files.link_or_copy(tmp_path / "a", tmp_path / "b")
    files.link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").samefile(tmp_path / "a")

    def no_links(*_):
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(files.os, "link", no_links)
    files.link_or_copy(tmp_path / "a", tmp_path / "c")
    assert (tmp_path / "c").read_text() == "x" and not (tmp_path / "c").samefile(tmp_path / "a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]
