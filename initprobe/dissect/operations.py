"""What torch's functions do to a signal: the one table that the rest of the room reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from torch.overrides import resolve_name

from initprobe.activations.base import ACTIVATIONS

Effect = Literal["weighted", "embedding", "activation", "norm", "sum", "scale", "pass", "view", "other"]
"""``view`` keeps every value in another shape, ``pass`` keeps what they stand for (dropout, pooling), ``scale``
multiplies by a plain number, ``sum`` adds two tensors, ``norm`` resets the scale."""


@dataclass(frozen=True, slots=True)
class Product:
    """Where a weighted function has its operands, and how its weight is laid out.

    Attributes:
        operands: names of its parameters in order.
        layout: ``out,in`` (linear), ``conv``, ``transposed``, ``in,out`` (a matrix on the right), or ``named`` (each
            axis has a letter in an equation).
    """

    operands: tuple[str, ...]
    layout: Literal["out,in", "conv", "transposed", "in,out", "named"]


_CONV = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
_FUNCTIONAL = "torch.nn.functional."

PRODUCTS: Mapping[str, Product] = {
    f"{_FUNCTIONAL}linear": Product(("input", "weight", "bias"), "out,in"),
    **{f"{prefix}conv{n}d": Product(_CONV, "conv") for prefix in (_FUNCTIONAL, "torch.") for n in (1, 2, 3)},
    **{
        f"{prefix}conv_transpose{n}d": Product(_TRANSPOSED, "transposed")
        for prefix in (_FUNCTIONAL, "torch.")
        for n in (1, 2, 3)
    },
    **{
        name: Product(("input", "weight"), "in,out")
        for name in (
            "torch.matmul",
            "torch.mm",
            "torch.bmm",
            "torch.Tensor.matmul",
            "torch.Tensor.mm",
            "torch.Tensor.bmm",
            "torch.Tensor.__matmul__",
            "torch.Tensor.__rmatmul__",
        )
    },
    "torch.functional.einsum": Product(("equation", "input", "weight"), "named"),
    "torch.addmm": Product(("bias", "input", "weight"), "in,out"),
    "torch.Tensor.addmm": Product(("bias", "input", "weight"), "in,out"),
}
"""Functions that multiply a signal with a weight."""

EMBEDDINGS = {f"{_FUNCTIONAL}embedding": ("input", "weight"), f"{_FUNCTIONAL}embedding_bag": ("input", "weight")}

NORMS: Mapping[str, tuple[str, ...]] = {
    f"{_FUNCTIONAL}batch_norm": ("input", "running_mean", "running_var", "weight", "bias"),
    f"{_FUNCTIONAL}instance_norm": ("input", "running_mean", "running_var", "weight", "bias"),
    f"{_FUNCTIONAL}layer_norm": ("input", "normalized_shape", "weight", "bias"),
    f"{_FUNCTIONAL}rms_norm": ("input", "normalized_shape", "weight"),
    f"{_FUNCTIONAL}group_norm": ("input", "num_groups", "weight", "bias"),
    f"{_FUNCTIONAL}local_response_norm": ("input",),
    f"{_FUNCTIONAL}normalize": ("input",),
    "torch.rms_norm": ("input", "normalized_shape", "weight"),
    "torch.layer_norm": ("input", "normalized_shape", "weight", "bias"),
    "torch.batch_norm": ("input", "weight", "bias"),
}

RECURRENT = {
    "lstm": 4,
    "gru": 3,
    "rnn_tanh": 1,
    "rnn_relu": 1,
    "lstm_cell": 4,
    "gru_cell": 3,
    "rnn_tanh_cell": 1,
    "rnn_relu_cell": 1,
}
"""Gates in the packed weights of torch's fused recurrent functions."""

ATTENTION = f"{_FUNCTIONAL}multi_head_attention_forward"
"""All projections of ``nn.MultiheadAttention`` in one call, which the modules inside it never see."""

CHANNELS_LAST_NORMS = {f"{_FUNCTIONAL}layer_norm", f"{_FUNCTIONAL}rms_norm", "torch.rms_norm", "torch.layer_norm"}

_VIEWS = (
    "view reshape flatten unflatten permute transpose t movedim swapaxes squeeze unsqueeze contiguous expand expand_as "
    "view_as reshape_as clone detach to float double half bfloat16 type type_as cpu cuda T.__get__ mT.__get__ "
    "data.__get__ requires_grad_ alias squeeze_ unsqueeze_ positive"
)
_PASSES = (
    "dropout dropout_ dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout max_pool1d "
    "max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices avg_pool1d "
    "avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d "
    "adaptive_max_pool2d adaptive_max_pool3d lp_pool1d lp_pool2d interpolate upsample pad constant_pad_nd "
    "pixel_shuffle pixel_unshuffle channel_shuffle roll flip __getitem__ narrow select index_select chunk split "
    "unbind tensor_split mean neg __neg__ clamp_max"
)
_SUMS = "add add_ __add__ __radd__ __iadd__ sub __sub__ sub_ __isub__"
_SCALES = "mul mul_ __mul__ __rmul__ __imul__ div div_ __truediv__ __itruediv__ true_divide"

_EFFECTS: dict[str, Effect] = {
    **dict.fromkeys(_VIEWS.split(), "view"),
    **dict.fromkeys(_PASSES.split(), "pass"),
    **dict.fromkeys(_SUMS.split(), "sum"),
    **dict.fromkeys(_SCALES.split(), "scale"),
}
_PREFIXES = ("torch.Tensor.", "torch.nn.functional.", "torch._C._nn.", "torch.")


@lru_cache(maxsize=4096)
def name_of(function: Callable[..., Any]) -> str:
    """The qualified name of a torch callable (``torch.nn.functional.relu``), its plain name where it has none."""
    name: str | None = resolve_name(function)
    return name or str(getattr(function, "__name__", type(function).__name__))


@lru_cache(maxsize=1)
def activation_functions() -> Mapping[str, tuple[str, tuple[str, ...]]]:
    """Qualified function name to the activation it computes and the names of its parameters."""
    return {
        function: (name, parameters)
        for name, leaf in ACTIVATIONS.items()
        for function, parameters in leaf.functions.items()
    }


def effect_of(name: str) -> Effect:
    """What the function of that qualified name does to its first tensor."""
    if name in PRODUCTS:
        return "weighted"
    if name in EMBEDDINGS:
        return "embedding"
    if name in NORMS:
        return "norm"
    if name in activation_functions():
        return "activation"
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return _EFFECTS.get(name.removeprefix(prefix), "other")
    return "other"


def bind(parameters: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by parameter name; those beyond ``parameters`` are left out."""
    return {**dict(zip(parameters, args, strict=False)), **kwargs}
