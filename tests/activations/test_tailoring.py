"""Scales and shifts that give a deep network a kernel of a chosen shape."""

import pytest

from initprobe.activations.base import ACTIVATIONS
from initprobe.activations.tailoring import Tailored, kernel_of, shaped, tailored
from initprobe.errors import UsageError
from initprobe.records import ActivationUse

SMOOTH = ["tanh", "gelu", "silu", "mish", "softplus", "sigmoid", "softsign", "sine", "elu"]


def subnet(x, local):
    """The largest value over the subnetworks of the residual network that the authors' tests are about."""
    branch = local(local(local(x)))
    for blocks in (3, 4, 23, 3):
        for block in range(blocks):
            inner = local(local(local(x)))
            skip = local(x) if block == 0 else x
            x = 0.36 * skip + 0.64 * inner
    return max(local(x), branch)


def solved(function, target, low, high):
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if function(middle) > target else (middle, high)
    return low


SLOPE = solved(lambda one: subnet(1.0, lambda y: one * y), 1.2, 1.0, 1.5)
CURVATURE = solved(lambda one: subnet(0.0, lambda y: one + y), 0.2, 0.0, 1.0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("softplus", (0.18761008168267976, 0.40688063442262007, -0.9213466151411376, 8.878672543665223)),
        ("tanh", (0.07461073057540868, 0.5566915199964182, -0.5034378768692127, 18.002635964442558)),
        ("gelu", (0.07043253126531114, 0.259489297927707, -0.15815378963903598, 20.21158902315857)),
    ],
)
def test_deep_kernel_shaping_finds_what_the_authors_found(name, expected):
    found = shaped(ActivationUse(name), SLOPE)
    # Their own target is solved to 1e-8.
    for ours, theirs in zip(
        (found.input_scale, found.input_shift, found.output_shift, found.output_scale), expected, strict=True
    ):
        assert ours == pytest.approx(theirs, rel=1e-7)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("softplus", (0.15011489794748328, 0.5374599901127068, -0.996481014465811, 10.54880187980574)),
        ("tanh", (0.0580205218578313, 0.5218639804099805, -0.4796430704354356, 22.36066261763117)),
    ],
)
def test_tailoring_finds_what_the_authors_found(name, expected):
    found = tailored(ActivationUse(name), CURVATURE)
    for ours, theirs in zip(
        (found.input_scale, found.input_shift, found.output_shift, found.output_scale), expected, strict=True
    ):
        assert ours == pytest.approx(theirs, rel=1e-7)


@pytest.mark.parametrize("name", [*SMOOTH, "selu"])
@pytest.mark.parametrize("slope", [1.2, 1.02])
def test_shaped_kernels_are_as_asked_for(name, slope):
    use = ActivationUse(name)
    kernel = kernel_of(use, shaped(use, slope))
    assert (kernel.q, kernel.q_slope, kernel.slope) == (pytest.approx(1), pytest.approx(1), pytest.approx(slope))
    assert kernel.start == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", SMOOTH)
def test_tailored_kernels_are_as_asked_for(name):
    use = ActivationUse(name)
    kernel = kernel_of(use, tailored(use, 0.01))
    assert (kernel.q, kernel.q_slope, kernel.slope) == (pytest.approx(1), pytest.approx(1), pytest.approx(1))
    assert kernel.curvature == pytest.approx(0.01, rel=1e-8)


@pytest.mark.parametrize("name", ["tanh", "gelu", "softplus"])
def test_the_kernel_of_an_activation_as_it_is_is_known(name):
    # C'(1) of f is E f'² / E f², C(0) is (E f)² / E f²; theory to 12 digits.
    theory = {
        "tanh": (0.394294490398, 1.1778072323, 0.0),
        "gelu": (0.42522148257, 1.07203159844, 0.187143582363),
        "softplus": (0.921245908859, 0.318458983684, 0.70527467293),
    }
    kernel = kernel_of(ActivationUse(name), Tailored(1.0, 0.0, 0.0, 1.0))
    assert (kernel.q, kernel.slope, kernel.start) == tuple(
        pytest.approx(one, rel=1e-10, abs=1e-15) for one in theory[name]
    )


@pytest.mark.parametrize(
    "name", [name for name in ACTIVATIONS if ACTIVATIONS[name].value is None or name in {"relu", "prelu", "threshold"}]
)
def test_what_no_scale_and_shift_shapes_is_told(name):
    with pytest.raises(UsageError, match="no scale and shift shapes the kernel"):
        shaped(ActivationUse(name), 1.1)


def test_other_wrong_uses_are_told():
    with pytest.raises(UsageError, match="bends too sharply"):
        tailored(ActivationUse("selu"), 0.01)
    with pytest.raises(UsageError, match="was found"):
        shaped(ActivationUse("hardtanh"), 1.01)
