"""An activation as it is typed: ``gelu``, ``leaky_relu(0.2)``, ``gelu(approximate=tanh)``."""

from __future__ import annotations

from initprobe.activations.base import ACTIVATIONS
from initprobe.activations.moments import resolved_options
from initprobe.cards import OptionCard, named_options, parse_call
from initprobe.errors import UsageError
from initprobe.records import ActivationUse

NOUN = "activation"


def parse_activation(text: str) -> ActivationUse:
    """Read ``NAME`` or ``NAME(option=value)``; options without a name come in the order that the activation lists them.

    Raises:
        UsageError: it cannot be read, there is no such activation or option, or a value is of the wrong kind.
    """
    name, arguments = parse_call(NOUN, text, ACTIVATIONS.near)
    leaf = ACTIVATIONS.find(name)
    name = ACTIVATIONS.canonical(name)
    cards = tuple(
        OptionCard(key, " | ".join(leaf.choices.get(key, ())) or "number", default)
        for key, default in leaf.options.items()
    )
    options = named_options(NOUN, name, cards, arguments)
    use = ActivationUse(name, tuple((key, _value(name, key, value)) for key, value in options.items()))
    resolved_options(use)
    return use


def _value(name: str, key: str, value: object) -> float | str:
    """The value of an option, a number or one of its words."""
    if key in ACTIVATIONS[name].choices:
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UsageError(f"option {key!r} of {NOUN} {name!r} is {value!r}; it takes a number")
    return float(value)
