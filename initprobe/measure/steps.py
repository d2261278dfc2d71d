"""Which axis of a value counts time steps: recurrent modules tell, and what is made of their output keeps it."""

from __future__ import annotations

from torch import nn

from initprobe.hooks import Visit

STEP_AXES = {True: -2, False: -3}
"""Of (batch, time, features), where the batch comes first, and of (time, batch, features)."""


class Steps:
    """Follows the time axis through one pass, visit by visit."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], int] = {}

    def axis(self, visit: Visit) -> int | None:
        """The axis that counts time steps, from the end; None where there is none, or nothing tells."""
        shape = tuple(visit.tensor.shape)
        if len(shape) != 3:
            return None
        batch_first = _batch_first(visit)
        if batch_first is not None:
            self._known[shape[:2]] = STEP_AXES[batch_first]
        return self._known.get(shape[:2])


def _batch_first(visit: Visit) -> bool | None:
    """Of the sequence that a recurrent module puts out; None for other modules, and for their last states."""
    module, place = visit.module, visit.key.partition("[")[2]
    if visit.operation is not None:
        return None
    if isinstance(module, nn.RNNBase):
        return module.batch_first if place == "0]" else None
    # Keras knows one layout, and says whether it is a sequence that comes out.
    return True if getattr(module, "return_sequences", False) is True and place in {"", "0]"} else None
