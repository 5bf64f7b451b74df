"""A user's files where outputs go: both tools delete outputs first, so both must refuse before."""

import csv

import pytest

pytestmark = pytest.mark.xdist_group("workflow")

COMMANDS = [
    ["snakemake", "--cores", "1", "--until", "download"],
    ["snakemake", "--cores", "1", "--forceall"],
    ["workflow/scripts/rerun", "download", "mine"],
    ["dvc", "repro"],
    ["dvc", "repro", "--single-item", "--force", "download@mine"],
]


@pytest.fixture
def taken(own):
    """The project with clips of the user where stage download writes: there, and by a link."""
    own.git("commit", "--quiet", "--allow-empty", "--message", "nothing")

    def take(how):
        folder = own.folder / ("data/raw/mine" if how != "link" else "elsewhere")
        clips = folder / ("clips" if how == "clips" else "media")
        clips.mkdir(parents=True)
        if how == "link":
            (own.folder / "data/raw").mkdir(parents=True)
            (own.folder / "data/raw/mine").symlink_to("../../elsewhere")
        rows = [["sample_id", "label", "split", "group", "audio"]]
        for number in range(4):
            (clips / f"{number}.wav").write_bytes(b"sound %d" % number)
            rows.append([f"s{number}", f"c{number % 2}", "", "", f"{clips.name}/{number}.wav"])
        with (folder / "manifest.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        name = str(folder.relative_to(own.folder))
        own.params(lambda tree: tree["datasets"]["mine"]["download"].update(folder=name))
        return own, folder

    return take


def contents(folder):
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("how", ["here", "link", "clips"])
def test_every_file_stays_as_it_is(taken, how):
    project, folder = taken(how)
    before = contents(folder)
    assert len(before) == 5
    for command in COMMANDS:
        text = project.run(*command, ok=False)
        assert contents(folder) == before, command
        (line,) = [line for line in text.splitlines() if "datasets.mine.download.folder" in line]
        assert "is data/raw/mine, which the pipeline writes and deletes" in line
        assert "Building DAG" not in text and project.jobs() == []
    assert not (project.folder / "state").exists()
