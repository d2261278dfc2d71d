"""What kind of network was probed, in the words of the selection guide."""

from __future__ import annotations

from collections import Counter

from initprobe.activations.advice import Architecture
from initprobe.records import MULTIPLYING_ROLES, ActivationUse, Entry, Weight


def architecture_of(entry: Entry) -> Architecture:
    """The row of the selection guide that a probed network belongs to."""
    weights = matrices(entry)
    normalized = any(summary.site.kind == "norm" for summary in entry.sites)
    if any(weight.role == "recurrent" for weight in weights):
        gated = any(len(weight.parts) > 1 for weight in weights if weight.role == "recurrent")
        return "gated_recurrent" if gated else "recurrent"
    if any(weight.attention is not None for weight in weights):
        return _transformer(entry, weights, normalized=normalized)
    if entry.branches:
        return "residual_normalized" if normalized else "residual"
    if normalized:
        return "normalized"
    uses = [use.name for use in activations_of(entry)]
    if uses[:1] == ["sine"]:
        return "coordinate"
    return "convolutional" if sum(weight.role != "linear" for weight in weights) * 2 > len(weights) else "plain"


def activations_of(entry: Entry) -> tuple[ActivationUse, ...]:
    """The activations before its matrices, the most common one first."""
    found = Counter(weight.input_activation for weight in matrices(entry) if weight.input_activation is not None)
    return tuple(use for use, _ in found.most_common())


def matrices(entry: Entry) -> list[Weight]:
    """Every weight that sums over its inputs."""
    return [summary.weight for summary in entry.weights if summary.weight.role in MULTIPLYING_ROLES]


def _transformer(entry: Entry, weights: list[Weight], *, normalized: bool) -> Architecture:
    """By where its normalizations stand: a post-norm branch is added to what a normalization put out."""
    if not normalized:
        return "transformer_unnormalized"
    kinds = {summary.site.key: summary.site.kind for summary in entry.sites}
    besides = [kinds.get(branch.beside or "") for branch in entry.branches]
    if sum(kind == "norm" for kind in besides) * 2 > len(besides):
        return "transformer_post_norm"
    return "vision_transformer" if any(weight.role == "conv" for weight in weights) else "transformer_pre_norm"
