"""What is told of an initialization beside the numbers."""

from dataclasses import replace

from initprobe.records import (
    Drawn,
    Entry,
    InitRequest,
    Outcome,
    ParameterSummary,
    Request,
    SchemeChoice,
    Skipped,
    TargetRequest,
    Weight,
)
from initprobe.report.outcome import outcome_lines
from initprobe.report.phrases import check_command

HE = InitRequest(SchemeChoice("kaiming_normal"))
ENTRY = Entry(
    name="net",
    scheme="kaiming_normal",
    request=Request(TargetRequest("net.yaml"), HE),
    weights=tuple(
        ParameterSummary(Weight(name, name.rpartition(".")[0], "M", role, (2, 2)), {}, None)
        for name, role in {"block.0.w": "linear", "block.1.w": "linear", "norm.w": "norm", "a": "gate"}.items()
    ),
)


def lines(outcome: Outcome | None, init: InitRequest = HE) -> list[str]:
    return outcome_lines(replace(ENTRY, outcome=outcome, request=Request(TargetRequest("net.yaml"), init)))


def test_nothing_is_told_of_what_was_done_as_expected():
    assert lines(None) == []
    drawn = tuple(Drawn(f"block.{place}.w", "kaiming_normal", 0.1) for place in range(2))
    assert lines(Outcome("kaiming_normal", drawn, (Skipped("norm.w", "it is a norm"), Skipped("a", "a gate")))) == []


def test_notes_rates_and_what_was_left_are_told_once_for_all_that_share_them():
    outcome = Outcome(
        "fixup",
        (Drawn("a", "fixup", 0.0, learning_rate=0.1), Drawn("block.0.w", "fixup", None, note="half of it\nis missing")),
        (Skipped("block.1.w", "it has no fan"), Skipped("norm.w", "it is a norm")),
        ("the paper adds scalars",),
    )
    assert lines(outcome) == [
        "the paper adds scalars",
        "block.0.w: half of it\\x0ais missing",
        "block.1.w: kept: it has no fan",
        "a: learning rate ×0.1",
    ]
    both = replace(outcome, skipped=(Skipped("block.0.w", "no fan here"), Skipped("block.1.w", "no fan here")))
    assert "block.0–1.w: kept: no fan here" in lines(both)


def test_what_differs_in_its_numbers_alone_is_folded_where_there_is_much_of_it():
    def told(widths: range) -> list[str]:
        drawn = tuple(
            Drawn(f"block.{place}.w2", "x", 0.1, 0.5**place, f"w2: {width} inputs do not fit into 8 outputs")
            for place, width in enumerate(widths)
        )
        return lines(Outcome("x", drawn))

    assert told(range(16, 64, 16)) == [
        "block.0.w2: w2: 16 inputs do not fit into 8 outputs",
        "block.1.w2: w2: 32 inputs do not fit into 8 outputs",
        "block.2.w2: w2: 48 inputs do not fit into 8 outputs",
        "block.1.w2: learning rate ×0.5",
        "block.2.w2: learning rate ×0.25",
    ]
    assert told(range(96, 16, -16)) == [
        "block.0–4.w2: w2: 32 … 96 inputs do not fit into 8 outputs",
        "block.1–4.w2: learning rate ×0.0625 … 0.5",
    ]


def test_learning_rates_are_as_short_as_they_are():
    rates = {"a": 1e3, "b": 2048.0, "c": 1 / 3}
    drawn = tuple(Drawn(name, "x", 0.1, rate) for name, rate in rates.items())
    assert lines(Outcome("x", drawn)) == [
        "a: learning rate ×1000",
        "b: learning rate ×2048",
        "c: learning rate ×0.333",
    ]


def test_what_lies_outside_of_what_was_asked_for_is_not_told():
    outcome = Outcome("kaiming_normal", (), (Skipped("block.0.w", "outside of what is drawn: head.*"),))
    assert lines(outcome, replace(HE, only=("head.*",))) == []
    assert lines(outcome, InitRequest()) == []


def test_the_command_that_judges_repeats_what_was_typed_about_the_init():
    entry = replace(ENTRY, request=replace(ENTRY.request, typed=("--scheme", "normal(std=0.1)", "--only", "head.*")))
    assert check_command(entry) == ["initprobe check net.yaml --scheme 'normal(std=0.1)' --only 'head.*'"]
