"""What a narrow type would lose, held against torch's own conversion."""

import numpy as np
import pytest
import torch

from initprobe.check.precision import FORMATS, loss_scale, lost, over

DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}


def counts(values):
    exponents = np.where(values == 0, 0, np.clip(np.frexp(values.numpy())[1] - 1 + 127, 0, 254))
    return np.bincount(exponents, minlength=256).astype(float)[None], np.array([float((values == 0).sum())])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [1e-9, 1e-7, 1e-5, 1.0, 1e4, 1e6])
def test_shares_are_those_of_a_conversion(name, size):
    values = (torch.randn(20_000, generator=torch.Generator().manual_seed(0)) * size).abs()
    values[::4] = 0.0
    histogram, zeros = counts(values)
    narrow = values.to(DTYPES[name])
    alive = values > 0
    became_zero = (narrow[alive] == 0).double().mean().item()
    assert lost(histogram, zeros, FORMATS[name])[0] == pytest.approx(became_zero, abs=1e-3)
    # Bins are powers of two: what lies between 65504 and 65536 is not counted.
    assert over(histogram, FORMATS[name])[0] == pytest.approx(torch.isinf(narrow).double().mean().item(), abs=1e-3)


def test_a_scale_moves_the_limit():
    values = torch.full((1000,), 2.0**-30)
    histogram, zeros = counts(values)
    half = FORMATS["float16"]
    assert lost(histogram, zeros, half)[0] == 1.0
    assert lost(histogram, zeros, half, 4)[0] == 1.0
    assert lost(histogram, zeros, half, 5)[0] == 0.0  # 2^-25 is half of the smallest; bins count it as kept
    assert lost(histogram, zeros, FORMATS["bfloat16"])[0] == 0.0


def test_subnormal_values_of_float32_are_lost_and_zeros_are_not():
    histogram = np.zeros((1, 256))
    histogram[0, 0], histogram[0, 127] = 30.0, 10.0
    assert lost(histogram, np.array([20.0]), FORMATS["float16"])[0] == 0.5
    assert lost(histogram, np.array([30.0]), FORMATS["float16"])[0] == 0.0
    assert lost(np.zeros((1, 256)), np.zeros(1), FORMATS["float16"])[0] == 0.0


@pytest.mark.parametrize(("largest", "exponent"), [(1.0, 15), (65504.0, 0), (65505.0, -1), (1e-6, 35)])
def test_the_loss_scale_is_the_largest_that_fits(largest, exponent):
    assert loss_scale(largest, FORMATS["float16"]) == exponent
    assert largest * 2.0**exponent <= 65504 < largest * 2.0 ** (exponent + 1)
