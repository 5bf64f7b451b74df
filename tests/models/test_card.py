import pytest

from equipoise.errors import UserError
from equipoise.models.card import read_card


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "model.json: Invalid JSON: EOF while parsing"),
        (b'{"stage": "train",', "model.json: Invalid JSON: "),
        (b"\xff\xfe\x00", "model.json: not UTF-8 text"),
        (b"[]", "model.json: Input should be an object"),
        (b'{"schema_version": 1}', "model.json: schema_version: Input should be 2"),
        (None, "model.json: no such file"),
    ],
)
def test_a_card_that_cannot_be_read_is_one_line(content, message, tmp_path):
    if content is not None:
        (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(UserError) as error:
        read_card(tmp_path)
    text = str(error.value)
    assert text.startswith(f"{tmp_path / message}") and "\n" not in text
    assert ": :" not in text and text.count(str(tmp_path)) == 1


def test_the_card_named_in_place_of_its_folder(tmp_path):
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(UserError, match="Not a directory; name the folder"):
        read_card(tmp_path / "model.json")
