"""``make hooks`` in a clone: git commit, checkout, merge and push take the results along."""

import re

import pytest
from project_copy import ROOT

pytestmark = pytest.mark.xdist_group("workflow")


def install(project, tmp_path):
    """Run the very command of the Makefile."""
    text = (ROOT / "Makefile").read_text().replace("\\\n", "")
    (command,) = re.findall(r"^hooks:.*\n\t@(pre-commit install .*)$", text, re.M)
    project.run(*command.split())
    # pre-commit keeps its patches of unstaged changes there.
    return {"PRE_COMMIT_HOME": str(tmp_path / "pre-commit")}


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_hooks_refuse_a_forgotten_record_and_take_results_along(copy, tmp_path):
    hooks = install(copy, tmp_path)
    path = copy.folder / "results/gap/keypad/seed0/gap.csv"
    first, before = path.read_text(), copy.git("rev-parse", "HEAD").strip()

    copy.params(lambda tree: tree["gap"].update(n_init=7))
    copy.git("add", "params.yaml")
    copy.git("commit", "--message", "Nothing was run yet: no fault", **hooks)
    copy.snakemake("--quiet", "all")
    (copy.folder / "notes.txt").write_text("results")
    copy.git("add", "notes.txt")
    refused = copy.git("commit", "--message", "Forgotten", ok=False, **hooks)
    assert "error: " in refused and "run workflow/scripts/record" in refused
    assert "Traceback" not in refused
    copy.run("workflow/scripts/record")
    refused = copy.git("commit", "--message", "Recorded but not added", ok=False, **hooks)
    assert "git add dvc.lock" in refused
    copy.git("add", "dvc.lock", "results")
    copy.git("commit", "--message", "Recorded", **hooks)

    after, second = copy.git("rev-parse", "HEAD").strip(), path.read_text()
    assert second != first
    copy.git("checkout", "--quiet", before, **hooks)
    assert path.read_text() == first
    assert copy.nothing_to_do()
    copy.git("merge", "--quiet", after, **hooks)
    assert path.read_text() == second
    assert copy.nothing_to_do()

    origin, store = tmp_path / "origin", tmp_path / "store"
    copy.git("init", "--quiet", "--bare", str(origin))
    copy.run("dvc", "remote", "add", "--default", "--force", "store", str(store))
    copy.git("push", str(origin), "HEAD:refs/heads/main", **hooks)
    assert len(list(store.rglob("*"))) > 20
