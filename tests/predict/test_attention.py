"""What attention leaves of tokens, against random attention."""

import numpy as np
import pytest

from initprobe.predict.attention import Tokens, attended, packed_value_gain, uniform_variance, with_skip

LENGTH, DIM = 128, 512


def attention(x, rng):
    query, key, value = (rng.normal(0.0, DIM**-0.5, (DIM, DIM)) for _ in range(3))
    logits = (x @ query) @ (x @ key).T / np.sqrt(DIM)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True) @ (x @ value)


def measured(x):
    gram = x @ x.T / DIM
    own = np.diag(gram).mean()
    return own, (gram.sum() - np.diag(gram).sum()) / (LENGTH * (LENGTH - 1)) / own


def test_one_layer():
    rng = np.random.default_rng(0)
    found = attended(Tokens(1.0, 0.0), LENGTH, logit_variance=1.0)
    second, correlation = measured(attention(rng.normal(size=(LENGTH, DIM)), rng))
    assert second == pytest.approx(found.second, rel=0.15)
    assert correlation == pytest.approx(found.correlation, abs=0.08)


def test_skips_slow_the_collapse_and_do_not_stop_it():
    rng, tokens = np.random.default_rng(1), Tokens(1.0, 0.0)
    x, correlations = rng.normal(size=(LENGTH, DIM)), []
    for _ in range(6):
        x = x + attention(x, rng)
        tokens = with_skip(tokens, attended(tokens, LENGTH, logit_variance=1.0))
        correlations.append(tokens.correlation)
    second, correlation = measured(x)
    assert second == pytest.approx(tokens.second, rel=0.1)
    assert correlation == pytest.approx(tokens.correlation, abs=0.05)
    assert correlations == sorted(correlations)


def test_without_skips_tokens_collapse_doubly_exponentially():
    # Dong et al. 2021: the exponent itself grows
    rng, x, left = np.random.default_rng(2), None, []
    x = rng.normal(size=(LENGTH, DIM))
    for _ in range(3):
        x = attention(x, rng)
        second, correlation = measured(x)
        x, left = x / np.sqrt(second), [*left, 1.0 - correlation]
    assert left[1] / left[0] < 0.2
    assert left[2] / left[1] < left[1] / left[0] / 100
    nearly = attended(Tokens(1.0, 0.99), LENGTH, logit_variance=1.0)
    assert 1.0 - nearly.correlation < 1e-6


def test_uniform_attention():
    assert attended(Tokens(2.0, 0.3), 16) == Tokens(pytest.approx(2 * uniform_variance(16, 0.3)), 1.0)
    assert uniform_variance(16) == 1 / 16
    assert packed_value_gain() == pytest.approx(1 / 6)
    assert packed_value_gain(own_output=False) == 0.5
