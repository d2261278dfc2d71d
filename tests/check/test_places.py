"""Where something lives, and which patterns mean it."""

import pytest

from initprobe.check.places import of_module, of_site, of_tensor, of_weight
from initprobe.records import Site, Weight

CALL = of_site(Site("net.block#2", "net.block", 0, "Block"))
OUTPUT = of_site(Site("lstm[1]", "lstm", 0, "LSTM"))
OPERATION = of_site(Site("net.block#2/add", "net.block", 0, "Block", operation="add"))
OF_THE_MODEL = of_site(Site("(model)/relu", "", 0, "Net", operation="relu"))
SLASHED = of_site(Site("a/b", "a/b", 0, "Linear"))
PARAMETER = of_weight(Weight("net.fc.parametrizations.weight.original0", "net.fc", "Linear", "linear", (2, 2)))
BUFFER = of_tensor("norm.running_mean")


@pytest.mark.parametrize("place", [CALL, OUTPUT, OPERATION, OF_THE_MODEL, SLASHED, PARAMETER, BUFFER])
def test_a_place_answers_to_the_name_that_findings_print_and_to_its_module(place):
    assert place.matches(place.name)
    assert place.matches(place.module)
    assert not place.matches(f"{place.name}x")


@pytest.mark.parametrize(
    ("place", "glob"),
    [(CALL, "net.bl*"), (OPERATION, "*/add"), (OF_THE_MODEL, "*/relu"), (PARAMETER, "net.?c"), (BUFFER, "*.running_*")],
)
def test_shell_patterns_match_either(place, glob):
    assert place.matches(glob)


def test_a_name_in_brackets_is_no_class_of_characters():
    assert OUTPUT.matches("lstm[1]")
    assert not of_module("lstm1").matches("lstm2")


@pytest.mark.parametrize(
    ("place", "around"),
    [
        (CALL, ["net.block", "net.block", "net", ""]),
        (OPERATION, ["net.block#2/add", "net.block", "net", ""]),
        (OF_THE_MODEL, ["(model)/relu", ""]),
        (SLASHED, ["a/b", "a/b", ""]),
        (PARAMETER, ["net.fc", "net.fc", "net", ""]),
        (of_module(""), ["", ""]),
    ],
)
def test_a_comment_holds_for_what_is_inside(place, around):
    assert list(place.around) == around
