"""What schemes that look at data may do: run the network, differentiate it, and change the weights that they drew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from initprobe.errors import InitprobeError, TargetError, UsageError
from initprobe.hooks import Mode, undisturbed
from initprobe.init.derivatives import check_twice, differentiate
from initprobe.init.fans import UndrawableError
from initprobe.init.layerwise import Layer, find_layers, first_floats, rescaled
from initprobe.init.network import Network
from initprobe.init.own_loss import own_loss
from initprobe.init.slots import Slot
from initprobe.module_state import shares_memory
from initprobe.records import MULTIPLYING_ROLES
from initprobe.subject import Call, Subject, run_model
from initprobe.variates import Variates

APART = 1_000_003
"""How far the seeds of calibration are from the probe's: nothing is measured on the batch that it was fitted to."""

BATCH_STATISTICS = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)  # noqa: SLF001 - the bases


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


Adjust = Callable[[Layer, torch.Tensor], torch.Tensor]
"""Takes a layer and its output, writes the layer's parameters, and answers with the output that they now make."""

Named = Sequence[tuple[str, nn.Parameter]]


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
        twice: whether it was seen that the network can be differentiated twice.
    """

    network: Network
    slots: tuple[Slot, ...]
    data: Data
    changed: set[str] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)
    passes: int = 0
    twice: bool = False

    @property
    def seed(self) -> int:
        """The seed of the batches and of whatever else is drawn on the way."""
        return (self.network.seed + APART) % 2**63

    @property
    def fixed(self) -> bool:
        """Whether the target brought its own batch: every ``index`` then gives that one."""
        return self.data.subject.inputs.fixed is not None

    def check_batch(self) -> None:
        """Make sure that the batch holds numbers.

        Raises:
            UsageError: one of them is nan.
        """

        def look(place: str, tensor: torch.Tensor) -> torch.Tensor:
            if tensor.is_floating_point() and tensor.isnan().any():
                raise UsageError(
                    f"input {place} of the batch holds nan", hint="take the samples with nan out, or clean them"
                )
            return tensor

        self.call().changed(look)

    def call(self, index: int = 0, beside: int | None = None) -> Call:
        """A batch on the model's device; another ``index`` gives another one.

        Args:
            index: of the batch.
            beside: of the batch that its second half comes from, where that is another one.
        """
        first = self.data.subject.call(self.data.batch, (self.seed + index) % 2**63)
        if beside is None or self.fixed:
            return first
        others: dict[str, torch.Tensor] = {}

        def note(place: str, tensor: torch.Tensor) -> torch.Tensor:
            others[place] = tensor
            return tensor

        second = self.call(beside)
        second.changed(note)
        mixed = first.changed(lambda place, tensor: self._halves(tensor, others[place]))
        if first.labels is None or second.labels is None:
            return mixed
        return replace(mixed, labels=self._halves(first.labels, second.labels))

    def _halves(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """The first half of one batch and the second half of another; what has no batch axis is the first's."""
        if first.dim() == 0 or first.shape[0] != self.data.batch or first.shape != second.shape:
            return first
        half = self.data.batch // 2
        return torch.cat([first[:half], second[half:]])

    @contextmanager
    def running(self, *, gradients: bool = False, noise: bool = True) -> Iterator[nn.Module]:
        """The model, ready to be run in the mode asked for; buffers, modes, gradients and random states come back.

        What is written into parameters stays. With gradients, attention and recurrent layers compute by operations
        that can be differentiated twice.

        Args:
            gradients: whether a graph is recorded.
            noise: whether dropout is on in training mode; normalizations use the batch's statistics anyway.
        """
        model, quiet = self.network.model, not noise and self.data.mode == "train"
        with ExitStack() as stack:
            mode = "eval" if quiet else self.data.mode
            stack.enter_context(undisturbed(model, mode=mode, seed=self.seed))
            if quiet:
                for module in model.modules():
                    if isinstance(module, BATCH_STATISTICS):
                        module.training = True
            if gradients:
                stack.enter_context(sdpa_kernel(SDPBackend.MATH))
                if any(isinstance(module, nn.RNNBase) for module in model.modules()):
                    stack.enter_context(torch.backends.cudnn.flags(enabled=False))
            stack.enter_context(torch.set_grad_enabled(gradients))
            yield model

    def output(self, model: nn.Module, call: Call) -> Any:
        """What the model makes of a batch.

        Raises:
            TargetError: the forward failed, with the user's own frames.
        """
        self.passes += 1
        try:
            return run_model(model, call)
        except TargetError as error:
            if isinstance(error.__cause__, InitprobeError):  # a scheme's own word, not the model's failure
                raise error.__cause__ from None
            raise

    def loss(self, output: Any, index: int = 0, beside: int | None = None) -> torch.Tensor:
        """The target's own loss; without one, cross-entropy with random labels over the last axis of the output.

        An output of one unit is compared with standard normal numbers by its mean squared error.

        Args:
            output: of the model.
            index: of the batch; every batch has its own labels.
            beside: as for ``call``.

        Raises:
            TargetError: the target's own loss failed, or is no number.
            UsageError: the model puts out no numbers.
        """
        subject = self.data.subject
        own = subject.loss_of(self.call(index, beside)) if subject.labelled else subject.loss
        if own is not None:
            return own_loss(own, output)
        first = first_floats(output)
        first = first.to(torch.promote_types(first.dtype, torch.float32))
        units = first.shape[-1] if first.dim() else 1
        if units < 2:
            wanted = self._targets(index, beside, lambda one: one.normal(tuple(first.shape)))
            return nn.functional.mse_loss(first, wanted.to(first))
        labels = self._targets(index, beside, lambda one: one.integers(tuple(first.shape[:-1]), units))
        return nn.functional.cross_entropy(first.reshape(-1, units), labels.reshape(-1).to(first.device))

    def _targets(self, index: int, beside: int | None, draw: Callable[[Variates], torch.Tensor]) -> torch.Tensor:
        first = draw(Variates(self.seed, f"@labels.{index}"))
        if beside is None or self.fixed:
            return first
        return self._halves(first, draw(Variates(self.seed, f"@labels.{beside}")))

    def gradients(
        self,
        value: torch.Tensor,
        tensors: Sequence[torch.Tensor],
        *,
        cotangent: torch.Tensor | None = None,
        graph: bool = False,
    ) -> list[torch.Tensor]:
        """The gradients of a value; zero where it does not depend on a tensor. Counts as a pass.

        Args:
            value: what is differentiated.
            tensors: what by.
            cotangent: gradient of the value, where it is no single number.
            graph: whether the gradients will be differentiated again.

        Raises:
            UsageError: it depends on nothing that can be differentiated, or an operation has no second derivative.
            TargetError: the backward pass failed, with the user's own frames.
        """
        self.passes += 1
        found = differentiate(value, tensors, cotangent, graph=graph)
        if graph and not self.twice:
            check_twice(found)
            self.twice = True
        return found

    def trained(self) -> Named:
        """Every parameter of the model that an optimizer can train, drawn by this scheme or not."""
        return [
            (name, parameter)
            for name, parameter in self.network.model.named_parameters()
            if parameter.requires_grad and parameter.is_floating_point() and not shares_memory(parameter)
        ]

    def tunable(self) -> Named:
        """The parameters that this scheme drew and training changes; of the frozen ones ``notes`` tells.

        Raises:
            UsageError: all of them are frozen.
        """
        drawn = [one for slot in self.slots for one in slot.parameters.items()]
        for name, parameter in drawn:
            if not parameter.requires_grad:
                self.notes.setdefault(name, "not calibrated: it is frozen, and training takes no step along it")
        found = [(name, parameter) for name, parameter in drawn if parameter.requires_grad]
        if not found:
            raise UsageError(
                "every parameter that is to be calibrated is frozen", hint="requires_grad_() on those that are trained"
            )
        return found

    def write(self, slot: Slot, values: torch.Tensor) -> None:
        """Give a weight new values.

        Raises:
            UndrawableError: its parametrization does not keep them.
        """
        with torch.no_grad():
            slot.write(values)
        self.changed.update(slot.parameters)

    def rescale(
        self, layer: Layer, output: torch.Tensor, factor: torch.Tensor, shift: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Multiply what a layer puts out by a factor and add a shift, in its parameters; answers with the new output.

        A bias that another scheme drew stays as it is, and so does a layer's lack of one: the shift is then left out.

        Args:
            layer: the layer.
            output: what it puts out now.
            factor: positive, a number or one per unit.
            shift: likewise.

        Raises:
            UndrawableError: the weight cannot be changed so.
        """
        made, names = rescaled(layer, output, factor, shift)
        self.changed.update(names)
        return made

    def walk(self, adjust: Adjust) -> tuple[Slot, ...]:
        """One forward pass that adjusts every layer as it is reached, so that each one sees its adjusted predecessors.

        Layers that run more than once are adjusted the first time. Weights whose product no module puts out alone
        (packed attention, recurrent layers, functional calls) stay as drawn, and ``notes`` says so.

        Returns:
            The weights that were adjusted, in the order of the pass.
        """
        layers = find_layers(self.network, self.slots)
        calls: Counter[nn.Module] = Counter()
        done: list[Slot] = []

        def hook(module: nn.Module, args: tuple[object, ...], output: object) -> object:
            calls[module] += 1
            if calls[module] > 1 or not isinstance(output, torch.Tensor) or not output.is_floating_point():
                return None
            entered = args[0] if args and isinstance(args[0], torch.Tensor) else None
            layer = replace(layers[module], entered=entered)
            try:
                adjusted = adjust(layer, output)
            except UndrawableError as reason:
                self.notes.update(dict.fromkeys(layer.weight.parameters, f"not calibrated: {reason}"))
                return None
            done.append(layer.weight)
            return adjusted

        with self.running() as model:
            handles = [module.register_forward_hook(hook) for module in layers]
            try:
                self.output(model, self.call())
            finally:
                for handle in handles:
                    handle.remove()
        self._tell(layers, calls, done)
        return tuple(done)

    def _tell(self, layers: dict[nn.Module, Layer], calls: Counter[nn.Module], done: Sequence[Slot]) -> None:
        """Note what was not adjusted, and what was adjusted for one of its uses only."""
        reached = {slot.weight.name for slot in done}
        for slot in self.slots:
            if slot.weight.role in MULTIPLYING_ROLES and slot.weight.name not in reached:
                why = "the pass does not reach it" if slot.module in layers else "no module puts out its product alone"
                for name in slot.parameters:
                    self.notes.setdefault(name, f"not calibrated: {why}")
        for module, layer in layers.items():
            if layer.weight.weight.name not in reached:
                continue
            shared = ", ".join(map(repr, layer.weight.weight.aliases))
            note = f"shared with {shared}: calibrated where {layer.name} uses it" if shared else None
            note = f"runs {calls[module]} times in a pass: calibrated on the first" if calls[module] > 1 else note
            if note:
                for name in layer.weight.parameters:
                    self.notes.setdefault(name, note)
