"""What Snakemake says before anything runs."""

import pytest

pytestmark = pytest.mark.xdist_group("workflow")
TWO = (
    "modalities: {video: {kind: frames, pick: {even: 4}, size: 32}, "
    "audio: {kind: sound, rate: 8000, seconds: 0.8, n_fft: 256, hop: 128}}, "
    "encoders: {video: conv_frames, audio: conv_spectrogram}"
)


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ("train: {learning_rat: 1}", "train.learning_rat: unknown key; did you mean"),
        ("train: {epochs: 0}", "train.epochs: "),
        ("methods: {from_scratch: {jont: {}}}", "unknown method 'jont'; did you mean 'joint'?"),
        (
            "datasets: {keypat: {modalities: {audio: {kind: sound}}}}",
            "no such data set; did you mean 'keypad'?",
        ),
        ("train: [", "not YAML"),
    ],
)
def test_bad_parameters_are_one_line_before_there_is_a_graph(fresh, tmp_path, overlay, expected):
    path = tmp_path / "overlay.yaml"
    path.write_text(overlay + "\n")
    if overlay.endswith("["):
        path = fresh.folder / "params.yaml"
        before = path.read_text()
        path.write_text(before + overlay)
        text = fresh.snakemake("--dry-run", ok=False)
        path.write_text(before)
    else:
        text = fresh.snakemake("--dry-run", "--configfile", str(path), ok=False)
    lines = [line for line in text.splitlines() if "Using workflow specific profile" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("error: params.yaml")
    assert expected in lines[0]
    assert "Building DAG" not in text


def test_config_on_the_command_line_is_refused(fresh):
    text = fresh.snakemake("--dry-run", "--config", "seed=1", ok=False)
    assert "--config is invisible to DVC" in text.splitlines()[-1]
    assert "--configfile" in text.splitlines()[-1]


def test_an_overlay_is_merged_key_by_key_and_replaces_the_data_sets(fresh, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(
        f"datasets: {{keypad: {{{TWO}}}}}\ntrain: {{learning_rate: 1e-3}}\nseeds: [5, 6]\n"
    )
    text = fresh.snakemake("--dry-run", "--configfile", str(overlay))
    assert "data/raw/mine" not in text
    assert "models/train/keypad/joint/seed6/model.safetensors" in text
    assert "seed0" not in text


def test_one_stage_can_be_asked_for(fresh):
    text = fresh.snakemake("--dry-run", "--quiet", "host", "--until", "split")
    assert "keypad: assign the clips" in text
    assert "warm-up" not in text


def test_a_file_of_the_code_that_cannot_be_parsed_is_named(fresh):
    path = fresh.folder / "src/equipoise/stages/split.py"
    before = path.read_text()
    path.write_text("def run(:\n")
    try:
        text = fresh.snakemake("--dry-run", ok=False)
    finally:
        path.write_text(before)
    assert "src/equipoise/stages/split.py:1: not Python" in text


def test_snakemake_writes_its_report_offline(built, tmp_path):
    built.snakemake("--report", str(tmp_path / "report.html"))
    assert "comparison.csv" in (tmp_path / "report.html").read_text()
