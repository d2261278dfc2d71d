"""Draws every weight of a model, and says what was drawn, what was not, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from fnmatch import fnmatchcase

import torch
from torch import nn

from initprobe.errors import UsageError
from initprobe.init.calibration import Calibration, Data
from initprobe.init.choose import build_scheme
from initprobe.init.fans import UndrawableError
from initprobe.init.network import Network
from initprobe.init.overrides import Assignment, Candidate, assign_schemes, check_globs, enclosing
from initprobe.init.schemes.base import Filled, Scheme
from initprobe.init.slots import Slot, find_slots
from initprobe.module_state import parameters_kept_on_failure
from initprobe.records import Anatomy, Drawn, InitRequest, Outcome, SchemeChoice, Skipped
from initprobe.variates import Variates


def initialize_model(  # noqa: PLR0913 - keywords, each with a default that most callers keep
    model: nn.Module,
    anatomy: Anatomy,
    request: InitRequest,
    seed: int,
    *,
    layer_types: Mapping[str, str] | None = None,
    data: Data | None = None,
    source: Mapping[str, torch.Tensor] | None = None,
) -> Outcome:
    """Draw the parameters of a model in place.

    Every weight has a generator of its own, from the seed and its name: it depends neither on other weights nor on
    dtype, device or memory layout, and the global generators are not touched. Frozen parameters are drawn like any
    other. A parametrized weight is drawn as the tensor that the layer sees; where its parametrization does not keep
    that (spectral norm), as if the layer had been drawn before it was parametrized, and a note says what it sees.

    Args:
        model: its parameters are overwritten; nothing else changes.
        anatomy: what is known of its weights.
        request: which scheme draws which weight.
        seed: of this draw.
        layer_types: module path to block type, for overrides by type.
        data: what schemes that look at data run the model on.
        source: parameters of another network by name, for schemes that grow one out of it.

    Returns:
        An Outcome with every parameter in exactly one of its lists.

    Raises:
        SpecError: an override matches nothing.
        UsageError: a scheme or an option is unknown or has a bad value, a scheme does not fit the network, or it needs
            data and there is none.
    """
    schemes = {choice: build_scheme(choice) for choice in request.choices}
    slots = list(find_slots(model, anatomy))
    candidates = _candidates(model, slots, layer_types or {})
    assigned = assign_schemes(candidates, request)
    assignments = _narrowed(assigned, candidates, request.only)
    network = Network(model, anatomy, seed, {slot.weight.name: slot for slot in slots}, source or {})
    for choice in dict.fromkeys(one.choice for one in assignments if one.choice is not None):
        with _named(choice):
            schemes[choice].check_network(network)
    drawing = Drawing(network, schemes)
    undone = any(scheme.calibrates for scheme in schemes.values())  # a pass may fail when half of it is written
    with parameters_kept_on_failure(model) if undone else nullcontext():
        with torch.no_grad():
            for slot, assignment in zip(slots, assignments, strict=True):
                drawing.draw(slot, assignment)
        notes = (*drawing.idle(assignments), *drawing.remarks(), *drawing.calibrate(data))
    return Outcome(
        str(request), tuple(drawing.drawn), tuple(drawing.skipped), (*_without_place(request, assigned), *notes)
    )


class Drawing:
    """Writes weights one after the other, and keeps account."""

    def __init__(self, network: Network, schemes: Mapping[SchemeChoice, Scheme]) -> None:
        self.network = network
        self.schemes = schemes
        self.drawn: list[Drawn] = []
        self.skipped: list[Skipped] = []
        self.written: dict[SchemeChoice, list[Slot]] = {}

    def draw(self, slot: Slot, assignment: Assignment) -> None:
        """Write one weight, or note why it is left as it was."""
        choice = assignment.choice
        if choice is None:
            self._skip(slot, assignment.reason or "no scheme was asked for; it keeps its own values")
            return
        try:
            slot.check_writable()
            filled = self._filled(slot, self.schemes[choice], chosen=assignment.chosen)
            changed = slot.write(filled.values, stored=filled.stored, exact=False)
        except UndrawableError as reason:
            self._skip(slot, str(reason))
            return
        self.written.setdefault(choice, []).append(slot)
        declared = filled.std if not slot.parametrized or slot.holds(filled.values) else None
        note = "; ".join(filter(None, (filled.note, changed))) or None
        self.drawn.extend(Drawn(name, str(choice), declared, filled.learning_rate, note) for name in slot.parameters)

    def _filled(self, slot: Slot, scheme: Scheme, *, chosen: bool) -> Filled:
        variates = Variates(self.network.seed, slot.weight.name)
        if chosen:
            filled = scheme.fill_chosen(slot.weight, self.network, variates)
        else:
            weight = replace(slot.weight, role="norm") if slot.in_norm else slot.weight
            filled = scheme.fill(weight, self.network, variates)
        padding = getattr(slot.module, "padding_idx", None)
        if slot.weight.role == "embedding" and isinstance(padding, int):
            filled.values[padding] = 0.0  # torch's layers keep it so: no gradient reaches it
        return filled

    def _skip(self, slot: Slot, reason: str) -> None:
        self.skipped.extend(Skipped(name, reason) for name in slot.parameters)

    def idle(self, assignments: Sequence[Assignment]) -> Iterator[str]:
        """What to tell of schemes that drew nothing where they were to draw."""
        for choice in dict.fromkeys(one.choice for one in assignments if one.choice is not None):
            if choice not in self.written:
                yield f"{choice} draws none of the parameters that it was asked for"

    def remarks(self) -> tuple[str, ...]:
        """What the schemes that drew something tell of the network as a whole."""
        return tuple(
            f"{choice.name}: {remark}"
            for choice in self.written
            for remark in self.schemes[choice].remarks(self.network)
        )

    def calibrate(self, data: Data | None) -> tuple[str, ...]:
        """Let the schemes that look at data do so, in the order in which they were asked for.

        Raises:
            UsageError: there is no data, or the network cannot be calibrated.
        """
        notes: list[str] = []
        for choice, slots in self.written.items():
            scheme = self.schemes[choice]
            if not scheme.calibrates:
                continue
            if data is None:
                raise UsageError(f"scheme {choice.name!r} runs the network on data, and there is none")
            calibration = Calibration(self.network, tuple(slots), data)
            with _named(choice):
                calibration.check_batch()
                notes += [f"{choice.name}: {note}" for note in scheme.calibrate(calibration)]
            self.drawn = [
                replace(
                    one,
                    std=None if one.weight in calibration.changed else one.std,
                    note=calibration.notes.get(one.weight, one.note),
                )
                for one in self.drawn
            ]
        return tuple(notes)


@contextmanager
def _named(choice: SchemeChoice) -> Iterator[None]:
    """A refusal says whose it is: of several schemes on one network, that is asked first."""
    try:
        yield
    except UsageError as error:
        if choice.name not in str(error):
            error.args = (f"{choice.name}: {error}",)
        raise


def _without_place(request: InitRequest, assigned: Sequence[Assignment]) -> tuple[str, ...]:
    """What to tell of schemes that were asked for and have nothing to draw."""
    if not assigned:
        return ("the model has no parameters: there is nothing to draw",)
    taken = {one.choice for one in assigned}
    return tuple(
        f"{choice} draws nothing: overrides further down take all its parameters"
        for choice in request.choices
        if choice not in taken
    )


def _narrowed(
    assignments: Sequence[Assignment], candidates: Sequence[Candidate], only: Sequence[str]
) -> list[Assignment]:
    """The assignments where a glob of ``only`` matches; elsewhere nothing is drawn."""
    if not only:
        return list(assignments)
    check_globs(only, candidates)
    outside = Assignment(None, reason=f"outside of what is drawn: {', '.join(only)}")
    return [
        one
        if any(fnmatchcase(name, glob) for glob in only for name in (*candidate.names, *candidate.paths))
        else outside
        for one, candidate in zip(assignments, candidates, strict=True)
    ]


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
