"""The layers of a spec become a network: first on the meta device, where nothing is allocated, then for good."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from initprobe.errors import KeyPath, Problem, SpecError, first_line
from initprobe.load.blocks.base import BLOCKS, Branch, BuildInner, Incoming, Layer, Misfit, Signal
from initprobe.load.limits import MAX_MODULES, free_memory, readable
from initprobe.load.survey import Cost, Survey, Undrawn
from initprobe.load.usercode import seeded
from initprobe.records import LayerIgnore, Location, Spec

LAYERS: KeyPath = ("model", "layers")
REFUSALS = (RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, AssertionError)
"""What torch raises when a layer cannot be built or fed."""

TAKEN = frozenset(dir(nn.Sequential()))
"""Names that every module uses itself."""

Make = Callable[[Layer, Incoming, str], Branch]
"""Builds a layer for the module path it will have."""


@dataclass(slots=True)
class Places:
    """What is known of the modules of a network while it is put together.

    Attributes:
        locations: module path to the YAML node it was made of.
        layer_types: module path to block type.
        ignores: what layers ignore, by the place of the entry in the document.
    """

    locations: dict[str, Location] = field(default_factory=dict)
    layer_types: dict[str, str] = field(default_factory=dict)
    ignores: dict[KeyPath, LayerIgnore] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """A network that fits together and fits into memory.

    Attributes:
        layers: what it is made of.
        input: what reaches the first layer.
        output: what leaves the last one.
        signals: module path to what leaves that module.
        places: where its modules come from.
        parameters: number of scalar parameters.
        modules: number of modules.
        activations: bytes of every layer's output for one sample, in float32.
    """

    layers: Sequence[Layer]
    input: Signal
    output: Signal
    signals: Mapping[str, Signal]
    places: Places
    parameters: int
    modules: int
    activations: int


def plan(spec: Spec, layers: Sequence[Layer], signal: Signal, *, memory: int | None = None) -> Plan:
    """Put the layers together on the meta device: every shape is known afterwards, and nothing was allocated.

    Args:
        spec: knows where the layers stand.
        layers: the value of ``model.layers``.
        signal: what reaches the first of them.
        memory: bytes that the network may use; what is free now when not given.

    Raises:
        SpecError: too many modules, a layer that does not fit the one before, or too little memory.
    """
    _check_modules(spec, layers)
    survey = Survey()
    assembly = _Assembly(spec, survey.make)
    with seeded(0), torch.device("meta"), Undrawn(), torch.no_grad():
        built = assembly.sequence(layers, LAYERS, "", signal)
    costs = {("model", "input"): Cost(outputs=math.prod(signal.shape)), **_costs_by_line(assembly, survey)}
    _check_memory(spec, costs, free_memory() if memory is None else memory)
    return Plan(
        layers=layers,
        input=signal,
        output=built.signal,
        signals=assembly.signals,
        places=assembly.places,
        parameters=sum(cost.parameters for cost in costs.values()),
        modules=sum(1 for _ in built.module.named_modules(remove_duplicate=False)),
        activations=4 * sum(cost.outputs for cost in costs.values()),
    )


def construct(spec: Spec, plan: Plan, seed: int) -> nn.Module:
    """Build the network for good: torch's own init under that seed, float32, on the CPU.

    The global generators and defaults are as before afterwards.
    """

    def make(layer: Layer, incoming: Incoming, path: str) -> Branch:
        built = layer.build(incoming)
        return built if isinstance(built, Branch) else Branch(built, plan.signals[path])

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with seeded(seed), torch.device("cpu"):
            return _Assembly(spec, make).sequence(plan.layers, LAYERS, "", plan.input).module
    finally:
        torch.set_default_dtype(before)


def module_names(layers: Sequence[Layer]) -> list[str]:
    """The name of each layer among its neighbours: its own, or its type, numbered where that is taken.

    Raises:
        Misfit: two layers were given one name, or a name that every module uses itself; ``key`` is the index.
    """
    taken: set[str] = set()
    for index, layer in enumerate(layers):
        if layer.name is None:
            continue
        if layer.name in taken:
            raise Misfit(f"two layers here are called {layer.name!r}", key=str(index))
        if layer.name in TAKEN:
            raise Misfit(f"no layer can be called {layer.name!r}: every module has that attribute", key=str(index))
        taken.add(layer.name)
    names = []
    counts: dict[str, int] = {}
    for layer in layers:
        name = layer.name
        while name is None:
            kind = BLOCKS.canonical(layer.type)
            number = counts.get(kind, 0)
            counts[kind] = number + 1
            candidate = f"{kind}_{number}" if number else kind
            name = None if candidate in taken or candidate in TAKEN else candidate
        taken.add(name)
        names.append(name)
    return names


class _Assembly:
    """Builds lists of layers; where a layer does not fit, says so with its line."""

    def __init__(self, spec: Spec, make: Make) -> None:
        self.spec = spec
        self.make = make
        self.places = Places({"": spec.locate(("model",))})
        self.signals: dict[str, Signal] = {}
        self.keys: dict[str, KeyPath] = {}
        self.built: dict[str, nn.Module] = {}

    def sequence(
        self, layers: Sequence[Layer], keys: KeyPath, path: str, signal: Signal, memory: Signal | None = None
    ) -> Branch:
        try:
            names = module_names(layers)
        except Misfit as misfit:
            raise self._error(str(misfit), (*keys, int(misfit.key or 0), "name"), misfit.hint) from None
        self._check_ends(layers, keys)
        children = nn.Sequential()
        for index, (name, layer) in enumerate(zip(names, layers, strict=True)):
            branch = self.layer(layer, (*keys, index), f"{path}.{name}" if path else name, signal, memory)
            children.add_module(name, branch.module)
            signal = branch.signal
        return Branch(children, signal)

    def layer(self, layer: Layer, keys: KeyPath, path: str, signal: Signal, memory: Signal | None) -> Branch:
        self._remember(layer, keys, path)
        try:
            _check_numbers(layer, signal)
            branch = self.make(layer, Incoming(signal, self._inside(keys, path), self.built, memory), path)
        except Misfit as misfit:
            where = keys if misfit.key is None else (*keys, misfit.key)
            raise self._error(f"{layer.type} {misfit}", where, misfit.hint) from None
        except REFUSALS as error:
            raise self._error(*_refused(layer, signal, error, keys)) from None
        self.signals[path] = branch.signal
        self.built[path] = branch.module
        return branch

    def _check_ends(self, layers: Sequence[Layer], keys: KeyPath) -> None:
        """What has several outputs can only be the last layer of all."""
        for index, layer in enumerate(layers):
            if layer.ends and keys != LAYERS:
                raise self._error(f"{layer.type} ends a network and cannot stand inside a layer", (*keys, index), None)
            if layer.ends and index + 1 < len(layers):
                behind = layers[index + 1].type
                hint = f"move it into one of the parts of {layer.type}"
                message = f"{behind} cannot stand behind {layer.type}, which ends the network"
                raise self._error(message, (*keys, index + 1), hint)

    def _inside(self, keys: KeyPath, path: str) -> BuildInner:
        """Builds layers inside the layer that stands there."""

        def build(layers: Sequence[Layer], key: str, name: str, signal: Signal, memory: Signal | None) -> Branch:
            inside = f"{path}.{name}" if name else path
            self.places.locations[inside] = self.spec.locate(keys)
            return self.sequence(layers, (*keys, key), inside, signal, memory)

        return build

    def _remember(self, layer: Layer, keys: KeyPath, path: str) -> None:
        self.keys[path] = keys
        self.places.locations[path] = self.spec.locate(keys)
        self.places.layer_types[path] = BLOCKS.canonical(layer.type)
        pattern = re.sub(r"(?<=\.)[0-9]+(?=\.)", "*", path)
        for place, ignored in enumerate(layer.ignore):
            where = (*keys, "ignore", place)
            before = self.places.ignores[where].globs if where in self.places.ignores else ()
            globs = tuple(dict.fromkeys((*before, pattern, f"{pattern}.*")))
            location = self.spec.locate(where)
            self.places.ignores[where] = LayerIgnore(globs, ignored.rule, ignored.reason or "", location)

    def _error(self, message: str, keys: KeyPath, hint: str | None) -> SpecError:
        return SpecError([Problem(message, keys, hint)], spec=self.spec)


def _costs_by_line(assembly: _Assembly, survey: Survey) -> dict[KeyPath, Cost]:
    """What every layer of the document takes, all its repetitions together."""
    costs: dict[KeyPath, Cost] = {}
    for path, cost in survey.costs.items():
        keys = assembly.keys[path]
        costs[keys] = costs.get(keys, Cost()) + cost
    return costs


def _check_numbers(layer: Layer, signal: Signal) -> None:
    """Few layers can do anything with token ids.

    Raises:
        Misfit: this one cannot.
    """
    if signal.vocab is not None and not layer.tokens:
        hint = "put an embedding first, or save the file with floating-point numbers"
        raise Misfit("takes real numbers, here come whole ones", hint=hint)


def _check_modules(spec: Spec, layers: Iterable[Layer]) -> None:
    """Refuse by arithmetic what would take forever to build even without memory."""
    counts = [layer.modules() for layer in layers]
    if 1 + sum(counts) <= MAX_MODULES:
        return
    index = max(range(len(counts)), key=counts.__getitem__)
    message = f"the network has {1 + sum(counts):,} modules, at most {MAX_MODULES:,} are built"
    raise SpecError([Problem(message, (*LAYERS, index), f"{counts[index]:,} of them are in here")], spec=spec)


def _check_memory(spec: Spec, costs: Mapping[KeyPath, Cost], memory: int | None) -> None:
    """Refuse what does not fit, at the line that takes the most."""
    total = sum(costs.values(), start=Cost())
    if memory is None or total.memory <= memory:
        return
    heaviest = max(costs, key=lambda keys: costs[keys].memory)
    message = (
        f"the network needs {readable(total.weights)} for weights and {readable(total.memory - total.weights)} "
        f"for the smallest batch, {readable(memory)} available"
    )
    raise SpecError([Problem(message, heaviest, f"{readable(costs[heaviest].memory)} of it")], spec=spec)


def _refused(layer: Layer, signal: Signal, error: Exception, keys: KeyPath) -> tuple[str, KeyPath, str | None]:
    """What to say of a layer that torch did not build or feed."""
    if "overflow" in str(error) or isinstance(error, OverflowError):
        return f"{layer.type} has more numbers than can be counted", keys, None
    return (
        f"{layer.type} does not take an input of shape {signal.shape}",
        keys,
        f"torch says: {first_line(error)[:160]}",
    )
