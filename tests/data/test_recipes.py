"""The recipes: one for each published data set, and docs/datasets.md made of them."""

import json
from pathlib import Path

import pytest

from equipoise import cli, params, registry
from equipoise.data import recipes
from equipoise.data.sources import sources

ROOT = Path(__file__).resolve().parents[2]
#: Made here, or from packages: no list is published.
OURS = {"keypad", "avdigits", "emoji"}


def test_every_published_data_set_has_a_recipe_a_module_and_settings():
    assert {*recipes.recipes()} == {*registry.datasets()} - OURS
    for name in recipes.recipes():
        settings = registry.dataset(name).Settings
        assert {"media", "allow_missing"} <= settings.model_fields.keys()
        assert (ROOT / f"configs/{name}.yaml").is_file()


def test_the_page_is_made_of_the_recipes():
    assert (ROOT / "docs/datasets.md").read_text() == recipes.markdown(), (
        "run: equipoise datasets --markdown > docs/datasets.md"
    )


def test_every_list_belongs_to_one_data_set(capsys):
    assert cli.main(["datasets", "--json"]) in (0, None)
    described = json.loads(capsys.readouterr().out)
    named = [key for entry in described.values() for key in entry["sources"]]
    published = {key for key, entry in sources().items() if entry.checked}
    assert sorted(named) == sorted(published)
    assert described["crema_d"]["sources"]["crema-d"]["commit"].startswith("1658cd34")
    assert set(described["crema_d"]["lists"]) == set(
        registry.dataset("crema_d").Settings.model_fields["list"].annotation.__args__
    )


@pytest.mark.parametrize("name", recipes.recipes())
def test_presets_are_listed_and_the_configuration_takes_ours(name):
    entry = recipes.describe()[name]["presets"]
    table = params.read_yaml(ROOT / f"configs/{name}.yaml")["datasets"][name]["modalities"]
    assert table == {modality: {"like": "ours"} for modality in entry["ours"]["modalities"]}


def test_one_data_set_has_a_preset_for_each_size_that_is_published():
    entry = recipes.describe()["crema_d"]["presets"]
    sizes = {name: one["modalities"]["audio"]["gives"] for name, one in entry.items()}
    assert sizes["ogm_ge"] == sizes["amss"] == [257, 188]
    assert sizes["lfm"] == sizes["aug"] == [257, 1250]
    assert sizes["lfm_paper"] == [257, 299] and sizes["relearn"] == [128, 1024]
    assert entry["lfm"]["modalities"]["audio"]["origin"]["seconds"] == "code"


def test_the_verb_names_access_and_lists(capsys):
    cli.main(["datasets"])
    said = capsys.readouterr().out
    assert "nvgesture: 25 hand gestures" in said and "access: form" in said
    assert "    relearn: 5,954 / 744 / 744" in said
