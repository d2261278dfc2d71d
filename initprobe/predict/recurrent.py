"""Recurrent networks in time: a step is a layer whose weights come back.

At infinite width the maps are those of independent layers (Chen, Pennington & Schoenholz 2018, arXiv 1806.05394), with
the inputs as one more term: q' = sigma_w² E f(√q z)² + sigma_u² p + sigma_b².
"""

from __future__ import annotations

import math

import numpy as np

from initprobe.activations.base import logistic
from initprobe.predict.mean_field import depth_scale, settled
from initprobe.records import ActivationUse, FixedPoint


def in_time(
    use: ActivationUse,
    weight_variance: float,
    *,
    input_variance: float = 0.0,
    input_second: float = 1.0,
    bias_variance: float = 0.0,
) -> FixedPoint | None:
    """Where the state of a plain recurrent network settles; None where it explodes.

    Inputs that differ from step to step enter like a bias that is drawn anew; its depth scales are spans of time.

    Args:
        use: the activation of the state.
        weight_variance: sigma_w² of the recurrent matrix.
        input_variance: sigma_u² of the input matrix.
        input_second: second moment of the inputs, p.
        bias_variance: sigma_b².

    Raises:
        NotElementwiseError: the activation does not act on one number at a time.
        UsageError: it is unknown, or an option is.
    """
    return settled(use, weight_variance, bias_variance + input_variance * input_second)


def gate_memory(bias: float) -> float:
    """Steps over which a gated cell forgets by e when its forget gate stands at σ(bias): 1 / ln(1 + exp(-bias)).

    Tallec & Ollivier 2018 (arXiv 1804.11188), section 2; with bias 1 it is 3.19, with 0 it is 1.44 steps.
    """
    return depth_scale(float(logistic(np.array(bias))))


def chrono_bias(span: float) -> float:
    """The forget bias whose memory is about ``span`` steps, ln(span - 1) (Tallec & Ollivier 2018, eq. 16).

    Raises:
        ValueError: the span is not above 1.
    """
    if span <= 1.0:
        raise ValueError(f"a memory of {span:g} steps needs no gate")
    return math.log(span - 1.0)
