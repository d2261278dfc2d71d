"""What torch's functions do to a signal: the one table that the rest of the room reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from torch._ops import OpOverload
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
        layout: ``out,in`` (linear), ``conv``, ``transposed``, or ``in,out`` (a matrix on the
            right).
    """

    operands: tuple[str, ...]
    layout: Literal["out,in", "conv", "transposed", "in,out"]


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
    f"{_FUNCTIONAL}grouped_mm": Product(("input", "weight"), "in,out"),
    "_grouped_mm": Product(("input", "weight"), "in,out"),
    "torch.addmm": Product(("bias", "input", "weight"), "in,out"),
    "torch.Tensor.addmm": Product(("bias", "input", "weight"), "in,out"),
}
"""Functions that multiply a signal with a weight."""

EINSUM = {"torch.einsum", "torch.functional.einsum"}
"""Products whose axes an equation names."""

EMBEDDINGS = {
    f"{_FUNCTIONAL}embedding": ("input", "weight"),
    f"{_FUNCTIONAL}embedding_bag": ("input", "weight"),
    "torch.embedding": ("weight", "input"),
}

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
    "torch.instance_norm": ("input", "weight", "bias"),
}

GATES: Mapping[str, tuple[str, ...]] = {
    "lstm": ("input_gate", "forget_gate", "cell_gate", "output_gate"),
    "gru": ("reset_gate", "update_gate", "new_gate"),
    "rnn_tanh": (),
    "rnn_relu": (),
}
"""Gates in the packed weights of torch's fused recurrent functions, in the order of their rows."""

ATTENTION = f"{_FUNCTIONAL}multi_head_attention_forward"
"""All projections of ``nn.MultiheadAttention`` in one call, which the modules inside it never see."""

ATTENTION_PARAMETERS = (
    "query", "key", "value", "embed_dim_to_check", "num_heads", "in_proj_weight", "in_proj_bias", "bias_k", "bias_v",
    "add_zero_attn", "dropout_p", "out_proj_weight", "out_proj_bias", "training", "key_padding_mask", "need_weights",
    "attn_mask", "use_separate_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight",
)  # fmt: skip

DOT_PRODUCT_ATTENTION = f"{_FUNCTIONAL}scaled_dot_product_attention"
"""Scores, softmax and the mixing of values in one call."""

MIXING = {"matmul", "__matmul__", "__rmatmul__", "mm", "bmm", "baddbmm", "einsum"}
"""Short names of functions that sum products of two signals: the scores of an attention, the mixing of its values."""
ATTENTIONS = frozenset([ATTENTION, f"{_FUNCTIONAL}scaled_dot_product_attention"])
"""Functions that mix values by attention."""

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
_SUMS = "add add_ __add__ __radd__ __iadd__ sub __sub__ sub_ __isub__ addcmul addcmul_ lerp lerp_"
_SCALES = "mul mul_ __mul__ __rmul__ __imul__ div div_ __truediv__ __itruediv__ true_divide"

_EFFECTS: dict[str, Effect] = {
    **dict.fromkeys(_VIEWS.split(), "view"),
    **dict.fromkeys(_PASSES.split(), "pass"),
    **dict.fromkeys(_SUMS.split(), "sum"),
    **dict.fromkeys(_SCALES.split(), "scale"),
}
_SHOWN = {"sum", "scale", "weighted", "embedding", "activation", "norm", "pass"}
_PLAIN_NAMES = {
    **{f"{prefix}{name}": name for prefix in "ir" for name in ("add", "sub", "mul", "matmul")},
    **dict.fromkeys(("truediv", "itruediv", "true_divide"), "div"),
    "scaled_dot_product_attention": "attention",
    "multi_head_attention_forward": "attention",
}
"""The names of operators and long functions, as sites show them."""
_OPERATORS = {
    "numpy_T": "torch.Tensor.T.__get__",
    "mT": "torch.Tensor.mT.__get__",
    "slice": "torch.Tensor.__getitem__",
    "split_with_sizes": "torch.split",
    "_to_copy": "torch.Tensor.to",
    "_unsafe_view": "torch.Tensor.view",
}
"""Operators that no function is named after, and what is behind each."""
_PREFIXES = ("torch.Tensor.", "torch.nn.functional.", "torch._C._nn.", "torch.")

CONSTANTS = {f"torch.{name}" for name in ("full", "zeros", "ones", "arange", "linspace", "eye", "tensor", "as_tensor")}
"""Functions that make the same values in every pass; what is drawn at random may be the model's input."""

MULTIPLYING = {"mul", "mul_", "__mul__", "__rmul__", "__imul__"}
"""Short names of the elementwise product."""


@lru_cache(maxsize=4096)
def name_of(function: Callable[..., Any]) -> str:
    """The qualified name of a torch callable (``torch.nn.functional.relu``), its plain name where it has none.

    An operator of an exported program (``aten.relu.default``) has the name of the function that it is behind.
    """
    if isinstance(function, OpOverload) and function.namespace == "aten":
        return _name_of_operator(function)
    name: str | None = resolve_name(function)
    return name or str(getattr(function, "__name__", type(function).__name__))


def short_name(name: str) -> str:
    """The last part of a qualified name."""
    return name.rpartition(".")[2]


def _name_of_operator(operator: OpOverload) -> str:
    """The function with the operator's order of arguments: that of ``torch`` comes before that of ``functional``."""
    plain = str(operator).split(".")[1]  # aten.add_.Tensor
    names = [prefix + name for name in (plain, plain.rstrip("_")) for prefix in ("torch.", _FUNCTIONAL)]
    known = (name for name in names if effect_of(name) != "other" or name in ATTENTIONS)
    return _OPERATORS.get(plain) or next(known, names[0])


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


@lru_cache(maxsize=4096)
def shown_as(function: Callable[..., Any]) -> str | None:
    """The short name of an operation whose value may be worth a site of its own, None for all others."""
    name = name_of(function)
    if name not in ATTENTIONS and effect_of(name) not in _SHOWN:
        return None
    return plain_name(name)


def plain_name(name: str) -> str:
    """The short name of a function, the same for an operator, a method and a function that work in place or not."""
    short = short_name(name).strip("_")
    return _PLAIN_NAMES.get(short, short)


def bind(parameters: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by parameter name; those beyond ``parameters`` are left out."""
    return {**dict(zip(parameters, args, strict=False)), **kwargs}
