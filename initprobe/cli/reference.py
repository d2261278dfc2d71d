"""``explain``, ``ls`` and ``env``."""

from __future__ import annotations

import json as json_library
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, entry_points, version
from typing import TYPE_CHECKING, Annotated, Any

import typer

from initprobe.cli.columns import fitted, listed
from initprobe.cli.explained import explain_objective, explain_parametrization, explain_scheme
from initprobe.cli.guidance import guide_to_activation
from initprobe.cli.layers import PREFIX, blocks, explain_block
from initprobe.cli.output import columns, say
from initprobe.errors import UsageError

if TYPE_CHECKING:
    from initprobe.check.rules.base import Rule

Row = Mapping[str, Any]

GROUPS = (
    "schemes", "rules", "statistics", "sources", "blocks", "dummies", "activations", "parametrizations", "formats",
    "plots", "weights", "objectives", "measurements", "laws",
)  # fmt: skip
"""The kinds of leaves that third parties may bring, each an entry-point group ``initprobe.KIND``."""

NAMED = "where it is named"
"""When a rule runs whose measurements cost passes of their own."""

HELD = "with --against, and in diff"
"""When a rule runs that looks at what changed."""


def explain(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A rule (name or code), scheme, activation, layer (block:NAME) ...")
    ],
) -> int:
    """Say what a rule, a scheme, an activation, a parametrization, a statistic, a layer or a preset is.

    Example:  initprobe explain IP101
    """
    known: list[str] = []
    for describe in (explain_block,) if name.startswith(PREFIX) else EXPLAINED:
        text = describe(name, known)
        if text is not None:
            width = None if describe in VERBATIM else columns(sys.stdout)
            say(fitted(text.rstrip("\n"), width) + "\n")
            return 0
    near = get_close_matches(name, known, n=1)
    raise UsageError(
        f"nothing is called {name!r}",
        hint=f"did you mean {near[0]!r}?" if near else "`initprobe ls rules`, `ls schemes` ... list what there is",
    )


def ls(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT", help="rules, schemes, parametrizations, blocks, activations, statistics, presets ..."
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> int:
    """List rules, schemes, parametrizations, activations, presets, statistics, blocks, sources, formats, plots ..."""
    if what not in LISTS:
        near = get_close_matches(what, LISTS, n=1)
        raise UsageError(
            f"cannot list {what!r}", hint=f"did you mean {near[0]!r}?" if near else f"one of {', '.join(LISTS)}"
        )
    rows = list(LISTS[what]())
    if json:
        say(json_library.dumps(rows, indent=2) + "\n")
        return 0
    say(listed(rows, columns(sys.stdout)))
    return 0


def env(json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> int:
    """Versions, devices and plug-ins, for a bug report."""
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: _version(name) for name in ("initprobe", "torch", "numpy", "matplotlib", "pydantic", "typer", "rich")},
        **{name: _version(name) for name in ("transformers", "timm", "torchvision", "keras")},
        "devices": _devices(),
        "plugins": [f"{row['kind']}:{row['name']} ({row['from']})" for row in _plugins()],
    }
    if json:
        say(json_library.dumps(facts, indent=2) + "\n")
        return 0
    for name, value in facts.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        say(f"{name + ':':14} {shown or 'none'}\n")
    return 0


def _explain_rule(name: str, known: list[str]) -> str | None:
    from initprobe.check.rules.base import RULES

    names = [alias for rule in RULES for alias in (rule, RULES[rule].card.code)]
    known += names
    wanted = name.upper() if name.upper() in names else name
    if wanted not in names:
        return None
    rule = RULES[wanted]
    card = rule.card
    only = [f"runs {when}" for when in [_runs(rule)] if when]
    lines = [
        f"{card.name} ({card.code})",
        " · ".join([rule.family, card.severity, f"confidence {card.confidence}", *only]),
        "",
        rule.doc,
    ]
    for title, examples in (("Bad", rule.bad), ("Good", rule.good)):
        for example in examples:
            how = f"   (drawn with {example.scheme})" if example.scheme else ""
            lines += ["", f"{title}:{how}", *_quoted(example.text)]
            lines += ["  held against:", *_quoted(example.earlier)] if example.earlier else []
    return "\n".join(lines)


def _runs(rule: Rule) -> str:
    """When a rule looks, where that is not always."""
    return HELD if rule.compares else NAMED if rule.optional else ""


def _quoted(text: str) -> list[str]:
    return [f"    {line}" for line in text.rstrip("\n").split("\n")]


def _explain_activation(name: str, known: list[str]) -> str | None:
    from initprobe.activations import moments
    from initprobe.activations.base import ACTIVATIONS
    from initprobe.records import ActivationUse

    known += list(ACTIVATIONS)
    if name not in ACTIVATIONS:
        return None
    leaf = ACTIVATIONS[name]
    lines = [f"{leaf.name}: {leaf.summary}", f"reference: {leaf.reference}"]
    if leaf.options:
        lines.append("options: " + ", ".join(f"{key} = {value}" for key, value in leaf.options.items()))
    if leaf.value is None:
        lines += ["", "It does not act on one number at a time, so it has no Gaussian gain."]
        return "\n".join([*lines, *guide_to_activation(name)])
    use = ActivationUse(leaf.name)
    second, slope = moments.second_moment(use), moments.derivative_second_moment(use)
    return "\n".join(
        [
            *lines,
            "",
            "For a standard normal pre-activation z:",
            f"    E f(z)    {moments.mean(use):12.8f}",
            f"    E f(z)²   {second:12.8f}   forward gain  1/sqrt(E f²)  {moments.forward_gain(use):.8f}",
            f"    E f'(z)²  {slope:12.8f}   backward gain 1/sqrt(E f'²) {moments.backward_gain(use):.8f}",
            f"    chi_1     {slope / second:12.8f}   growth of the squared gradient per layer at the forward gain",
            f"    `initprobe theory {leaf.name}` tells more: fixed points, depth scales, the critical point",
            *guide_to_activation(name),
        ]
    )


def _explain_statistic(name: str, known: list[str]) -> str | None:
    from initprobe.measure.statistics.base import STATISTICS

    known += list(STATISTICS)
    if name not in STATISTICS:
        return None
    leaf = STATISTICS[name]
    always = "always measured" if leaf.core else f"measured when asked for: --statistics {leaf.name}"
    return f"{leaf.name}: {leaf.summary}\nof: {', '.join(sorted(leaf.of))}\n{always}"


def _explain_preset(name: str, known: list[str]) -> str | None:
    from initprobe.load.presets import read_presets

    presets = read_presets()
    known += list(presets)
    if name not in presets:
        return None
    preset = presets[name]
    layer = re.search(rf"\btype: {re.escape(name)}\b", preset.spec)
    namesake = f"\nIts layer:   initprobe explain {PREFIX}{name}" if layer else ""
    return f"{name}: {preset.comment}\n\nProbe it:    initprobe run preset:{name}{namesake}\n\n{preset.spec}"


def _rules() -> Iterator[Row]:
    from initprobe.check.rules.base import RULES, cards

    for card in cards():
        yield {
            "code": card.code,
            "name": card.name,
            "severity": card.severity,
            "family": RULES[card.name].family,
            "runs": _runs(RULES[card.name]) or "by default",
            "summary": card.summary,
        }


def _schemes() -> Iterator[Row]:
    from initprobe.init.schemes.base import FAMILIES, SCHEMES

    cards = [SCHEMES[name].card for name in SCHEMES]
    for card in sorted(cards, key=lambda card: list(FAMILIES).index(card.family)):
        yield {
            "family": card.family,
            "name": card.name,
            "aliases": ", ".join(card.aliases),
            "summary": card.summary,
            "reference": card.reference,
        }


def _parametrizations() -> Iterator[Row]:
    from initprobe.parametrizations.base import PARAMETRIZATIONS

    for name in PARAMETRIZATIONS:
        card = PARAMETRIZATIONS[name].card
        yield {"name": name, "aliases": ", ".join(card.aliases), "summary": card.summary, "reference": card.reference}


def _objectives() -> Iterator[Row]:
    from initprobe.load.objectives.base import OBJECTIVES

    for name in OBJECTIVES:
        card = OBJECTIVES[name].card
        yield {"name": name, "aliases": ", ".join(card.aliases), "summary": card.summary, "reference": card.reference}


def _activations() -> Iterator[Row]:
    from initprobe.activations.base import ACTIVATIONS

    for name in ACTIVATIONS:
        yield {"name": name, "summary": ACTIVATIONS[name].summary}


def _presets() -> Iterator[Row]:
    from initprobe.load.presets import read_presets

    for name, preset in read_presets().items():
        yield {"name": name, "summary": preset.summary}


def _statistics() -> Iterator[Row]:
    from initprobe.measure.statistics.base import STATISTICS

    for name, leaf in STATISTICS.items():
        yield {"name": name, "default": "core" if leaf.core else "on request", "summary": leaf.summary}


def _sources() -> Iterator[Row]:
    from initprobe.load.sources.base import SOURCES

    for name in SOURCES:
        yield {"name": name, "form": SOURCES[name].form}


def _formats() -> Iterator[Row]:
    from initprobe.report.formats.base import FORMATS

    for name in FORMATS:
        yield {"name": name, "summary": FORMATS[name].summary}


def _plots() -> Iterator[Row]:
    from initprobe.report.plots.base import PLOTS

    for name in PLOTS:
        yield {"name": name, "summary": PLOTS[name].summary}


def _plugins() -> Iterator[Row]:
    for kind in GROUPS:
        for point in sorted(entry_points(group=f"initprobe.{kind}"), key=lambda found: found.name):
            yield {"kind": kind, "name": point.name, "from": point.dist.name if point.dist else "?"}


EXPLAINED = (
    _explain_rule,
    explain_scheme,
    _explain_activation,
    _explain_statistic,
    _explain_preset,
    explain_objective,  # these are last, because they load torch
    explain_parametrization,
    explain_block,
)

VERBATIM = (_explain_rule, _explain_preset, explain_block)
"""Those that show specs and code, whose lines are to be copied as they stand."""

LISTS: Mapping[str, Callable[[], Iterator[Row]]] = {
    "rules": _rules,
    "schemes": _schemes,
    "parametrizations": _parametrizations,
    "objectives": _objectives,
    "blocks": blocks,
    "activations": _activations,
    "presets": _presets,
    "statistics": _statistics,
    "sources": _sources,
    "formats": _formats,
    "plots": _plots,
    "plugins": _plugins,
}


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _devices() -> list[str]:
    import torch

    cuda = [f"cuda:{index} {torch.cuda.get_device_name(index)}" for index in range(torch.cuda.device_count())]
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]
