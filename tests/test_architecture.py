"""The house rules that no linter knows."""

import ast
import pkgutil
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

import initprobe
import initprobe.api

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "initprobe"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler"}
LONGEST_FILE = 350
LONGEST_FUNCTION = 40
FORWARDING = {PACKAGE / "__init__.py", PACKAGE / "records" / "__init__.py"}
"""The packages that are imported from by their own names."""

# Not among them: sources, because `api` hands Python objects to one, and `compare` its built-in network to another.
CLOSED = [
    "check/rules", "init/schemes", "measure/statistics", "load/blocks", "load/objectives", "parametrizations", "report/formats",
    "report/plots",
]  # fmt: skip
VERBS = {"parametrizations": "reparametrize"}
"""What uses the leaves, where it stands beside them."""


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imported_modules(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update({node.module, *(f"{node.module}.{alias.name}" for alias in node.names)})
    return names


def functions_of(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef)]


def classes_of(path: Path) -> list[str]:
    return [node.name for node in ast.walk(tree_of(path)) if isinstance(node, ast.ClassDef)]


def body_length(function: ast.FunctionDef) -> int:
    """Lines behind the signature and the docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return function.end_lineno - body[0].lineno + 1 if body else 0


def words_of(name: str) -> set[str]:
    """``LoadHelper`` and ``load_helper`` both hold ``helper``."""
    return set(re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower().split("_"))


def fresh_python(code: str) -> str:
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_the_import_contracts_hold():
    finished = subprocess.run(
        # Without its cache, which has told of contracts that hold and did not.
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    assert f"Contracts: {len(contracts)} kept, 0 broken." in finished.stdout


def test_every_leaf_folder_is_under_the_contract_that_keeps_leaves_apart():
    folders = {path.parent for path in PACKAGE.rglob("base.py")} - {PACKAGE / "activations"}
    apart = next(c for c in PROJECT["tool"]["importlinter"]["contracts"] if c["type"] == "independence")
    assert {f"{'.'.join(folder.relative_to(ROOT).parts)}.*" for folder in folders} == set(apart["modules"])


def test_nobody_inside_goes_through_the_front_door():
    # `initprobe.probe` forwards to the api: whoever used it would import upwards, and no contract would see it.
    public = {name for name in initprobe.__all__ if not name.startswith("__")}
    used = {}
    for path in SOURCES:
        taken = {
            node.attr
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "initprobe"
        }
        taken |= {name.removeprefix("initprobe.") for name in imported_modules(path) if name.startswith("initprobe.")}
        used[relative(path)] = taken & public
    assert not {path: names for path, names in used.items() if names}


@pytest.mark.parametrize("folder", CLOSED)
def test_nobody_knows_a_leaf_by_name(folder):
    package = f"initprobe.{folder.replace('/', '.')}"
    leaves = {f"{package}.{module.name}" for module in pkgutil.iter_modules([str(PACKAGE / folder)])}
    leaves -= {f"{package}.base", f"{package}.{VERBS.get(folder)}"}
    assert leaves
    known = {
        relative(path): found
        for path in SOURCES
        if (found := imported_modules(path) & leaves) and path.parent != PACKAGE / folder
    }
    assert not known


def test_no_public_name_is_also_a_room():
    # `initprobe.check` would be the function before, and the package after, somebody imports that package.
    rooms = {module.name for module in pkgutil.iter_modules(initprobe.__path__)}
    public = {name for name in vars(initprobe.api) if not name.startswith("_")} | set(initprobe.__all__)
    assert not (public & rooms)


@pytest.mark.parametrize("name", initprobe.__all__)
def test_every_public_name_is_there(name):
    assert getattr(initprobe, name) is not None
    assert name in dir(initprobe)


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name == "__init__.py"], ids=relative)
def test_a_package_says_what_lives_in_it_and_holds_nothing_else(path):
    tree = tree_of(path)
    assert ast.get_docstring(tree)
    if path not in FORWARDING:
        assert len(tree.body) == 1


def test_no_name_is_vague():
    names = {relative(path): [path.stem, path.parent.name, *classes_of(path)] for path in SOURCES}
    vague = {path: [name for name in found if words_of(name) & VAGUE] for path, found in names.items()}
    assert not {path: found for path, found in vague.items() if found}


def test_files_and_functions_fit_in_a_head():
    lengths = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert not {path: length for path, length in lengths.items() if length > LONGEST_FILE}
    bodies = {f"{relative(path)}:{f.name}": body_length(f) for path in SOURCES for f in functions_of(path)}
    assert not {name: length for name, length in bodies.items() if length > LONGEST_FUNCTION}


def test_figures_are_drawn_without_global_state():
    assert not [relative(path) for path in SOURCES if "matplotlib.pyplot" in imported_modules(path)]


def test_importing_the_package_is_cheap():
    code = "import sys, initprobe; print({'torch', 'matplotlib', 'numpy', 'pydantic', 'typer'} & set(sys.modules))"
    assert fresh_python(code).strip() == "set()"


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["run", "--help"], ["compare", "--help"], ["theory", "--help"], ["theory", "gelu"], ["--version"]],
    ids=" ".join,
)
def test_help_loads_neither_torch_nor_matplotlib(arguments):
    code = f"""
import sys
from initprobe.__main__ import run
assert run({arguments!r}) == 0
print("heavy:", {{"torch", "matplotlib"}} & set(sys.modules))
"""
    assert fresh_python(code).endswith("heavy: set()\n")


def test_the_version_is_one():
    assert PROJECT["project"]["version"] == initprobe.__version__


def test_no_file_names_a_place_on_somebodys_machine():
    # alice is whom tests are about.
    places = re.compile(r"(?<![\w.~-])/(?:(?:home|Users)/(?!alice/)|(?:root|opt|work|workspace|mnt)/)")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        cwd=ROOT,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    found = {}
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if path.is_file() and path != Path(__file__):
            lines = path.read_bytes().decode("utf-8", "ignore").splitlines()
            found.update({f"{name}:{at}": line for at, line in enumerate(lines, 1) if places.search(line)})
    assert not found


def test_the_package_index_is_the_users_own_business():
    for name in ("constraints.txt", "pyproject.toml", "README.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"--(extra-)?index-url|--find-links|\s-f\s|file:/|git\+", text), name
