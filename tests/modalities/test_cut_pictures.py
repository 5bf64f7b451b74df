"""Which share of a picture's area and of a clip's time is not stored: values by hand."""

import numpy as np
import pytest
from media_files import ffmpeg
from PIL import Image

from equipoise.audit.folder import of_folder
from equipoise.audit.result import audit
from equipoise.audit.show import lines
from equipoise.modalities.base import reader
from equipoise.modalities.sample import read_sample
from equipoise.params import Split

FRAMES = {"pick": {"even": 2}, "size": [16, 16], "fit": "crop"}


def clip(path, size="64x48", seconds=2.0, aspect="1/1", colour="green"):
    """A clip of ten frames a second."""
    source = f"color={colour}:s={size}:r=10:d={seconds},setsar={aspect}"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", "ffv1", str(path))
    return path


def facts(path, kind, settings):
    own = reader("m", kind, settings)
    return {k: read_sample({"m": own}, {"m": path})["m"].facts[k] for k in ("cropped", "unseen")
            if k in own.facts}  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "cropped", "unseen"),
    [
        ({}, 1 / 4, 0.0),  # 48 x 48 of 64 x 48
        ({"fit": "stretch"}, 0.0, 0.0),
        ({"size": [12, 16]}, 0.0, 0.0),  # the shape of the clip
        ({"size": [8, 16]}, 1 / 3, 0.0),  # 64 x 32 of 64 x 48
        ({"pick": {"every": 0.5, "count": 3}}, 1 / 4, 1 / 4),  # 1.5 of 2 s
        ({"pick": {"every": 0.5, "count": 9}}, 1 / 4, 0.0),
        ({"pick": {"first": 5}}, 1 / 4, 3 / 4),  # of 20 frames
    ],
)
def test_frames_of_a_clip(tmp_path, settings, cropped, unseen):
    found = facts(clip(tmp_path / "c.mkv"), "frames", FRAMES | settings)
    assert found == {"cropped": pytest.approx(cropped), "unseen": pytest.approx(unseen)}


def test_pixels_that_are_not_square_count_as_they_are_shown(tmp_path):
    wide = clip(tmp_path / "c.mkv", aspect="2/1")  # shown 128 x 48
    assert facts(wide, "frames", FRAMES)["cropped"] == pytest.approx(1 - 48 / 128)


def test_flow_of_a_clip_and_of_an_array(tmp_path):
    settings = FRAMES | {"pick": {"first": 4}}
    found = facts(clip(tmp_path / "c.mkv"), "flow", settings)
    assert found == {"cropped": pytest.approx(1 / 4), "unseen": pytest.approx(15 / 19)}
    np.save(tmp_path / "f.npy", np.ones((5, 16, 32, 2), np.float32))
    stored = settings | {"axes": "thwc", "rate": 10.0, "pick": {"every": 0.1, "count": 2}}
    found = facts(tmp_path / "f.npy", "flow", stored)
    assert found == {"cropped": pytest.approx(1 / 2), "unseen": pytest.approx(3 / 5)}


@pytest.mark.parametrize(("orientation", "cropped"), [(1, 3 / 4), (6, 0.0)])
def test_a_still_picture_is_measured_upright(tmp_path, orientation, cropped):
    exif = Image.Exif()
    exif[0x0112] = orientation  # 6: a quarter turn, so that it is 30 wide and 60 high
    Image.new("RGB", (60, 30), "red").save(tmp_path / "p.jpg", exif=exif)
    settings = {"size": [16, 8], "fit": "crop"}
    assert facts(tmp_path / "p.jpg", "image", settings)["cropped"] == pytest.approx(cropped)


def test_the_audit_names_the_clips_and_says_by_how_much(tmp_path):
    """Of six clips, two lose a quarter of the area, and one of these half of the time."""
    rows = ["sample_id,label,split,group,video"]
    made = {"a": ("64x48", 2.0), "b": ("48x48", 1.0), "c": ("64x48", 1.0), "d": ("48x48", 1.0)}
    made |= dict.fromkeys("ef", ("48x48", 1.0))
    for number, (name, (size, seconds)) in enumerate(made.items()):
        clip(tmp_path / f"{name}.mkv", size, seconds, colour=f"0x{40 * number:02x}8040")
        rows.append(
            f"{name},{'xy'[number % 2]},{('train', 'test', 'val')[number // 2]},,{name}.mkv"
        )
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    table = {"kind": "frames", "column": "video", **FRAMES, "pick": {"every": 0.5, "count": 2}}
    found = audit(of_folder(tmp_path, {"v": table}, Split(protocol="official"), 1))
    area, time = found["cut"]
    assert area == {
        **{"modality": "v", "how": "area", "samples": 2, "of": 6, "share": 0.333333},
        **{"mean": 0.0833333, "most": 0.25, "ids": ["a", "c"]},
    }
    assert time == {
        **{"modality": "v", "how": "time", "samples": 1, "of": 6, "share": 0.166667},
        **{"mean": 0.0833333, "most": 0.5, "ids": ["a"]},
    }
    assert (
        "cut: v: 2 of 6 samples are pictures whose borders are cut off; 8.3 % of the area is cut "
        "off on average, 25.0 % at most"
    ) in list(lines(found))
