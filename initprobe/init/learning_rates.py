"""From the learning rates of an Outcome to the parameter groups of an optimizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from initprobe.errors import UsageError
from initprobe.records import Outcome

if TYPE_CHECKING:
    from torch import nn


def parameter_groups(model: nn.Module, outcome: Outcome, *, lr: float, **defaults: Any) -> list[dict[str, Any]]:
    """The parameters of a model in groups, one for each learning rate that a scheme asks for.

    ``torch.optim.Adam(parameter_groups(model, outcome, lr=1e-3, weight_decay=0.1))``: every parameter is in one group,
    tied ones too, in the order of the model; groups come in the order of their first parameters.

    Args:
        model: that was initialized; it may have been compiled or spread over devices since.
        outcome: what ``initialize`` answered with.
        lr: the learning rate of a parameter with the multiplier 1.
        defaults: other options of the optimizer, the same for all groups.

    Raises:
        UsageError: the outcome is that of another model.
    """
    parameters = {_plain(name): parameter for name, parameter in _inside(model).named_parameters()}
    strange = [name for name in outcome.learning_rates if name not in parameters]
    if strange:
        raise UsageError(
            f"the outcome names {len(strange)} parameters that this model does not have, {strange[0]!r} first",
            hint="give the model that was initialized",
        )
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        groups.setdefault(outcome.learning_rates.get(name, 1.0), []).append(parameter)
    return [{"params": members, "lr": lr * times, **defaults} for times, members in groups.items()]


def _inside(model: nn.Module) -> nn.Module:
    from torch.nn import DataParallel
    from torch.nn.parallel import DistributedDataParallel

    while isinstance(model, (DataParallel, DistributedDataParallel)):
        model = model.module
    return model


def _plain(name: str) -> str:
    """The name of a parameter as it is before its module is compiled."""
    return name.replace("_orig_mod.", "")
