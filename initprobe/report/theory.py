"""What theory says of activations, as a table for a person, as Markdown, or as JSON for a program."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from initprobe.records import CriticalPoint, FixedPoint, Theory
from initprobe.report.options import RenderOptions
from initprobe.report.result import plain_fields
from initprobe.report.tables import NOTHING, Cell, Column, Grid
from initprobe.report.terminal import Page
from initprobe.report.visible import markdown_cell, visible

SCHEMA = "initprobe/theory/v1"


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity: the section it stands in, its name, its value as text, and what it means."""

    section: str
    name: str
    value: Callable[[Theory], str]
    meaning: str


def theory_text(theories: Sequence[Theory], options: RenderOptions) -> str:
    """One column per activation; for a single one, what every number means as well."""
    page = Page(options)
    for theory in theories:
        page.line((visible(theory.activation), "title"), (f"  {visible(theory.summary)}", "plain"))
    known = [theory for theory in theories if theory.moments is not None]
    if known:
        grids = [_grid(known, meanings=True), _grid(known, meanings=False)]
        page.table(next((grid for grid in grids if page.fits(grid)), grids[-1]))
    for theory in theories:
        for line in _remarks(theory):
            who = f"{visible(theory.activation)}: " if len(theories) > 1 and not theory.reason else ""
            page.line(("! ", "warning"), (who + visible(line, 400), "plain"))
    return page.text()


def theory_markdown(theories: Sequence[Theory], options: RenderOptions) -> str:
    """The same as a GitHub table."""
    del options
    known = [theory for theory in theories if theory.moments is not None]
    lines: list[list[str]] = []
    if known:
        grid = _grid(known, meanings=True)
        lines = [[markdown_cell(column.head) for column in grid.columns], [":---"] * len(grid.columns)]
        lines += [[markdown_cell(text.strip()) for text, _ in row] for row in grid.rows]
    blocks = ["\n".join(f"| {' | '.join(line)} |" for line in lines)] * bool(lines)
    remarks = [
        f"- {markdown_cell(visible(line if one.reason else f'{one.activation}: {line}', 400))}"
        for one in theories
        for line in _remarks(one)
    ]
    return "\n\n".join([*blocks, *(["\n".join(remarks)] if remarks else [])]) + "\n"


def theory_json(theories: Sequence[Theory], options: RenderOptions) -> str:
    """Every number, for programs; what is not finite is "inf" or "nan"."""
    del options
    content = {"schema": SCHEMA, "results": [plain_fields(theory) for theory in theories]}
    return json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


FORMATS: Mapping[str, Callable[[Sequence[Theory], RenderOptions], str]] = {
    "full": theory_text,
    "markdown": theory_markdown,
    "json": theory_json,
}


def _remarks(theory: Theory) -> list[str]:
    if theory.reason:
        return [f"{theory.reason}: there is no theory of it"]
    return [*([f"no critical point: {theory.no_critical}"] if theory.no_critical else []), *theory.warnings]


def _grid(theories: Sequence[Theory], *, meanings: bool) -> Grid:
    single = len(theories) == 1
    columns = [Column(""), *(Column("" if single else visible(one.activation), right=True) for one in theories)]
    columns += [Column("")] * (single and meanings)
    rows: list[tuple[Cell, ...]] = []
    for section, members in groupby(ROWS, lambda row: row.section):
        blanks: list[Cell] = [("", "plain")] * (len(columns) - 1)
        rows.append(((section, "title"), *blanks))
        for row in members:
            values: list[Cell] = [(row.value(theory), "plain") for theory in theories]
            told: list[Cell] = [(row.meaning, "dim")] * (single and meanings)
            rows.append(((f"  {row.name}", "plain"), *values, *told))
    return Grid(tuple(columns), tuple(rows))


def _digits(value: float | None, digits: int = 6) -> str:
    if value is None or math.isnan(value):
        return NOTHING
    return "∞" if value == math.inf else f"{value:.{digits}g}" if abs(value) > 1e-12 else "0"


def _moment(name: str) -> Callable[[Theory], str]:
    return lambda theory: _digits(getattr(theory.moments, name), 8)


def _gain(name: str) -> Callable[[Theory], str]:
    return lambda theory: _digits(getattr(theory.gains, name))


def _rate(name: str) -> Callable[[Theory], str]:
    return lambda theory: _digits(getattr(theory.rates, name))


def _point(name: str) -> Callable[[Theory], str]:
    return lambda theory: NOTHING if theory.settled is None else _digits(getattr(theory.settled, name))


def _q_star(theory: Theory) -> str:
    if theory.settled is None:
        return "explodes"
    return "any" if theory.settled.stability == "neutral" else _digits(theory.settled.q)


def _others(theory: Theory) -> str:
    others = [point for point in theory.fixed_points if point != theory.settled]
    return ", ".join(f"{_digits(point.q, 4)} {point.stability}" for point in others) or NOTHING


def _stability(theory: Theory) -> str:
    return NOTHING if theory.settled is None else theory.settled.stability


def _phase(point: FixedPoint | None) -> str:
    return NOTHING if point is None else point.phase


def _critical(theory: Theory) -> CriticalPoint | None:
    return theory.critical[0] if theory.critical and not theory.no_critical else None


def _critical_digits(name: str) -> Callable[[Theory], str]:
    def value(theory: Theory) -> str:
        point = _critical(theory)
        if point is None:
            return "none" if name == "weight_variance" else NOTHING
        return "any" if name == "q" and point.stability == "neutral" else _digits(getattr(point, name), 9)

    return value


def _half_stable(theory: Theory) -> str:
    point = theory.half_stable
    return NOTHING if point is None else f"{_digits(point.weight_variance)}, {_digits(point.bias_variance)}"


MOMENTS, GAINS = "Moments at q = 1", "Gains, on 1 / √fan_in"
SIGNAL, CRITICAL, NORMS = (
    "A deep network",
    "Critical point at this sigma_b²",
    "Squared gradient per layer behind a norm",
)

ROWS = (
    Row(MOMENTS, "E f", _moment("mean"), "mean of the activations"),
    Row(MOMENTS, "E f²", _moment("second"), "their second moment"),
    Row(MOMENTS, "Var f", _moment("variance"), "their variance"),
    Row(MOMENTS, "E f'²", _moment("derivative_second"), "what a gradient is multiplied by, squared"),
    Row(MOMENTS, "least cosine", _moment("least_cosine"), "behind one layer, of two orthogonal inputs: (E f)² / E f²"),
    Row(GAINS, "forward", _gain("forward"), "1 / √E f²: keeps the signal"),
    Row(GAINS, "backward", _gain("backward"), "1 / √E f'²: keeps the gradient"),
    Row(GAINS, "standardized", _gain("normalized"), "1 / √Var f: keeps the signal of standardized weights"),
    Row(GAINS, "he, xavier", lambda one: f"{_gain('he')(one)}, {_gain('xavier')(one)}", "whatever the activation"),
    Row(GAINS, "torch", _gain("torch"), "torch.nn.init.calculate_gain, where it has one"),
    Row(SIGNAL, "sigma_w²", lambda one: _digits(one.weight_variance), "variance of a weight, times fan_in"),
    Row(SIGNAL, "sigma_b²", lambda one: _digits(one.bias_variance), "variance of a bias"),
    Row(SIGNAL, "q*", _q_star, "where the second moment of pre-activations ends"),
    Row(SIGNAL, "stability", _stability, "what it does to a second moment beside it"),
    Row(SIGNAL, "other fixed points", _others, "second moments that are kept, and what they do to others"),
    Row(SIGNAL, "dq'/dq", _point("slope"), "what is left of an error of q per layer"),
    Row(SIGNAL, "c*", _point("correlation"), "correlation that two inputs end with"),
    Row(SIGNAL, "chi_1", _point("chi"), "what the squared gradient is multiplied by per layer"),
    Row(SIGNAL, "phase", lambda one: _phase(one.settled), "ordered: inputs come together; chaotic: they part"),
    Row(SIGNAL, "xi_q", _point("depth_q"), "layers in which an error of q falls by e"),
    Row(SIGNAL, "xi_c", _point("depth_c"), "layers in which the correlation comes e times nearer to c*"),
    Row(SIGNAL, "xi_grad", _point("depth_gradient"), "layers in which the squared gradient changes by e"),
    Row(SIGNAL, "trainable depth", _point("trainable_depth"), "about 6 xi_c"),
    Row(CRITICAL, "sigma_w²", _critical_digits("weight_variance"), "for which chi_1 = 1 where a signal stays"),
    Row(CRITICAL, "q*", _critical_digits("q"), "the second moment there"),
    Row(CRITICAL, "half-stable", _half_stable, "sigma_w², sigma_b² where dq'/dq = 1 as well as chi_1"),
    Row(NORMS, "batch norm", _rate("batch_norm"), "before the activation, large batch: E f'² / Var f"),
    Row(NORMS, "layer norm before", _rate("layer_norm_before"), "the activation: E f'² / E f²"),
    Row(NORMS, "layer norm behind", _rate("layer_norm_after"), "the activation: E f'² / Var f"),
    Row(NORMS, "RMS norm", _rate("rms_norm"), "E f'² / E f²"),
)  # fmt: skip
