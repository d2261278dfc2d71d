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
from initprobe.hooks import undisturbed
from initprobe.load.dummies.base import MODALITIES, Dummies, Dummy, Make, Modality, Network
from initprobe.subject import Call
from initprobe.variates import Variates

TRIALS = 48
"""Combinations that are tried; nearly all that fail do so at once."""

SAMPLES = 2
"""Batch of a trial: batch normalization in train mode needs two."""


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


def dummy_inputs(model: nn.Module, config: Any, where: str) -> DummyInputs:
    """Inputs that a model of the transformers library runs on; the model comes back as it was.

    Raises:
        UsageError: none of those that were tried; the message lists what its forward takes.
    """
    network = Network(model, config, inspect.signature(model.forward).parameters, _run_on(model))
    failures: list[BaseException] = []
    for dummies in islice(candidates(network, failures), TRIALS):
        inputs = DummyInputs(dummies)
        try:
            network.run(model, inputs.make(SAMPLES, 0, torch.float32))
        except Exception as error:  # noqa: BLE001 - whatever it is, the next ones may do
            failures.append(error)
        else:
            return inputs
    raise _unguessed(network, failures, where)


def _run_on(model: nn.Module) -> Callable[[Callable[..., Any], Call], Any]:
    def run(method: Callable[..., Any], call: Call) -> Any:
        with undisturbed(model, mode="train", seed=0), torch.no_grad():
            return method(*call.args, **call.kwargs)

    return run


def candidates(network: Network, failures: list[BaseException]) -> Iterator[Dummies]:
    """Combinations of arguments: all kinds of data that the forward takes, then fewer of them."""
    present = [kind for kind in MODALITIES.values() if any(name in network.takes for name in kind.data)]
    present = sorted(present, key=lambda kind: kind.order)
    for size in range(len(present), -1, -1):
        for kinds in combinations(present, size):
            yield from _filled(network, _arguments(network, kinds), {}, failures)


def _arguments(network: Network, kinds: tuple[Modality, ...]) -> list[tuple[str, Make]]:
    """The arguments to fill, data first, text last."""
    wanted: dict[str, Make] = {}
    for kind in kinds:
        wanted |= {name: make for name, make in {**kind.data, **kind.companions}.items() if name in network.takes}
    for kind in (*kinds, *MODALITIES.values()):
        known = {**kind.data, **kind.companions, **kind.required}
        wanted |= {name: make for name, make in known.items() if name not in wanted and network.required(name)}
    return list(wanted.items())


def _filled(
    network: Network, arguments: list[tuple[str, Make]], chosen: Dummies, failures: list[BaseException]
) -> Iterator[Dummies]:
    """Every way to fill the arguments, in the order of their alternatives; one that nothing fits is left out."""
    if not arguments:
        if chosen:
            yield chosen
        return
    (name, make), *rest = arguments
    try:
        made = make(network, chosen)
    except Exception as error:  # noqa: BLE001 - features that cannot be counted, say
        failures.append(error)
        return
    for dummy in made:
        yield from _filled(network, rest, {**chosen, name: dummy}, failures)
    if not made:
        yield from _filled(network, rest, chosen, failures)


def _unguessed(network: Network, failures: list[BaseException], where: str) -> UsageError:
    kind = type(network.model).__name__
    taken = [name for name, parameter in network.takes.items() if parameter.kind is not parameter.VAR_KEYWORD]
    needed = [name for name in taken if network.required(name)]
    reason = f": {first_line(failures[0])}" if failures else ""
    examples = (
        " ".join(f"--input '{name}=float32[16,32]'" for name in needed[:3]) or "--input 'input_ids=int64[128]<1000'"
    )
    return UsageError(
        f"the input of {kind} ({where}) could not be guessed{reason}",
        hint=f"say what it is: {examples}, or --batch-from pkg:fn; its forward takes {', '.join(taken)}"
        + (f" and cannot do without {', '.join(needed)}" if needed else ""),
    )
