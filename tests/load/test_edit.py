"""A spec's `init:` section is changed in its text, and nothing else is."""

import difflib
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from initprobe.load.edit import UneditableError, applied, edit_init, init_edits
from initprobe.load.schema import read_spec, sections
from initprobe.records import InitRequest, Override, SchemeChoice

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
HE = SchemeChoice("kaiming_normal")
NORMAL = SchemeChoice("normal", (("std", 0.02),))
HEAD = Override(SchemeChoice("zeros"), glob="head")

MODEL = "version: 1\nmodel:\n  input: {shape: [4]}\n  layers: [{type: linear, out: 4, name: head}]  # one layer\n"


def init_of(text):
    return sections(read_spec("net.yaml", text=text)).init or InitRequest()


def edited(text, new):
    after = edit_init(text, init_of(text), new)
    assert init_of(after) == new
    return after


@pytest.mark.parametrize(
    ("before", "new", "after"),
    [
        ("init: {default: xavier_normal}\n", InitRequest(HE), "init: {default: kaiming_normal}\n"),
        ("init:\n  default: lecun   # why\n", InitRequest(NORMAL), "init:\n  default: {scheme: normal, std: 0.02}   # why\n"),
        ('init: {"default":"lecun"}', InitRequest(HE), 'init: {"default": kaiming_normal}'),
        ("init:\n  default:\n    scheme: normal\n    std: 3\nprobe: {}\n", InitRequest(HE), "init:\n  default: kaiming_normal\nprobe: {}\n"),
        ("init: {default: {scheme: normal,\n   std: 3}}  # a\n", InitRequest(HE), "init: {default: kaiming_normal}  # a\n"),
        ("init: {}\n", InitRequest(HE), "init: {default: kaiming_normal}\n"),
        ("init: {only: [head]}\n", InitRequest(HE, only=("head",)), "init: {default: kaiming_normal, only: [head]}\n"),
        ("init:\n  only: [head] # that\n", InitRequest(HE, only=("head",)), "init:\n  default: kaiming_normal\n  only: [head] # that\n"),
        ("init:\n  # that alone\n  only: [head]\n", InitRequest(HE, only=("head",)), "init:\n  # that alone\n  only: [head]\n  default: kaiming_normal\n"),
        ("init: {default: he}\n", InitRequest(SchemeChoice("he"), (HEAD,)), "init: {default: he, overrides: [{match: head, scheme: zeros}]}\n"),
        ("init:\n  default: he", InitRequest(SchemeChoice("he"), (HEAD,)), "init:\n  default: he\n  overrides: [{match: head, scheme: zeros}]"),
        (
            "init:\n  overrides:\n  - {match: head, scheme: he} # h\n# end\n",
            InitRequest(None, (Override(SchemeChoice("he"), glob="head"), HEAD)),
            "init:\n  overrides:\n  - {match: head, scheme: he} # h\n  - {match: head, scheme: zeros}\n# end\n",
        ),
        (
            "init: {overrides: [{match: head, scheme: he}]}\n",
            InitRequest(HE, (HEAD, HEAD)),
            "init: {overrides: [{match: head, scheme: zeros}, {match: head, scheme: zeros}]}\n".replace("{overrides", "{default: kaiming_normal, overrides"),
        ),
    ],
)  # fmt: skip
def test_what_is_replaced_and_what_is_put_in(before, new, after):
    assert edited(MODEL + before, new) == MODEL + after


def test_a_section_is_put_behind_the_model():
    assert edited(MODEL + "probe: {seeds: 2}\n", InitRequest(HE)) == MODEL + (
        "init:\n  default: kaiming_normal\nprobe: {seeds: 2}\n"
    )
    assert edited(MODEL.rstrip("\n"), InitRequest(HE, (HEAD,))) == MODEL + (
        "init:\n  default: kaiming_normal\n  overrides:\n    - {match: head, scheme: zeros}"
    )
    flow = "{version: 1, model: {input: {shape: [4]}, layers: [{type: linear, out: 4}]}}\n"
    assert edited(flow, InitRequest(HE)) == flow.replace("{version", "{init: {default: kaiming_normal}, version")


def test_line_ends_and_the_byte_order_mark_are_kept():
    text = (MODEL + "init:\n  only: [head]\n").replace("\n", "\r\n")
    new = InitRequest(HE, (HEAD,), ("head",))
    after = edited(text, new)
    assert "\n" not in after.replace("\r\n", "")
    marked = edit_init("\ufeff" + text, init_of(text), new)
    assert marked == "\ufeff" + after


@pytest.mark.parametrize(
    ("init", "reason"),
    [
        ('vars: {s: he}\ninit: {default: "${s}"}\n', "variable"),
        ("init:\n  default:\n    scheme: normal\n    std: 3  # narrow\n    # and more\n", None),
        ("init:\n  default:  # what\n    scheme: normal\n    std: 3\n", "comment"),
        ("init:\n  default: |-\n    he\n", "several lines"),
        ('vars: {i: {default: he}}\ninit: "${i}"\n', "no mapping"),
        ('vars: {o: [{match: head, scheme: he}]}\ninit: {overrides: "${o}"}\n', "list"),
    ],
)
def test_what_cannot_be_edited_is_refused(init, reason):
    text = MODEL + init
    new = InitRequest(HE, (*init_of(text).overrides, HEAD))
    if reason is None:
        assert edited(text, new).count("#") == text.count("#")
        return
    with pytest.raises(UneditableError, match=reason):
        edit_init(text, init_of(text), new)


@cache
def shipped(path, newline):
    return path.read_text(encoding="utf-8").rstrip("\n").replace("\n", newline)


CHOICES = st.sampled_from([HE, NORMAL, SchemeChoice("orthogonal", (("gain", 1.5),))])


@st.composite
def mutations(draw):
    """A spec that ships, and another init for it."""
    text = shipped(draw(st.sampled_from(CONFIGS)), draw(st.sampled_from(["\n", "\r\n"])))
    text += draw(st.sampled_from(["", "\n", "  # the end"]))
    if draw(st.booleans()):
        text = re.sub(r"(?m)^init:.*(?:\n[ \t].*)*\n?", "", text)
    old = init_of(text)
    overrides = list(old.overrides)
    for place in range(len(overrides)):
        if draw(st.booleans()):
            overrides[place] = Override(draw(CHOICES), overrides[place].glob, overrides[place].layer_type)
    if draw(st.booleans()):
        overrides.append(Override(draw(CHOICES), draw(st.sampled_from(["head", "block.*.weight", "a: b", "*"]))))
    return text, old, InitRequest(draw(CHOICES), tuple(overrides), old.only)


@settings(max_examples=60, deadline=None)
@given(mutations())
def test_every_other_character_of_every_spec_stays(mutation):
    text, old, new = mutation
    try:
        edits = init_edits(text, old, new)
    except UneditableError as error:
        refused = str(error)
        edits = []
    if not edits:
        assert old == new or "variable" in refused  # the only thing in our specs that is in the way
        return
    after = applied(text, edits)
    assert init_of(after) == new
    # without the carriage return: a last line has none before something follows it
    assert re.findall(r"(?m)(?:^|\s)#[^\r\n]*", after) == re.findall(r"(?m)(?:^|\s)#[^\r\n]*", text)
    section = {line for found in re.finditer(r"(?m)^init:.*(?:\n[ \t].*)*", text) for line in found[0].splitlines()}
    gone = {line[2:] for line in difflib.ndiff(text.splitlines(), after.splitlines()) if line.startswith("- ")}
    assert gone <= section
