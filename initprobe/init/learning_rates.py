"""From the learning rates of an Outcome to the parameter groups of an optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from initprobe.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


def groups_by_rate(
    parameters: Mapping[str, Tensor], rates: Mapping[str, float], lr: float, defaults: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Parameters in groups, one for each learning rate.

    Args:
        parameters: all of a model, by name.
        rates: multipliers of the learning rate by name, where they are not 1.
        lr: the learning rate of a parameter with the multiplier 1.
        defaults: other options of the optimizer, the same for all groups.

    Raises:
        UsageError: a multiplier is that of no parameter.
    """
    strange = [name for name in rates if name not in parameters]
    if strange:
        raise UsageError(
            f"the outcome names {len(strange)} parameters that this model does not have, {strange[0]!r} first",
            hint="give the model that was initialized",
        )
    groups: dict[float, list[Tensor]] = {}
    for name, parameter in parameters.items():
        groups.setdefault(rates.get(name, 1.0), []).append(parameter)
    return [{"params": members, "lr": lr * times, **defaults} for times, members in groups.items()]
