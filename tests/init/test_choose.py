"""Schemes as people type them, and the messages when they mistype them."""

from dataclasses import replace

import pytest
from pydantic import model_validator

from initprobe.errors import UsageError
from initprobe.init.choose import build_scheme, check_choice, parse_scheme
from initprobe.init.schemes.base import SCHEMES, register
from initprobe.records import SchemeChoice


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("zeros", SchemeChoice("zeros")),
        (" he ", SchemeChoice("kaiming_normal")),
        ("he()", SchemeChoice("kaiming_normal")),
        ("normal(std=0.02)", SchemeChoice("normal", (("std", 0.02),))),
        ("normal(0.02)", SchemeChoice("normal", (("std", 0.02),))),
        ("constant(-1)", SchemeChoice("constant", (("value", -1),))),
        (
            "he('fan_out', negative_slope=1)",
            SchemeChoice("kaiming_normal", (("mode", "fan_out"), ("negative_slope", 1))),
        ),
        ("he(mode=fan_out)", SchemeChoice("kaiming_normal", (("mode", "fan_out"),))),
        ("uniform(limit=None)", SchemeChoice("uniform", (("limit", None),))),
    ],
)
def test_parsing(text, choice):
    assert parse_scheme(text) == choice
    assert parse_scheme(str(choice)) == choice


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("hee", "unknown scheme 'hee'", "did you mean 'he'?"),
        ("LSUV", "unknown scheme 'LSUV'", "did you mean 'lsuv'?"),
        ("t-fixup", "'t-fixup' is no scheme", "did you mean 't_fixup'?"),
        ("kaiming-normal", "'kaiming-normal' is no scheme", "did you mean 'kaiming_normal'?"),
        ("he(mod=fan_in)", "scheme 'kaiming_normal' has no option 'mod'", "did you mean 'mode'?"),
        ("normal(q=1)", "scheme 'normal' has no option 'q'", "its options are std"),
        ("zeros(q=1)", "scheme 'zeros' has no option 'q'", "zeros takes no options"),
        (
            "he(mode=fanin)",
            "option 'mode' of scheme 'kaiming_normal' is 'fanin'; it takes fan_in | fan_out",
            "'fan_in'?",
        ),
        ("normal(std=-1)", "option 'std' of scheme 'normal' is -1; it takes number >= 0", None),
        ("normal(std='1')", "option 'std' of scheme 'normal' is '1'", None),
        ("normal(std=True)", "option 'std' of scheme 'normal' is True", None),
        ("normal(std=1e999)", "option 'std' of scheme 'normal' is inf", None),
        (
            "orthogonal(gain=aut)",
            "option 'gain' of scheme 'orthogonal' is 'aut'; it takes number > 0 | auto",
            "'auto'?",
        ),
        ("normal(1, 2)", "too many options for scheme 'normal'", "its options are std"),
        ("normal(1, std=2)", "option 'std' of scheme 'normal' is given twice", None),
        ("normal(std=open('x'))", "is no scheme", "literal values"),
        ("normal(**{})", "is no scheme", "literal values"),
        ("a.b(1)", "is no scheme", "literal values"),
        ("normal(", "is no scheme", "literal values"),
        ("", "'' is no scheme", "write a name"),
        ("he\x1b[31m", r"'he\x1b[31m' is no scheme", "write a name"),
    ],
)
def test_mistakes(text, message, hint):
    with pytest.raises(UsageError) as caught:
        parse_scheme(text)
    assert message in str(caught.value)
    assert (hint is None) == (caught.value.hint is None)
    assert (hint or "") in (caught.value.hint or "")


def test_a_hostile_text_is_neither_run_nor_shown_in_full():
    with pytest.raises(UsageError, match="is no scheme") as caught:
        parse_scheme("he(" * 5000)
    assert len(str(caught.value)) < 200


def test_options_that_do_not_go_together_are_told_in_the_schemes_words():
    class Pair(SCHEMES["zeros"]):
        low: float = 0.0
        high: float = 1.0

        @model_validator(mode="after")
        def ordered(self):
            if self.low >= self.high:
                raise ValueError("low is not below high")
            return self

    Pair.card = replace(Pair.card, name="pair_of_a_test", aliases=())
    register(Pair)
    try:
        with pytest.raises(UsageError, match="scheme 'pair_of_a_test': low is not below high"):
            parse_scheme("pair_of_a_test(2, 1)")
    finally:
        SCHEMES._leaves.pop("pair_of_a_test")


def test_a_choice_from_a_file_is_checked_the_same_way():
    check_choice(SchemeChoice("lecun", (("gain", 2),)))
    assert build_scheme(SchemeChoice("normal", (("std", 2),))).model_dump() == {"std": 2.0}
    with pytest.raises(UsageError, match="no option 'sdt'"):
        check_choice(SchemeChoice("normal", (("sdt", 0.1),)))
    with pytest.raises(UsageError, match="no option '1'"):
        check_choice(SchemeChoice("normal", ((1, 0.1),)))
