"""Mimetic: attentions that look like trained ones from the start."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import Field

from initprobe.errors import UsageError
from initprobe.init.attentions import Matrix, attention_of, heads_of, matrix_of
from initprobe.init.distributions import constant, haar
from initprobe.init.fans import UndrawableError
from initprobe.init.positions import is_position
from initprobe.init.schemes.base import Filled, Scheme, SchemeCard, register
from initprobe.init.sinusoids import position_table
from initprobe.records import Weight

if TYPE_CHECKING:
    from torch import Tensor

    from initprobe.init.network import Network
    from initprobe.variates import Variates

Share = Annotated[float, Field(ge=0.0)]
REST = "mimetic draws attentions and positions alone; it keeps the values that the model gave it"


class Law(NamedTuple):
    """What the product of two matrices is to be: noise · Z + identity · 1."""

    noise: float
    identity: float
    uniform: bool


@register
class Mimetic(Scheme):
    """Query times key like the identity, value times output like minus the identity."""

    card = SchemeCard(
        name="mimetic",
        family="transformer",
        summary="query times key like the identity, value times output like minus the identity; the rest is kept",
        formula="per head W_Q W_Kᵀ ≈ query_noise · Z + query_identity · 1, W_V W_out = value_noise · Z - "
        "value_identity · 1 with Z ~ N(0, 1 / d); from A = U S Vᵀ: W_Q = U √S, W_K = V √S cut off to the width of a "
        "head, W_V = U √S, W_out = √S Vᵀ; tables of positions: sines and cosines; biases of attentions 0",
        assumes="self-attention: query and key read the same signal; rows of a projection sorted by heads; as many "
        "heads of keys as of queries",
        when="for vision transformers on small data sets; all that is no attention and no position keeps what the "
        "model's own constructor drew, as in the paper",
        reference="Trockman & Kolter 2023, Mimetic Initialization of Self-Attention Layers (arXiv 2305.09828); "
        "widespread code draws Z uniform, distribution=uniform, and multiplies output and value the other way round, "
        "which keeps the trace alone",
    )

    query_noise: Share = Field(0.7, description="how much of Z there is in query times key")
    query_identity: float = Field(0.7, description="how much of the identity; a trace of that, per unit")
    value_noise: Share = Field(0.4, description="how much of Z there is in value times output")
    value_identity: float = Field(0.4, description="how much of minus the identity; negative for plus")
    heads: Annotated[int, Field(gt=0)] | Literal["auto"] = Field(
        "auto", description="auto: as the attention's module says (num_heads, n_head ...), or one around it"
    )
    distribution: Literal["normal", "uniform"] = Field("normal", description="of Z; its variance is 1 / d either way")
    positions: Literal["sinusoidal", "keep"] = Field("sinusoidal", description="what becomes of tables of positions")
    dimensions: Literal[1, 2, "auto"] = Field(
        "auto", description="of the positions; auto: 2 where a convolution over an image makes the tokens, else 1"
    )

    def check_network(self, network: Network) -> None:
        """Make sure that there is an attention.

        Raises:
            UsageError: there is none.
        """
        if not any(weight.attention is not None for weight in network.anatomy.weights):
            raise UsageError(
                "mimetic draws the projections of attentions, and this network has no attention",
                hint="it keeps everything else; take another scheme, such as kaiming_normal",
            )

    def fill(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """Attentions and positions; everything else is kept.

        Raises:
            UndrawableError: it is neither, or its attention is none that the paper speaks of.
        """
        if weight.role == "bias" and weight.attention is not None and len(weight.shape) == 1:
            return Filled(constant(weight.shape, 0.0), 0.0)
        if is_position(weight) and self.positions == "sinusoidal":
            return self._positions(weight, network)
        if weight.attention is None or weight.role in ("bias", "norm"):
            raise UndrawableError(REST)
        return self.fill_chosen(weight, network, variates)

    def fill_weight(self, weight: Weight, network: Network, variates: Variates) -> Filled:
        """One matrix of an attention, in step with its counterpart.

        Raises:
            UndrawableError: it has none, or they do not fit.
        """
        if weight.attention not in ("query", "key", "value", "out"):
            raise UndrawableError(
                REST if weight.attention is None else f"one matrix makes {weight.attention.replace('_', ' and ')}"
            )
        own = matrix_of(weight)
        attention = attention_of(network, weight)
        if weight.attention in ("query", "key"):
            left, right = self._query_key(attention, network, variates.seed)
        else:
            left, right = self._value_out(attention, variates.seed)
        rows = left if weight.attention in ("query", "value") else right
        values = rows if weight.attention != "out" else rows.mT
        values = values if own.weight.unit_axis == 0 else values.mT
        return Filled(values.reshape(weight.shape).clone(), None)

    def _query_key(self, attention: dict[str, Matrix], network: Network, seed: int) -> tuple[Tensor, Tensor]:
        """Rows of query and key."""
        query, key = _pair(attention, "query", "key")
        heads = heads_of(network, query.weight) if self.heads == "auto" else self.heads
        if heads is None:
            raise UndrawableError("no module around it says how many heads there are; mimetic(heads=...) does")
        if query.units % heads:
            raise UndrawableError(f"its {query.units} rows are not those of {heads} heads")
        if query.units != key.units:
            raise UndrawableError(
                f"{heads} heads of queries share {heads * key.units // query.units} of keys, and mimetic pairs each "
                "head of queries with one of keys"
            )
        if query.inputs != key.inputs:
            raise UndrawableError(
                f"query and key read {query.inputs} and {key.inputs} units: no identity lies between them"
            )
        law = Law(self.query_noise, self.query_identity, self.distribution == "uniform")
        return _factors(law, seed, f"{query.weight.name}@query_key", heads, query.units // heads, query.inputs)

    def _value_out(self, attention: dict[str, Matrix], seed: int) -> tuple[Tensor, Tensor]:
        """Rows of value, and columns of out as rows."""
        value, out = _pair(attention, "value", "out")
        if value.units != out.inputs:
            raise UndrawableError(
                f"{value.units} units of values become the {out.inputs} inputs of the output: heads share values"
            )
        if value.inputs != out.units:
            raise UndrawableError(
                f"value reads {value.inputs} units and the output makes {out.units}: no identity lies between them"
            )
        law = Law(self.value_noise, -self.value_identity, self.distribution == "uniform")
        return _factors(law, seed, f"{value.weight.name}@value_out", 1, value.units, value.inputs)

    def _positions(self, weight: Weight, network: Network) -> Filled:
        image = any(one.role == "conv" and len(one.shape) == 4 and not one.branch for one in network.anatomy.weights)
        dimensions = (2 if image else 1) if self.dimensions == "auto" else self.dimensions
        table, extra = position_table(weight.shape, -1, dimensions, 10000.0)
        return Filled(table, None, note=f"its first {extra} rows are no patches: zero" if extra else None)


def _pair(attention: dict[str, Matrix], first: str, second: str) -> tuple[Matrix, Matrix]:
    if first not in attention or second not in attention:
        missing = second if first in attention else first
        raise UndrawableError(
            f"mimetic draws {first} and {second} together, and the attention has no {missing} of its own"
        )
    return attention[first], attention[second]


@lru_cache(maxsize=4)
def _factors(law: Law, seed: int, name: str, heads: int, rank: int, width: int) -> tuple[Tensor, Tensor]:
    """Rows L and R of all heads, Lᵀ R being the wanted product of each, float64.

    Kept for the counterpart, which asks next: a decomposition of every head takes most of the time.
    """
    import torch

    from initprobe.variates import Variates

    pairs = [_factor(law, Variates(seed, f"{name}.{head}"), rank, width) for head in range(heads)]
    left, right = zip(*pairs, strict=True)
    return torch.cat(left), torch.cat(right)


def _factor(law: Law, variates: Variates, rank: int, width: int) -> tuple[Tensor, Tensor]:
    """Rows L and R of one head: Lᵀ R is the product, or what ``rank`` rows hold of it."""
    import torch

    if law.uniform:
        noise = variates.uniform((width, width)).double().mul_(2.0).sub_(1.0).mul_(math.sqrt(3.0))
    else:
        noise = variates.normal((width, width)).double()
    wanted = noise.mul_(law.noise / math.sqrt(width)).add_(torch.eye(width, dtype=torch.float64), alpha=law.identity)
    u, s, vh = torch.linalg.svd(wanted)
    # The signs that an algorithm leaves open are settled, so that no two of them differ.
    sign = torch.where(u.gather(0, u.abs().argmax(0, keepdim=True)) < 0.0, -1.0, 1.0).mT
    left, right = (sign * u.mT * s.sqrt().unsqueeze(1))[:rank], (sign * vh * s.sqrt().unsqueeze(1))[:rank]
    if rank <= width:
        return left, right
    spread = haar(variates.normal((rank, width)))  # more rows than the product has ranks: none of them is idle
    return spread @ left, spread @ right
