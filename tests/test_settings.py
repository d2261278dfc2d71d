"""Who wins: flags over the file, the file over the defaults."""

from __future__ import annotations

import pytest

from initprobe.errors import SpecError, UsageError
from initprobe.load.schema import read_spec, sections
from initprobe.records import CheckRequest, SchemeChoice, TargetRequest
from initprobe.settings import Flags, resolve, seeds_of, split_options

SPEC = """\
version: 1
model: {input: {shape: [4]}, layers: [{type: linear, out: 4, name: head}]}
init: {default: xavier_normal, overrides: [{match: head, scheme: zeros}]}
probe: {seeds: 3, batch: 16}
check: {fail_on: warning, thresholds: {forward_drift: {error: 100}}}
"""


def from_file(flags=None, text=SPEC):
    return resolve(TargetRequest("x.yaml"), flags or Flags(), sections(read_spec("x.yaml", text=text)))


def test_the_file_wins_over_the_defaults():
    request = from_file()
    assert request.init.default == SchemeChoice("xavier_normal")
    assert request.probe.seeds == (0, 1, 2)
    assert request.probe.batch == 16
    assert request.probe.max_seeds == 32
    assert request.check.fail_on == "warning"
    assert ("forward_drift.error", 100.0) in request.check.thresholds


def test_flags_win_over_the_file_and_leave_the_rest_of_it():
    flags = Flags(SchemeChoice("kaiming_normal"), {"batch": 4}, {"thresholds": (("forward_drift.error", 7.0),)})
    request = from_file(flags)
    assert request.init.default == SchemeChoice("kaiming_normal")
    assert len(request.init.overrides) == 1, "--scheme replaces the default, overrides stay"
    assert (request.probe.batch, request.probe.seeds) == (4, (0, 1, 2))
    assert request.check.fail_on == "warning"
    assert dict(request.check.thresholds)["forward_drift.error"] == 7.0, "the last entry of a key counts"


def test_a_checkpoint_wins_over_the_init_of_the_file_and_a_scheme_over_both():
    target, spec = TargetRequest("x.yaml", weights="net.pt"), sections(read_spec("x.yaml", text=SPEC))
    request = resolve(target, Flags(), spec)
    assert not request.init.draws
    assert request.origin == "weights of net.pt"
    drawn = resolve(target, Flags(SchemeChoice("kaiming_normal")), spec)
    assert drawn.init == from_file(Flags(SchemeChoice("kaiming_normal"))).init
    assert drawn.origin == "kaiming_normal + 1 override"


def test_a_target_without_a_file_keeps_its_own_init():
    request = resolve(TargetRequest("a:b"), Flags())
    assert not request.init.draws
    assert request.probe.seeds == (0, 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("default: xavier_normal", "default: xaver_normal", ":3:17"),
        ("scheme: zeros", "scheme: zeroes", ":3:"),
        ("error: 100", "error: 100}, no_such: {error: 1", ":5:"),
    ],
)
def test_what_other_rooms_reject_points_into_the_file(old, new, place):
    with pytest.raises(SpecError) as caught:
        from_file(text=SPEC.replace(old, new))
    assert place in caught.value.render()


@pytest.mark.parametrize(
    ("text", "base", "seeds"),
    [("3", 0, (0, 1, 2)), ("2", 7, (7, 8)), ("0,3,7", 0, (0, 3, 7)), ("0,3,7", 5, None), ("4,", 0, None)],
)
def test_seeds_as_typed(text, base, seeds):
    if seeds is None:
        with pytest.raises(UsageError):
            seeds_of(text, base)
    else:
        assert seeds_of(text, base) == seeds


@pytest.mark.parametrize("text", ["0", "-1", "1,1", "a", "1.5", "99999999", "18446744073709551616,1", ""])
def test_seeds_that_make_no_sense(text):
    with pytest.raises(UsageError):
        seeds_of(text, 0)


def test_options_of_a_python_call_are_told_apart():
    measuring, judging = split_options(
        {"batch": 8, "fail_on": "warning", "ignore": ["dead-units"], "thresholds": {"dead_units.fraction": 0.5}}
    )
    assert measuring == {"batch": 8}
    assert judging == {
        "fail_on": "warning",
        "ignore": ("dead-units",),
        "thresholds": (("dead_units.fraction", 0.5),),
    }
    assert CheckRequest(**judging).ignore == ("dead-units",)


def test_layers_that_a_python_call_ignores_are_frozen_all_the_way():
    _, judging = split_options({"layer_ignores": {"head*": ["dead-units"]}})
    assert judging == {"layer_ignores": (("head*", ("dead-units",)),)}


@pytest.mark.parametrize(
    ("name", "hint"), [("fail_onn", "'fail_on'"), ("seedz", "'seeds'"), ("qqqq", "one of backward")]
)
def test_an_unknown_option_of_a_python_call_is_told_with_the_nearest(name, hint):
    with pytest.raises(UsageError) as caught:
        split_options({name: 1})
    assert hint in caught.value.hint
    assert caught.value.__notes__ == [f"hint: {caught.value.hint}"]


def test_nobody_says_that_a_verdict_is_complete_but_those_who_act_on_it():
    with pytest.raises(UsageError):
        split_options({"complete": False})
