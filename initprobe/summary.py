"""Many draws become one entry: every statistic as a mean over seeds with its interval. Free of torch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest

from initprobe.check.interval import estimate
from initprobe.records import (
    Counts,
    Coverage,
    Entry,
    Evidence,
    Judgement,
    ParameterSummary,
    Prediction,
    SiteSummary,
    Statistics,
    StatisticSummary,
)


def summarize(
    entry: Entry, evidences: Sequence[Evidence], judgement: Judgement, prediction: Prediction | None = None
) -> Entry:
    """The entry with everything that was measured and judged filled in.

    Args:
        entry: what is known without measuring (target, request, batch ...).
        evidences: one per seed, of one architecture.
        judgement: what the judge made of them.
        prediction: what theory expects of them.
    """
    first = evidences[0]
    return replace(
        entry,
        seeds=tuple(evidence.trace.seed for evidence in evidences),
        parameters=first.anatomy.parameter_count,
        sites=summarize_sites(evidences, prediction or Prediction()),
        weights=summarize_weights(evidences),
        branches=first.anatomy.branches,
        segments=judgement.segments,
        residual=judgement.residual,
        checked=judgement.checked,
        findings=judgement.findings,
        verdict=judgement.verdict,
        coverage=Coverage(
            modules=first.anatomy.modules,
            called=first.anatomy.modules - len(first.anatomy.uncalled),
            sites=len(first.trace.sites),
            uncalled=first.anatomy.uncalled,
            unseen=first.trace.unseen,
        ),
        outcome=first.outcome,
        notes=(*entry.notes, *judgement.notes),
    )


def summarize_sites(evidences: Sequence[Evidence], prediction: Prediction) -> tuple[SiteSummary, ...]:
    """Every measured call site over all seeds, in execution order, beside what theory expects of it."""
    known = {site.key: site for site in evidences[0].anatomy.sites}
    by_key = [{site.key: site for site in evidence.trace.sites} for evidence in evidences]
    summaries = []
    for site in evidences[0].trace.sites:
        if site.key not in known:
            continue
        draws = [sites.get(site.key) for sites in by_key]
        backward = [draw.backward if draw is not None else None for draw in draws]
        summaries.append(
            SiteSummary(
                site=known[site.key],
                shape=site.shape,
                dtype=site.dtype,
                forward=over_seeds([draw.forward if draw is not None else None for draw in draws]) or {},
                backward=over_seeds(backward),
                no_backward=site.no_backward,
                expected=prediction.at(site.key, "forward"),
                expected_backward=prediction.at(site.key, "backward"),
            )
        )
    return tuple(summaries)


def summarize_weights(evidences: Sequence[Evidence]) -> tuple[ParameterSummary, ...]:
    """Every parameter over all seeds, in registration order."""
    outcome = evidences[0].outcome
    declared = {drawn.weight: drawn.std for drawn in outcome.drawn} if outcome is not None else {}
    by_name = [{parameter.name: parameter for parameter in evidence.trace.parameters} for evidence in evidences]
    summaries = []
    for weight in evidences[0].anatomy.weights:
        draws = [parameters.get(weight.name) for parameters in by_name]
        summaries.append(
            ParameterSummary(
                weight=weight,
                value=over_seeds([draw.value if draw is not None else None for draw in draws]) or {},
                gradient=over_seeds([draw.gradient if draw is not None else None for draw in draws]),
                declared_std=declared.get(weight.name),
            )
        )
    return tuple(summaries)


def over_seeds(rows: Sequence[Statistics | None]) -> Mapping[str, StatisticSummary] | None:
    """Each statistic over the seeds that have it; None where no seed has any.

    Vectors are averaged, place by place over those that reach so far; counts are summed.
    """
    present = [row for row in rows if row is not None]
    if not present:
        return None
    summary: dict[str, StatisticSummary] = {}
    for name in present[0]:
        values = [math.nan if row is None else row.get(name, math.nan) for row in rows]
        vectors = [value for value in values if isinstance(value, tuple)]
        if vectors:
            summary[name] = tuple(_together(column, vectors[0]) for column in zip_longest(*vectors, fillvalue=math.nan))
        else:
            summary[name] = estimate([value for value in values if not isinstance(value, tuple)])
    return summary


def _together(column: Sequence[float], vector: tuple[float, ...]) -> float:
    known = [value for value in column if not math.isnan(value)]
    if isinstance(vector, Counts):
        return math.fsum(known)
    return math.fsum(known) / len(known) if known else math.nan
