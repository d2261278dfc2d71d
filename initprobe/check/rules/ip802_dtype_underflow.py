"""IP802: values that the floating-point type rounds to zero."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from initprobe.check.rules.base import (
    FORMATS,
    Case,
    Example,
    Finding,
    Format,
    Threshold,
    exponents,
    loss_scale,
    lost,
    planned,
    rule,
    wording,
)
from initprobe.records import Site

SHARE = Threshold(
    "dtype_underflow.fraction",
    0.1,
    "fraction",
    "in float16 a unit signal loses 2e-8 of its values, and a tenth at an RMS of 2.4e-7; a detector diverged for want "
    "of gradients between 2^-27 and 2^-24 (Micikevicius et al. 2018, arXiv:1710.03740, section 3.2)",
    "this share of a layer's non-zero values or gradients becomes zero: warning",
)
NET = """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: linear, out: 64}
        - {type: linear, out: 64}
        - {type: linear, out: 10, name: head}
"""
UNIT = Example(NET + "    init: {default: lecun_normal}\n", check=(("precision", "float16"),))
TINY = Example(NET + "    init: {default: {scheme: normal, std: 0.00001}}\n", check=(("precision", "float16"),))
BRAIN = Example(NET + "    init: {default: {scheme: normal, std: 0.00001}}\n", check=(("precision", "bfloat16"),))


@rule(
    "IP802",
    "dtype-underflow",
    "precision",
    "warning",
    "high",
    good=(UNIT, BRAIN),
    bad=(TINY,),
    follows=("vanishing-forward", "vanishing-backward", "exploding-forward", "exploding-backward", "dtype-overflow"),
    thresholds=(SHARE,),
    needs=("exponents",),
    asks=planned,
)
def dtype_underflow(case: Case) -> Iterator[Finding]:
    """Values or gradients are so small that the floating-point type rounds them to zero.

    What it does:
        With `--precision float16` it counts, layer by layer, the share of the values that are below half of the
        smallest number of that type (2^-24); what is exactly zero already is left out. Gradients are looked at under
        the largest loss scale (a power of two) at which none overflows, so that what is left is their dynamic range.
        With a loss of its own (`--loss`), the loss scale that is needed is told too, as an info. Residual branches are
        left out, for some start at almost nothing on purpose (LayerScale), and so are activations: a softmax or a
        sigmoid that is almost zero is meant to be.

    Why is this bad:
        A gradient that is rounded to zero is lost: the layer does not learn, or learns from its few largest values.

    Not a problem when:
        The layers concerned are computed in a wider type (`torch.autocast` lists some).

    Options:
        check.precision: float16; bfloat16 has the range of float32 and loses nothing.
        thresholds.dtype_underflow.fraction (0.1): share of the non-zero values.

    References:
        Micikevicius et al. 2018, "Mixed Precision Training", arXiv:1710.03740, section 3.2; IEEE 754-2019, table 3.5.
    """
    narrow = FORMATS.get(case.facts.precision or "")
    if narrow is None:
        return
    sites = case.main_path()
    limit = case.facts.thresholds[SHARE.key]
    for run in case.runs(sites, partial(_flushed, case, narrow)):
        keys = [site.key for site in run]
        yield case.finding(
            f"{100 * _share(case, keys[0], narrow):.0f} % of the values at {keys[0]} become zero in "
            f"{case.facts.precision}",
            sites=keys,
            measured=f"below 2^{narrow.smallest - 1}, {wording.count(case.seeds, 'seed')}; warning beyond "
            f"{100 * limit:g} %",
        )
    # An embedding may hold the biases of attention, which get their gradients through a softmax.
    stream = [site for site in sites if site.kind != "embedding"]
    yield from _gradients(case, stream, narrow)


def _shares(case: Case, key: str, narrow: Format, scale: int | None = None) -> NDArray[np.float64]:
    """Of a site's values; with a loss scale, of its gradients. Shape (seeds,)."""
    found = exponents(case.facts.signals, key, "forward" if scale is None else "backward")
    return np.full(case.seeds, np.nan) if found is None else lost(*found, narrow, scale or 0)


def _share(case: Case, key: str, narrow: Format) -> float:
    return float(_shares(case, key, narrow).mean())


def _flushed(case: Case, narrow: Format, site: Site) -> bool:
    shares = _shares(case, site.key, narrow)
    return bool(case.beyond(shares[:, None], case.facts.thresholds[SHARE.key])[0])


def _gradients(case: Case, sites: Sequence[Site], narrow: Format) -> Iterator[Finding]:
    keys = [site.key for site in sites if exponents(case.facts.signals, site.key, "backward") is not None]
    peaks = case.facts.signals.at(keys, "absmax", "backward")
    if not keys or not np.isfinite(peaks).all() or (case.facts.signals.at(keys, "nonfinite", "backward") > 0).any():
        return
    limit = case.facts.thresholds[SHARE.key]

    def beyond_at(scale: int) -> list[str]:
        shares = [_shares(case, key, narrow, scale) for key in keys]
        told = case.beyond(np.stack(shares, axis=1), limit)
        return [key for key, lost_there in zip(keys, told, strict=True) if lost_there]

    most = loss_scale(float(peaks.max()), narrow)
    gone = beyond_at(most)
    if gone:
        share = float(_shares(case, gone[0], narrow, most).mean())
        yield case.finding(
            f"{100 * share:.0f} % of the gradients at {gone[0]} become zero in {case.facts.precision} under any loss "
            "scale",
            sites=gone,
            measured=f"at 2^{most}, the largest at which none overflows, {wording.count(case.seeds, 'seed')}; warning "
            f"beyond {100 * limit:g} %",
        )
    elif _has_loss(case) and (small := beyond_at(0)):
        least = next((scale for scale in range(1, most + 1) if not beyond_at(scale)), most)
        yield case.finding(
            f"gradients in {case.facts.precision} need a loss scale of 2^{least} at least (and 2^{most} at most)",
            severity="info",
            sites=small,
            measured=f"without one, more than {100 * limit:g} % of them become zero there",
        )


def _has_loss(case: Case) -> bool:
    outputs = [evidence.trace.output for evidence in case.facts.evidences]
    return all(output is not None and output.loss is not None for output in outputs)
