"""What a reader sees in a terminal that is narrower than the text."""

from initprobe.cli.columns import fitted, listed

ROWS = [
    {"family": "data", "name": "lsuv", "summary": "orthonormal, then variance 1 on a batch", "reference": "a paper"},
    {"family": "width", "name": "mup", "summary": "learning rates by width", "reference": ""},
]


def test_a_pipe_gets_everything_in_one_line():
    assert fitted("When:   " + "word " * 40, None) == "When:   " + "word " * 40
    assert listed(ROWS, None).splitlines() == [
        "data   lsuv  orthonormal, then variance 1 on a batch  a paper",
        "width  mup   learning rates by width",
    ]
    assert listed([], None) == listed([], 80) == ""


def test_long_lines_are_broken_between_words_and_go_on_under_their_words():
    text = "short\nWhen:   one two three four\n    gain: one two three four\nno label but long all the same"
    assert fitted(text, 22).splitlines() == [
        "short",
        "When:   one two three",
        "        four",
        "    gain: one two",
        "        three four",
        "no label but long all",
        "the same",
    ]
    assert fitted("x" * 50, 20) == "x" * 50  # nothing is cut


def test_columns_that_do_not_fit_stand_below():
    assert listed(ROWS, 50).splitlines() == [
        "data   lsuv",
        "    orthonormal, then variance 1 on a batch",
        "    a paper",
        "width  mup",
        "    learning rates by width",
    ]
    assert listed(ROWS, 200) == listed(ROWS, None)
    assert listed(ROWS, 20).splitlines()[:4] == [
        "data   lsuv",
        "    orthonormal,",
        "    then variance 1",
        "    on a batch",
    ]
