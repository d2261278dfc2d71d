"""Draws every weight of a model, and says what was drawn, what was not, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import nn

from initprobe.init.choose import build_scheme
from initprobe.init.fans import UndrawableError
from initprobe.init.overrides import Candidate, assign_schemes, enclosing
from initprobe.init.schemes.base import Scheme
from initprobe.init.slots import Slot, find_slots
from initprobe.records import Anatomy, Drawn, InitRequest, Outcome, SchemeChoice, Skipped
from initprobe.variates import Variates


def initialize_model(
    model: nn.Module,
    anatomy: Anatomy,
    request: InitRequest,
    seed: int,
    *,
    layer_types: Mapping[str, str] | None = None,
) -> Outcome:
    """Draw the parameters of a model in place.

    Every weight has a generator of its own, from the seed and its name: it depends neither on other weights nor on
    dtype, device or memory layout, and the global generators are not touched. Frozen parameters are drawn like any
    other. A parametrized weight is drawn as the tensor that the layer sees.

    Args:
        model: its parameters are overwritten; nothing else changes.
        anatomy: what is known of its weights.
        request: which scheme draws which weight.
        seed: of this draw.
        layer_types: module path to block type, for overrides by type.

    Returns:
        An Outcome with every parameter in exactly one of its lists.

    Raises:
        SpecError: an override matches nothing.
        UsageError: a scheme or an option is unknown or has a bad value.
    """
    schemes: dict[SchemeChoice, Scheme] = {}
    for choice in (request.default, *(override.scheme for override in request.overrides)):
        if choice is not None:
            schemes[choice] = build_scheme(choice)
    slots = list(find_slots(model, anatomy))
    assignments = assign_schemes(_candidates(model, slots, layer_types or {}), request)
    drawn: list[Drawn] = []
    skipped: list[Skipped] = []
    with torch.no_grad():
        for slot, assignment in zip(slots, assignments, strict=True):
            try:
                scheme = schemes[assignment.choice] if assignment.choice else None
                std = _draw(slot, scheme, seed, chosen=assignment.chosen)
            except UndrawableError as reason:
                skipped.extend(Skipped(name, str(reason)) for name in slot.parameters)
            else:
                drawn.extend(Drawn(name, str(assignment.choice), std) for name in slot.parameters)
    return Outcome(str(request), tuple(drawn), tuple(skipped))


def _draw(slot: Slot, scheme: Scheme | None, seed: int, *, chosen: bool) -> float | None:
    """Write one weight; answers with the standard deviation declared for its parameter, if it is one.

    Raises:
        UndrawableError: it was left as it was.
    """
    if scheme is None:
        raise UndrawableError("no scheme was asked for; it keeps its own values")
    slot.check_writable()
    variates = Variates(seed, slot.weight.name)
    if chosen:
        filled = scheme.fill_chosen(slot.weight, slot.module, variates)
    else:
        weight = replace(slot.weight, role="norm") if slot.in_norm else slot.weight
        filled = scheme.fill(weight, slot.module, variates)
    slot.write(filled.values)
    return None if slot.parametrized else filled.std


def _candidates(model: nn.Module, slots: Sequence[Slot], layer_types: Mapping[str, str]) -> list[Candidate]:
    """The slots as overrides see them."""
    kinds = {path: type(module).__name__ for path, module in model.named_modules(remove_duplicate=False)}
    roles: dict[str, set[str]] = {}
    for slot in slots:
        roles.setdefault(slot.weight.module, set()).add(slot.weight.role)
    candidates = []
    for slot in slots:
        names = tuple(dict.fromkeys((slot.weight.name, *slot.parameters, *slot.weight.aliases)))
        paths = tuple(dict.fromkeys(path for name in names for path in enclosing(name.rpartition(".")[0])))
        labels = {word.lower() for path in paths for word in (kinds[path], layer_types.get(path, "")) if word}
        if slot.weight.role == "bias":
            labels |= roles[slot.weight.module] - {"other"}
        if "depthwise" in labels | {slot.weight.role}:
            labels.add("conv")
        candidates.append(Candidate(names, paths, slot.weight.role, frozenset(labels)))
    return candidates
