"""What the documents say of the tree is true."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import initprobe

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))

PARTS = ["**Context.**", "**Decision.**", "**Consequence.**"]
PATH = re.compile(
    r"`(?!initprobe/result/v)((?:initprobe|tests|docs|configs|schema|benchmarks|\.ci|\.github)/[\w./-]*)(?::(\w+))?`"
)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)[^)]*\)")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@cache
def defined_in(file: Path) -> set[str]:
    nodes = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_what_a_page_names_is_there(page):
    wrong = []
    for path, name in PATH.findall(page.read_text(encoding="utf-8")):
        place = ROOT / path
        if not place.exists() or (name and name not in defined_in(place)):
            wrong.append(f"{path}:{name}" if name else path)
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_tour_names_a_place_in_every_room():
    rooms = {path.name for path in (ROOT / "initprobe").iterdir() if path.is_dir() and not path.name.startswith("_")}
    named = {path.split("/")[1] for path, _ in PATH.findall((ROOT / "docs/start-to-finish.md").read_text("utf-8"))}
    assert rooms - {"activations"} <= named


@pytest.mark.parametrize("page", DECISIONS, ids=name_of)
def test_a_decision_is_a_short_record(page):
    lines = page.read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(rf"# {page.name[:4]} [A-Z].*[^.]", lines[0])
    assert [line.split()[0] for line in lines if line.startswith("**")] == PARTS
    assert len(lines) <= 20


def test_decisions_are_numbered_and_all_in_the_index():
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"\(decisions/([\w-]+\.md)\)", index)
    assert listed == [page.name for page in DECISIONS]


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = [page.name for page in (ROOT / "docs").glob("*.md") if page.name != "README.md"]
    assert [page for page in pages if f"({page})" not in index] == []


def test_the_changelog_tells_of_this_version():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(initprobe.__version__)}\]", text, re.MULTILINE)
