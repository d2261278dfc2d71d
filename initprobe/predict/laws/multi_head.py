"""``nn.MultiheadAttention`` in one call: three projections, the mixing, and the projection behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from initprobe.predict.laws.base import Call, Law, law
from initprobe.predict.mixing import Scores, mixed, scores, unmixed
from initprobe.predict.moments import Gradient, Moments, NoPredictionError, ParameterMoments
from initprobe.predict.sums import shifted, weighted
from initprobe.records import Argument, Held, Signal

ARGUMENTS = (
    "query", "key", "value", "embed_dim_to_check", "num_heads", "in_proj_weight", "in_proj_bias", "bias_k", "bias_v",
    "add_zero_attn", "dropout_p", "out_proj_weight", "out_proj_bias", "training", "key_padding_mask", "need_weights",
    "attn_mask", "use_separate_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight",
)  # fmt: skip


@law
class MultiHeadAttention(Law):
    """Attention with its projections."""

    crosses = True
    names = ("multi_head_attention",)

    def forward(self, call: Call) -> Moments:
        """The projected mixture of projected values."""
        given = self._given(call)
        value = self._projected(call, given, "value")
        mixture = mixed(call.step.pattern, value, self._scores(call, given))
        out = self._weight(call, given, "out_proj_weight")
        width = call.step.shape[-1]
        behind = weighted(mixture, out, width)
        noise = 4.0 * mixture.alike(call.positions, call.facts.samples) / width
        behind = replace(behind, spread=mixture.spread + noise)
        bias = given.get("out_proj_bias")
        return behind if bias is None else shifted(behind, call.bias(bias))

    def backward(self, call: Call, gradient: Gradient) -> Mapping[int, Gradient]:
        """Through the values; what comes back through the scores is smaller and left out."""
        given = self._given(call)
        source = given.get("value")
        if not isinstance(source, Signal):
            return {}
        width = float(call.step.shape[-1])
        inner = gradient.scaled(width * self._weight(call, given, "out_proj_weight").second)
        values = unmixed(call.step.pattern, inner, self._scores(call, given))
        back = {source.step: values.scaled(width * self._weight(call, given, "value").second)}
        for name in ("query", "key"):
            other = given.get(name)
            if isinstance(other, Signal) and other.step not in back:
                raise NoPredictionError("nothing is said of gradients through the scores of a fused attention")
        return back

    def _given(self, call: Call) -> dict[str, Argument]:
        if call.step.place:
            raise NoPredictionError("it is the weights of an attention, not what it mixes")
        return call.given(*ARGUMENTS)

    def _weight(self, call: Call, given: Mapping[str, Argument], name: str) -> ParameterMoments:
        separate = {"query": "q_proj_weight", "key": "k_proj_weight", "value": "v_proj_weight"}.get(name, name)
        held = given.get("in_proj_weight") if given.get(separate) is None else given.get(separate)
        if not isinstance(held, Held):
            raise NoPredictionError("its projections are no parameters")
        return call.parameter(held)

    def _projected(self, call: Call, given: Mapping[str, Argument], name: str) -> Moments:
        source = given.get(name)
        known = call.moments(source)
        fan_in = call.shapes[source.step][-1] if isinstance(source, Signal) else call.step.shape[-1]
        out = weighted(known, self._weight(call, given, name), fan_in)
        out = replace(out, spread=known.spread)
        bias = given.get("in_proj_bias")
        return out if bias is None else shifted(out, call.bias(bias))

    def _scores(self, call: Call, given: Mapping[str, Argument]) -> Scores:
        heads = given.get("num_heads")
        if not isinstance(heads, int):
            raise NoPredictionError("nothing tells how many heads it has")
        width = call.step.shape[-1] / heads
        query, key = (self._projected(call, given, name) for name in ("query", "key"))
        return scores(query, key, call.step.pattern, width, width**-0.5)
