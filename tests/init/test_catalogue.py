"""The page that lists every scheme is what the schemes say of themselves."""

import re
import subprocess
import sys
from pathlib import Path

from initprobe.activations.base import ACTIVATIONS
from initprobe.init.catalogue import render_catalogue
from initprobe.init.schemes.base import FAMILIES, SCHEMES

PAGE = Path(__file__).parents[2] / "docs" / "schemes.md"


def test_the_page_is_what_the_cards_say(request):
    text = render_catalogue()
    if request.config.getoption("--update-golden", default=False):
        PAGE.write_bytes(text.encode())
    assert PAGE.is_file(), "no page: pytest tests/init/test_catalogue.py --update-golden writes it"
    assert text == PAGE.read_bytes().decode(), "if this is meant: pytest tests/init/test_catalogue.py --update-golden"


def test_every_scheme_has_a_section_and_a_link():
    text = render_catalogue()
    assert sorted(re.findall(r"^### (\w+)$", text, re.MULTILINE)) == list(SCHEMES)
    assert sorted(re.findall(r"\]\(#(\w+)\)", text)) == list(SCHEMES)
    for name in SCHEMES:
        card = SCHEMES[name].card
        section = text.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
        assert all(f"`{alias}`" in section for alias in card.aliases)
        assert all(f"| `{option.name}` |" in section for option in card.options)
        assert card.family in FAMILIES


def test_every_activation_has_a_row_of_the_guide():
    rows = re.findall(r"^\| (\w+) \|", render_catalogue().partition("## Which one?")[2], re.MULTILINE)
    assert {"none", *ACTIVATIONS} <= set(rows)


def test_tables_have_as_many_cells_in_every_row():
    width = 0
    for line in render_catalogue().splitlines():
        cells = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert not cells or not width or cells == width, line
        width = cells


def test_it_is_printed_without_torch():
    code = "import sys; from initprobe.init.catalogue import render_catalogue; render_catalogue(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    run = [sys.executable, "-m", "initprobe.init.catalogue"]
    printed = subprocess.run(run, capture_output=True, text=True, encoding="utf-8", check=True, env=_utf8())
    assert printed.stdout == render_catalogue()


def _utf8():
    import os

    return {**os.environ, "PYTHONUTF8": "1"}
