"""Which tensor of a checkpoint is which weight of a model: by name, with the usual wrappers of names understood."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from initprobe.errors import UsageError, first_line, visible_lines
from initprobe.load.usercode import running

SHOWN = 3
"""Names of a kind that are told."""

LONGEST = 120
"""Characters of a name that are told."""

COMPARED = 500
"""Names that are compared with one that is missing."""

_WRAPPED = re.compile(r"(?<![^.])(?:module|_orig_mod)\.")
"""What DataParallel and torch.compile put before the names of the modules inside them."""

_EXTRA = "_extra_state"


def load_weights(model: nn.Module, tensors: Mapping[str, torch.Tensor], *, file: str, name: str) -> None:
    """Copy a checkpoint into a model, whole.

    Args:
        model: written to; it keeps its dtype and its device.
        tensors: by the names of the checkpoint.
        file: the checkpoint, for messages.
        name: the model, for messages.

    Raises:
        UsageError: a weight is missing in the file, or has no place in the model, or has another shape.
        TargetError: code of the model's own that loads it raised.
    """
    with running(f"the state_dict() of {name}"):
        state = {key: value for key, value in model.state_dict(keep_vars=True).items() if _is_weight(key, value)}
    renamed = _renamed(tensors, state)
    unlike = {key for key, value in renamed.items() if key in state and not _alike(value, state[key])}
    fitting = {key: value for key, value in renamed.items() if key not in unlike}
    try:
        with running(f"loading {file} into {name}"):
            missing, unexpected = _copied(model, fitting)
    except _TorchError as error:
        raise UsageError(f"{file!r} cannot be copied into {name}: {error}") from error
    buffers = {key for key, _ in model.named_buffers(remove_duplicate=False)}  # not all of them are saved
    there = {_identity(state[key]) for key in renamed if key in state}  # under whichever name of tied weights
    misfit = Misfit(
        f"{file!r} does not fit {name}",
        state,
        renamed,
        missing=tuple(key for key in missing if key in state and _identity(state[key]) not in there),
        unexpected=tuple(key for key in unexpected if _is_weight(key, renamed.get(key)) and key not in buffers),
        unlike=tuple(key for key in state if key in unlike),
        torn=tuple(_torn(state, fitting)),
    )
    if misfit.missing or misfit.unexpected or misfit.unlike or misfit.torn:
        raise misfit.error()


class _TorchError(UsageError):
    """Torch could not copy one of the tensors."""


def _copied(model: nn.Module, tensors: Mapping[str, torch.Tensor]) -> tuple[list[str], list[str]]:
    """Names that torch missed and did not expect, once the model's own hooks have renamed what they know."""
    try:
        missing, unexpected = model.load_state_dict(dict(tensors), strict=False)
    except RuntimeError as error:
        if not str(error).startswith("Error(s) in loading state_dict"):
            raise
        reason = next((line.strip() for line in str(error).splitlines()[1:] if line.strip()), first_line(error))
        raise _TorchError(visible_lines(reason)[:400]) from error
    return missing, unexpected


def _is_weight(name: str, value: object) -> bool:
    return isinstance(value, torch.Tensor) and name.rpartition(".")[2] != _EXTRA


def _alike(given: torch.Tensor, own: torch.Tensor) -> bool:
    """Whether the numbers of a tensor can stand in the model's: precision may differ, whole numbers stay whole."""
    if is_lazy(own):
        return True
    if given.shape != own.shape or given.is_complex() != own.is_complex():
        return False
    if given.is_floating_point() and not own.is_floating_point():
        numbers = given.double()
        return bool((numbers == numbers.round()).all())  # a counter, saved with all others in half precision
    return given.is_floating_point() == own.is_floating_point()


def _renamed(tensors: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors under names of the model: as they are, or less the usual prefixes on either side if more fit then."""
    pairs = product(_variants(tensors), _variants(state))
    given, own = max(pairs, key=lambda pair: len(pair[0].keys() & pair[1].keys()))
    return {own.get(key, key): tensors[found] for key, found in given.items()}


def _variants(names: Iterable[str]) -> list[dict[str, str]]:
    """The names as they are, without wrappers, and without ``model.`` before that; each to what it was."""
    plain = {name: name for name in names}
    variants = [plain, {_WRAPPED.sub("", name): name for name in plain}]
    while variants[-1] and all(name.startswith("model.") for name in variants[-1]):
        variants.append({name.removeprefix("model."): was for name, was in variants[-1].items()})
    return [variant for variant in variants if len(variant) == len(plain)]


def _identity(tensor: torch.Tensor) -> tuple[object, ...]:
    """The same for two names of one tensor."""
    if is_lazy(tensor) or tensor.is_meta or tensor.layout is not torch.strided or not tensor.numel():
        return (id(tensor),)
    return tensor.data_ptr(), tensor.shape, tensor.stride()


def _torn(state: Mapping[str, torch.Tensor], tensors: Mapping[str, torch.Tensor]) -> list[tuple[str, str]]:
    """Names of one tensor of the model that are different tensors in the file."""
    first: dict[tuple[object, ...], str] = {}
    pairs = ((first.setdefault(_identity(value), key), key) for key, value in state.items() if key in tensors)
    return [(one, other) for one, other in pairs if one != other and not _equal(tensors[one], tensors[other])]


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Bit for bit, which holds for what is not a number too."""
    if one.dtype != other.dtype or one.data_ptr() == other.data_ptr():
        return one.dtype == other.dtype
    return torch.equal(one.reshape(-1).view(torch.uint8), other.reshape(-1).view(torch.uint8))


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a checkpoint is not one of this model.

    Attributes:
        headline: that it does not fit, with both names.
        state, tensors: the weights of the model and of the file, by name.
        missing: names that only the model has.
        unexpected: names that only the file has.
        unlike: names with another shape or another kind of numbers.
        torn: pairs of names that are one tensor in the model and two in the file.
    """

    headline: str
    state: Mapping[str, torch.Tensor]
    tensors: Mapping[str, torch.Tensor]
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    torn: tuple[tuple[str, str], ...] = ()

    def error(self) -> UsageError:
        """All of it in one message."""
        kinds = (
            ("missing", [self._missing(key) for key in self.missing[:SHOWN]], self.missing),
            ("unexpected", [told(key) for key in self.unexpected[:SHOWN]], self.unexpected),
            ("shape", [self._unlike(key) for key in self.unlike[:SHOWN]], self.unlike),
            (
                "tied",
                [f"{told(one)} and {told(other)}, which differ in the file" for one, other in self.torn],
                self.torn,
            ),
        )
        lines = [self.headline]
        for noun, shown, every in kinds:
            more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
            lines += [f"  {noun + ':':12}{', '.join(shown[:SHOWN])}{more}"] if every else []
        return UsageError("\n".join(lines), hint=self._hint())

    def _missing(self, name: str) -> str:
        others = [key[:LONGEST] for key in self.unexpected[:COMPARED]]
        near = get_close_matches(name[:LONGEST], others, n=1, cutoff=0.7)
        return f"{told(name)} (the file has {told(near[0])})" if near else told(name)

    def _unlike(self, name: str) -> str:
        one, other = self.tensors[name], self.state[name]
        return f"{told(name)} is {_described(one)} in the file and {_described(other)} in the model"

    def _hint(self) -> str:
        if self.unlike or self.torn:
            return "build the model with the sizes and the ties of the one that was saved"
        if self.missing and self.unexpected:
            return "name the target that was saved, or rename the weights: every one of both must have its counterpart"
        if self.missing:
            return "name the target that was saved: a checkpoint is loaded whole, or not at all"
        return "name the target that was saved, or save its state_dict() without the others"


def told(name: str) -> str:
    """A name from a file as one harmless piece of text."""
    return repr(name) if len(name) <= LONGEST else f"{name[:LONGEST]!r}…"


def _described(tensor: torch.Tensor) -> str:
    shape = [] if is_lazy(tensor) else list(tensor.shape)
    return f"{str(tensor.dtype).removeprefix('torch.')}{shape}"
