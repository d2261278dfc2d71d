"""The data behind the phase diagram."""

import math

import numpy as np
import pytest

from initprobe.errors import UsageError
from initprobe.predict.mean_field import fixed_points, settled
from initprobe.predict.phase import phase_diagram
from initprobe.records import ActivationUse

# sigma_b² to sigma_w² on tanh's critical line, ten digits.
KNOWN = {0.0: 1.0, 0.01: 1.42420529, 0.04: 1.700796372, 0.05: 1.76095464, 0.1: 1.986072641, 0.3: 2.50512719}


@pytest.fixture(scope="module")
def tanh():
    return phase_diagram(ActivationUse("tanh"))


def test_the_critical_line_of_tanh(tanh):
    (line,) = tanh.critical
    assert line.stable
    for bias, weight in KNOWN.items():
        place = min(range(len(line.q)), key=lambda at: abs(line.bias_variance[at] - bias))
        assert line.bias_variance[place] == pytest.approx(bias, abs=1e-12)
        assert line.weight_variance[place] == pytest.approx(weight, abs=1e-6)


def test_contours_are_where_the_depth_scale_is_what_they_say(tanh):
    for curve in tanh.contours:
        for place in range(0, len(curve.q), max(1, len(curve.q) // 3)):
            bias, weight = curve.bias_variance[place], curve.weight_variance[place]
            end = settled(ActivationUse("tanh"), weight, bias)
            if end.q > 1e-3 and bias > 1e-4:  # nearer to the axis a thousandth of the width is a lot of depth
                assert end.depth_c == pytest.approx(curve.depth, rel=0.02)


def test_the_map_tells_the_phases_apart(tanh):
    for weight, bias in ((1.0, 0.1), (1.9, 0.1), (2.1, 0.1), (4.0, 0.4)):
        row = int(np.argmin(np.abs(np.array(tanh.bias_variance) - bias)))
        column = int(np.argmin(np.abs(np.array(tanh.weight_variance) - weight)))
        (point,) = fixed_points(ActivationUse("tanh"), tanh.weight_variance[column], tanh.bias_variance[row])
        assert tanh.chi[row][column] == pytest.approx(point.chi, rel=2e-3)


def test_rectifiers_have_a_point_and_gelu_two_kinds_of_line():
    relu = phase_diagram(ActivationUse("relu"))
    assert [(line.weight_variance, line.bias_variance) for line in relu.critical] == [((pytest.approx(2.0),), (0.0,))]
    assert relu.chi[50][-1] == math.inf
    gelu = phase_diagram(ActivationUse("gelu"))
    assert {line.stable for line in gelu.critical} == {True, False}
    assert gelu.note == ""


def test_where_there_is_no_line_a_note_says_so():
    diagram = phase_diagram(ActivationUse("softplus"), 3.0, 0.2)
    assert diagram.critical == ()
    assert "chi_1 = 1" in diagram.note
    assert (diagram.weight_variance[-1], diagram.bias_variance[-1]) == (3.0, 0.2)


def test_axes_have_an_end():
    with pytest.raises(UsageError, match="the axis of bias variances ends at -1"):
        phase_diagram(ActivationUse("tanh"), bias_limit=-1.0)
    with pytest.raises(UsageError, match="the axis of weight variances ends at 0"):
        phase_diagram(ActivationUse("tanh"), 0.0)
