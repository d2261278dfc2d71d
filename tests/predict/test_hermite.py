"""The series against the exact integrals."""

import numpy as np
import pytest

from initprobe.activations.moments import NotElementwiseError
from initprobe.predict.hermite import deficits, derivative_products, squared_coefficients
from initprobe.predict.pairs import deficit, derivative_product
from initprobe.records import ActivationUse


@pytest.mark.parametrize("name", ["tanh", "relu", "gelu", "hardtanh", "sigmoid"])
@pytest.mark.parametrize("q", [0.01, 1.0, 5.0])
def test_away_from_one_it_is_exact(name, q):
    use, gaps = ActivationUse(name), np.array([0.1, 0.5, 0.9])
    assert deficits(use, q, gaps) == pytest.approx([deficit(use, q, gap) for gap in gaps], rel=1e-9)
    assert derivative_products(use, q, gaps) == pytest.approx(
        [derivative_product(use, q, 1 - gap) for gap in gaps], rel=1e-9
    )


def test_near_one_it_is_good_enough_for_a_figure():
    use, gap = ActivationUse("relu"), np.array([0.02])
    assert deficits(use, 1.0, gap) == pytest.approx([deficit(use, 1.0, 0.02)], rel=1e-5)


def test_coefficients_of_polynomials_and_of_what_is_none():
    squares = squared_coefficients(ActivationUse("leaky_relu", (("negative_slope", 1.0),)), 2.0)
    assert squares[1] == pytest.approx(2.0)
    assert abs(squares).sum() == pytest.approx(2.0)
    assert not squares.flags.writeable
    with pytest.raises(NotElementwiseError):
        squared_coefficients(ActivationUse("softmax"), 1.0)
