"""What schemes that look at data may do: run the network, read and change the weights that they drew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import nn

from initprobe.hooks import Mode, tensors_in, undisturbed
from initprobe.init.fans import UndrawableError
from initprobe.init.network import Network
from initprobe.init.slots import Slot
from initprobe.records import Role
from initprobe.subject import Call, Subject, run_model
from initprobe.variates import Variates

MATRICES: frozenset[Role] = frozenset(["linear", "conv", "depthwise", "transposed"])
"""Roles of the weights whose outputs a walk adjusts."""

APART = 1_000_003
"""How far the seeds of calibration are from the probe's: nothing is measured on the batch that it was fitted to."""


@dataclass(frozen=True, slots=True)
class Data:
    """What the network is run on.

    Attributes:
        subject: the network with its inputs and its loss, if it has one.
        batch: samples per pass.
        mode: training, evaluation, or as it is.
    """

    subject: Subject
    batch: int
    mode: Mode = "train"


class Layer(NamedTuple):
    """A layer whose output is being adjusted.

    Attributes:
        weight: its weight, to read and to write.
        bias: its bias, None where it has none or the scheme did not draw it.
        unit_axis: the axis of the output that counts its units, negative.
    """

    weight: Slot
    bias: Slot | None
    unit_axis: int


Adjust = Callable[[Layer, torch.Tensor], torch.Tensor]
"""Takes a layer and its output, writes the layer's parameters, and answers with the output that they now make."""


@dataclass(slots=True)
class Calibration:
    """One scheme's look at the network, after all schemes have drawn.

    Attributes:
        network: the network that is drawn.
        slots: the weights that this scheme drew, biases included.
        data: what the network is run on.
        changed: names of the parameters that were changed; their declared standard deviation no longer holds.
        notes: what could not be done for a parameter, by its name.
        passes: how often the network ran so far, a backward pass counted like a forward pass.
    """

    network: Network
    slots: tuple[Slot, ...]
    data: Data
    changed: set[str] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)
    passes: int = 0

    @property
    def seed(self) -> int:
        """The seed of the batches and of whatever else is drawn on the way."""
        return (self.network.seed + APART) % 2**63

    def call(self, index: int = 0) -> Call:
        """A batch on the model's device; another ``index`` gives another one."""
        return self.data.subject.call(self.data.batch, (self.seed + index) % 2**63)

    @contextmanager
    def running(self, *, gradients: bool = False) -> Iterator[nn.Module]:
        """The model, ready to be run in the mode asked for; buffers, modes, gradients and random states come back.

        What is written into parameters stays.
        """
        quiet = undisturbed(self.network.model, mode=self.data.mode, seed=self.seed)
        with quiet, torch.set_grad_enabled(gradients):
            yield self.network.model

    def output(self, model: nn.Module, call: Call) -> Any:
        """What the model makes of a batch.

        Raises:
            TargetError: the forward failed, with the user's own frames.
        """
        self.passes += 1
        return run_model(model, call)

    def loss(self, output: Any, index: int = 0) -> torch.Tensor:
        """The target's own loss; without one, cross-entropy with random labels over the last axis of the output.

        An output of one unit is compared with standard normal numbers by its mean squared error.

        Args:
            output: of the model.
            index: of the batch; every batch has its own labels.
        """
        if self.data.subject.loss is not None:
            value: torch.Tensor = self.data.subject.loss(output)
            return value
        first = next(tensor for _, tensor in tensors_in(output) if tensor.is_floating_point())
        variates = Variates(self.seed, f"@labels.{index}")
        units = first.shape[-1] if first.dim() else 1
        if units < 2:
            wanted = variates.normal(tuple(first.shape)).to(first)
            return nn.functional.mse_loss(first, wanted)
        labels = variates.integers(tuple(first.shape[:-1]), units).to(first.device)
        return nn.functional.cross_entropy(first.reshape(-1, units), labels.reshape(-1))

    def write(self, slot: Slot, values: torch.Tensor) -> None:
        """Give a weight new values.

        Raises:
            UndrawableError: its parametrization does not keep them.
        """
        with torch.no_grad():
            slot.write(values)
        self.changed.update(slot.parameters)

    def scale(self, slot: Slot, factor: float | torch.Tensor) -> None:
        """Multiply a weight by a number, or by one per unit (shaped to broadcast).

        Raises:
            UndrawableError: its parametrization does not keep the product.
        """
        self.write(slot, slot.read() * factor)

    def matrices(self) -> tuple[Slot, ...]:
        """The weights of layers that multiply their input, among those that this scheme drew."""
        return tuple(slot for slot in self.slots if slot.weight.role in MATRICES)

    def walk(self, adjust: Adjust) -> tuple[Slot, ...]:
        """One forward pass that adjusts every layer as it is reached, so that each one sees its adjusted predecessors.

        Layers that run more than once are adjusted the first time. Weights whose product no module puts out alone
        (packed attention, recurrent layers, functional calls) stay as drawn, and ``notes`` says so.

        Returns:
            The weights that were adjusted, in the order of the pass.
        """
        waiting = self._layers()
        done: list[Slot] = []

        def hook(module: nn.Module, _args: object, output: object) -> object:
            layer = waiting.pop(module, None)
            if layer is None or not isinstance(output, torch.Tensor) or not output.is_floating_point():
                return None
            try:
                adjusted = adjust(layer, output)
            except UndrawableError as reason:
                self.notes.update(dict.fromkeys(layer.weight.parameters, f"not calibrated: {reason}"))
                return None
            done.append(layer.weight)
            return adjusted

        with self.running() as model:
            handles = [module.register_forward_hook(hook) for module in waiting]
            try:
                self.output(model, self.call())
            finally:
                for handle in handles:
                    handle.remove()
        for slot in self.matrices():
            if slot not in done:
                for name in slot.parameters:
                    self.notes.setdefault(name, "not calibrated: no module puts out its product alone")
        return tuple(done)

    def _layers(self) -> dict[nn.Module, Layer]:
        """Modules whose output is the product of one weight that was drawn."""
        axes = {site.weight: site.unit_axis for site in self.network.anatomy.sites if site.kind == "weighted"}
        by_module: dict[nn.Module, list[Slot]] = {}
        for slot in self.slots:
            by_module.setdefault(slot.module, []).append(slot)
        layers = {}
        for module, slots in by_module.items():
            weights = [slot for slot in slots if slot.weight.role in MATRICES and not slot.in_norm]
            biases = [slot for slot in slots if slot.weight.role == "bias"]
            axis = next((axes[name] for name in _names(weights) if axes.get(name) is not None), None)
            if len(weights) == 1 and axis is not None:
                layers[module] = Layer(weights[0], biases[0] if len(biases) == 1 else None, axis)
        return layers


def _names(slots: Sequence[Slot]) -> list[str]:
    return [name for slot in slots for name in (slot.weight.name, *slot.parameters, *slot.weight.aliases)]
