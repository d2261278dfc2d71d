"""IP404: one direction of the input carries nearly everything that the output knows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording

CONDITION = Threshold(
    "jacobian_condition.factor",
    10.0,
    "factor",
    "a linear net of L square Gaussian layers has sqrt(e (L + 1/2)): 10 at 36 layers, and an orthogonal one has 1 "
    "(Pennington, Schoenholz & Ganguli 2017, arXiv:1711.04735, section 2.5)",
    "the largest singular value of the input-output Jacobian over the root mean square of all: info",
)
ORTHOGONAL = Example(
    """
    version: 1
    model:
      input: {shape: [128]}
      layers:
        - {type: repeat, times: 30, name: block, layers: [{type: linear, out: 128}, tanh]}
    init: {default: {scheme: orthogonal, gain: 1.0}}
    probe: {seeds: 3, max_seeds: 3}
    """
)
RELU = Example(
    """
    version: 1
    model:
      input: {shape: [128]}
      layers:
        - {type: repeat, times: 50, name: block, layers: [{type: linear, out: 128}, relu]}
    init: {default: kaiming_normal}
    probe: {seeds: 3, max_seeds: 3}
    """
)


@rule(
    "IP404",
    "ill-conditioned-jacobian",
    "geometry",
    "info",
    "high",
    good=(ORTHOGONAL,),
    bad=(RELU,),
    thresholds=(CONDITION,),
    needs=("jacobian",),
    optional=True,
)
def ill_conditioned_jacobian(case: Case) -> Iterator[Finding]:
    """One direction of the input moves the output far more than the others do.

    What it does:
        Runs only where it is named (`--select ALL,IP404`), for it takes a hundred passes of four samples: products
        with the input-output Jacobian and its transpose find its largest singular value (power iteration) and the root
        mean square of all of them (random cotangents). It fires where their ratio is beyond the limit. n singular
        values cannot have a ratio above sqrt(n), so that the rule is silent where the input or the output is small (a
        head of ten classes on four samples: 6.3).

    Why is this bad:
        Gains per layer can be perfect on average while a few directions grow and all others die. Far from dynamical
        isometry a learning rate that suits the large ones is useless to the rest, and depth makes it worse.

    Not a problem when:
        The network is normalized and has skips, and trains well: isometry is sufficient, not necessary. A network of
        rectifiers cannot have it at all.

    Options:
        thresholds.jacobian_condition.factor (10): largest over root mean square.

    References:
        Saxe, McClelland & Ganguli 2014, arXiv:1312.6120; Pennington, Schoenholz & Ganguli 2017, arXiv:1711.04735.
    """
    found = [evidence.trace.network.get("jacobian") for evidence in case.facts.evidences]
    rows = np.array([row for row in found if isinstance(row, tuple)], dtype=np.float64)
    if len(rows) < len(found) or not np.isfinite(rows).all() or (rows <= 0).any():
        return
    ratio = np.log(rows[:, :1] / rows[:, 1:2])
    limit = case.facts.thresholds[CONDITION.key]
    if not case.beyond(ratio, math.log(limit))[0]:
        return
    mean, size = math.exp(float(ratio.mean())), rows[0, 2]
    yield case.finding(
        f"the largest singular value of the Jacobian is ×{wording.gain(mean)} of their root mean square: one direction "
        f"carries {100 * mean**2 / size:.0f} % of what reaches the output",
        measured=f"{int(size):,} singular values, {wording.count(case.seeds, 'seed')}; told beyond ×{limit:g}",
        expected="×1 with dynamical isometry (orthogonal layers, activations that are linear around zero)",
    )
