"""Activations as they are typed."""

import pytest

from initprobe.activations.base import ACTIVATIONS
from initprobe.activations.typed import parse_activation
from initprobe.errors import UsageError
from initprobe.records import ActivationUse


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_name(name):
    assert parse_activation(name) == ActivationUse(name)


def test_options_with_and_without_their_names():
    slope = ActivationUse("leaky_relu", (("negative_slope", 0.2),))
    assert parse_activation("leaky_relu(0.2)") == parse_activation("leaky_relu(negative_slope=0.2)") == slope
    assert parse_activation("gelu(approximate=tanh)") == ActivationUse("gelu", (("approximate", "tanh"),))
    assert parse_activation("elu(2)").options == (("alpha", 2.0),)
    assert parse_activation("sin").name == "sine"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("geluu", "unknown activation 'geluu'"),
        ("elu(beta=1)", "no option 'beta'"),
        ("elu(two)", "it takes a number"),
        ("elu(True)", "it takes a number"),
        ("elu(1, 2)", "too many options"),
        ("gelu(approximate=tan)", "approximate is 'tan'"),
        ("elu(", "is no activation"),
    ],
)
def test_mistakes(text, message):
    with pytest.raises(UsageError, match=message.replace("(", r"\(")):
        parse_activation(text)
