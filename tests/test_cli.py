import json
import subprocess
import sys
from pathlib import Path

import pytest

from equipoise import cli, registry


@pytest.mark.parametrize(
    "arguments",
    [
        ["extract", "--dataset", "keypad", "--threads", "0"],
        ["check", ".", "--threads", "-1"],
        ["gap", "--dataset", "keypad", "--seed", "0", "--threads", "100000000000"],
        ["predict", "--model", ".", ".", "--threads", "5000"],
        ["track", "serve", "--port", "70000"],
        ["train", "--dataset", "keypad", "--method", "joint", "--seed", "-1"],
        ["gap", "--dataset", "keypad", "--seed", "0.5"],
    ],
)
def test_numbers_out_of_range_are_refused_before_anything_runs(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert "is not a whole number from" in capsys.readouterr().err


@pytest.mark.parametrize("content", [None, b"seeds: [0]\n# \xe4\n", "seeds: [0]".encode("utf-16")])
def test_an_overlay_that_is_no_text_is_one_line(content, tmp_path, capsys):
    overlay = tmp_path / "overlay.yaml"
    overlay.mkdir() if content is None else overlay.write_bytes(content)
    assert cli.main(["params", "check", str(overlay)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_apply_without_an_overlay_leaves_the_file_and_its_comments(tmp_path, monkeypatch, capsys):
    kept = (Path(__file__).parents[1] / "params.yaml").read_bytes()
    (tmp_path / "params.yaml").write_bytes(kept)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["params", "apply"]) == 2
    assert "name at least one" in capsys.readouterr().err
    assert (tmp_path / "params.yaml").read_bytes() == kept


@pytest.mark.parametrize(("verb", "missing"), [("params", "task"), ("predict", "--model")])
def test_what_may_be_left_out_is_not_called_missing(verb, missing, capsys):
    with pytest.raises(SystemExit):
        cli.main([verb])
    told = capsys.readouterr().err.splitlines()[-1]
    assert told == f"equipoise {verb}: error: the following arguments are required: {missing}"


def test_extract_before_download_names_the_stage(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    settings = '{"extract": {}, "modalities": {}}'
    assert cli.main(["extract", "--dataset", "keypad", "--settings", settings]) == 2
    assert "run stage download first" in capsys.readouterr().err


def test_methods_lists_every_method_with_every_option(capsys):
    assert cli.main(["methods", "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert set(described) == set(registry.methods())
    for name, method in described.items():
        options = registry.methods()[name].options
        assert set(method["options"]) == set(options.model_fields)
        for key, option in method["options"].items():
            assert option["meaning"], f"{name}.{key} has no docstring"
            assert option["default"] == getattr(options(), key)
    assert described["lfm"]["cost"]["learned"] == {"keypad": 2.3, "avdigits": 2.0}
    assert described["gmm"]["grade"] == "experimental"
    assert described["gmm"]["optimizer"] == "not established"
    assert "encoders that are trained" in described["ogm"]["assumes"]
    assert cli.main(["methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines if not line.startswith(" ")] == list(described)
    assert "alpha" in next(line for line in lines if line.startswith("    options: alpha"))
    of_relearn = lines[lines.index(next(x for x in lines if x.startswith("relearn:"))) :][:6]
    assert "grade: stable (compared with the authors' code" in of_relearn[3]
    assert "proposed for: SGD, rate 2e-3" in of_relearn[4]
    assert of_relearn[4].endswith("cost: paper 1.2 x joint on keypad, 1.2 x joint on avdigits")


def test_the_workflow_hands_over_the_runtime_of_its_overlays(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EQUIPOISE_RUNTIME", '{"device": "gpu"}')
    settings = '{"compare": {}, "datasets": ["a"], "methods": ["joint"], "seeds": [0]}'
    assert cli.main(["compare", "--settings", settings]) == 2
    assert "EQUIPOISE_RUNTIME: device" in capsys.readouterr().err


def listed(capsys, verb):
    assert cli.main([verb, "--json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert cli.main([verb]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines if not line.startswith(" ")] == list(described)
    return described, lines


def test_encoders_lists_what_each_reads_its_weights_and_options(capsys):
    described, lines = listed(capsys, "encoders")
    assert set(described) == set(registry.encoders())
    assert described["resnet18"]["reads"] == ["pictures", "spectrogram"]
    assert described["resnet18"]["parts"] == ["stem", "body", "projection"]
    found = described["resnet18"]["weights"]["resnet18-imagenet"]
    assert found["licence"].startswith("BSD-3-Clause")
    assert described["resnet18"]["options"]["entry"]["default"] == "large"
    assert described["pretrained"]["needs_weights"]
    weights = (
        "    weights (it needs some): bert-base-uncased (Apache-2.0), all-minilm-l6-v2 (Apache"
    )
    assert any(line.startswith(weights) for line in lines)


def test_modalities_lists_what_each_kind_gives_and_its_settings(capsys):
    described, _ = listed(capsys, "modalities")
    assert set(described) == set(registry.kinds())
    for name, kind in described.items():
        assert set(kind["settings"]) == set(registry.kinds()[name].settings.model_fields)
        assert kind["gives"] in registry.LAYOUTS and kind["encoder"] in kind["encoders"]
        for part in ("settings", "augment"):
            assert all(field["meaning"] for field in kind[part].values()), name
    assert described["image"]["settings"]["channels"]["default"] == 3
    assert described["image"]["settings"]["size"]["required"]
    assert "resnet18" in described["image"]["encoders"]
    assert ".png" in described["image"]["files"]


def test_help_imports_nothing_but_the_parser():
    """It is what people wait for first: pydantic alone took two thirds of its time."""
    code = (
        "import sys\n"
        "from equipoise import cli\n"
        "try:\n    cli.main(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'pydantic', 'numpy', 'ruamel', 'rich', 'torch'}\n"
        "sys.exit(', '.join(sorted(heavy & sys.modules.keys())) or 0)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in (*cli.LISTS, *cli.STAGE_HELP):
        assert name in done.stdout


def test_every_list_has_a_verb():
    from equipoise import listing

    assert cli.LISTS.keys() == listing.VERBS.keys()
