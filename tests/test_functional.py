"""The functional face: every function of it has an example that runs, and needs no pipeline."""

import ast
import doctest
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from equipoise import functional, registry

METHODS = Path(functional.__file__).parent / "methods"
FUNCTIONS = [n for n in functional.__all__ if inspect.isfunction(getattr(functional, n))]
#: Functions of methods that work on the parts of this library, or are parts of others.
INSIDE = {
    *("coalition_logits", "clip_where_large", "summed", "losses_of", "dot", "gradient"),
    *("hessian_product", "released_signal", "inner", "chosen", "sample_of_each_class"),
    *("part_of_batches", "is_due", "check", "losses", "constant_zero_out", "masam.moved"),
    "twice_differentiable",
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_is_documented_and_its_example_is_true(name):
    function = getattr(functional, name)
    text = inspect.getdoc(function)
    assert re.match(r"[A-Z]\w+", text) and ">>> " in text
    hints = inspect.signature(function)
    assert hints.return_annotation is not inspect.Signature.empty
    assert all(p.annotation is not inspect.Parameter.empty for p in hints.parameters.values())
    runner = doctest.DocTestRunner()
    tests = doctest.DocTestFinder(recurse=False).find(function, name)
    for test in tests:
        runner.run(test)
    done = runner.summarize(verbose=False)
    assert done.attempted and not done.failed


@pytest.mark.parametrize("method", registry.methods())
def test_every_function_of_a_method_is_there_or_named_as_a_part(method):
    exported = {
        (value.__module__, value.__name__)
        for value in map(functional.__dict__.get, functional.__all__)
        if inspect.isfunction(value)
    }
    for path in (METHODS / method).glob("*.py"):
        module = f"equipoise.methods.{method}.{path.stem}"
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                there = (module, node.name) in exported
                inside = {node.name, f"{method}.{node.name}"} & INSIDE
                assert there != bool(inside), f"{module}.{node.name}"


def test_it_needs_neither_files_nor_tools_of_the_pipeline():
    code = (
        "import sys, equipoise.functional\n"
        "heavy = {'mlflow', 'pandas', 'sklearn', 'h5py', 'matplotlib', 'snakemake', 'dvc'}\n"
        "sys.exit(', '.join(sorted(heavy & sys.modules.keys())) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)
