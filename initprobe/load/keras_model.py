"""Keras 3 models on the torch backend become plain trees of torch modules.

A Keras layer on that backend is an ``nn.Module`` whose hooks fire, but a model does not register its layers: it holds
all variables in one flat ``ParameterDict``, moving means among them, and its mode is an argument of the call.
``KerasNetwork`` gives every layer what is its own, under the names that a Keras user knows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any, Self

import torch
from torch import nn

from initprobe.errors import TargetError, UsageError
from initprobe.load.inputs import FLOATS, INTEGERS, DrawnInputs, InputSpec
from initprobe.load.usercode import keras_session, running
from initprobe.subject import Inputs

SAMPLES = 2
"""Batch of the call that builds a model which nobody has called yet."""


def is_keras(value: object) -> bool:
    """Whether an object is a Keras layer or model, of whatever backend."""
    kinds = type(value).__mro__
    return any(
        kind.__name__ == "Layer" and kind.__module__.partition(".")[0] in {"keras", "tf_keras"} for kind in kinds
    )


def check_backend(value: object, label: str) -> None:
    """Make sure that a Keras model computes with torch.

    Raises:
        UsageError: another backend computes it.
    """
    if is_keras(value) and not isinstance(value, nn.Module):
        backend = sys.modules["keras"].backend.backend() if "keras" in sys.modules else "tensorflow"
        raise UsageError(
            f"{label} is a Keras model on the {backend} backend, and initprobe measures torch tensors",
            hint="set KERAS_BACKEND=torch in the environment; Keras 3.8 or later is needed",
        )


def adopted(model: nn.Module, inputs: Inputs | None, label: str) -> nn.Module:
    """A Keras model as a ``KerasNetwork``; any other as it is.

    Args:
        model: any model.
        inputs: what came with it, to build it with if nobody has called it yet.
        label: what built it, for messages.

    Raises:
        TargetError: its layers have no weights yet, and no inputs came with it.
    """
    if not is_keras(model):
        return model
    if _unbuilt(model):
        _build(model, inputs, label)
    return KerasNetwork(model)


def declared_inputs(network: nn.Module) -> Inputs | None:
    """Inputs drawn as a Keras model declares them; None where it leaves something open, and for other models.

    Whole numbers are tokens of the smallest embedding.
    """
    if not isinstance(network, KerasNetwork):
        return None
    model = network.wrapped
    symbolic = _symbolic_inputs(model)
    vocabularies = [layer.input_dim for layer in model._flatten_layers() if type(layer).__name__ == "Embedding"]
    specs = []
    for tensor in symbolic:
        shape, dtype = tuple(tensor.shape)[1:], str(tensor.dtype)
        whole = dtype in INTEGERS
        if None in shape or not (dtype in FLOATS or (whole and vocabularies)):
            return None
        specs.append(
            InputSpec(None, shape, "tokens", min(vocabularies), dtype) if whole else InputSpec(None, shape, dtype=dtype)
        )
    return DrawnInputs(tuple(specs)) if specs else None


def _symbolic_inputs(model: Any) -> list[Any]:
    """The declared inputs; none for a model that is code."""
    try:
        return list(model.inputs or ())
    except AttributeError:
        return []


def _unbuilt(model: Any) -> bool:
    return any(not layer.built for layer in model._flatten_layers())


def _build(model: Any, inputs: Inputs | None, label: str) -> None:
    """Call a model once, which gives its layers their shapes; a layer that is not called then has no weights."""
    if inputs is None:
        raise TargetError(
            f"the Keras model of {label} is not built: its layers have no weights before they know their input",
            hint="begin with keras.Input(shape), or call the model once in the factory",
        )
    call = inputs.make(inputs.fixed or SAMPLES, 0, torch.float32)
    with running(f"the first call of the model of {label}"), torch.no_grad():
        model(*_arguments(model, call.args, kwargs := dict(call.kwargs)), **kwargs, training=False)


def _arguments(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Inputs as the model takes them: a functional one takes a single argument, however many inputs it has.

    Named inputs are taken out of ``kwargs``.
    """
    symbolic, structure = _symbolic_inputs(model), getattr(model, "input", None)
    names = sorted(structure) if isinstance(structure, dict) else [tensor.name for tensor in symbolic]
    if not args and names and set(names) <= kwargs.keys():
        args = tuple(kwargs.pop(name) for name in names)
    if len(symbolic) < 2 or len(args) != len(symbolic):
        return args
    return (sys.modules["keras"].tree.pack_sequence_as(structure, list(args)),)


class KerasNetwork(nn.Module):
    """A Keras model as torch knows models: layers are modules, and ``train()`` and ``eval()`` decide the mode.

    It is in eval mode at first: Keras runs a model that is called in inference.

    Attributes:
        wrapped: the Keras model.
    """

    wrapped: Any

    def __init__(self, model: Any) -> None:
        super().__init__()
        vars(self)["wrapped"] = model  # past torch, which would register the model beside its layers
        self._states: list[tuple[nn.Module, str, torch.Tensor]] = []
        self._expose(model, self, set())
        self.eval()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The model's output; each input is an argument of its own."""
        device = next((str(tensor.device) for tensor in (*self.parameters(), *self.buffers())), "cpu")
        arguments = _arguments(self.wrapped, args, kwargs)
        with keras_session(), sys.modules["keras"].device(device):
            return self.wrapped(*arguments, **kwargs, training=self.training)

    def hand_over(self, model: Any) -> None:
        """Give the numbers of this network to the model that it was copied from."""
        with torch.no_grad():
            for copied, own in self.pairs(model):
                own.value.copy_(copied.value)

    def pairs(self, model: Any) -> Iterator[tuple[Any, Any]]:
        """The variables of this network, each with that of the model that it was copied from."""
        return zip(self.wrapped.variables, model.variables, strict=True)

    def check_dtype(self, dtype: torch.dtype) -> None:
        """Make sure that the model computes in a dtype.

        Raises:
            UsageError: its policy says otherwise.
        """
        own = {parameter.dtype for parameter in self.parameters() if parameter.is_floating_point()}
        if own - {dtype}:
            name = str(dtype).removeprefix("torch.")
            raise UsageError(
                "a Keras layer computes in the dtype of its policy, which --dtype cannot change",
                hint=f"keras.config.set_dtype_policy({name!r}) where the model is built",
            )

    def _apply(self, change: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Self:  # noqa: FBT001, FBT002 - torch's signature
        """Move to another device; a buffer stays the tensor that Keras reads, where torch would replace it."""
        super()._apply(change, recurse)  # type: ignore[no-untyped-call]
        for owner, name, tensor in self._states:
            tensor.data = owner._buffers[name].data  # type: ignore[union-attr]
            owner._buffers[name] = tensor
        return self

    def _expose(self, layer: Any, shown: nn.Module, done: set[int]) -> None:
        """Let ``shown`` own what belongs to a Keras layer: the layer itself, and this network for the model."""
        done.add(id(layer))
        children, folded = _children(layer)
        below = {id(variable) for child in children for variable in child.variables}
        wrapped = {name: module for name, module in layer._modules.items() if _is_torch(name, module)}
        below |= {id(variable) for variable in layer.variables if _held(variable, wrapped)}
        vars(layer).update(layer._modules)  # torch's dictionary was the only place of these attributes
        layer._modules.clear()
        shown._modules.update(wrapped)
        learned = {id(variable) for owner in (layer, *folded) for variable in owner._trainable_variables}
        for variable in layer.variables:
            if id(variable) not in below:
                self._take(shown, variable, learned=id(variable) in learned)
        for child in children:
            shown._modules[_free(child.name, shown, child)] = child
            if id(child) not in done:
                self._expose(child, child, done)

    def _take(self, shown: nn.Module, variable: Any, *, learned: bool) -> None:
        """A weight becomes a parameter; what a layer only keeps (a moving mean, a seed) becomes a buffer."""
        name = variable.name.replace(".", "_")
        while name in shown._parameters or name in shown._buffers:
            name += "_"
        if learned:
            shown._parameters[name] = variable.value
        else:
            shown._buffers[name] = variable.value
            self._states.append((shown, name, variable.value))


def _children(layer: Any) -> tuple[list[Any], list[Any]]:
    """The layers right below, and a recurrent layer's plain cell: that is not called on all ways to compute it.

    Layers that only hold a place for an input are left out.
    """
    model = hasattr(layer, "summary")
    found = layer.layers if model else layer._flatten_layers(include_self=False, recursive=False)
    found = [child for child in found if type(child).__name__ != "InputLayer"]
    cells = [child for child in found if type(child).__name__.endswith("Cell") and not child._layers]
    return ([], cells) if len(found) == len(cells) == 1 else (found, [])


def _is_torch(name: str, module: object) -> bool:
    """Whether a registered module is one that a Keras layer wraps."""
    return isinstance(module, nn.Module) and name != "_torch_params" and not is_keras(module)


def _held(variable: Any, wrapped: dict[str, nn.Module]) -> bool:
    return any(variable.value is parameter for module in wrapped.values() for parameter in module.parameters())


def _free(name: str, owner: nn.Module, member: object) -> str:
    """A name under which ``owner`` can hold a module: without dots, and no other attribute of it."""
    name = name.replace(".", "_")
    while hasattr(type(owner), name) or name in owner._modules or vars(owner).get(name, member) is not member:
        name += "_"
    return name
