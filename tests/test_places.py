"""Nobody's files are destroyed: wherever input and output meet, it is refused and nothing is done.

Each way in which they meet is a folder built as a user would, before the command and after it.
"""

import csv
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from equipoise import cli, layout, params, places
from equipoise.errors import UserError
from equipoise.params import DownloadJob
from equipoise.stages import download
from equipoise.stages.job import Job

PARAMETERS = Path(__file__).parents[1] / "params.yaml"
SETTINGS = YAML(typ="safe", pure=True).load(PARAMETERS.read_text())


def data(folder, media="media"):
    """A user's folder: a manifest and twenty files."""
    (folder / media).mkdir(parents=True)
    rows = [["sample_id", "label", "split", "group", "audio"]]
    for number in range(20):
        (folder / media / f"{number}.wav").write_bytes(b"my sound %d" % number)
        rows.append([f"s{number}", f"c{number % 2}", "", "", f"{media}/{number}.wav"])
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


KEYPAD = SETTINGS["datasets"]["keypad"]


def parameters(**folders):
    tree = SETTINGS | {
        "methods": {"from_scratch": {"joint": {}}},
        "datasets": {
            name: {
                "modalities": {"audio": KEYPAD["modalities"]["audio"]},
                "encoders": {"audio": KEYPAD["encoders"]["audio"]},
                "download": {"folder": folder},
            }
            for name, folder in folders.items()
        },
    }
    with Path("params.yaml").open("w") as file:
        YAML().dump(tree, file)


def everything(folder):
    """Path -> content, or where it leads, of all below a folder."""
    return {
        str(path.relative_to(folder)): path.readlink() if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def link(path, target):
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.delenv(places.MIRROR, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    return tmp_path


def cli_case():
    data(Path("data/raw/mine"))
    return "data/raw/mine", "is data/raw/mine"


def clips():
    data(Path("data/raw/mine"), "clips")
    return "data/raw/mine", "is data/raw/mine"


def absolute():
    data(Path("data/raw/mine"))
    return str(Path("data/raw/mine").absolute()), "is data/raw/mine"


def dotted():
    data(Path("data/raw/mine"))
    return "configs/../data/./raw/mine", "is data/raw/mine"


def linked():
    data(Path("elsewhere"))
    link("data/raw/mine", "../../elsewhere")
    return "elsewhere", "is data/raw/mine"


def link_to_it():
    data(Path("data/raw/mine"))
    link("short", "data/raw/mine")
    return "short", "is data/raw/mine"


def raw_linked():
    data(Path("../disk/mine"))
    link("data/raw", "../../disk")
    return "../disk/mine", "is data/raw/mine"


def media_linked():
    data(Path("../mine"))
    link("data/raw/mine/media", "../../../../mine/media")
    return "../mine", "contains data/raw/mine/media"


def of_another():
    data(Path("data/raw/other"))
    return "data/raw/other", "lies in data/raw"


def of_another_by_link():
    data(Path("../mine"))
    link("data/raw/other", "../../../mine")
    return "../mine", "is data/raw/other"


def within():
    data(Path("data/raw/mine/original"))
    return "data/raw/mine/original", "lies in data/raw/mine"


def around():
    data(Path("data"))
    return "data", "contains data/raw/mine"


def the_project():
    data(Path())
    return ".", "contains data/raw/mine"


def above():
    data(Path(".."))
    return "..", "contains data/raw/mine"


def features():
    data(Path("data/features/mine"))
    return "data/features/mine", "is data/features/mine"


def models():
    data(Path("models/train/clips"))
    return "models/train/clips", "lies in models/train"


def results():
    data(Path("results/clips"))
    return "results/clips", "lies in results"


def state():
    data(Path("state/clips"))
    return "state/clips", "lies in state"


def cache():
    data(Path(".dvc/clips"))
    return ".dvc/clips", "lies in .dvc"


def one_file_linked():
    data(Path("data/raw/mine"))
    folder = data(Path("own"))
    (folder / "media/2.wav").unlink()
    link(folder / "media/2.wav", "../../data/raw/mine/media/2.wav")
    return "own", r"own/media/2.wav \(in fact .*\) lies in data/raw/mine"


def files_by_a_folder_linked():
    data(Path("data/raw/mine"))
    folder = data(Path("own"), "clips/more")
    for path in (folder / "clips/more").iterdir():
        path.unlink()
    (folder / "clips/more").rmdir()
    link(folder / "clips/more", "../../data/raw/mine/media")
    return "own", r"own/clips/more \(in fact .*\) lies in data/raw/mine"


def manifest_linked():
    folder = data(Path("own"))
    Path("results").mkdir()
    (folder / "manifest.csv").rename("results/manifest.csv")
    link(folder / "manifest.csv", "../results/manifest.csv")
    return "own", r"own/manifest.csv \(in fact .*\) lies in results"


def manifest_leads_out():
    data(Path("data/raw/mine"))
    text = Path("data/raw/mine/manifest.csv").read_text()
    Path("own").mkdir()
    Path("own/manifest.csv").write_text(text.replace("media/", "../data/raw/mine/media/"))
    return "own", r"own/\.\./data/raw/mine/media \(in fact .*\) lies in data/raw/mine"


CASES = [
    *(cli_case, clips, absolute, dotted, linked, link_to_it, raw_linked, media_linked, of_another),
    *(of_another_by_link, within, around, the_project, above, features, models, results, state),
    *(cache, one_file_linked, files_by_a_folder_linked, manifest_linked, manifest_leads_out),
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("how", ["check", "download", "job"])
def test_input_that_meets_an_output_is_refused_in_one_line(case, how, project, capsys):
    folder, expected = case()
    parameters(mine=folder)
    before = everything(project)
    message = rf"datasets\.mine\.download\.folder: .*{expected}, which the pipeline writes"
    if how == "job":  # of a workflow: settings only
        with pytest.raises(UserError, match=f"^{message}"):
            download.run(Job("download", "mine"), DownloadJob(download={"folder": folder}))
    else:
        command = ["params", "check"] if how == "check" else ["download", "--dataset", "mine"]
        assert cli.main(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        with pytest.raises(UserError, match=message):
            raise UserError(line)
        assert line.startswith(f"equipoise {command[0]}: error: params.yaml: datasets.")
    assert everything(project) == before


def outside():
    data(Path("../mine"))
    return "../mine"


def inside():
    data(Path("own"))
    return "own"


def beside_raw():
    data(Path("data/own"))
    return "data/own"


def neighbour():
    data(Path("../project-clips"))
    return "../project-clips"


def links_of_the_user():
    data(Path("../disk"))
    folder = data(Path("own"))
    (folder / "media/2.wav").unlink()
    link(folder / "media/2.wav", "../../../disk/media/2.wav")
    return "own"


def links_to_the_cache():
    """As ``dvc add own`` leaves it with cache.type symlink."""
    folder = data(Path("own"))
    Path(".dvc/cache").mkdir(parents=True)
    (folder / "media/2.wav").rename(".dvc/cache/2")
    link(folder / "media/2.wav", "../../.dvc/cache/2")
    return "own"


@pytest.mark.parametrize(
    "case",
    [
        outside,
        inside,
        beside_raw,
        neighbour,
        links_of_the_user,
        links_to_the_cache,
    ],
)
def test_a_folder_elsewhere_is_taken_and_stays_as_it_is(case):
    folder = case()
    parameters(mine=folder)
    before = everything(Path(folder))
    for _ in range(2):  # the second time there is something in data/raw
        assert cli.main(["download", "--dataset", "mine"]) == 0
        assert everything(Path(folder)) == before
    assert Path("data/raw/mine/media/2.wav").read_bytes() == b"my sound 2"


@pytest.mark.parametrize(
    ("path", "target", "other"),
    [
        ("data/raw/one", "two", "data/raw/two"),
        ("data/features/one", "../raw/two", "data/raw/two"),
        ("models/train/one", "../../data/raw", "data/raw"),
        ("results", "models/train", "models/train"),
        ("data/raw/one/media", "../../raw/two", "data/raw/two"),
    ],
)
def test_outputs_that_meet_by_links_are_refused(path, target, other):
    data(Path("own"))
    Path("data/raw/two").mkdir(parents=True)
    Path("models/train").mkdir(parents=True)
    parameters(one="own", two="own")
    link(path, target)
    with pytest.raises(UserError, match=r"by links, this output (is|lies in)") as refused:
        params.load()
    assert path in str(refused.value) and other in str(refused.value)


def test_outputs_on_other_disks_are_no_matter():
    data(Path("own"))
    for path in ("data/raw/one", "data/features", "models", "results", "state"):
        Path("../disk", path).mkdir(parents=True)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        link(path, Path("../disk", path).absolute())
    parameters(one="own", two="own")
    assert cli.main(["download", "--dataset", "one"]) == 0
    params.load()


@pytest.mark.parametrize("mirror", ["data/raw/keypad", "..", "state/mirror"])
def test_a_mirror_among_the_outputs_is_refused(mirror, monkeypatch):
    Path(mirror).mkdir(parents=True, exist_ok=True)
    monkeypatch.setenv(places.MIRROR, mirror)
    with pytest.raises(UserError, match=rf"params.yaml: EQUIPOISE_MIRROR: {mirror} .*, which the"):
        Path("params.yaml").write_text(PARAMETERS.read_text())
        params.load()


def test_parameters_among_the_outputs_are_refused():
    Path("params.yaml").write_text(PARAMETERS.read_text())
    path = layout.train("keypad", "joint", "0")["model"].with_name("more.yaml")
    path.parent.mkdir(parents=True)
    path.write_text("seeds: [1]\n")
    with pytest.raises(UserError, match=r"parameters: .*more.yaml lies in models/train"):
        params.load(overlays=[path])


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("clips/1.wav", "lies in clips, which is read"),
        ("own.wav", "is own.wav, which is read"),
        ("by-link.csv", "is own.wav, which is read"),
        ("clips/new.csv", "lies in clips, which is read"),
        ("model/model.json", "lies in model, which is read"),
        ("data/raw/keypad/manifest.csv", "lies in data/raw, which the pipeline writes"),
        ("results/comparison.csv", "is results/comparison.csv, which the pipeline writes"),
    ],
)
def test_predictions_do_not_overwrite_what_is_read_or_what_stages_wrote(output, expected):
    for name in ("clips/1.wav", "own.wav", "model/model.json", "results/comparison.csv"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(name)
    link("by-link.csv", "own.wav")
    with pytest.raises(UserError, match=expected):
        places.expect_output(Path(output), [Path("model"), Path("clips"), Path("own.wav")])
    places.expect_output(Path("results/new.csv"), [Path("model"), Path("clips")])
