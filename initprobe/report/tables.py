"""The tables of a report as plain cells: the terminal lays them out, Markdown and others encode them their own way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from initprobe.records import Entry, Estimate, Gain, Segment, SiteSummary, StatisticSummary
from initprobe.report.layers import LayerRow, layer_rows
from initprobe.report.numbers import number, plus_minus
from initprobe.report.options import RenderOptions
from initprobe.report.phrases import Tone, row_names, verdict_phrase
from initprobe.report.ranking import RANKED, ranking
from initprobe.report.sparkline import ASCII_BARS, BARS, NON_FINITE, ZERO, Scale, sparkline
from initprobe.report.streams import BOTH, Side, gain_of, longest_segment, mean_rms, stream_sites

Cell = tuple[str, Tone]
Run = list[float | None]
NOTHING = "-"

_GAIN_TONES: dict[str, Tone] = {"error": "error", "warning": "warning", "pass": "pass", "inconclusive": "info"}
ARROWS: dict[Side, str] = {"forward": "→", "backward": "←"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's head, the word above it (may be empty), and on which side its cells stand."""

    head: str
    over: str = ""
    right: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: every row has a cell per column; texts are visible, not yet encoded for a sink."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    legend: str = ""


def layer_table(entry: Entry, options: RenderOptions, sides: tuple[Side, ...] = BOTH) -> Grid:
    """One row per group of layers: RMS from its first to its last, and the gain where a stream runs through it."""
    rows = layer_rows(entry, options.layers)
    runs = {side: [_rms_along(row.sites, side) for row in rows] for side in BOTH}
    values = [value for side in BOTH for run in runs[side] for value in run if value is not None]
    scale = Scale.over(values)
    columns: list[tuple[Column, Sequence[Cell]]] = [
        (Column("layers"), [(_layer_label(row), "plain") for row in rows]),
        (Column("n", right=True), [(str(len(row.sites)), "dim") for row in rows]),
    ]
    for side in sides:
        if any(value is not None for run in runs[side] for value in run):
            texts = rms_cells(runs[side], scale, unicode=options.unicode)
            columns.append((Column(f"RMS first {ARROWS[side]} last", side), [(text, "plain") for text in texts]))
            if entry.segments:
                columns.append((Column(_gain_per(entry.segments), side), _gain_cells(rows, entry.segments, side)))
            theory = _theory_cells(rows, entry.segments, side, options)
            if any(text for text, _ in theory):
                columns.append((Column("theory", side), theory))
    cosines = [_mean(row.sites[-1].forward.get("cosine")) for row in rows]
    if "forward" in sides and any(value is not None for value in cosines):
        columns.append((Column("cos", right=True), [(_cosine(value), "plain") for value in cosines]))
    drawn = any(len(row.sites) > 1 for row in rows)
    legend = legend_of(scale, values, unicode=options.unicode) if drawn else ""
    return Grid(
        tuple(column for column, _ in columns), tuple(zip(*(cells for _, cells in columns), strict=True)), legend
    )


def compare_table(entries: Sequence[Entry], sides: tuple[Side, ...] = BOTH, *, ranked: bool = True) -> Grid:
    """One row per entry: how the signal and the gradient end, the gain of its longest stream, its rank, the verdict."""
    head, names = row_names(entries)
    columns = [Column(head)]
    per = _gain_per([segment for entry in entries for segment in _longest(entry)])
    expected = [side for side in sides if any(_expected_gain(_longest(entry), side) for entry in entries)]
    for side in sides:
        columns += [Column(f"RMS first {ARROWS[side]} last", side), Column(per, side)]
        columns += [Column("theory", side)] if side in expected else []
        columns += [Column("cos", right=True)] if side == "forward" else [Column("verdict")]
    ranks = ranking(entries)
    rows = [_compared(entry, name, sides, expected) for entry, name in zip(entries, names, strict=True)]
    if not ranked or "backward" not in sides or len(entries) < 3:
        return Grid(tuple(columns), tuple(rows))
    columns.insert(1, Column("rank", right=True))
    places: list[Cell] = [(NOTHING if rank is None else str(rank), "plain") for rank in ranks]
    return Grid(
        tuple(columns), tuple((row[0], place, *row[1:]) for row, place in zip(rows, places, strict=True)), RANKED
    )


def _gain_per(segments: Sequence[Segment]) -> str:
    """The title of gains: over time they are per step, and per layer wherever depth is among them."""
    return "gain/step" if segments and all(segment.kind == "recurrent" for segment in segments) else "gain/layer"


def _longest(entry: Entry) -> list[Segment]:
    segment = longest_segment(entry)
    return [segment] if segment else []


def _compared(entry: Entry, name: str, sides: tuple[Side, ...], expected: Sequence[Side]) -> tuple[Cell, ...]:
    segment = longest_segment(entry)
    sites = stream_sites(entry)
    cosine = segment.cosine.mean if segment and segment.cosine else None
    cells: list[Cell] = [(name, "plain")]
    for side in sides:
        run = _rms_along(sites, side)
        cells.append((f"{_number(run[0])} {ARROWS[side]} {_number(run[-1])}" if run else NOTHING, "plain"))
        cells.append(_gain_cell([segment] if segment else [], side))
        if side in expected:
            cells.append((_expected_gain(_longest(entry), side), "dim"))
        cells.append((_cosine(cosine), "plain") if side == "forward" else verdict_phrase(entry))
    return tuple(cells)


def _rms_along(sites: Sequence[SiteSummary], side: Side) -> Run:
    return [mean_rms(summary, side) for summary in sites]


def rms_cells(runs: Sequence[Run], scale: Scale, *, unicode: bool) -> list[str]:
    """First value, sparkline and last value, each in a column of its own."""
    parts = []
    for run in runs:
        folded = len(run) > 1
        bars = sparkline(run, scale, unicode=unicode) if folded else ""
        parts.append((_number(run[0]), bars, _number(run[-1]) if folded else ""))
    first, middle, last = (max(len(part[place]) for part in parts) for place in range(3))
    return [f"{a:<{first}} {b:<{middle}} {c:<{last}}".rstrip() for a, b, c in parts]


def _gain_cells(rows: Sequence[LayerRow], segments: Sequence[Segment], side: Side) -> list[Cell]:
    """Each stream's gain stands in the rows that it runs through: the folded ones, or else the first one."""
    return [_gain_cell(found, side) for found in _through(rows, segments)]


def _theory_cells(
    rows: Sequence[LayerRow], segments: Sequence[Segment], side: Side, options: RenderOptions
) -> list[Cell]:
    """What theory expects: the gain where a stream runs through, or with every layer in a row of its own the RMS."""
    if options.layers == "all":
        return [(_expected_rms(row.sites[0], side), "dim") for row in rows]
    return [(_expected_gain(found, side), "dim") for found in _through(rows, segments)]


def _expected_rms(summary: SiteSummary, side: Side) -> str:
    found = summary.expected if side == "forward" else summary.expected_backward
    return "" if found is None or found.accumulated is None else number(found.accumulated)


def _expected_gain(segments: Sequence[Segment], side: Side) -> str:
    gain = _worst(segments, side)
    return "" if gain is None or gain.expected is None else f"{gain.expected:.3f}"


def _through(rows: Sequence[LayerRow], segments: Sequence[Segment]) -> list[list[Segment]]:
    through: list[list[Segment]] = [[] for _ in rows]
    for segment in segments:
        keys = set(segment.sites)
        touched = [place for place, row in enumerate(rows) if any(summary.site.key in keys for summary in row.sites)]
        folded = [place for place in touched if len(rows[place].sites) > 1]
        for place in folded or touched[:1]:
            through[place].append(segment)
    return through


def _gain_cell(segments: Sequence[Segment], side: Side) -> Cell:
    gain = _worst(segments, side)
    if gain is None:
        return ("", "plain")
    gains = sum(gain_of(segment, side) is not None for segment in segments)
    many = f" (worst of {gains})" if gains > 1 else ""
    text = NOTHING if math.isnan(gain.per_layer.mean) else plus_minus(gain.per_layer)
    return (text + many, _GAIN_TONES.get(gain.status, "plain"))


def _worst(segments: Sequence[Segment], side: Side) -> Gain | None:
    gains = [gain for gain in (gain_of(segment, side) for segment in segments) if gain is not None]
    return max(gains, key=_distance, default=None)


def _distance(gain: Gain) -> float:
    """How far from keeping the signal a stream is, in natural logarithms."""
    drift = gain.drift.mean
    return abs(math.log(drift)) if 0 < drift < math.inf else math.inf


def _layer_label(row: LayerRow) -> str:
    return f"{row.label} (join)" if row.sites[0].site.kind == "join" else row.label


def legend_of(scale: Scale, values: Sequence[float], *, unicode: bool) -> str:
    """What the bars of a table mean."""
    bars = BARS if unicode else ASCII_BARS
    parts = [f"bars: RMS on one log scale, {bars[0]} 1e{scale.low} … {bars[-1]} 1e{scale.high}"]
    parts += [f"{ZERO} zero"] * (0 in values)
    parts += [f"{NON_FINITE} not finite"] * (not all(map(math.isfinite, values)))
    return "; ".join(parts)


def _mean(statistic: StatisticSummary | None) -> float | None:
    return statistic.mean if isinstance(statistic, Estimate) else None


def _number(value: float | None) -> str:
    return NOTHING if value is None else number(value)


def _cosine(value: float | None) -> str:
    return "" if value is None else NOTHING if math.isnan(value) else f"{value:.3f}"
