"""One traced pass over a small batch becomes the Anatomy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch.nn import UninitializedParameter

from initprobe.dissect.attention import find_attentions
from initprobe.dissect.branches import find_branches
from initprobe.dissect.flow import is_shift
from initprobe.dissect.handwritten import settle_handwritten
from initprobe.dissect.hidden import Seen, chosen
from initprobe.dissect.joins import find_joins
from initprobe.dissect.norms import is_called_norm
from initprobe.dissect.places import find_marks, place_weights
from initprobe.dissect.steps import Ends, find_flow
from initprobe.dissect.streams import find_streams
from initprobe.dissect.tape import Node, Tape, axis_order
from initprobe.dissect.uses import Use
from initprobe.dissect.weights import describe_weights, nearest, settle_products
from initprobe.errors import TargetError
from initprobe.functions import calling_line
from initprobe.hooks import Mode, Visit, Watch, tensors_in, undisturbed, watching
from initprobe.operations import ATTENTIONS, CHANNELS_LAST_NORMS, NORMS
from initprobe.records import Anatomy, Location, Site, SiteKind
from initprobe.source_lines import in_project, line_of_code
from initprobe.subject import Call, Subject, run_model

SAMPLES = 2
"""Batch of the traced pass: batch normalization in train mode needs two."""


_KINDS: Mapping[str, SiteKind] = {
    "weighted": "weighted",
    "embedding": "embedding",
    "norm": "norm",
    "activation": "activation",
}


@dataclass(frozen=True, slots=True)
class Traced:
    """What the traced pass told.

    Attributes:
        anatomy: the network's structure.
        bytes_per_sample: size of all values that one sample makes on its way, in bytes.
    """

    anatomy: Anatomy
    bytes_per_sample: float


def trace_anatomy(subject: Subject, *, mode: Mode = "train", seed: int = 0) -> Traced:
    """Trace one pass and read the structure off it; the model comes back as it was.

    Raises:
        TargetError: the model has lazy layers, or its forward failed.
    """
    model = subject.model
    lazy = [name for name, parameter in model.named_parameters() if isinstance(parameter, UninitializedParameter)]
    if lazy:
        raise TargetError(
            f"{len(lazy)} parameters have no shape yet: {', '.join(lazy[:3])}{' ...' * (len(lazy) > 3)}",
            hint="lazy layers take their shape from the first forward: call the model once, in a factory or before",
        )
    samples = subject.inputs.fixed or SAMPLES
    tape = Tape(model)
    seen: list[Seen] = []
    norms: dict[Node, Node] = {}

    def see(visit: Visit) -> None:
        node = tape.node_of(visit.tensor)
        if visit.operation is None:
            norm = settle_norm(visit, node, tape)
            norms.update(norm)
            seen.append(Seen(visit, node, handmade=bool(norm) or settle_handwritten(visit, node, tape)))
        else:
            seen.append(Seen(visit, node, line=calling_line()))

    with undisturbed(model, mode=mode, seed=seed), torch.no_grad():
        call = subject.call(samples, seed)
        for _, tensor in [*tensors_in(call.args), *tensors_in(call.kwargs)]:
            tape.add_input(tensor)
        places = _input_places(call, tape)
        # The tape lies under the watch, so that what an operation made is on it when the watch shows it.
        with tape, watching(model, see, operations=True) as watch:
            run_model(model, call)
    uses = settle_products(tape)
    ends = Ends(places, norms, samples)
    return Traced(_anatomy(subject, tape, seen, uses, watch, ends), tape.bytes / samples)


def _input_places(call: Call, tape: Tape) -> dict[Node, str]:
    """Where each input stands in the call, as statistics of inputs are named."""
    places: dict[Node, str] = {}

    def note(place: str, tensor: torch.Tensor) -> torch.Tensor:
        places.setdefault(tape.node_of(tensor), place)
        return tensor

    call.changed(note)
    return places


def settle_norm(visit: Visit, node: Node, tape: Tape) -> dict[Node, Node]:
    """A module that calls itself a norm is one, however it computes it: its value, and what it was given."""
    given = next((tape.node_of(value) for value in visit.args if isinstance(value, torch.Tensor)), None)
    maker = node.back("view")
    named = is_called_norm(visit.module) and next(visit.module.children(), None) is None
    plain = maker.effect in {"other", "scale"} or is_shift(maker)
    if not named or maker.operand or not plain or (given is not None and maker.order <= given.order):
        return {}
    maker.effect = "norm"
    return {maker: maker if given is None else given}


def _anatomy(
    subject: Subject,
    tape: Tape,
    seen: list[Seen],
    uses: Mapping[Node, list[Use]],
    watch: Watch,
    ends: Ends,
) -> Anatomy:
    shown: dict[Node, str] = {}
    axes = _unit_axes(tape, uses)
    attentions = find_attentions(tape.nodes, uses)
    joins = find_joins(tape.nodes, {node for attention in attentions for node in attention.scores})
    skips = {node: join.skip for node, join in joins.items()}
    operands = {operand.back("view") for node in joins for operand in node.signals}
    kept = chosen(seen, skips, operands)
    sites = [
        replace(_site(one.visit, one.node, shown, uses, axes.get(one.node)), order=order, location=_place(subject, one))
        for order, one in enumerate(kept)
    ]
    joined = _show_joins(skips, shown)
    sites = [replace(site, kind="join") if site.key in joined else site for site in sites]
    modules = [one for one in seen if one.visit.operation is None]
    outputs = [one.node for one in modules if one.visit.module is subject.model]
    branches = find_branches(joins, uses, shown, [(one.visit.path, one.node) for one in modules])
    marks = find_marks(tape.nodes, attentions, joins, uses)
    weights = describe_weights(subject.model, uses, subject.locations)
    return Anatomy(
        weights=place_weights(weights, tape.nodes, uses, branches, marks, outputs),
        sites=tuple(sites),
        streams=find_streams(tape.nodes, outputs, skips, shown, uses, branches.of),
        modules=len(watch.leaves),
        uncalled=watch.uncalled(),
        calls={call: tuple(watch.steps[call]) for call in dict.fromkeys(one.visit.call for one in kept) if call},
        branches=branches.records,
        flow=find_flow(tape, attentions, replace(ends, outputs=tuple(outputs)), _keys(kept)),
    )


def _keys(kept: list[Seen]) -> dict[Node, list[str]]:
    """The sites that show each value."""
    keys: dict[Node, list[str]] = {}
    for one in kept:
        keys.setdefault(one.node, []).append(one.visit.key)
    return keys


def _place(subject: Subject, seen: Seen) -> Location | None:
    """Where an operation stands, in a file of the user's; else where its module was built."""
    if seen.line is not None and in_project(seen.line[0]):
        return line_of_code(*seen.line)
    return nearest(subject.locations, seen.visit.path)


def _site(
    visit: Visit,
    node: Node,
    shown: dict[Node, str],
    uses: Mapping[Node, list[Use]],
    axis: int | None,
) -> Site:
    """The first module that puts a value out shows it; views of it further on are sites of no kind."""
    maker = node.back("view")
    first = visit.alias_of is None and maker not in shown
    kind: SiteKind = "other"
    if first:
        shown[maker] = visit.key
        kind = "attention" if maker.name in ATTENTIONS else _KINDS.get(maker.effect, "other")
    weight = next((use.parameter for use in uses.get(maker, []) if use.role not in {"bias", "norm"}), None)
    return Site(
        key=visit.key,
        path=visit.path,
        order=0,
        module_type=type(visit.module).__name__,
        kind=kind,
        units=None if axis is None else node.shape[axis],
        unit_axis=axis,
        weight=weight if kind in {"weighted", "embedding"} else None,
        activation=maker.activation if first else None,
        alias_of=visit.alias_of,
        operation=visit.operation,
    )


def _unit_axes(tape: Tape, uses: Mapping[Node, list[Use]]) -> dict[Node, int]:
    """The axis of every value that counts units, carried along from the operation that made them."""
    made: dict[Node, tuple[int, int]] = {}
    axes: dict[Node, int] = {}
    for node in tape.nodes:
        rank, source = len(node.shape), node.signal
        sources = node.signals if node.effect == "sum" else (source,)
        alike = (made.get(one) for one in sources if one is not None and one.shape[-1:] == node.shape[-1:])
        carried = next((found for found in alike if found is not None), None)
        if node.effect == "view" and source in made and made[source][1] == rank:
            carried = _turned(node, *made[source]) or carried
        own = next((use.output_axis for use in uses.get(node, []) if use.output_axis is not None), None)
        if own is None and node.name in NORMS:
            own = -1 if node.name in CHANNELS_LAST_NORMS else 1 - rank
        if own is not None:
            made[node] = own, rank
        elif carried is not None:
            made[node] = carried
        axis, made_in = made.get(node, (-1, 2))
        # Views may add or fold leading axes; only the last one keeps its place.
        if rank == made_in or (axis == -1 and node in made and rank):
            axes[node] = axis
    return axes


def _turned(node: Node, axis: int, rank: int) -> tuple[int, int] | None:
    """Where the unit axis is after a transposing view; None where the view does not transpose."""
    order = axis_order(node, rank)
    return None if order is None else (order.index(axis + rank) - rank, rank)


def _show_joins(skips: Mapping[Node, Node], shown: dict[Node, str]) -> set[str]:
    """Let a join be shown by the site that puts it out, or by the activation right behind it."""
    keys = set()
    for node in skips:
        if node not in shown:
            behind = next((one for one in node.consumers if one.activation is not None and one in shown), None)
            if behind is None:
                continue
            shown[node] = shown[behind]
        keys.add(shown[node])
    return keys
