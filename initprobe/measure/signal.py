"""One forward and one backward pass, watched: Subject becomes a Trace.

The gradients of the activations come from one ``torch.autograd.grad`` towards the first float tensors of every path,
so weight gradients are computed only when a statistic in use needs them, no ``requires_grad`` is ever toggled and no
``.grad`` is written. Memory beyond that of the passes is a few numbers per site.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn.utils.parametrize import is_parametrized
from torch.utils.hooks import RemovableHandle

from initprobe.activations.base import ACTIVATIONS
from initprobe.activations.saturation import flat_beyond
from initprobe.errors import TargetError, first_line, raised_here, user_trace
from initprobe.hooks import OUT_OF_SIGHT, ROOT, Visit, Watch, tensors_in, undisturbed, unmeasurable, watching
from initprobe.measure.gates import all_gates
from initprobe.measure.gradients import Reach, first_edges, reach_of, unseen_functions
from initprobe.measure.ledger import Ledger, Plan
from initprobe.measure.moments import SMALL
from initprobe.measure.objective import objective_of
from initprobe.measure.output import Recognized, recognized
from initprobe.measure.reductions import View
from initprobe.measure.steps import Steps
from initprobe.measure.whole import measured_whole
from initprobe.records import Anatomy, ParameterTrace, ProbeRequest, Site, SiteTrace, Statistics, Trace, Unseen
from initprobe.subject import Call, Subject, run_model

STREAM_KINDS = frozenset(["weighted", "embedding", "join"])


@dataclass(slots=True)
class Recorded:
    """One site of the pass.

    Attributes:
        shape, dtype: of its value.
        why: why no gradient will come back to it; None where one may.
        call: the call that it belongs to, for an operation between modules.
    """

    shape: tuple[int, ...]
    dtype: str
    why: str | None
    call: str


class Recorder:
    """Takes the statistics of every site of one pass, and of the gradient that comes back to it."""

    def __init__(self, ledger: Ledger, anatomy: Anatomy, *, batch: int, backward: bool) -> None:
        self.ledger = ledger
        self.batch = batch
        self.backward = backward
        self.sites = {site.key: site for site in anatomy.sites}
        self.weights = anatomy.weights
        self.known = anatomy.calls
        self.mortal = {name for name, leaf in ACTIVATIONS.items() if leaf.dead}
        self.visits: dict[str, Recorded] = {}
        self.edges: dict[str, GradientEdge] = {}
        self.handles: list[RemovableHandle] = []
        self.steps = Steps()
        self.told: set[str] = set()
        self.renamed: set[str] = set()
        self.pending: list[tuple[str, weakref.ref[torch.Tensor], int, int | None]] = []
        self.returning = False
        self.output: Recognized | None = None

    def visit(self, visit: Visit) -> None:
        """Called by the hooks for every float tensor that leaves a module, and every operation between modules."""
        if self.pending:
            self.settle()
        if visit.operation is not None and visit.key not in self.sites:
            return  # the module that puts it out is its name
        if visit.alias_of is not None:
            if visit.alias_of in self.visits or visit.alias_of in self.renamed:
                return
            self.renamed.add(visit.alias_of)
        tensor, site = visit.tensor, self.sites.get(visit.key)
        view, step_axis = self._view(tensor.detach(), site), self.steps.axis(visit)
        view.step_axis = step_axis
        self.ledger.take("forward", visit.key, view)
        why = None if self.backward else "no backward pass was asked for"
        if self.backward and not tensor.requires_grad:
            why = NO_PATH
            if visit.operation is not None and not torch.is_grad_enabled():
                # Inside a custom autograd.Function: the tensor gets its gradient path when that returns.
                self.pending.append((visit.key, weakref.ref(tensor), tensor._version, step_axis))  # noqa: SLF001
        self.visits[visit.key] = Recorded(tuple(tensor.shape), dtype_name(tensor.dtype), why, visit.call)
        if why is None:
            self._follow(visit.key, tensor, step_axis)

    def settle(self) -> None:
        """Follow the gradients of what has got a path since it was seen."""
        waiting, self.pending = self.pending, []
        for key, reference, version, step_axis in waiting:
            tensor = reference()
            if tensor is None or tensor._version != version:  # noqa: SLF001 torch has no public name for it
                continue
            if tensor.requires_grad:
                self.visits[key].why = None
                self._follow(key, tensor, step_axis)
            else:
                self.pending.append((key, reference, version, step_axis))

    def _follow(self, key: str, tensor: torch.Tensor, step_axis: int | None) -> None:
        self.edges[key] = get_gradient_edge(tensor)
        self.handles.append(tensor.register_hook(self._gradient_hook(key, step_axis)))  # type: ignore[no-untyped-call]

    def watch_parameters(self, parameters: Iterable[tuple[str, nn.Parameter]]) -> None:
        """Reduce each large gradient of a weight as soon as it is there, and let go of it."""
        for name, parameter in parameters:
            if parameter.numel() > SMALL:
                self.handles.append(parameter.register_hook(self._weight_hook(name)))  # type: ignore[no-untyped-call]

    def _weight_hook(self, name: str) -> Callable[[torch.Tensor], torch.Tensor | None]:
        def take(gradient: torch.Tensor) -> torch.Tensor | None:
            if unmeasurable(gradient) is not None:
                return None
            self.told.add(name)
            self.ledger.take("gradient", name, View(gradient.detach(), self.ledger.workspace, extremes=False))
            # What a hook answers is held until the pass is over: one zero, seen as many.
            return gradient.new_zeros(()).expand_as(gradient)

        return take

    def close(self) -> None:
        """Take the hooks off the tensors: a parameter that a module hands out, or a cache, outlives the pass."""
        for handle in self.handles:
            handle.remove()
        self.edges.clear()

    def _gradient_hook(self, key: str, step_axis: int | None) -> Callable[[torch.Tensor], None]:
        def take(gradient: torch.Tensor | None) -> None:
            # One of several outputs of an operation that the loss does not use gets None. Before the backward pass has
            # begun, it is one of the model's own, inside its forward.
            if self.returning and gradient is not None and unmeasurable(gradient) is None:
                view = View(gradient.detach(), self.ledger.workspace, step_axis=step_axis)
                self.ledger.take("backward", key, view)

        return take

    def _view(self, tensor: torch.Tensor, site: Site | None) -> View:
        view = View(tensor, self.ledger.workspace, batch=self.batch)
        if site is not None:
            view.unit_axis = site.unit_axis
            view.on_stream = site.kind in STREAM_KINDS
            view.weighted = site.kind == "weighted"
            view.can_die = site.activation is not None and site.activation.name in self.mortal
            view.flat = None if site.activation is None else flat_beyond(site.activation)
        return view


@lru_cache(maxsize=64)
def dtype_name(dtype: torch.dtype) -> str:
    """``float32``, without torch's prefix."""
    return str(dtype).removeprefix("torch.")


NO_PATH = "no gradient path: computed without gradient, or detached"
OTHERWISE = "it does something else than in the pass that was traced; its operations are left out"
UNOWNED = "it uses parameters that none of its modules owns (layers in a plain list?)"

SETS_LEAVES = "you can only change requires_grad flags of leaf variables"
"""What torch says to a forward that sets ``requires_grad`` on its input (wav2vec2 does, for its checkpointing)."""


def measure_signal(
    subject: Subject, anatomy: Anatomy, probe: ProbeRequest, *, seed: int, batch: int, returns: bool = True
) -> Trace:
    """Measure one draw: every site forward and backward, every parameter, every input.

    Args:
        subject: the network; it comes back exactly as it was.
        anatomy: its structure, for unit axes and activations.
        probe: what to measure and how.
        seed: seed of the batch, of the cotangent and of what the forward draws (dropout).
        batch: samples per pass.
        returns: whether the gradient is sent back; without it, the forward pass is the same to the last bit.

    Raises:
        TargetError: the model's own forward, loss or backward failed.
    """
    try:
        return _measure(subject, anatomy, probe, seed, batch, into_inputs=probe.backward, returns=returns)
    except TargetError as error:
        if SETS_LEAVES not in str(error):
            raise
    return _measure(subject, anatomy, probe, seed, batch, into_inputs=False, returns=returns)


def _measure(  # noqa: PLR0913 - what measure_signal is told, and how far the pass goes
    subject: Subject, anatomy: Anatomy, probe: ProbeRequest, seed: int, batch: int, *, into_inputs: bool, returns: bool
) -> Trace:
    model = subject.model
    with (
        undisturbed(model, mode=probe.mode, seed=seed),
        closing(Recorder(Ledger(Plan.of(probe.statistics)), anatomy, batch=batch, backward=probe.backward)) as recorder,
    ):
        ledger = recorder.ledger
        parameters = list(model.named_parameters())
        ledger.take_all("parameter", parameters)
        ledger.take_all("buffer", model.named_buffers())
        call = _inputs(subject, batch, seed, ledger, gradients=into_inputs)
        # A file may hold fewer samples than were asked for.
        held = (len(tensor) for _, tensor in tensors_in((call.args, call.kwargs)) if tensor.dim())
        recorder.batch = next(held, batch)
        operations = any(site.operation is not None for site in anatomy.sites)
        with watching(model, recorder.visit, operations=operations) as watch, torch.set_grad_enabled(probe.backward):
            output = run_model(model, call)
        judged = replace(subject, loss=subject.loss_of(call))
        reach = _backward(judged, output, recorder, probe, seed) if probe.backward and returns else None
        # Behind the passes, for a spectral norm takes a step each time that it is asked.
        ledger.take_all("parameter", effective_weights(model))
        trace = _trace(seed, parameters, recorder, watch, reach)
        recorder.close()  # the graph makes room for other passes
        return measured_whole(trace, ledger.plan.network, subject, batch) if probe.backward else trace


def effective_weights(model: nn.Module) -> list[tuple[str, torch.Tensor]]:
    """Weights that ``torch.nn.utils.parametrize`` computes from parameters, as the layer sees them."""
    with torch.no_grad():
        return [
            (f"{path}.{name}".removeprefix("."), getattr(module, name))
            for path, module in model.named_modules()
            if is_parametrized(module)
            for name in module.parametrizations
        ]


def _inputs(subject: Subject, batch: int, seed: int, ledger: Ledger, *, gradients: bool) -> Call:
    """A batch, its float tensors measured and ready to carry gradients."""

    def ready(place: str, given: torch.Tensor) -> torch.Tensor:
        if unmeasurable(given) is not None:
            return given
        values = given.detach()
        ledger.take("input", place, View(values, ledger.workspace))
        # A copy, because a leaf that requires gradients could not be changed in place by the model.
        return values.requires_grad_().clone() if gradients else values

    return subject.call(batch, seed).changed(ready)


def _backward(subject: Subject, output: Any, recorder: Recorder, probe: ProbeRequest, seed: int) -> Reach:
    """Send the gradient of the objective back through every site."""
    recorder.settle()
    outputs, cotangents = objective_of(subject, output, probe, seed)
    recorder.output = recognized(outputs, output, recorder.edges, recorder.ledger)
    reach = reach_of(outputs)
    targets: list[Any] = list(first_edges(reach, recorder.edges))
    parameters = []
    if recorder.ledger.plan.weight_gradients:
        parameters = [(name, p) for name, p in subject.model.named_parameters() if id(p) in reach.leaves]
        targets += [parameter for _, parameter in parameters]
        recorder.watch_parameters(parameters)
    if not targets:
        return reach
    recorder.returning = True
    gradients = _differentiate(outputs, targets, cotangents)
    last = gradients[len(gradients) - len(parameters) :]
    kept = [(name, last[place]) for place, (name, _) in enumerate(parameters) if name not in recorder.told]
    recorder.ledger.take_all("gradient", kept)
    return reach


def _differentiate(
    outputs: list[torch.Tensor], targets: list[Any], cotangents: list[torch.Tensor]
) -> tuple[torch.Tensor | None, ...]:
    try:
        return torch.autograd.grad(outputs, targets, grad_outputs=cotangents, allow_unused=True)
    except (Exception, SystemExit) as error:
        if raised_here(error):
            raise
        raise TargetError(
            f"the backward pass failed: {first_line(error)}",
            hint="--no-backward measures the forward pass alone",
            trace=user_trace(error),
        ) from error


def _trace(
    seed: int, held: Sequence[tuple[str, nn.Parameter]], recorder: Recorder, watch: Watch, reach: Reach | None
) -> Trace:
    values = recorder.ledger.statistics()
    calls = {site.call for site in recorder.visits.values() if site.call}
    other = {call for call in calls if tuple(watch.steps[call]) != recorder.known[call]}
    sites = []
    for key, site in recorder.visits.items():
        if site.call in other:
            continue
        backward: Statistics | None = values.get(("backward", key))
        missing = site.why if backward is not None else site.why or "the loss does not depend on it"
        sites.append(SiteTrace(key, site.shape, site.dtype, values[("forward", key)], backward, missing))
    parameters = []
    gates = all_gates(dict(held), recorder.weights)
    for name, parameter in held:
        reached = None if reach is None else id(parameter) in reach.leaves
        value, gradient = values.get(("parameter", name), {}), values.get(("gradient", name))
        parameters.append(ParameterTrace(name, value, gradient, reached, gates.get(name, {})))
    inputs = {name: row for (kind, name), row in values.items() if kind == "input"}
    unseen = [Unseen(key, reason, hidden=reason in OUT_OF_SIGHT) for key, reason in watch.unseen.items()]
    if reach is not None:
        unseen += [
            Unseen(ROOT, f"what the autograd function {name} computes", hidden=True)
            for name in unseen_functions(reach, recorder.edges)
        ]
    unseen += [Unseen(call, OTHERWISE, hidden=True) for call in sorted(other)]
    known = {id(parameter) for _, parameter in held}
    reachable = {} if reach is None else reach.leaves
    if any(isinstance(leaf, nn.Parameter) and key not in known for key, leaf in reachable.items()):
        unseen.append(Unseen(ROOT, UNOWNED, hidden=True))
    own = {name for name, _ in held}
    effective = {name: row for (kind, name), row in values.items() if kind == "parameter" and name not in own}
    made = None if recorder.output is None else recorder.output.trace(values)
    buffers = {name: row for (kind, name), row in values.items() if kind == "buffer"}
    return Trace(seed, tuple(sites), tuple(parameters), inputs, tuple(unseen), effective, output=made, buffers=buffers)
