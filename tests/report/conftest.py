"""Hand-written reports: golden files come from these, so they depend on no platform's floating point and on no torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from initprobe.check.rejudge import compared as found_changes
from initprobe.records import (
    ActivationUse,
    Branch,
    CheckRequest,
    Coverage,
    Difference,
    Drawn,
    Entry,
    Environment,
    Estimate,
    Failure,
    Finding,
    Fix,
    Gain,
    Growth,
    InitRequest,
    Location,
    Outcome,
    ParameterSummary,
    ProbeRequest,
    Report,
    Request,
    ResidualBlock,
    ResidualStream,
    RuleCard,
    SchemeChoice,
    Segment,
    Shift,
    Site,
    SiteKind,
    SiteSummary,
    Skipped,
    Status,
    TargetRequest,
    Unseen,
    Weight,
)

ENVIRONMENT = Environment("0.1.0", "3.11.7", "2.13.0+cpu", "Linux-x86_64", 2, "AVX2")
VANISHING = RuleCard(
    "IP101",
    "vanishing-forward",
    "error",
    "high",
    "the forward signal shrinks with depth",
    "the forward signal shrinks with depth\n\nWhat it does:\n    Fits ``log RMS`` against depth,\n    stack by stack.\n\n"
    "Why is this bad:\n    A factor g < 1 leaves g^L of the signal.\n",
)
VANISHING_BACK = RuleCard("IP201", "vanishing-backward", "error", "high", "the gradient shrinks with depth")
EXPLODING = RuleCard("IP102", "exploding-forward", "error", "high", "the forward signal grows with depth")
NON_FINITE = RuleCard("IP103", "non-finite-activation", "error", "certain", "an activation is not finite")
COLLAPSE = RuleCard("IP401", "correlation-collapse", "warning", "high", "all inputs look alike")
UNCALLED = RuleCard("IP002", "uncalled-module", "warning", "certain", "a module never ran")

HOSTILE = (
    "[red]bold[/red]",
    "[/INST]",
    "two\nlines",
    "\x1b[31mred\x9b1m",
    "::error file=x,line=1::boom",
    "##[set-env name=A]b",
    "<script>alert(1)</script>",
    "$x{",
    "lone\ud800surrogate",
    "=cmd|' /C calc'!A0",
    "@mention #1 `tick` |pipe| *star* _under_",
    "right\u202eto left\u2028next",
    "tab\tnul\x00",
    ":smile:",
    "层.3.卷积",
    "x" * 300,
)
"""Module names that torch accepts and terminals, spreadsheets, browsers and CI runners take for something else."""


def about(value: float, spread: float = 0.01, seeds: int = 5) -> Estimate:
    """An estimate around a value, rounded so that every platform writes the same digits."""
    steps = [2 * place / (seeds - 1) - 1 for place in range(seeds)] if seeds > 1 else [0.0]
    per_seed = tuple(float(f"{value * (1 + spread * step):.4g}") for step in steps)
    return Estimate(
        float(f"{value:.4g}"), float(f"{value * (1 - spread):.4g}"), float(f"{value * (1 + spread):.4g}"), per_seed
    )


def site(
    order: int, key: str, module_type: str, kind: SiteKind, *, line: int = 15, alias_of: str | None = None
) -> Site:
    place = Location("deep_mlp.yaml", line, 11, 43, '        - {type: linear, out: "${width}"}')
    weight = f"{key}.weight" if kind == "weighted" else None
    activation = ActivationUse("relu") if kind == "activation" else None
    return Site(key, key.partition("#")[0], order, module_type, kind, 256, -1, weight, activation, alias_of, place)


def summary(where: Site, forward: float, backward: float | None, *, cosine: float | None = None) -> SiteSummary:
    def statistics(rms: float) -> dict[str, Estimate | tuple[float, ...]]:
        found: dict[str, Estimate | tuple[float, ...]] = {"mean": about(0.01 * rms), "rms": about(rms)}
        return found | ({"exponents": exponents(rms)} if where.order == 0 else {})

    ahead = statistics(forward) | ({} if cosine is None else {"cosine": about(cosine, 0.001)})
    behind = None if backward is None else statistics(backward)
    return SiteSummary(where, (256, 256), "float32", ahead, behind, None if behind else "no path to the loss")


def exponents(rms: float) -> tuple[float, ...]:
    """Counts per binade, as a normal distribution of that width has them, roughly."""
    middle = min(254, max(1, 127 + round(math.log2(rms))))
    counts = [0.0] * 256
    for step, count in enumerate((40.0, 20.0, 10.0, 5.0, 3.0, 1.0)):
        counts[max(0, middle - step)] += count
    return tuple(counts)


def gain(per_layer: float, layers: int, status: Status, spread: float = 0.009) -> Gain:
    drift = per_layer ** (layers - 1)
    return Gain(about(per_layer, spread), about(drift, 0.2), status, expected=per_layer)


def mlp(scheme: str, forward: float, backward: float, *, layers: int = 12, verdict: str = "pass") -> Entry:
    """A deep ReLU MLP whose signal changes by a factor per layer, forwards and backwards."""
    sites = [summary(site(0, "stem", "Linear", "weighted", line=12), 1.0, backward**layers, cosine=0.0)]
    keys = []
    for layer in range(layers):
        rms, back = forward**layer, backward ** (layers - 1 - layer)
        keys.append(f"block.{layer}.linear")
        cosine = 1 - 0.9 / (layer + 1)
        sites.append(summary(site(1 + 2 * layer, keys[-1], "Linear", "weighted"), rms, back, cosine=cosine))
        sites.append(summary(site(2 + 2 * layer, f"block.{layer}.relu", "ReLU", "activation"), 0.7 * rms, back))
    end = 1 + 2 * layers
    sites.append(summary(site(end, "head", "Linear", "weighted", line=17), forward**layers, 1.0))
    sites.append(summary(site(end + 1, "", "Sequential", "other", alias_of="head", line=1), forward**layers, 1.0))
    status: Status = "pass" if verdict == "pass" else "error"
    segment = Segment(
        "pre-activation",
        f"{keys[0]} … {keys[-1]}",
        tuple(keys),
        gain(forward, layers, status if forward < 0.9 else "pass"),
        gain(backward, layers, status if backward < 0.9 else "pass"),
        pair=about(backward),
        cosine=about(0.99, 0.005),
    )
    weights = [weight(f"{key}.weight", (256, 256), 0.0625 * forward) for key in keys]
    return Entry(
        name="deep_mlp",
        scheme=scheme,
        request=Request(TargetRequest("deep_mlp.yaml"), InitRequest(SchemeChoice(scheme)), ProbeRequest(batch=256)),
        seeds=(0, 1, 2, 3, 4),
        batch=256,
        parameters=995_594,
        sites=tuple(sites),
        weights=(weight("stem.weight", (256, 784), 0.0357), *weights, weight("head.weight", (10, 256), 0.0625)),
        segments=(segment,),
        verdict="pass" if verdict == "pass" else "fail",
        checked=("uncalled-module", "vanishing-forward", "exploding-forward", "vanishing-backward", "dead-units"),
        coverage=Coverage(modules=2 * layers + 3, called=2 * layers + 3, sites=len(sites) - 1),
        outcome=Outcome(scheme, (Drawn("stem.weight", scheme, 0.0357),), (Skipped("stem.bias", "biases stay zero"),)),
    )


def weight(name: str, shape: tuple[int, ...], std: float) -> ParameterSummary:
    who = Weight(
        name,
        name.rpartition(".")[0],
        "Linear",
        "linear",
        shape,
        float(shape[1]),
        float(shape[0]),
        0,
        None if name.startswith("stem") else ActivationUse("relu"),
        None if name.startswith("head") else ActivationUse("leaky_relu", (("negative_slope", 0.2),)),
        location=Location("deep_mlp.yaml", 15, 11, 43, '        - {type: linear, out: "${width}"}'),
    )
    values = {"mean": about(1e-4, 1.0), "std": about(std), "rms": about(std)}
    return ParameterSummary(who, values, {"rms": about(0.1)}, float(f"{std:.4g}"))


def failing() -> Entry:
    """Xavier under ReLU: both directions vanish."""
    entry = mlp("xavier_normal", 0.704, 0.707, verdict="fail")
    segment = entry.segments[0]
    here = Location("deep_mlp.yaml", 15, 11, 43, '        - {type: linear, out: "${width}"}')
    label = "block.0.linear … block.11.linear (12 layers, first below 0.1: block.7)"
    findings = (
        Finding(
            VANISHING,
            "error",
            "forward RMS shrinks ×0.704 per layer over 12 layers (1.00 → 0.0211)",
            segment.sites,
            label,
            here,
            "0.704 per layer, 95 % CI [0.698, 0.710], 5 seeds; drift ×0.0211 over 12 layers, warning beyond ×10",
            downstream=1,
            expected="0.707 per layer = √(1 · 0.5): fan_in · E w² = 256 · 0.00391, and relu keeps 0.5 of the second moment",
            fix=Fix(
                "init.default: kaiming_normal",
                "0.996 [0.987, 1.004], finding gone",
                "init:\n  default: kaiming_normal\n",
                "def init_weights(model):\n    initprobe.initialize(model, 'kaiming_normal')\n",
            ),
        ),
        Finding(
            VANISHING_BACK,
            "error",
            "gradient RMS shrinks ×0.707 per layer over 12 layers (1.00 → 0.0221)",
            segment.sites,
            label,
            here,
            "0.707 per layer, 95 % CI [0.701, 0.713], 5 seeds",
            notes=("same cause as vanishing-forward",),
        ),
        Finding(
            COLLAPSE,
            "warning",
            "inputs align: mean cosine 0.99 at the last layer",
            segment.sites[8:],
            "block.8.linear … block.11.linear",
            Location("model.py", 7, 1, None, "\tself.layers = build()", approximate=True),
        ),
        Finding(UNCALLED, "warning", "aux was never called", ("aux",), suppressed="kept for export"),
    )
    return replace(entry, findings=findings, notes=("the batch was lowered to 256 to fit the memory",))


def residual() -> Entry:
    """Branches that each add the first join's variance to the stream."""
    entry = mlp("kaiming_normal", 1.0, 1.0, layers=6)
    joins = [f"block.{layer}.linear" for layer in range(6)]
    size = {key: 2.0 * (place + 1) for place, key in enumerate(joins)}
    sites = tuple(
        replace(
            found,
            site=replace(found.site, kind="join"),
            forward=dict(found.forward)
            | {"channel_mean": about(0.1), "channel_std": about(size[found.site.key] ** 0.5)},
        )
        if found.site.key in size
        else found
        for found in entry.sites
    )
    blocks = tuple(
        ResidualBlock(place, f"block.{place}", key, about(1 / (place + 1)), about(size[key]))
        for place, key in enumerate(joins)
    )
    stream = ResidualStream(f"{joins[0]} … {joins[-1]}", blocks, Growth("linear", 1.0, 6.0))
    branches = tuple(
        Branch(place, f"block.{place}", key, (f"{key}.weight",), (f"{key}.weight",), end=key, beside="stem")
        for place, key in enumerate(joins)
    )
    return replace(entry, sites=sites, residual=(stream,), branches=branches)


def compared() -> tuple[Entry, ...]:
    """Four schemes: two hold, one vanishes, one only looks healthy."""
    torch = mlp("torch_default", 0.987, 0.408, layers=4, verdict="fail")
    biased = replace(torch.segments[0], bias_only=True, cosine=about(1.0, 0.0), pair=about(0.408))
    finding = Finding(VANISHING_BACK, "error", "gradient RMS shrinks ×0.408 per layer", torch.segments[0].sites)
    he = mlp("kaiming_normal", 0.996, 1.0, layers=4)
    he = replace(he, findings=(Finding(COLLAPSE, "warning", "inputs align", he.segments[0].sites),))
    xavier = mlp("xavier_normal", 0.704, 0.707, layers=4, verdict="fail")
    return (
        he,
        replace(mlp("orthogonal", 0.995, 0.999, layers=4), verdict="inconclusive"),
        replace(
            xavier, findings=tuple(replace(found, sites=xavier.segments[0].sites) for found in failing().findings[:2])
        ),
        replace(
            torch,
            segments=(biased,),
            findings=(finding,),
            notes=(
                "the forward signal is only the biases: RMS keeps while the distance between two inputs falls ×0.408",
            ),
        ),
    )


def hostile() -> Entry:
    """An exploding network of one draw whose names attack every sink."""
    sites = []
    for order, name in enumerate(HOSTILE):
        rms = 10.0 ** (12 * order) if order < 4 else float("inf") if order % 2 else float("nan")
        where = replace(site(order, name, HOSTILE[order - 1], "weighted"), location=None)
        statistics = {
            "rms": Estimate(rms, rms, rms, (rms,)),
            "nonfinite": about(3.0, 0.0, 1),
            "exponents": (0.0,) * 255 + (9.0,),
        }
        backward = None if order % 3 else {"rms": Estimate(0.0, 0.0, 0.0, (0.0,)), "mean": about(-0.5, 0.0, 1)}
        sites.append(SiteSummary(where, (2, 3), "float32", statistics, backward, HOSTILE[2]))
    infinite = Estimate(float("inf"), float("nan"), float("inf"), (float("inf"),))
    segment = Segment("residual", HOSTILE[0], HOSTILE[:4], Gain(infinite, infinite, "error", "layers"), reason_free())
    place = Location("/home/alice/secret/evil\x1b[2J.py", 3, 5, 9, "    \x1b[31m= <b>")
    findings = (
        Finding(NON_FINITE, "error", f"{HOSTILE[3]} is not finite", HOSTILE[:2], HOSTILE[2], place, HOSTILE[4]),
        Finding(
            EXPLODING,
            "error",
            HOSTILE[4],
            HOSTILE[4:6],
            HOSTILE[6],
            None,
            "",
            HOSTILE,
            fix=Fix(HOSTILE[6], HOSTILE[4], "\n".join(HOSTILE), HOSTILE[13]),
        ),
        Finding(RuleCard(HOSTILE[4], HOSTILE[2], "info", "heuristic", HOSTILE[6], HOSTILE[2]), "info", HOSTILE[3]),
    )
    return Entry(
        name=HOSTILE[0],
        scheme=HOSTILE[6],
        request=Request(TargetRequest(HOSTILE[9])),
        seeds=(0,),
        one_draw=True,
        batch=2,
        parameters=12,
        sites=tuple(sites),
        weights=tuple(replace(weight(name, (3, 3), 1.0), declared_std=None) for name in HOSTILE),
        segments=(segment,),
        findings=findings,
        verdict="fail",
        coverage=Coverage(3, 2, 1, HOSTILE[:3], (Unseen(HOSTILE[3], HOSTILE[4]),)),
        notes=(HOSTILE[2],),
        checked=HOSTILE,
        residual=(
            ResidualStream(
                HOSTILE[6], (ResidualBlock(0, HOSTILE[1], HOSTILE[0], None, infinite),), Growth("exponential", 2.0, 4.0)
            ),
        ),
        branches=(Branch(0, HOSTILE[1], HOSTILE[0], HOSTILE[:2], HOSTILE[3:4], end=HOSTILE[0], beside=HOSTILE[5]),),
    )


def reason_free() -> Gain:
    one = Estimate(1.0, 1.0, 1.0, (1.0,))
    return Gain(one, one, "unjudged", "layers", reason="one\nsite")


def broken() -> Entry:
    """A target that could not be probed."""
    message = 'error[target]: build() raised ValueError: bad\x1b[0m width\n  File "/home/alice/net/model.py", line 3\n::error::no'
    return Entry("model.py:build", "own init", Request(TargetRequest("model.py:build")), failure=Failure(3, message))


def changed() -> Entry:
    """A network whose init changed, with the findings that the rules about changes make of it."""
    entry = mlp("kaiming_normal", 0.996, 1.0, layers=4)
    place = Location("deep_mlp.yaml", 15, 11, 43, '        - {type: linear, out: "${width}"}')
    blocks = tuple(f"block.{layer}.linear" for layer in range(4))
    request = replace(entry.request, check=CheckRequest(complete=True, against=True))
    found = Difference(
        "deep_mlp · xavier_normal",
        "fail",
        shifts=(
            Shift("std", tuple(f"{key}.weight" for key in blocks), 0.0442, 0.0625, 1.4, 1.42, place),
            Shift("mean", ("head.weight",), 0.0, 0.1, math.nan, math.nan, place),
            Shift("forward RMS", (*blocks, "head"), 0.5, 1.0, 1.41, 5.6, place),
            Shift("gradient RMS", blocks, 0.25, 1.0, 1.4, 3.9, place),
        ),
        missing=(HOSTILE[4], HOSTILE[6]),
        added=("stem.weight", "stem"),
        reshaped=("head.weight",),
        renamed=(("old.0", "block.0.relu"),),
        compared=64,
        resolution=1.052,
        seeds=(5, 5),
        notes=("measured otherwise: batch 64 before, 256 now",),
    )
    return found_changes(replace(entry, request=request, difference=found))


CANONICAL: dict[str, Callable[[], Report]] = {
    "empty": lambda: Report("check", ()),
    "clean": lambda: Report("run", (mlp("kaiming_normal", 0.996, 1.0, layers=4),), ENVIRONMENT),
    "residual": lambda: Report("run", (residual(),), ENVIRONMENT),
    "failing": lambda: Report("check", (failing(),), ENVIRONMENT),
    "compare": lambda: Report("compare", compared(), ENVIRONMENT),
    "changed": lambda: Report("check", (changed(),), ENVIRONMENT),
    "hostile": lambda: Report("run", (hostile(), broken()), ENVIRONMENT),
}


@pytest.fixture(scope="session")
def canonical() -> dict[str, Report]:
    """All canonical reports."""
    return {name: build() for name, build in CANONICAL.items()}


@pytest.fixture(params=CANONICAL)
def named_report(request: pytest.FixtureRequest, canonical: dict[str, Report]) -> tuple[str, Report]:
    """Each canonical report with its name."""
    return request.param, canonical[request.param]
