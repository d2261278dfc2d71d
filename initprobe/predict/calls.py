"""Calls with several outputs, which are one step each."""

from __future__ import annotations

from collections.abc import Container, Sequence

from initprobe.predict.laws.base import Law
from initprobe.records import Flow, Step

MOST_OUTPUTS = 2
"""Outputs of a call beside the first one, where its law takes all of their gradients together."""


def other_outputs(flow: Flow, step: Step, law: Law | None) -> list[Step]:
    """The other outputs of a call, where this is the first one and its law takes them all together."""
    found: list[Step] = []
    if law is None or not law.joint or step.place:
        return found
    for other in flow.steps[step.index + 1 : step.index + 1 + MOST_OUTPUTS]:
        if other.name != step.name or other.args != step.args or other.place != other.index - step.index:
            break
        found.append(other)
    return found


def is_one_kernel(flow: Flow, laws: Sequence[Law | None], gradients: Container[str]) -> bool:
    """Whether the gradient of a cell state comes without what its own call sends back to it.

    That is so where one kernel makes a whole step, as on an accelerator. There a state that is used nowhere else has no
    gradient at all.

    Args:
        flow: every step.
        laws: of each step.
        gradients: keys of the sites whose gradient was measured.
    """
    used = {source for step in flow.steps for source in step.sources} | set(flow.outputs)
    inner = [
        step.sites
        for step, law in zip(flow.steps, laws, strict=True)
        if law is not None and law.nested and step.place and step.index not in used and step.sites
    ]
    return bool(inner) and not any(key in gradients for sites in inner for key in sites)
