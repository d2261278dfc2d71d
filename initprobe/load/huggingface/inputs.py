"""Which dummy tensors a model is given: the first combination that it runs on, the richest tried first."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Any

import torch
from torch import nn

from initprobe.errors import UsageError, first_line
from initprobe.hooks import Mode, undisturbed
from initprobe.load.dummies.base import MODALITIES, Dummies, Dummy, Make, Modality, Network
from initprobe.subject import Call
from initprobe.variates import Variates

TRIALS = 100
"""Combinations that are tried; nearly all that fail do so at once."""

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

ASKED = "--input 'input_ids=int64[128]<1000'"
"""An input that is shown where not even a likely one is known."""

SAMPLES = 2
"""Batch of a trial: batch normalization in train mode needs two."""


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument to fill; an optional one is also left out, where the model does not run with it."""

    name: str
    makes: tuple[Make, ...]
    optional: bool = False


@dataclass(frozen=True)
class DummyInputs:
    """Batches of dummy tensors, each drawn from its own generator and passed by name."""

    dummies: Mapping[str, Dummy]

    @property
    def fixed(self) -> None:
        """Any batch size can be drawn."""
        return

    def make(self, batch: int, seed: int, dtype: torch.dtype) -> Call:
        """A batch; see ``subject.Inputs``."""
        drawn = {
            name: dummy.draw(batch, Variates(seed, f"@input.{name}"), dtype) for name, dummy in self.dummies.items()
        }
        return Call((), drawn)


def dummy_inputs(model: nn.Module, config: Any, where: str, *, mode: Mode = "train") -> DummyInputs:
    """Inputs that a model of the transformers library runs on in that mode; the model comes back as it was.

    Raises:
        UsageError: none of those that were tried; the message lists what its forward takes.
    """
    network = Network(model, config, dict(inspect.signature(model.forward).parameters), _run_on(model, mode))
    _check_forward(network, where)
    failures: list[BaseException] = []
    tried: Dummies = {}
    for dummies in islice(distinct(candidates(network, failures)), TRIALS):
        inputs = DummyInputs(dummies)
        tried = tried or dummies
        try:
            network.run(model, inputs.make(SAMPLES, 0, torch.float32))
        except Exception as error:  # noqa: BLE001 - whatever it is, the next ones may do
            failures.append(error)
        else:
            return inputs
    raise _unguessed(network, tried, failures, where)


def distinct(found: Iterator[Dummies]) -> Iterator[Dummies]:
    """Each combination once: with fewer kinds of data, what the forward cannot do without comes back."""
    seen: set[str] = set()
    for dummies in found:
        key = repr(sorted(dummies.items()))
        if key not in seen:
            seen.add(key)
            yield dummies


def _run_on(model: nn.Module, mode: Mode) -> Callable[[Callable[..., Any], Call], Any]:
    def run(method: Callable[..., Any], call: Call) -> Any:
        with undisturbed(model, mode=mode, seed=0), torch.no_grad():
            return method(*call.args, **call.kwargs)

    return run


def candidates(network: Network, failures: list[BaseException]) -> Iterator[Dummies]:
    """Combinations of arguments: all kinds of data that the forward takes, then fewer of them."""
    present = [kind for kind in MODALITIES.values() if any(name in network.takes for name in kind.data)]
    present = sorted(present, key=lambda kind: kind.order)
    for size in range(len(present), -1, -1):
        for kinds in combinations(present, size):
            for masked in (False, True):
                yield from _filled(network, _arguments(network, kinds, masked=masked), {}, failures)


def _arguments(network: Network, kinds: tuple[Modality, ...], *, masked: bool) -> list[Argument]:
    """The arguments to fill, data first, text last; masks that hide nothing only where they are asked for."""
    wanted: dict[str, Argument] = {}
    for kind in kinds:
        for name in [*kind.data, *kind.companions, *(kind.required if masked else ())]:
            if name in network.takes:
                optional = name in kind.companions and not network.required(name)
                wanted.setdefault(name, Argument(name, _makes(name), optional))
    for kind in MODALITIES.values():
        for name in {**kind.data, **kind.companions, **kind.required}:
            if network.required(name):
                wanted.setdefault(name, Argument(name, _makes(name)))
    return list(wanted.values())


def _makes(name: str) -> tuple[Make, ...]:
    """What makes an argument: several kinds of data may come under one name."""
    kinds = sorted(MODALITIES.values(), key=lambda kind: kind.order)
    known = ({**kind.required, **kind.companions, **kind.data}.get(name) for kind in kinds)
    return tuple(make for make in known if make is not None)


def _filled(
    network: Network, arguments: list[Argument], chosen: Dummies, failures: list[BaseException]
) -> Iterator[Dummies]:
    """Every way to fill the arguments, in the order of their alternatives; one that nothing fits is left out."""
    if not arguments:
        if chosen:
            yield chosen
        return
    argument, *rest = arguments
    try:
        made = [dummy for make in argument.makes for dummy in make(network, chosen)]
    except Exception as error:  # noqa: BLE001 - features that cannot be counted, say
        failures.append(error)
        return
    for dummy in made:
        yield from _filled(network, rest, {**chosen, argument.name: dummy}, failures)
    if not made or argument.optional:
        yield from _filled(network, rest, chosen, failures)


def _unguessed(network: Network, tried: Dummies, failures: list[BaseException], where: str) -> UsageError:
    """What to write instead: the inputs that were likeliest, and all that the forward takes."""
    kind = type(network.model).__name__
    taken = [name for name, parameter in network.takes.items() if parameter.kind not in _VARIADIC]
    needed = [name for name in taken if network.required(name)]
    shown = [_as_typed(name, dummy) for name, dummy in tried.items()]
    shown += [f"--input '{name}=float32[16,32]'" for name in needed if name not in tried]
    reason = f": {first_line(failures[0])[:300]}" if failures else ""
    cannot = f"; it cannot do without {', '.join(needed)}" if needed else ""
    return UsageError(
        f"the input of {kind} ({where}) could not be guessed{reason}",
        hint=f"say what it is, like {' '.join(shown) or ASKED}, or with --batch-from pkg:fn; "
        f"its forward takes {', '.join(taken)}{cannot}",
    )


def _as_typed(name: str, dummy: Dummy) -> str:
    """A dummy as ``--input`` takes it."""
    shape = list(dummy.draw(1, Variates(0, ""), torch.float32).shape[1:])
    extents = ",".join(map(str, shape))
    vocab = getattr(dummy, "vocab", None)
    return f"--input '{name}=int64[{extents}]<{vocab}'" if vocab else f"--input '{name}=float32[{extents}]'"


def _check_forward(network: Network, where: str) -> None:
    """Some models are a bundle of others, and have methods that generate and nothing else."""
    if type(network.model).forward is not nn.Module.forward:
        return
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    nested = {config.model_type for config in network.nested() if config is not network.config}
    parts = sorted(part for part in nested if part in CONFIG_MAPPING)
    raise UsageError(
        f"{type(network.model).__name__} ({where}) has no forward",
        hint=f"probe one of its parts: {', '.join(f'hf:{part}' for part in parts)}" if parts else None,
    )
