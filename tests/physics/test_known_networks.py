"""Networks whose gains are known: what the whole program measures and says of them, within the law of finite width.

He et al. 2015: relu halves the second moment, so variance 2 / fan_in keeps it; Glorot & Bengio 2010's 1 / fan_in loses
a factor sqrt(1/2) a layer; torch's default weights, U(±1/sqrt(fan_in)), pass on 1/3 · 1/2 of the squared gradient.
"""

from __future__ import annotations

import math

import pytest

import initprobe as ip
from initprobe.commands import compare_schemes
from initprobe.init.choose import parse_scheme
from initprobe.load.stack import stack
from initprobe.records import TargetRequest
from initprobe.settings import Flags

pytestmark = pytest.mark.untraced

NETWORKS = {
    "he / relu": ("he", "relu", 50, set()),
    "orthogonal / tanh": ("orthogonal", "tanh", 20, set()),
    "xavier / relu": ("xavier", "relu", 50, {"IP101", "IP201"}),
    "torch default / relu": ("torch", "relu", 50, {"IP201"}),
    "he x 2 / relu": ("variance_scaling(scale=8, gain=1)", "relu", 50, {"IP102", "IP202"}),
}


@pytest.fixture(scope="module")
def compared():
    result = ip.compare(["he", "xavier", "orthogonal", "torch"], depth=50, width=256, batch=64)
    return {entry.scheme: entry for entry in result.report.entries}


@pytest.mark.parametrize(
    ("scheme", "forward", "backward", "tolerance", "verdict"),
    [
        ("kaiming_normal", 0.995, 1.0, 0.015, "pass"),
        ("orthogonal", 0.995, 1.0, 0.015, "pass"),
        ("xavier_normal", math.sqrt(1 / 2), math.sqrt(1 / 2), 0.015, "fail"),
        ("torch_default", 0.987, math.sqrt(1 / 6), 0.01, "fail"),
    ],
)
def test_the_table_that_explains_he(compared, scheme, forward, backward, tolerance, verdict):
    entry = compared[scheme]
    (segment,) = entry.segments
    assert segment.forward.per_layer.mean == pytest.approx(forward, abs=tolerance)
    assert segment.backward.per_layer.mean == pytest.approx(backward, abs=tolerance)
    assert entry.verdict == verdict


def test_torch_defaults_healthy_forward_signal_is_only_its_biases(compared):
    entry = compared["torch_default"]
    (segment,) = entry.segments
    assert segment.bias_only
    assert segment.forward.status == "pass"
    assert segment.pair.mean == pytest.approx(math.sqrt(1 / 6), abs=0.02)
    assert any("only the biases" in note for note in entry.notes)
    assert not compared["kaiming_normal"].segments[0].bias_only


def test_schemes_share_their_draws(compared):
    """He is sqrt(2) times LeCun, and Xavier is LeCun on square layers: the logs differ by a constant per layer."""
    he, xavier = (compared[name].segments[0].forward.per_layer.per_seed for name in ("kaiming_normal", "xavier_normal"))
    for kept, lost in zip(he, xavier, strict=True):
        assert lost / kept == pytest.approx(math.sqrt(1 / 2), rel=1e-3)


@pytest.mark.parametrize("width", [64, 128])
@pytest.mark.parametrize("network", sorted(NETWORKS))
def test_verdicts_do_not_flip(network, width):
    """A small likeness of benchmarks/verdicts.py."""
    scheme, activation, depth, errors = NETWORKS[network]
    for base in (0, 1000):
        flags = Flags(probe={"seeds": tuple(range(base, base + 5)), "batch": 32})
        target = stack(depth, width, activation)
        (entry,) = compare_schemes(target, TargetRequest("stack"), [parse_scheme(scheme)], flags).entries
        found = {(finding.rule.code, finding.severity) for finding in entry.findings}
        signal = {(code, severity) for code, severity in found if code[:3] in {"IP1", "IP2"}}
        if errors:
            assert {(code, "error") for code in errors} <= found
            assert entry.verdict == "fail"
        else:
            assert not {code for code, severity in signal if severity != "info"}
            assert entry.verdict == "pass"
