"""The Slurm profile and the graph name the same stages."""

from pathlib import Path

from ruamel.yaml import YAML

from equipoise import layout

ROOT = Path(__file__).resolve().parents[2]
PROFILE = YAML(typ="safe", pure=True).load(
    (ROOT / "workflow/profiles/slurm/config.yaml").read_text()
)
ON_GPU = {"embed", "warmup", "gap", "search", "train", "evaluate"}


def test_every_stage_has_its_resources_in_the_profile_and_nowhere_else():
    asked = PROFILE["set-resources"]
    rules = {*layout.STAGES, "extract_part"}
    assert set(asked) == rules - {"compare"}, "compare is a local rule"
    for stage, resources in asked.items():
        assert {"mem_mb", "runtime"} <= resources.keys(), stage
        gpu = {"gpu": 1, "slurm_partition": "gpu"}
        expected = gpu if stage in ON_GPU else {}
        assert {k: resources[k] for k in gpu if k in resources} == expected, stage
    for rules in (ROOT / "workflow/rules").glob("*.smk"):
        assert "resources:" not in rules.read_text(), rules


def test_stages_of_one_group_ask_for_the_same_partition():
    together = {}
    for stage, group in PROFILE["groups"].items():
        partition = PROFILE["set-resources"][stage].get("slurm_partition")
        together.setdefault(group, set()).add(partition)
    assert all(len(partitions) == 1 for partitions in together.values())


def test_what_has_no_checkpoint_shares_no_job():
    """A group that fails loses what all its stages made."""
    assert not {"download", "extract", "extract_part", "embed"} & PROFILE["groups"].keys()


def test_the_links_that_make_the_profiles_found():
    for link, target in (("slurm", "workflow/profiles/slurm"), ("profiles", "workflow/profiles")):
        assert (ROOT / link).readlink() == Path(target)
