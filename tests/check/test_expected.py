"""The gain that theory expects along a run, and the sentence that explains it."""

from __future__ import annotations

import pytest

import initprobe as ip
from initprobe.check.expected import expected_gain
from initprobe.records import Expected, Prediction, SitePrediction

KEYS = [f"{layer}" for layer in range(6)]


def prediction(*values, **more):
    return Prediction(
        {key: SitePrediction(key, Expected(accumulated=value, **more)) for key, value in zip(KEYS, values, strict=True)}
    )


def test_a_geometric_run_has_its_ratio():
    found = expected_gain(KEYS, prediction(*(0.5**depth for depth in range(6))), "forward")
    assert found == pytest.approx(0.5)


def test_a_run_that_starts_from_a_measurement_has_none():
    assert expected_gain(KEYS, prediction(*[1.0] * 6, resumed=True), "forward") is None


def test_a_run_with_gaps_has_none():
    assert expected_gain(KEYS, prediction(1.0, None, None, 1.0, 1.0, 1.0), "forward") is None
    assert expected_gain(KEYS, Prediction(), "forward") is None


@pytest.mark.parametrize(
    ("scheme", "activation", "words"),
    [
        ("xavier", "relu", ["0.70", "fan_in · E w² = 256 · 0.0039", "relu keeps 0.5", "it takes 2 to keep it"]),
        ("he", "sigmoid", ["fan_out · E w²", "sigmoid keeps"]),
    ],
)
def test_a_finding_names_fan_variance_and_activation(scheme, activation, words):
    result = ip.compare([scheme, "lecun"], depth=30, width=256, activation=activation, seeds=2, batch=32)
    findings = [finding for finding in result.report.entries[0].findings if finding.expected]
    text = " ".join(finding.expected for finding in findings)
    assert [word for word in words if word not in text] == []
