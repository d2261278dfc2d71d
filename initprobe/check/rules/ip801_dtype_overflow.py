"""IP801: values that the floating-point type does not hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from initprobe.check.chains import PRODUCTS
from initprobe.check.rules.base import (
    FORMATS,
    Case,
    Example,
    Finding,
    Format,
    exponents,
    over,
    planned,
    rule,
    wording,
)
from initprobe.records import Flow, Signal, Site, Step

KINDS = frozenset(["embedding", "weighted", "norm", "activation", "attention", "join"])
"""What is looked at wherever it goes; of other values, masks are as negative as their type allows on purpose."""

SCORES = frozenset(["matmul", "bmm", "einsum", "mm", "baddbmm"])
"""What makes an attention's scores before anything is masked; so do products of two signals, one number at a time."""

ATTENDING = "scores"
"""Steps of an attention that is written by hand: the product of queries and keys (``other``), masks and a softmax."""

MASKING = frozenset(["masked_fill", "masked_fill_", "where", "fill_", "masked_scatter"])
"""Operations that write numbers of somebody's choice; ``where`` unless it chooses between two signals."""

BRINK = 2.0**12
"""A float16 value that is lost to overflow has finite neighbours within a factor of 16 of 65504; one that is lost to a
logarithm or a division need not have any."""

NET = """
    version: 1
    model:
      input: {shape: [64]}
      layers:
        - {type: linear, out: 64}
        - relu
        - {type: linear, out: 64}
        - relu
        - {type: linear, out: 10, name: head}
"""
HE = Example(NET + "    init: {default: kaiming_normal}\n", check=(("precision", "float16"),))
LARGE = Example(NET + "    init: {default: {scheme: normal, std: 60.0}}\n", check=(("precision", "float16"),))
RUN_IN_HALF = Example(NET + "    probe: {dtype: float16}\n    init: {default: {scheme: normal, std: 60.0}}\n")


@rule(
    "IP801",
    "dtype-overflow",
    "precision",
    "error",
    "certain",
    good=(HE,),
    bad=(LARGE, RUN_IN_HALF),
    follows=("non-finite-input", "exploding-forward"),
    needs=("exponents",),
    asks=planned,
)
def dtype_overflow(case: Case) -> Iterator[Finding]:
    """Values are larger than the floating-point type holds.

    What it does:
        With `--precision float16` it compares the largest value of every layer, and of every product, power and sum of
        signals between them, measured in a wider type, with the largest number of the type that the network is going to
        run in: 65504. In a network that is probed in float16 itself it looks at the first layer whose values are not
        finite, and fires where those that are left are close to the limit. bfloat16 has the range of float32.

        Masks are as negative as a type allows, on purpose, so what may be one is left out: sums, differences and
        multiples that lead into nothing but a softmax or an attention (products of two signals are looked at there
        too), what `masked_fill` and `where` write a number into, and what no operation was seen to read. So are tables
        and whatever else is the same in every pass: it holds no signal. Sums with it are looked at.

    Why is this bad:
        What overflows is infinite, and the next subtraction makes NaN of it: the loss is NaN before the first update.
        No loss scaling helps, for these are activations.

    Not a problem when:
        That layer is computed in float32 (`torch.autocast` does that for normalizations and losses).

    Options:
        check.precision: float16 or bfloat16; check.layer_ignores.

    References:
        Micikevicius et al. 2018, "Mixed Precision Training", arXiv:1710.03740; IEEE 754-2019, table 3.5.
    """
    shown = _unmasked(case.facts.anatomy.flow)
    sites = [site for site in case.sites() if site.kind in KINDS or site.key in shown]
    narrow = FORMATS.get(case.facts.precision or "")
    if narrow is not None:
        yield from _planned(case, sites, narrow)
    yield from _measured(case, [site for site in sites if _is_half(case, site)])


def _unmasked(flow: Flow) -> frozenset[str]:
    """Sites of operations on signals from which no way of sums and factors leads into a softmax or an attention.

    The flow does not show who reads the mask of an attention in one call: nobody else does, either.
    """
    steps = flow.steps
    masks = {step.index for step in steps} - {source for step in steps for source in step.sources} - {*flow.outputs}
    for step in reversed(steps):
        softens = step.activation is not None and "softmax" in step.activation.name
        carries = step.index in masks and step.effect in {"view", "pass", "sum", "scale", "other"}
        if softens or "attention" in step.name or (carries and not _is_product(step)):
            masks.update(step.sources)
    masks |= {step.index for step in steps if step.name == ATTENDING or _writes_numbers(step)}
    return frozenset(key for step in steps if _is_product(step) or step.index not in masks for key in step.sites)


def _is_product(step: Step) -> bool:
    """Whether two signals are multiplied: no mask is made so."""
    by_number = step.name in PRODUCTS and len(step.sources) > 1
    return by_number or step.name in SCORES or (step.name == ATTENDING and step.effect == "other")


def _writes_numbers(step: Step) -> bool:
    chosen = step.args[1:] if step.name == "where" else ()
    return step.name in MASKING and not (len(chosen) == 2 and all(isinstance(one, Signal) for one in chosen))


def _is_half(case: Case, site: Site) -> bool:
    return any(sites[site.key].dtype == "float16" for sites in case.facts.signals.sites if site.key in sites)


def _planned(case: Case, sites: Sequence[Site], narrow: Format) -> Iterator[Finding]:
    """What would overflow in the type that the network is going to run in: a finding for what counts together."""
    large = [site.key for site in sites if (case.facts.signals.at([site.key], "absmax") > narrow.largest).any()]
    for keys in case.apart(large):
        peaks = case.facts.signals.at(keys, "absmax")
        largest = float(np.nanmax(peaks[:, 0]))
        found = exponents(case.facts.signals, keys[0], "forward")
        share = "" if found is None else f"{100 * float(over(found[0], narrow).mean()):.2g} % of the values, "
        yield case.finding(
            f"values of up to {wording.size(largest)} at {keys[0]} overflow in {case.facts.precision}, which holds "
            f"{wording.limit(narrow.largest)}",
            sites=keys,
            measured=f"{share}in {int((peaks[:, 0] > narrow.largest).sum())} of {wording.count(case.seeds, 'seed')}",
        )


def _measured(case: Case, sites: Sequence[Site]) -> Iterator[Finding]:
    """The first layer of a network in float16 that has overflowed."""
    keys = [site.key for site in sites]
    nonfinite = case.facts.signals.at(keys, "nonfinite") > 0
    bad = np.flatnonzero(nonfinite.any(axis=0))
    if not len(bad):
        return
    key, seeds = keys[bad[0]], nonfinite[:, bad[0]]
    peak = float(np.nanmax(case.facts.signals.at([key], "absmax")[:, 0], initial=0.0))
    if peak < BRINK:
        return
    finding = case.finding(
        f"values at {key} overflow in float16, which holds 65504",
        sites=[key],
        measured=f"the largest that is finite is {wording.size(peak)}; in {int(seeds.sum())} of "
        f"{wording.count(case.seeds, 'seed')}",
    )
    yield replace(finding, downstream=len(bad) - 1)
