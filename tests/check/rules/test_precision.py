"""IP801 and IP802 on records written by hand."""

import numpy as np
import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.records import OutputTrace

DEPTH = 5
PRECISION = ("IP801", "IP802")


def histogram(*bins, zeros=0.0):
    """Counts per exponent of float32, 1000 values in all at each named exponent."""
    row = [0.0] * 256
    row[0] = zeros
    for exponent, number in bins:
        row[exponent + 127] += number
    return {"exponents": tuple(row), "zero_fraction": zeros / sum(row), "count": sum(row)}


def judged(make, rows, *, dtype="float32", seeds=5, gradients=None, output=None, codes=PRECISION, **options):
    """Findings about a chain whose sites have these statistics, and these of their gradients."""
    chain, rms = make.chain(DEPTH), np.ones(DEPTH)
    extra = {site.key: dict(rows[i]) for i, site in enumerate(chain.sites)}
    for i, site in enumerate(chain.sites):
        if gradients is not None:
            extra[site.key]["backward"] = gradients[i]
    evidences = [
        make.evidence(chain, rms, rms, seed=seed, extra=extra, dtype=dtype, output=output) for seed in range(seeds)
    ]
    return [one for one in make.judge(evidences, **options).findings if one.rule.code in codes]


UNIT = histogram((0, 600.0), (-1, 400.0)) | {"absmax": 2.0}


class TestOverflow:
    def test_a_planned_type_that_does_not_hold_the_values_is_told(self, make):
        large = histogram((16, 100.0), (10, 900.0)) | {"absmax": 1e5}
        (found,) = judged(make, [UNIT, UNIT, large, UNIT, large], precision="float16")
        assert (found.rule.code, found.severity) == ("IP801", "error")
        assert found.message == "values of up to 1.0e+05 at block.2.linear overflow in float16, which holds 65504"
        assert found.sites == ("block.2.linear", "block.4.linear")
        assert found.measured == "10 % of the values, in 5 of 5 seeds"

    @pytest.mark.parametrize(("precision", "size"), [(None, 1e5), ("bfloat16", 1e30), ("float16", 6e4)])
    def test_a_type_that_holds_them_is_not(self, make, precision, size):
        assert judged(make, [UNIT | {"absmax": size}] * DEPTH, precision=precision) == []

    def test_a_layer_that_overflowed_in_float16_explains_what_is_not_finite(self, make):
        lost = {"nonfinite": 5.0, "count": 100.0, "absmax": 6.4e4, "rms": 3e4}
        (found,) = judged(make, [UNIT, UNIT, lost, lost, lost], dtype="float16", codes=("IP801", "IP103"))
        assert found.rule.code == "IP801"
        assert found.sites == ("block.2.linear",)
        assert any("non-finite-activation" in note for note in found.notes)

    @pytest.mark.parametrize(
        ("dtype", "peak"),
        [("float16", 3.0), ("float32", 6.4e4), ("bfloat16", 6.4e4)],
        ids=["small", "wide", "bfloat16"],
    )
    def test_what_is_lost_to_something_else_is_not_called_an_overflow(self, make, dtype, peak):
        lost = {"nonfinite": 5.0, "count": 100.0, "absmax": peak}
        (found,) = judged(make, [UNIT, lost, lost, UNIT, UNIT], dtype=dtype, codes=("IP801", "IP103"))
        assert found.rule.code == "IP103"

    def test_an_ignored_layer_does_not_hide_the_others(self, make):
        large = histogram((16, 1000.0)) | {"absmax": 1e5}
        ignored = (("block.1.linear", ("dtype-overflow",)),)
        found = judged(make, [UNIT, large, large, UNIT, UNIT], precision="float16", layer_ignores=ignored)
        assert sorted((one.sites, one.suppressed is None) for one in found) == [
            (("block.1.linear",), False),
            (("block.2.linear",), True),
        ]


class Attention(nn.Module):
    """Written by hand, with a mask that is an input."""

    def __init__(self, size):
        super().__init__()
        self.query, self.key, self.value, self.head = (nn.Linear(16, 16) for _ in range(4))
        self.size = size

    def forward(self, x, mask):
        scores = (self.size * self.query(x)) @ self.key(x).transpose(-1, -2) / 4.0
        scores = scores + ((1.0 - mask) * torch.finfo(scores.dtype).min)[:, None, :]
        return self.head(scores.softmax(-1) @ self.value(x))


class Square(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.layer, self.square, self.norm = nn.Linear(16, 16), Squared(), nn.LayerNorm(16)
        self.size = size

    def forward(self, x):
        return self.norm(self.square(self.size * self.layer(x)))


class Squared(nn.Module):
    def forward(self, x):
        return x.square()


class Fused(nn.Module):
    """The same mask in one call of an attention, behind a module that makes it."""

    def __init__(self):
        super().__init__()
        self.layer, self.mask = nn.Linear(16, 16), Mask()

    def forward(self, x, mask):
        h = self.layer(x)
        return nn.functional.scaled_dot_product_attention(h, h, h, attn_mask=self.mask(x, mask))


class Mask(nn.Module):
    def forward(self, x, mask):
        return (1.0 - mask)[:, None, :].expand(-1, x.shape[1], -1) * -1e9


def overflows(build):
    """Sites of the findings about a network that is going to run in float16."""
    check = {"complete": True, "select": ["IP801"], "precision": "float16"}
    findings = ip.probe(build, seeds=2, max_seeds=2, batch=4, check=check).findings
    return [finding.sites for finding in findings]


class Between(nn.Module):
    """Two layers whose outputs one operation makes something of."""

    def __init__(self, operation):
        super().__init__()
        self.left, self.right, self.operation = nn.Linear(16, 16), nn.Linear(16, 16), operation
        for layer in (self.left, self.right):
            nn.init.normal_(layer.weight, std=100.0)

    def forward(self, x):
        return self.operation(self.left(x), self.right(x))


class Choice(nn.Module):
    def forward(self, a, b):
        return torch.where(a > b, 1e3 * a, b)


def similarity(a, b):
    return torch.softmax((a * b).sum(-1), -1)


def decided(a, b):
    return torch.log_softmax(a * b, -1)


def counted(a, b):
    return a + (a * b).argmax(-1, keepdim=True)


def masked(a, b):
    return torch.softmax(torch.where(a > b, a, -1e9), -1)


def pushed(a, b):
    return torch.softmax(a - 1e9 * (b < 0), -1)


class TestBetweenLayers:
    @pytest.mark.parametrize(
        ("operation", "told"),
        [
            (similarity, ["(model)/mul"]),
            (decided, ["(model)/mul", "(model)"]),
            (counted, ["(model)/mul"]),
            (Choice(), ["operation"]),
            (masked, []),
            (pushed, []),
        ],
        ids=["summed", "softmax", "unread", "where", "number", "mask"],
    )
    def test_products_of_signals_are_looked_at_wherever_they_lead_and_masks_nowhere(self, operation, told):
        found = overflows(lambda: (Between(operation), torch.randn(4, 16)))
        assert [key for sites in found for key in sites] == told

    def test_a_square_is_looked_at(self):
        inputs = torch.randn(4, 16)
        assert [sites[0] for sites in overflows(lambda: (Square(1000.0), inputs))] == ["square"]
        assert overflows(lambda: (Square(1.0), inputs)) == []

    def test_scores_are_looked_at_and_masks_are_not(self):
        inputs = (torch.randn(4, 6, 16), torch.ones(4, 6).triu())
        assert overflows(lambda: (Attention(1.0), inputs)) == []
        assert [sites[0] for sites in overflows(lambda: (Attention(1e6), inputs))] == ["(model)/matmul"]
        assert overflows(lambda: (Fused(), inputs)) == []


class TestUnderflow:
    def test_values_that_become_zero_are_told_and_those_that_are_zero_are_not(self, make):
        tiny = histogram((-30, 300.0), (-20, 700.0), zeros=1000.0) | {"absmax": 1e-6}
        (found,) = judged(make, [UNIT, UNIT, UNIT, tiny, tiny], precision="float16")
        assert (found.rule.code, found.severity) == ("IP802", "warning")
        assert found.message == "30 % of the values at block.3.linear become zero in float16"
        assert found.sites == ("block.3.linear", "block.4.linear")
        assert found.measured == "below 2^-25, 5 seeds; warning beyond 10 %"

    @pytest.mark.parametrize("precision", [None, "bfloat16"])
    def test_a_type_with_the_range_of_float32_loses_nothing(self, make, precision):
        assert judged(make, [histogram((-60, 1000.0)) | {"absmax": 1e-18}] * DEPTH, precision=precision) == []

    def test_gradients_of_any_size_are_fine_where_they_are_of_one_size(self, make):
        tiny = histogram((-60, 1000.0)) | {"absmax": 2.0**-59}
        assert judged(make, [UNIT] * DEPTH, gradients=[tiny] * DEPTH, precision="float16") == []

    def test_gradients_further_apart_than_the_type_is_wide_are_told(self, make):
        gradients = [histogram((-45, 500.0), (-30, 500.0)) | {"absmax": 2.0**-29}] + [UNIT] * 4
        (found,) = judged(make, [UNIT] * DEPTH, gradients=gradients, precision="float16")
        assert found.message == ("50 % of the gradients at block.0.linear become zero in float16 under any loss scale")
        assert found.measured.startswith("at 2^14, the largest at which none overflows")

    def test_with_a_loss_the_scale_that_it_needs_is_an_info(self, make):
        tiny = histogram((-30, 1000.0)) | {"absmax": 2.0**-29}
        loss = OutputTrace(loss=2.3)
        (found,) = judged(make, [UNIT] * DEPTH, gradients=[tiny] * DEPTH, output=loss, precision="float16")
        assert found.severity == "info"
        assert found.message == "gradients in float16 need a loss scale of 2^5 at least (and 2^44 at most)"
        assert judged(make, [UNIT] * DEPTH, gradients=[tiny] * DEPTH, precision="float16") == []
