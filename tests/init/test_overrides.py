"""Which weight gets which scheme."""

import pytest

from initprobe.errors import SpecError
from initprobe.init.overrides import Candidate, assign_schemes, enclosing
from initprobe.records import InitRequest, Override, SchemeChoice

HE, ZEROS, ONES = SchemeChoice("kaiming_normal"), SchemeChoice("zeros"), SchemeChoice("constant", (("value", 1.0),))


def candidate(name: str, role: str, *labels: str) -> Candidate:
    return Candidate((name,), enclosing(name.rpartition(".")[0]), role, frozenset(labels))


CANDIDATES = [
    candidate("embed.weight", "embedding", "model", "embedding"),
    candidate("block.0.linear.weight", "linear", "model", "block", "linear"),
    candidate("block.0.linear.bias", "bias", "model", "block", "linear"),
    candidate("block.0.norm.weight", "norm", "model", "block", "layernorm"),
    candidate("block.0.norm.bias", "bias", "model", "block", "layernorm", "norm"),
    candidate("block.10.linear.weight", "linear", "model", "block", "linear"),
    candidate("scale", "other", "model"),
]


def names_with(request: InitRequest, choice: SchemeChoice) -> list[str]:
    found = assign_schemes(CANDIDATES, request)
    return [one.names[0] for one, given in zip(CANDIDATES, found, strict=True) if given.choice == choice]


def test_enclosing_modules():
    assert enclosing("a.b.c") == ("", "a", "a.b", "a.b.c")
    assert enclosing("") == ("",)


@pytest.mark.parametrize(
    ("glob", "count"),
    [("embed", 1), ("block.0", 4), ("block.1", 0), ("block.1*", 1), ("*.linear", 3), ("*.bias", 2), ("scale", 1), ("*", 7), ("block.0.linear.weight", 1), ("block.[0-9].*", 4)],
)  # fmt: skip
def test_globs_match_modules_with_all_inside_and_parameters(glob, count):
    request = InitRequest(HE, (Override(ZEROS, glob="*"), Override(ONES, glob=glob)))
    if count == 0:
        with pytest.raises(SpecError):
            assign_schemes(CANDIDATES, request)
    else:
        assert len(names_with(request, ONES)) == count


@pytest.mark.parametrize(
    ("layer_type", "count"), [("Linear", 3), ("LINEAR", 3), ("norm", 2), ("LayerNorm", 2), ("bias", 2), ("embedding", 1), ("Block", 5)]
)  # fmt: skip
def test_types_are_roles_block_types_or_classes(layer_type, count):
    assert len(names_with(InitRequest(HE, (Override(ONES, layer_type=layer_type),)), ONES)) == count


def test_the_last_match_wins_and_the_default_is_for_the_rest():
    request = InitRequest(HE, (Override(ZEROS, glob="block.0"), Override(ONES, glob="*.linear")))
    assert names_with(request, ONES) == ["block.0.linear.weight", "block.0.linear.bias", "block.10.linear.weight"]
    assert names_with(request, ZEROS) == ["block.0.norm.weight", "block.0.norm.bias"]
    assert names_with(request, HE) == ["embed.weight", "scale"]


def test_glob_and_type_together_must_both_match():
    request = InitRequest(None, (Override(ONES, glob="block.0", layer_type="linear"),))
    assert names_with(request, ONES) == ["block.0.linear.weight", "block.0.linear.bias"]


@pytest.mark.parametrize(
    ("override", "chosen"),
    [
        (Override(ONES, glob="*"), []),
        (Override(ONES, glob="block.0.norm"), []),
        (Override(ONES, glob="*.bias"), ["block.0.linear.bias", "block.0.norm.bias"]),
        (Override(ONES, glob="scale"), ["scale"]),
        (Override(ONES, layer_type="norm"), ["block.0.norm.weight"]),
        (Override(ONES, layer_type="layernorm"), []),
        (Override(ONES, layer_type="bias"), ["block.0.linear.bias", "block.0.norm.bias"]),
    ],
)
def test_a_parameter_is_meant_itself_by_its_name_or_role(override, chosen):
    found = assign_schemes(CANDIDATES, InitRequest(HE, (override,)))
    assert [one.names[0] for one, given in zip(CANDIDATES, found, strict=True) if given.chosen] == chosen


def test_tied_names_count():
    tied = Candidate(
        ("wte.weight", "head.weight"), ("", "wte", "head"), "embedding", frozenset({"embedding", "linear"})
    )
    assert assign_schemes([tied], InitRequest(HE, (Override(ZEROS, glob="head"),)))[0].choice == ZEROS


def test_overrides_that_match_nothing_are_told_in_one_go_with_the_nearest():
    overrides = (
        Override(HE, glob="block.0.liner"),
        Override(HE, glob="embed"),
        Override(HE, layer_type="layer_norm"),
        Override(HE, glob="zzz"),
    )
    with pytest.raises(SpecError) as caught:
        assign_schemes(CANDIDATES, InitRequest(None, overrides))
    problems = caught.value.problems
    assert [problem.path for problem in problems] == [
        ("init", "overrides", 0, "match"),
        ("init", "overrides", 2, "match", "type"),
        ("init", "overrides", 3, "match"),
    ]
    assert "'block.0.liner' matches no parameter" in problems[0].message
    assert "'block.0.linear'" in problems[0].hint
    assert "'layernorm'" in problems[1].hint
    assert problems[2].hint.startswith("there are embed")
