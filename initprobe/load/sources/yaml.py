"""YAML specs: networks written out as layers, or the name of another target with sections around it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from initprobe.errors import CodeNotAllowedError, KeyPath, Problem, SpecError, TargetError, UsageError
from initprobe.load.blocks.base import Signal
from initprobe.load.build import Plan, construct, plan
from initprobe.load.datafile import FileInputs
from initprobe.load.grammar import DrawnInput, FileInput, NamedModel, ProbeSection
from initprobe.load.inputs import DrawnInputs, InputSpec
from initprobe.load.limits import SMALLEST_BATCH
from initprobe.load.loss import find_objective, labels_in
from initprobe.load.loss_section import LossFunction, ObjectiveMapping, loss_text
from initprobe.load.objectives.base import Supervised
from initprobe.load.reading import STDIN
from initprobe.load.schema import Sections, checked, read_spec, sections
from initprobe.load.signature import SignedInputs
from initprobe.load.sources.base import SOURCES, Opener, Source, Target, placed, requested_inputs, source
from initprobe.records import LayerIgnore, ProbeRequest, Spec, TargetRequest
from initprobe.subject import Inputs, Subject

FUNCTION = re.compile(r"[^\s:]+:[A-Za-z_][A-Za-z0-9_.]*")
"""``package.module:function``; a path to a data file has no colon behind its first two letters."""


@dataclass(frozen=True, slots=True)
class LayeredTarget:
    """A network written out as layers.

    Attributes:
        name: the spec's name.
        sections: what the spec says besides its model.
        plan: the network, put together and found to fit.
        inputs: makes its batches.
    """

    name: str
    sections: Sections
    plan: Plan
    inputs: Inputs
    one_draw: bool = False

    def build(self, seed: int, probe: ProbeRequest) -> Subject:
        """One draw under torch's own init; see ``sources.base.Target``."""
        model = placed(construct(self.sections.spec, self.plan, seed), probe)
        places = self.plan.places
        return Subject(model, self.inputs, locations=places.locations, layer_types=places.layer_types)


@dataclass(frozen=True, slots=True)
class NamedTarget:
    """A target that a spec names, with the spec's sections.

    Attributes:
        name: the spec's name.
        sections: what the spec says besides its model.
        target: the target itself.
        inputs: the input that the spec gives, None where it gives none.
    """

    name: str
    sections: Sections
    target: Target
    inputs: Inputs | None = None

    @property
    def one_draw(self) -> bool:
        """As the target says."""
        return self.target.one_draw

    def build(self, seed: int, probe: ProbeRequest) -> Subject:
        """One draw of the target; see ``sources.base.Target``."""
        subject = self.target.build(seed, probe)
        if self.inputs is None:
            return subject
        if isinstance(subject.inputs, SignedInputs):  # the target knows how many samples it takes
            return replace(subject, inputs=replace(subject.inputs, given=self.inputs))
        return replace(subject, inputs=self.inputs)


def open_yaml(reference: str, request: TargetRequest, opener: Opener) -> Target:
    """Read and check a spec; see ``sources.base.Source``."""
    return open_spec(
        read_spec(reference, sets=request.sets),
        Path() if reference == STDIN else Path(reference).parent,
        request,
        opener,
    )


def open_spec(spec: Spec, folder: Path, request: TargetRequest, opener: Opener) -> Target:
    """Check a spec that has been read.

    Args:
        spec: the document.
        folder: where the files lie that it names.
        request: what is asked for.
        opener: opens the target that it names.

    Raises:
        UsageError: the spec is wrong, or names code that is not allowed.
        TargetError: the target that it names leads nowhere.
    """
    schema = checked(spec)
    model = schema.model
    found = _with_loss(sections(spec), schema.probe, request, folder)
    inputs = requested_inputs(request)
    given = inputs is None and model.input is not None
    if inputs is None and model.input is not None:
        inputs = _inputs(model.input, spec, request, folder)
    if isinstance(model, NamedModel):
        if given:
            _check_labels(schema.probe, inputs, None, spec)
        return _named(model, found, request, opener, folder, inputs)
    assert inputs is not None
    planned = plan(spec, model.layers, _signal(inputs, spec))
    if given:
        _check_labels(schema.probe, inputs, planned.output, spec)
    return LayeredTarget(found.name, _with_ignores(found, planned.places.ignores.values()), planned, inputs)


def _named(
    model: NamedModel, found: Sections, request: TargetRequest, opener: Opener, folder: Path, inputs: Inputs | None
) -> Target:
    """Open the target that a spec names."""
    where: KeyPath = ("model", "target")
    if model.target.lower().endswith((".yaml", ".yml")) or model.target == STDIN:
        raise _nested(where, found.spec)
    _check_allowed(model.target, where, found.spec, request)
    inner = replace(request, text=_from_folder(model.target, folder), sets=())
    if inputs is not None and not request.inputs and request.batch_from is None:
        signal = _signal(inputs, found.spec)
        shape = ",".join(map(str, signal.shape))
        text = f"float32[{shape}]" if signal.vocab is None else f"int64[{shape}]<{signal.vocab}"
        inner = replace(inner, inputs=(text,))
    else:
        inputs = None
    target = opener(inner)
    if target.sections is not None:  # a preset
        raise _nested(where, found.spec)
    return NamedTarget(found.name, found, target, inputs)


def _nested(where: KeyPath, spec: Spec) -> SpecError:
    return SpecError([Problem("a spec cannot name another spec", where)], spec=spec)


def _inputs(given: DrawnInput | FileInput, spec: Spec, request: TargetRequest, folder: Path) -> Inputs:
    """The input that a spec gives."""
    try:
        if isinstance(given, DrawnInput):
            return DrawnInputs((InputSpec(None, tuple(given.shape), given.dist, given.vocab),))
        if FUNCTION.fullmatch(given.source) is None:
            return FileInputs(folder / given.source, given.array)
    except UsageError as error:
        where: KeyPath = ("model", "input", "shape" if isinstance(given, DrawnInput) else "from")
        raise SpecError([Problem(str(error), where, error.hint)], spec=spec) from error
    _check_allowed(given.source, ("model", "input", "from"), spec, request)
    inputs = requested_inputs(replace(request, batch_from=_from_folder(given.source, folder)))
    assert inputs is not None
    return inputs


def _with_loss(found: Sections, probe: ProbeSection, request: TargetRequest, folder: Path) -> Sections:
    """The sections with a loss function that can be imported from here, where the spec names one."""
    if not isinstance(probe.loss, LossFunction):
        return found
    _check_allowed(probe.loss.source, ("probe", "loss", "from"), found.spec, request)
    return replace(found, probe={**found.probe, "loss": _from_folder(probe.loss.source, folder)})


def _check_labels(probe: ProbeSection, inputs: Inputs | None, output: Signal | None, spec: Spec) -> None:
    """Labels of a data file belong to its samples and to what the network makes of them, where that is known."""
    if inputs is None or not isinstance(probe.loss, ObjectiveMapping):
        return
    name, objective = find_objective(loss_text(probe.loss))
    if not isinstance(objective, Supervised) or objective.labels is None:
        return
    try:
        labels = labels_in(inputs, name, objective.labels)
        if output is not None:
            objective.fitted(labels, output.shape)
    except (UsageError, TargetError) as error:
        where: KeyPath = ("probe", "loss", "labels")
        raise SpecError([Problem(str(error), where, error.hint)], spec=spec) from error


def _check_allowed(name: str, where: KeyPath, spec: Spec, request: TargetRequest) -> None:
    """Code that a file names runs only when the command line says so."""
    if not request.allow_code:
        raise CodeNotAllowedError(
            f"{spec.locate(where)} names code to run: {name!r}", hint="add --allow-code if you trust it"
        )


def _from_folder(reference: str, folder: Path) -> str:
    """A file that a spec names stands beside the spec."""
    file, colon, rest = reference.partition(".py:")
    is_file = bool(colon) or any(candidate.accepts(reference) for candidate in SOURCES.values())
    return (folder / file).as_posix() + colon + rest if is_file else reference


def _signal(inputs: Inputs, spec: Spec) -> Signal:
    """What the inputs bring to the first layer."""
    if isinstance(inputs, DrawnInputs):
        given = inputs.specs[0]
        if len(inputs.specs) != 1 or given.name is not None:
            raise UsageError("a network of layers takes one input, without a name", hint="--input 3,32,32")
        return Signal(given.shape, given.vocab)
    batch = inputs.rows if isinstance(inputs, FileInputs) else SMALLEST_BATCH
    call = inputs.make(batch, 0, torch.float32)
    if len(call.args) != 1 or call.kwargs or not isinstance(call.args[0], torch.Tensor):
        raise TargetError("a network of layers takes one tensor as its input", hint="return one tensor")
    (values,) = call.args
    if values.is_floating_point():
        return Signal(tuple(values.shape[1:]))
    if values.numel() and int(values.min()) < 0:
        raise SpecError([Problem("token ids cannot be negative", ("model", "input"))], spec=spec)
    return Signal(tuple(values.shape[1:]), 1 + int(values.max()))


def _with_ignores(found: Sections, ignores: Iterable[LayerIgnore]) -> Sections:
    """The sections with what stands on the layers themselves."""
    told = tuple(ignores)
    return replace(found, check={**found.check, "ignores": told}) if told else found


def is_spec(text: str) -> bool:
    """Whether a target without a prefix is a spec."""
    return text == STDIN or text.lower().endswith((".yaml", ".yml"))


YAML = source(
    Source(name="yaml", form="FILE.yaml, or - for standard input", open=open_yaml, accepts=is_spec, code=False)
)
