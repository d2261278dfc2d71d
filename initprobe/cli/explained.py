"""What ``explain`` says of leaves that come with a card and options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from initprobe.cards import OptionCard
from initprobe.cli.guidance import guide_to_scheme
from initprobe.registry import Registry


def explain_scheme(name: str, known: list[str]) -> str | None:
    """The card of a scheme as text; None for other names, and all names go into ``known``."""
    from initprobe.init.schemes.base import FAMILIES, SCHEMES

    card = _card(SCHEMES, name, known)
    if card is None:
        return None
    lines = _title(card)
    facts = {
        "Family": f"{card.family}: {FAMILIES[card.family]}",
        "Formula": card.formula,
        "Assumes": card.assumes,
        "When": card.when,
        "Reference": card.reference,
    }
    lines += ["", *(f"{key + ':':11} {text}" for key, text in facts.items())]
    return "\n".join([*lines, *_options(card.options), *guide_to_scheme(card.name)])


def explain_parametrization(name: str, known: list[str]) -> str | None:
    """The card of a reparametrization as text; None for other names, and all names go into ``known``."""
    from initprobe.parametrizations.base import PARAMETRIZATIONS

    card = _card(PARAMETRIZATIONS, name, known)
    if card is None:
        return None
    lines = _title(card)
    kept = "any weight can be drawn through it" if card.keeps else "the layer sees something else than what is drawn"
    lines += ["", f"Formula:    {card.formula}", f"When:       {card.when}", f"Drawing:    {kept}"]
    lines += [f"Reference:  {card.reference}", "", f'Use it:     initprobe.reparametrize(model, "{card.name}")']
    return "\n".join([*lines, *_options(card.options)])


def explain_objective(name: str, known: list[str]) -> str | None:
    """The card of an objective as text; None for other names, and all names go into ``known``."""
    from initprobe.load.objectives.base import OBJECTIVES

    card = _card(OBJECTIVES, name, known)
    if card is None:
        return None
    lines = _title(card)
    lines += ["", f"Formula:    {card.formula}", f"Takes:      {card.takes}", f"When:       {card.when}"]
    lines += [f"Reference:  {card.reference}"] * bool(card.reference)
    return "\n".join([*lines, "", f"Use it:     --loss {card.name}", *_options(card.options)])


def _card(registry: Registry[Any], name: str, known: list[str]) -> Any | None:
    """The card of a leaf by its name or an alias; None for other names, and all names go into ``known``."""
    names = [alias for one in registry for alias in (one, *registry.aliases_of(one))]
    known += names
    return registry[name].card if name in names else None


def _title(card: Any) -> list[str]:
    aliases = [f"also called {', '.join(card.aliases)}"] if card.aliases else []
    return [f"{card.name}: {card.summary}", *aliases]


def _options(options: Sequence[OptionCard]) -> list[str]:
    if not options:
        return []
    lines = (f"    {one.name}: {one.accepts}, default {one.default}. {one.description}".rstrip() for one in options)
    return ["", "Options:", *lines]
