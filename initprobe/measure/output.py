"""Reads off the autograd graph what the loss makes of the model's output: which numbers are logits, and of what.

A softmax is not scale-free: logits are in a unit of their own (nats), so the size of an output does say something, but
only where it is known to be logits. It is where a log-softmax takes it on its way into the loss, whoever wrote that
loss, or where the model itself ends in a softmax.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.graph import GradientEdge, Node

from initprobe.hooks import tensors_in
from initprobe.measure.ledger import Ledger
from initprobe.measure.reductions import View
from initprobe.measure.statistics.base import Subject as Described
from initprobe.records import OutputTrace, Value

ELEMENTS = 1 << 18
"""Logits that are looked at: as many rows as these hold, but for the few of a large vocabulary."""

FEWEST = 16

FAR = 64
"""Steps of the walks: what a loss does with its logits is a handful of operations."""

_SAME = (
    "Alias Clone Expand Index MaskedSelect Permute ReshapeAlias Select Slice Squeeze T ToCopy Transpose UnsafeView "
    "Unsqueeze View"
)
VIEWS = frozenset(_SAME.split())
"""Operations that pass on values as they are; torch names their nodes after them."""

_SCALAR = "Add Div Gather Mean Mul Neg NllLoss NllLoss2D Sub Sum Where MaskedFill"
ARITHMETIC = VIEWS | frozenset(_SCALAR.split())
"""What a loss does with log-probabilities, and with the other terms that it adds."""

NEGATIVE_LOG_LIKELIHOOD = frozenset(["NllLoss", "NllLoss2D"])
SOFTMAX = frozenset(["LogSoftmax", "Softmax"])
YES_OR_NO = frozenset(["BinaryCrossEntropyWithLogits", "BinaryCrossEntropy"])

MEAN = 1
"""How torch writes ``reduction="mean"``."""


@dataclass(frozen=True, slots=True)
class Recognized:
    """What is known of an output before its numbers have come home; see ``OutputTrace``."""

    is_loss: bool
    chance: float | None = None
    site: str | None = None
    classes: int | None = None

    def trace(self, values: Mapping[tuple[Described, str], Mapping[str, Value]]) -> OutputTrace:
        """With the numbers."""
        loss = values.get(("output", "loss"), {}).get("mean") if self.is_loss else None
        logits = values.get(("output", "logits"), {}) if self.classes is not None else {}
        return OutputTrace(
            loss if isinstance(loss, float | int) else None, self.chance, self.site, self.classes, logits
        )


def recognized(
    differentiated: Sequence[torch.Tensor], output: Any, edges: Mapping[str, GradientEdge], ledger: Ledger
) -> Recognized:
    """What the loss makes of the output; loss and logits are reduced into the ledger.

    Args:
        differentiated: the loss alone, or the outputs that a random cotangent is put on.
        output: what the model put out.
        edges: the gradient path of every site.
        ledger: takes the numbers under ``output``.
    """
    ends = {tensor.grad_fn: tensor for _, tensor in tensors_in(output) if tensor.grad_fn is not None}
    first = differentiated[0] if differentiated else None
    if first is None or first.grad_fn is None:
        return Recognized(is_loss=False)
    root, name = first.grad_fn, name_of(first.grad_fn)
    if root in ends:
        classes = _classes(root, ledger) if name in SOFTMAX else None
        return Recognized(is_loss=False, site=None if classes is None else _site(root, edges), classes=classes)
    ledger.take("output", "loss", View(first.detach(), ledger.workspace))
    if name in YES_OR_NO:
        chance = math.log(2) if _plain_mean(root) else None
        return Recognized(is_loss=True, chance=chance, site=_site(_end(root.next_functions[0][0], ends), edges))
    for node in _walk(root, ARITHMETIC):
        end = _end(node, ends) if name_of(node) == "LogSoftmax" else None
        classes = None if end is None else _classes(node, ledger)
        if classes is not None:
            chance = math.log(classes) if name in NEGATIVE_LOG_LIKELIHOOD and _plain_mean(root) else None
            return Recognized(is_loss=True, chance=chance, site=_site(end, edges), classes=classes)
    return Recognized(is_loss=True)


def name_of(node: Node) -> str:
    """``LogSoftmax`` for ``LogSoftmaxBackward0``."""
    return node.name().partition("Backward")[0]


def _classes(node: Any, ledger: Ledger) -> int | None:
    """How many classes a softmax is over, None for a single one; its statistics go into the ledger."""
    result = node._saved_result.detach()  # noqa: SLF001 - how torch shows what a node has kept
    # Torch shows an axis that was counted from the end as an unsigned number.
    axis = node._saved_dim if node._saved_dim < result.dim() else node._saved_dim - 2**64  # noqa: SLF001
    if result.dim() < 2 or result.numel() == 0 or result.shape[axis] < 2:
        return None
    rows = result.movedim(axis, -1).flatten(0, -2)
    classes = rows.shape[1]
    rows = rows[:: max(1, len(rows) // max(FEWEST, ELEMENTS // classes))]
    rows = rows.log() if name_of(node) == "Softmax" else rows
    ledger.take("output", "logits", View(rows, ledger.workspace, unit_axis=-1))
    return int(classes)


def _plain_mean(node: Any) -> bool:
    """Whether a loss is the mean over samples, none of which counts more than another."""
    weights = (getattr(node, name, None) for name in ("_saved_weight", "_saved_pos_weight"))
    return bool(node._saved_reduction == MEAN) and all(weight is None for weight in weights)  # noqa: SLF001


def _end(node: Node | None, ends: Mapping[Node, torch.Tensor]) -> Node | None:
    """The node of the model's output that a node passes on or normalizes, None where it takes something else."""
    for step in range(FAR):
        if node is None or node in ends:
            return node
        passes = name_of(node) in VIEWS or (step == 0 and name_of(node) in (*SOFTMAX, "Sigmoid"))
        node = node.next_functions[0][0] if passes else None
    return None


def _site(node: Node | None, edges: Mapping[str, GradientEdge]) -> str | None:
    """The site that shows the value of a node, or the one that it is made of without a weight."""
    by_node: dict[Node, str] = {}
    for key, edge in edges.items():
        by_node.setdefault(edge.node, key)
    for _ in range(FAR):
        if node is None or node in by_node:
            break
        passes = name_of(node) in VIEWS or name_of(node) in (*SOFTMAX, "Sigmoid")
        node = node.next_functions[0][0] if passes else None
    return None if node is None else by_node.get(node)


def _walk(root: Node, through: frozenset[str]) -> Iterator[Node]:
    """The nodes behind a root, nearest first, as far as operations of these names lead."""
    queue, seen = [root], {root}
    while queue and len(seen) < FAR:
        node = queue.pop(0)
        yield node
        if name_of(node) in through:
            for child, _ in node.next_functions:
                if child is not None and child not in seen:
                    seen.add(child)
                    queue.append(child)
