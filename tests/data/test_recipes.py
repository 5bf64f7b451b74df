"""The recipes: one for each published data set, and docs/datasets.md made of them."""

import json
from pathlib import Path

from equipoise import cli, registry
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


def test_the_verb_names_access_and_lists(capsys):
    cli.main(["datasets"])
    said = capsys.readouterr().out
    assert "nvgesture: 25 hand gestures" in said and "access: form" in said
    assert "    relearn: 5,954 / 744 / 744" in said
