"""From the weights that are there to the second moment at every site."""

from __future__ import annotations

import json
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import initprobe as ip
from initprobe.predict.propagate import predict
from initprobe.records import Anatomy


def sites(build, inputs, **options):
    """Measured and expected, by key."""
    result = ip.probe(build, inputs=inputs, **{"seeds": 3, "batch": 64, **options})
    return {summary.site.key: summary for summary in result.report.entries[0].sites}


def rms(summary):
    return math.exp(sum(map(math.log, summary.forward["rms"].per_seed)) / len(summary.forward["rms"].per_seed))


def stack(depth=6, width=256):
    return lambda: nn.Sequential(*(part for _ in range(depth) for part in (nn.Linear(width, width), nn.ReLU())))


def test_nothing_measured_nothing_expected():
    assert predict(Anatomy((), (), ()), [], samples=2).sites == {}


def test_the_biases_of_torch_are_counted():
    found = sites(stack(), (256,))
    last = found["10"]
    assert last.expected.accumulated == pytest.approx(rms(last), rel=0.05)
    assert last.expected_backward.accumulated == pytest.approx(last.backward["rms"].mean, rel=0.05)


def test_what_was_measured_just_before_is_nearer_than_what_was_followed_all_the_way():
    found = sites(stack(12, 64), (64,), scheme="he", seeds=1)
    for key in ("4", "12", "22"):
        assert found[key].expected.local == pytest.approx(rms(found[key]), rel=0.12)


def test_it_reads_the_weights_and_not_the_name_of_a_scheme():
    def build():
        model = stack(3)()
        with torch.no_grad():
            model[2].weight.mul_(10.0)
        return model

    found = sites(build, (256,), scheme=None)
    assert found["2"].expected.accumulated == pytest.approx(rms(found["2"]), rel=0.05)


class Odd(nn.Module):
    """An operation without a law between two layers."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(128, 128), nn.Linear(128, 128)

    def forward(self, x):
        return self.second(torch.sort(self.first(x), dim=1).values)


def test_an_operation_without_a_law_is_told_and_nothing_behind_it_is_hidden():
    found = sites(Odd, (128,))
    assert found["first"].expected.accumulated is not None
    assert found["second"].expected.accumulated is None
    assert "without a prediction" in found["second"].expected.why
    assert found["first"].expected_backward.accumulated is None
    assert "sort" in found["first"].expected_backward.why


def test_behind_a_gap_it_goes_on_from_the_measurement_and_says_so():
    class Then(Odd):
        def forward(self, x):
            return F.relu(self.second(torch.sort(self.first(x), dim=1).values))

    found = sites(Then, (128,))
    *_, last = found.values()
    assert last.expected.resumed
    assert last.expected.accumulated == pytest.approx(rms(last), rel=0.1)


class Standardized(nn.Linear):
    """Computes its weight in code of its own, as timm's layers do: what it multiplies with was measured by nobody."""

    def forward(self, x):
        rows = F.batch_norm(self.weight[None], None, None, torch.full((64,), 64**-0.5), training=True)[0]
        return F.linear(x, rows, self.bias)


def test_a_weight_that_the_model_s_own_code_computes_is_not_taken_for_its_parameter():
    found = sites(lambda: nn.Sequential(nn.Linear(64, 64), Standardized(64, 64), nn.Linear(64, 64)), (64,))
    assert found["1"].expected is None or found["1"].expected.local is None
    assert found["2"].expected.local == pytest.approx(rms(found["2"]), rel=0.1)


def test_weights_that_are_copies_of_one_number_have_no_prediction():
    def build():
        model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64))
        nn.init.constant_(model[0].weight, 0.1)
        return model

    found = sites(build, (64,))
    assert "nearly constant" in found["0"].expected.why


def test_a_class_token_among_patches_keeps_a_size_of_its_own():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.token = nn.Parameter(torch.randn(1, 1, 128) * 0.05)
            self.norm, self.head = nn.LayerNorm(128), nn.Linear(128, 128)

        def forward(self, x):
            x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1)
            return self.head(self.norm(x)[:, 0])

    found = sites(Tokens, (15, 128))
    gradient = found["norm"].expected_backward
    assert gradient.accumulated == pytest.approx(found["norm"].backward["rms"].mean, rel=0.05)


@pytest.mark.untraced
def test_a_signal_that_leaves_the_range_of_numbers_is_no_crash():
    def build():
        model = stack(12, 16)()
        with torch.no_grad():
            for layer in model[::2]:
                layer.weight.fill_(0.0)
                layer.weight.normal_(0.0, 1e37)
        return model.double()

    found = sites(build, (16,), dtype="float64", scheme=None)
    assert all(summary.expected is not None for summary in found.values())


def test_zeros_stay_zeros():
    def build():
        model = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16))
        for parameter in model.parameters():
            nn.init.zeros_(parameter)
        return model

    found = sites(build, (16,))
    assert found["0"].expected.accumulated == 0.0


def test_what_theory_expects_is_in_the_result_file():
    result = ip.probe(stack(5), inputs=(256,), scheme="he", seeds=2)
    entry = json.loads(result.render("json"))["results"][0]
    assert entry["sites"][0]["expected"]["accumulated"] == pytest.approx(math.sqrt(2.0), rel=0.02)
    assert entry["segments"][0]["forward"]["expected"] == pytest.approx(1.0, abs=0.01)


class Waves(nn.Module):
    """A table of sines, whose rows are much alike, beside tokens of independent numbers, and an average over both."""

    def __init__(self, width=256, length=16):
        super().__init__()
        angles = torch.arange(length)[:, None] * torch.exp(-math.log(1e4) * torch.arange(0, width, 2) / width)
        self.register_buffer("table", torch.cat([angles.sin(), angles.cos()], -1))
        self.values, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        values = self.values(x + self.table)
        even = torch.zeros_like(x)
        return self.out(F.scaled_dot_product_attention(even, even, values))


def test_what_the_rows_of_a_table_have_in_common_survives_an_average():
    """Independent rows would leave 1 / 16 of the second moment; these leave a third of it.

    A table of few waves is seen by every draw in its own way, within 8 % over eight of them.
    """
    found = sites(Waves, (16, 256), scheme="lecun_normal", seeds=8, batch=8)
    assert found["out"].expected.accumulated == pytest.approx(rms(found["out"]), rel=0.08)
    assert rms(found["out"]) > 0.5 * rms(found["values"])
