"""Which rules run, what severity their findings get and where they are ignored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from initprobe.check.policy import Policy
from initprobe.check.rules.base import CHANGES, FAMILIES, RULES, Rule
from initprobe.errors import UsageError
from initprobe.records import CheckRequest, Severity

EVERYTHING = "ALL"


@dataclass(frozen=True, slots=True)
class Selection:
    """The rules that run, in the order of their codes, and the policy on their findings."""

    rules: tuple[Rule, ...]
    policy: Policy


def select(request: CheckRequest) -> Selection:
    """What a request selects; ``ignore`` wins over ``select``, a later severity over an earlier one.

    A rule that is optional is selected by its own name or code alone, and by no family. Where the request is held
    against an earlier result, the rules about changes look whatever other rules are selected, and nowhere else.

    Raises:
        UsageError: something names no rule and no family (the message names the nearest), or no rule is left.
    """
    chosen = codes_of(request.select) if request.select else codes_of((EVERYTHING,))
    chosen -= _unnamed(request.select)
    changes = codes_of((CHANGES,))
    named = chosen
    if not request.against:
        chosen = chosen - changes
    elif chosen.isdisjoint(changes):
        chosen = chosen | changes
    chosen -= codes_of(request.ignore)
    if not chosen:
        hint = "select fewer rules away, or use `initprobe run`"
        only = not request.against and named <= changes
        raise UsageError("no rule is left to judge with", hint="--against FILE says what before" if only else hint)
    severities: dict[str, Severity] = {}
    for name, severity in request.severities:
        severities.update(dict.fromkeys(codes_of((name,)), severity))
    codes_of([one.rule for one in request.ignores])
    ignores = tuple((glob, frozenset(codes_of(names))) for glob, names in request.layer_ignores)
    rules = sorted((leaf for leaf in RULES.values() if leaf.card.code in chosen), key=lambda leaf: leaf.card.code)
    return Selection(tuple(rules), Policy(severities, strict=request.strict, layer_ignores=ignores))


def _unnamed(names: Sequence[str]) -> set[str]:
    """The codes of the optional rules that nobody asked for by name."""
    named = {RULES[each].card.code for name in names for each in (name, name.upper()) if each in RULES}
    return {leaf.card.code for leaf in RULES.values() if leaf.optional} - named


def codes_of(names: Sequence[str]) -> set[str]:
    """The codes that names stand for: ``vanishing-forward``, ``IP101``, ``IP1``, ``forward``, ``ALL``.

    Raises:
        UsageError: one stands for none; the message names the nearest.
    """
    codes: set[str] = set()
    for name in names:
        codes |= _codes_of(name)
    return codes


def _codes_of(name: str) -> set[str]:
    codes = {leaf.card.code for leaf in RULES.values()}
    if name.upper() == EVERYTHING:
        return codes
    if name in RULES:
        return {RULES[name].card.code}
    prefix = next((prefix for prefix, family in FAMILIES.items() if name == family), name.upper())
    matching = {code for code in codes if code.startswith(prefix)}
    if prefix in FAMILIES or (matching and len(prefix) > len("IP")):
        return matching
    near = get_close_matches(name, [*RULES, *codes, *FAMILIES, *FAMILIES.values(), EVERYTHING], n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`initprobe ls rules` lists them"
    raise UsageError(f"unknown rule {name!r}", hint=hint)
