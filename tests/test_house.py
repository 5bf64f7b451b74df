"""Rules of the house that no tool checks. There are no exceptions; keep it so.

ruff forbids print, bare except, missing annotations and docstrings; mypy checks the types.
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from equipoise import registry

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "equipoise"
MODULES = sorted(PACKAGE.rglob("*.py"))
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)

#: Folders and package indexes of one machine or one company do not belong into the repository.
MACHINE = re.compile(
    r"(?<![\w.}])/(?:work|tmp|home|root)(?![\w-])"
    r"|(?:--index-url|--extra-index-url|--find-links)\b"
    r"|https?://[^\s\"']*(?:/simple\b|pythonhosted|/whl/)"
)


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in MODULES:
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def machine_words(text: str) -> list[str]:
    return [match.group() for match in MACHINE.finditer(text)]


def test_the_tools_check_what_this_file_does_not() -> None:
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    lint = tool["ruff"]["lint"]
    assert {"E", "F", "D", "T20", "ANN"} <= set(lint["select"])
    assert not any(pattern.startswith("src") for pattern in lint["per-file-ignores"])
    assert tool["mypy"]["strict"]
    assert tool["mypy"]["files"] == ["src"]


def test_files_and_functions_are_short() -> None:
    long = []
    for path, tree in trees():
        lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
        if lines > 400:
            long.append(f"{path}: {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, FUNCTION) and node.end_lineno is not None:
                length = node.end_lineno - node.lineno + 1
                if length > 60:
                    long.append(f"{path}:{node.lineno} {node.name}: {length} lines")
    assert not long


def test_devices_are_chosen_in_one_place() -> None:
    """``.cuda()`` fails on a machine without a GPU and ignores ``runtime.device``."""
    found = [
        f"{path}:{node.lineno}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "cuda"
    ]
    assert not found


def imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [node.module or ""]
    return []


def test_only_tracking_imports_mlflow() -> None:
    users = {
        path
        for path, tree in trees()
        for node in ast.walk(tree)
        for name in imported(node)
        if name.split(".")[0] == "mlflow"
    }
    assert users
    assert all(path.startswith("src/equipoise/tracking/") for path in users)


def test_parameters_are_checked_without_heavy_imports() -> None:
    """The graph is built, and bad parameters refused, before torch and its like are loaded."""
    code = (
        "import sys\n"
        "import equipoise.cli, equipoise.layout\n"
        "from equipoise import params\n"
        "params.load()\n"
        "heavy = {'torch', 'mlflow', 'pandas', 'sklearn', 'scipy', 'h5py', 'matplotlib'}\n"
        "sys.exit(', '.join(sorted(heavy & sys.modules.keys())) or 0)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.stderr == ""
    assert result.returncode == 0


def compared_strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield the string constants that code compares something with, and their lines."""
    for node in ast.walk(tree):
        sides: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        for side in sides:
            for part in ast.walk(side):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield part.lineno, part.value


def test_comparisons_are_seen() -> None:
    code = "if a == 'x' or b in ('y', z): pass\nmatch c:\n    case 'w': pass\nd = 'v'\n"
    assert sorted(value for _, value in compared_strings(ast.parse(code))) == ["w", "x", "y"]


def test_no_branch_on_a_method_data_set_or_encoder() -> None:
    """A new one must work without an edit anywhere else."""
    names = {*registry.methods(), *registry.datasets(), *registry.encoders()}
    assert {"joint", "keypad"} <= names
    found = [
        f"{path}:{line} compares with {value!r}"
        for path, tree in trees()
        for line, value in compared_strings(tree)
        if value in names and path != "src/equipoise/registry.py"
    ]
    assert not found


def test_training_names_no_modality() -> None:
    """Models, methods, loop and gap work with any set of modalities."""
    found = [
        f"{path}:{node.lineno}"
        for path, tree in trees()
        if path.split("/")[2] in ("training", "methods", "gap")
        or path == "src/equipoise/models/multimodal.py"
        or path.startswith("src/equipoise/models/fusion/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in ("video", "audio", "image")
    ]
    assert not found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cd /tmp", ["/tmp"]),
        ("'/home/a'", ["/home"]),
        ("workflow/scripts, a/tmp, ./root, /roots, /tmp-x", []),
        ("--index-url x", ["--index-url"]),
        ("https://example.org/simple/", ["https://example.org/simple"]),
    ],
)
def test_machine_words_are_seen(text: str, words: list[str]) -> None:
    assert machine_words(text) == words


def test_nothing_of_one_machine_is_tracked() -> None:
    here = Path(__file__).resolve()
    found = []
    for path in tracked():
        if path.resolve() == here or path.name == ".gitignore":
            continue  # the samples above; a leading slash that means the repository
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue  # a picture
        for number, line in enumerate(lines, 1):
            if words := machine_words(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {', '.join(words)}")
    assert not found


def test_no_large_file_is_tracked() -> None:
    """Data belongs to DVC."""
    large = [f"{path.relative_to(ROOT)}" for path in tracked() if path.stat().st_size > 1_000_000]
    assert not large


#: Module of a package where it is called otherwise.
MODULES_OF = {
    "ffmpeg-python": "ffmpeg",
    "huggingface-hub": "huggingface_hub",
    "imageio-ffmpeg": "imageio_ffmpeg",
    "opencv-contrib-python-headless": "cv2",
    "pillow": "PIL",
    "ruamel-yaml": "ruamel",
    "scikit-learn": "sklearn",
}
#: Packages that nobody imports, and why they are needed.
UNIMPORTED = {"snakemake-executor-plugin-slurm": "snakemake finds it; workflow/scripts/outages.py"}


def test_no_dependency_is_dead() -> None:
    """What is installed for everybody is imported by the package or by the workflow."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[<>=!\[ ]", line)[0] for line in project["dependencies"]}
    imported = set()
    scripts = sorted((ROOT / "workflow").rglob("*.py"))
    for path in [*MODULES, *scripts]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Call):  # importlib.import_module("..."), resources.files
                texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
                imported |= {text.partition(".")[0] for text in texts if isinstance(text, str)}
    dead = {n for n in names - UNIMPORTED.keys() if MODULES_OF.get(n, n) not in imported}
    assert not dead, f"nobody imports {sorted(dead)}: use them or drop them (pyproject, envs/)"
