"""Whatever becomes of a spec, it is read or refused with a place; nothing else is raised."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initprobe.errors import UsageError
from initprobe.load.target import open_target
from initprobe.records import TargetRequest

CONFIGS = Path(__file__).parents[2] / "configs"
TEXTS = [path.read_text() for path in sorted(CONFIGS.glob("*.yaml")) if "npz" not in path.read_text()]
TOKENS = re.compile(r"\w+|\s+|.", re.DOTALL)
HOSTILE = [
    "${a}",
    "&x",
    "*x",
    "!!str",
    "<<",
    "\t",
    "\x00",
    "\ud800",
    "999999999999999999",
    "1e999",
    ".nan",
    "-1",
    "~",
    "[",
    "}",
    "|",
]
PIECES = [*sorted({token for text in TEXTS for token in TOKENS.findall(text)}), *HOSTILE]


@st.composite
def mutated(draw):
    tokens = TOKENS.findall(draw(st.sampled_from(TEXTS)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(tokens) - 1))
        act = draw(st.sampled_from(["drop", "put", "swap", "again"]))
        if act == "drop":
            del tokens[place : place + draw(st.integers(1, 3))]
        elif act == "again":
            tokens[place:place] = tokens[place : place + 10]
        else:
            tokens[place : place + (act == "swap")] = [draw(st.sampled_from(PIECES))]
        if not tokens:
            break
    return "".join(tokens)


def outcome(file, *sets):
    """What becomes of a spec; anything but a refusal that can be shown is raised."""
    try:
        open_target(TargetRequest(str(file), sets=sets))
    except UsageError as error:
        return "refused" if "error[" in error.render() else f"said nothing: {error!r}"
    return "opened"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("specs") / "spec.yaml"


@pytest.mark.untraced
@settings(max_examples=150, deadline=None)
@given(text=mutated())
def test_mutated_specs_are_read_or_refused(text, file):
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert outcome(file) in ("opened", "refused")


@settings(max_examples=50, deadline=None)
@given(
    key=st.lists(
        st.sampled_from(["vars", "width", "model", "layers", "0", "out", "init", "", "x", "-1"]), max_size=4
    ).map(".".join),
    text=st.sampled_from(PIECES) | st.text(max_size=20),
)
def test_assignments_are_applied_or_refused(key, text, file):
    file.write_text(TEXTS[0])
    assert outcome(file, (key, text)) in ("opened", "refused")
