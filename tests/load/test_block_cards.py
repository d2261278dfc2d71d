"""What layers say of themselves, and the page that shows it."""

from pathlib import Path

import pytest

from initprobe.load.block_cards import block_card, block_cards, block_table, explained
from initprobe.load.blocks.base import BLOCKS
from initprobe.load.parse import parse
from initprobe.load.schema import checked, read_spec

PAGE = Path(__file__).parents[2] / "docs" / "language.md"
BEGIN = "<!-- blocks: made by `python -m initprobe.load.block_cards` -->\n"
END = "<!-- end of blocks -->\n"


def test_the_page_lists_every_layer(request):
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    listed, _, after = rest.partition(END)
    if request.config.getoption("--update-golden", default=False):
        PAGE.write_text(before + BEGIN + block_table() + END + after, encoding="utf-8")
        return
    assert listed == block_table(), "if this is meant: pytest tests/load/test_block_cards.py --update-golden"


def test_the_specs_on_the_page_are_right():
    examples = [block.partition("```")[0] for block in PAGE.read_text(encoding="utf-8").split("```yaml\n")[1:]]
    whole = examples[0]
    assert checked(read_spec("f", text=whole)).name == "deep-mlp"
    for example in examples[1:]:
        assert parse(example, "f").problems == []


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_the_example_of_a_layer_is_a_layer(name):
    card = block_card(name)
    text = f"version: 1\nmodel:\n  input: {{shape: [8]}}\n  layers:\n    - {card.example}\n"
    (layer,) = checked(read_spec("f", text=text)).model.layers
    assert BLOCKS.canonical(layer.type) == name


@pytest.mark.parametrize("name", sorted(BLOCKS))
def test_every_option_is_told_in_words(name):
    card = block_card(name)
    assert card.summary
    assert "\n" not in card.summary
    for option in card.options:
        assert option.accepts not in ("", "a value"), option.name
        assert option.name not in ("type", "name", "ignore")


def test_a_card_for_a_terminal():
    text = explained(block_card("conv2d"))
    assert text.startswith("conv2d: A convolution over two axes")
    assert "    out: a whole number from 1 up; required. Number of output channels\n" in text
    assert "    padding_mode: zeros | reflect | replicate | circular; default zeros." in text
    assert text.endswith("In a spec:\n    - {type: conv2d, kernel: 3, out: 64}")


@pytest.mark.parametrize("name", ["clamp", "encoder_decoder"])
def test_an_example_of_a_docstring_is_told_once(name):
    text = explained(block_card(name))
    assert text.count(f"{{type: {name}, ") == 1
    assert text.rpartition("\nIn a spec:\n    - ")[2].startswith(f"{{type: {name}, ")


def test_layers_in_layers_are_told():
    options = {option.name: option.accepts for option in block_card("residual").options}
    assert (options["layers"], options["shortcut"]) == ("a list of layers", "a list of layers")
    assert block_card("logsigmoid") == block_card("log_sigmoid")
    assert len(list(block_cards())) == len(BLOCKS)
