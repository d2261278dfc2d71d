import pytest

from initprobe.check.places import of_module
from initprobe.check.policy import Policy
from initprobe.check.rules.base import RULES, cards
from initprobe.check.selection import select
from initprobe.errors import UsageError
from initprobe.records import CheckRequest


def codes(**request):
    return [rule.card.code for rule in select(CheckRequest(**request)).rules]


def test_everything_is_selected_by_default_in_the_order_of_codes():
    everything = codes()
    assert everything == sorted(everything)
    usual = [card.code for card in cards() if not RULES[card.code].optional and not RULES[card.code].compares]
    assert everything == usual
    assert codes(select=("ALL",)) == everything


def test_what_looks_at_changes_runs_with_an_earlier_result_whatever_else_is_selected():
    every = ["IPR01", "IPR02", "IPR03"]
    assert codes(against=True) == [*codes(), *every]
    assert codes(select=("IP301",), against=True) == ["IP301", *every]
    assert codes(select=("IP301", "changed-init"), against=True) == ["IP301", "IPR01"]
    assert codes(select=("regression",), against=True) == codes(select=("ipr",), against=True) == every
    assert codes(select=("IP301",), ignore=("IPR02",), against=True) == ["IP301", "IPR01", "IPR03"]
    assert codes(select=("IP301", "regression")) == ["IP301"]


def test_changes_alone_need_something_to_be_held_against():
    with pytest.raises(UsageError, match="no rule is left") as caught:
        select(CheckRequest(select=("changed-init",)))
    assert "--against FILE" in caught.value.hint


@pytest.mark.parametrize("name", ["ill-conditioned-jacobian", "IP404", "ip404"])
def test_an_optional_rule_is_selected_by_its_name_and_by_no_family(name):
    assert codes(select=(name,)) == ["IP404"]
    assert "IP404" in codes(select=("ALL", name))
    assert "IP404" not in codes(select=("geometry",))
    assert "IP404" not in codes(select=("IP40",))
    assert "IP404" not in codes(select=("ALL", name), ignore=("geometry",))


@pytest.mark.parametrize(
    "name", ["vanishing-forward", "IP101", "ip101"], ids=["by name", "by code", "by code in small letters"]
)
def test_a_rule_answers_to_its_name_and_its_code(name):
    assert codes(select=(name,)) == ["IP101"]


@pytest.mark.parametrize("name", ["forward", "IP1", "IP10", "ip1"])
def test_a_family_answers_to_its_name_and_its_prefix(name):
    assert codes(select=(name,)) == ["IP101", "IP102", "IP103", "IP104", "IP105", "IP106"]


def test_ignore_wins_over_select():
    assert codes(select=("forward", "backward"), ignore=("IP2", "exploding-forward")) == [
        "IP101",
        "IP103",
        "IP104",
        "IP105",
        "IP106",
    ]
    assert "IP101" not in codes(ignore=("IP101",))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("vanishing-foward", "vanishing-forward"),
        ("1P101", "IP101"),
        ("fordward", "forward"),
    ],
)
@pytest.mark.parametrize("field", ["select", "ignore", "severities", "layer_ignores"])
def test_a_typo_is_told_with_the_nearest_name_wherever_it_stands(name, hint, field):
    value = {
        "select": (name,),
        "ignore": (name,),
        "severities": ((name, "info"),),
        "layer_ignores": (("stem*", (name,)),),
    }[field]
    with pytest.raises(UsageError) as caught:
        select(CheckRequest(**{field: value}))
    assert name in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["", "I", "IP", "nothing like it at all"])
def test_a_prefix_that_says_nothing_selects_nothing(name):
    with pytest.raises(UsageError, match="unknown rule"):
        select(CheckRequest(select=(name,)))


def test_to_judge_with_no_rule_is_an_error_not_a_pass():
    with pytest.raises(UsageError, match="no rule is left"):
        select(CheckRequest(select=("IP101",), ignore=("forward",)))


def test_a_later_severity_wins_and_a_family_can_have_one():
    policy = select(CheckRequest(severities=(("forward", "info"), ("IP102", "warning")))).policy
    assert policy.severity(RULES["IP101"].card, "error") == "info"
    assert policy.severity(RULES["IP102"].card, "error") == "warning"
    assert policy.severity(RULES["IP201"].card, "warning") == "warning"


def test_strict_makes_every_coverage_finding_an_error():
    policy = Policy({"IP002": "info"}, strict=True)
    assert policy.severity(RULES["IP002"].card, "warning") == "error"
    assert policy.severity(RULES["IP006"].card, "info") == "error"
    assert policy.severity(RULES["IP101"].card, "warning") == "warning"


def test_a_layer_ignore_needs_every_layer_of_a_finding():
    policy = select(CheckRequest(layer_ignores=(("stem*", ("IP101",)), ("block.?.*", ("forward",))))).policy
    card = RULES["IP101"].card
    stem, block, head = map(of_module, ("stem", "block.1.linear", "head"))
    assert policy.suppression(card, [stem, block]) == "layer_ignores: stem*, block.?.*"
    assert policy.suppression(card, [stem, head]) is None
    assert policy.suppression(card, []) is None
    assert policy.suppression(RULES["IP201"].card, [stem]) is None
