"""An init as a Python function to paste: ``init_weights(model)`` in plain torch, where torch can say it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from keyword import iskeyword

from torch import nn

from initprobe.check.fans import stored_fans
from initprobe.init.choose import build_scheme
from initprobe.init.distributions import truncated_std
from initprobe.records import Drawn, Entry, Estimate, InitRequest, ParameterSummary, SchemeChoice, Weight
from initprobe.search.change import shell_pattern

NORMAL = frozenset(
    {"kaiming_normal", "xavier_normal", "lecun_normal", "normal", "large_normal", "small_init", "ntk",
     "branch_scaling", "zero_gamma", "zero_init_residual", "rezero", "skipinit"}
)  # fmt: skip
"""Schemes that draw independent normal numbers of the standard deviation that they declare, and constants."""
UNIFORM = frozenset({"kaiming_uniform", "xavier_uniform", "lecun_uniform", "uniform"})
CONSTANT = frozenset({"zeros", "constant"})

CLOSE = 1e-6
"""How near, relatively, a standard deviation has to come to that of one of torch's rules."""

Actions = dict[str, str]
"""What is done to the tensors of one module: name of the tensor, and a line with ``{}`` for it; ``KEEP``."""

KEEP = ""


class InexpressibleError(Exception):
    """Plain torch has no words for this init; the message says which part."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Modules that are treated alike.

    Attributes:
        condition: what tells them, an expression in ``name`` and ``module``.
        lines: what is done with each.
    """

    condition: str
    lines: tuple[str, ...]


def plain_function(init: InitRequest, entry: Entry) -> str:
    """``init_weights(model)`` in plain torch.

    Args:
        init: what is to be said.
        entry: a network that was drawn so: its weights, and what its Outcome declares of them.

    Raises:
        InexpressibleError: a scheme's draws are more than independent numbers or orthogonal matrices.
    """
    rules = list(_rules(_modules(init, entry), entry))
    lines = []
    for place, rule in enumerate(rules):
        lines.append(f"        {'elif' if place else 'if'} {rule.condition}:")
        lines += [f"            {line}" for line in rule.lines]
    body = "\n".join(lines)
    imports = "import math\n" * ("math." in body) + "from fnmatch import fnmatchcase\n" * ("fnmatchcase(" in body)
    imports += "\n" * bool(imports)
    return (
        f"{imports}import torch\nfrom torch import nn\n\n\n"
        f'@torch.no_grad()\ndef init_weights(model: nn.Module) -> None:\n    """Draws the weights: {_inert(init)}."""\n'
        f"    for name, module in model.named_modules():\n{body}\n"
    )


def calling_function(init: InitRequest) -> str:
    """``init_weights(model, inputs)`` that calls initprobe, for what plain torch cannot say.

    Raises:
        InexpressibleError: several schemes draw it.
    """
    if init.default is None or init.overrides:
        raise InexpressibleError("ip.initialize takes one scheme, and this init has several")
    only = f", only={list(init.only)!r}" if init.only else ""
    return (
        f"import initprobe\nfrom torch import nn\n\n\n"
        f'def init_weights(model: nn.Module, inputs) -> None:\n    """Draws the weights: {_inert(init)}.\n\n'
        "    Args:\n        model: its parameters are overwritten.\n"
        '        inputs: a batch, as the model takes it, or the shape of one sample.\n    """\n'
        f"    initprobe.initialize(model, {_quoted(str(init.default))}, inputs=inputs{only})\n"
    )


def _inert(init: InitRequest) -> str:
    """An init as words of a docstring, out of which nothing can break."""
    told = [str(init.default)] if init.default is not None else []
    told += [
        f"{one.glob or ''}{f' ({one.layer_type})' if one.layer_type else ''} {one.scheme}" for one in init.overrides
    ]
    text = "; ".join(map(str.strip, told)) or str(init)
    return text.replace("\\", "/").replace('"', "'")


def _quoted(text: str) -> str:
    return f'"{text}"' if repr(text) == f"'{text}'" and '"' not in text else repr(text)


def _modules(init: InitRequest, entry: Entry) -> Mapping[str, tuple[str, Actions]]:
    """Every module that owns a parameter: its class, and what is done to its tensors."""
    if entry.outcome is None:
        raise InexpressibleError("nothing was drawn")
    drawn = {one.weight: one for one in entry.outcome.drawn}
    choices = {str(choice): choice for choice in init.choices}
    modules: dict[str, tuple[str, Actions]] = {}
    for summary in entry.weights:
        weight = summary.weight
        if "parametrizations" in weight.name:
            raise InexpressibleError(f"{weight.name} is computed from other parameters")
        one = drawn.get(weight.name)
        action = KEEP if one is None else _action(summary, one, choices[one.scheme])
        _put(modules, weight.name, weight.module_type, action)
        for alias in weight.aliases:  # drawn already, under its first name
            _put(modules, alias, "", KEEP)
    return modules


def _put(modules: dict[str, tuple[str, Actions]], name: str, kind: str, action: str) -> None:
    path, _, tensor = name.rpartition(".")
    known, actions = modules.setdefault(path, (kind, {}))
    modules[path] = (known or kind, {**actions, tensor: action})


def _action(summary: ParameterSummary, drawn: Drawn, choice: SchemeChoice) -> str:
    """The line that draws one parameter."""
    weight, std = summary.weight, drawn.std
    if std is None or drawn.note is not None:
        raise InexpressibleError(f"{drawn.scheme} declares no standard deviation for {weight.name}")
    if std == 0.0:
        return _constant(summary, choice)
    name = choice.name
    if weight.role == "embedding" and std == 1.0:
        name = "normal"
    if name == "orthogonal":
        return _orthogonal(weight, std)
    distribution = str(getattr(build_scheme(choice), "distribution", "normal"))
    if name in NORMAL or (name == "variance_scaling" and distribution == "normal"):
        return _normal(weight, std, fixed="std" in dict(choice.options) or name in {"normal", "large_normal"})
    if name in UNIFORM or (name == "variance_scaling" and distribution == "uniform"):
        return _uniform(weight, std)
    if name == "variance_scaling":
        cut = std / truncated_std()
        return f"nn.init.trunc_normal_({{}}, std={cut:.7g}, a={-2.0 * cut:.7g}, b={2.0 * cut:.7g})"
    raise InexpressibleError(f"{name} draws more than independent numbers")


def _constant(summary: ParameterSummary, choice: SchemeChoice) -> str:
    """What does not differ within a parameter is what was measured of it, but for a row that is padding."""
    mean = summary.value.get("mean")
    if not isinstance(mean, Estimate) or not math.isfinite(mean.mean):
        raise InexpressibleError(f"the value of {summary.weight.name} is not known")
    value = float(getattr(build_scheme(choice), "value", mean.mean)) if mean.mean else 0.0
    return f"nn.init.constant_({{}}, {value:.7g})" if value else "nn.init.zeros_({})"


def _normal(weight: Weight, std: float, *, fixed: bool) -> str:
    if not fixed and (rule := _named(weight, std)) is not None:
        return f"nn.init.{rule}_normal_({{}}" + (', nonlinearity="relu")' if rule == "kaiming" else ")")
    if not fixed and (fan := _fans(weight)) is not None and fan[0] == weight.fan_in:
        return f"nn.init.normal_({{}}, std={std * math.sqrt(fan[0]):.7g} / math.sqrt({{}}[0].numel()))"
    return f"nn.init.normal_({{}}, std={std:.7g})"


def _uniform(weight: Weight, std: float) -> str:
    if (rule := _named(weight, std)) is not None:
        return f"nn.init.{rule}_uniform_({{}}" + (', nonlinearity="relu")' if rule == "kaiming" else ")")
    limit = math.sqrt(3.0) * std
    return f"nn.init.uniform_({{}}, {-limit:.7g}, {limit:.7g})"


def _orthogonal(weight: Weight, std: float) -> str:
    if len(weight.parts) > 1 or len(weight.shape) < 2 or weight.unit_axis != 0:
        raise InexpressibleError(f"{weight.name} is no single matrix with a row for every output")
    rows = weight.shape[0]
    gain = std * math.sqrt(max(rows, math.prod(weight.shape[1:])))
    return f"nn.init.orthogonal_({{}}, gain={gain:.7g})"


def _named(weight: Weight, std: float) -> str | None:
    """Which of torch's rules this standard deviation is, by the fans that torch reads off the shape."""
    fans = _fans(weight)
    if fans is None:
        return None
    found = {"kaiming": 2.0 / fans[0], "xavier": 2.0 / (fans[0] + fans[1])}
    return next((rule for rule, square in found.items() if math.isclose(std**2, square, rel_tol=CLOSE)), None)


def _fans(weight: Weight) -> tuple[float, float] | None:
    return stored_fans(weight) if len(weight.shape) > 1 else None


def _rules(modules: Mapping[str, tuple[str, Actions]], entry: Entry) -> Iterator[Rule]:
    """Exceptions by name first, then classes of their own, kept ones too, then torch's layers."""
    kinds: dict[str, list[str]] = {}
    for path, (kind, _) in modules.items():
        kinds.setdefault(kind, []).append(path)
    exceptions: dict[tuple[tuple[str, str], ...], list[str]] = {}
    common: list[Rule] = []
    usually: dict[str, Actions] = {}
    for kind, paths in kinds.items():
        usual = Counter(tuple(modules[path][1].items()) for path in paths).most_common(1)[0][0]
        usually[kind] = dict(usual)
        for path in paths:
            actions = modules[path][1]
            if not kind or not _covered(actions, dict(usual)):  # its class is not known where all it has is shared
                exceptions.setdefault(tuple(actions.items()), []).append(path)
        if kind and any(action for _, action in usual):
            common.append(Rule(_type_test(kind), _lines(dict(usual), kind)))
    if kept := _kept_subclasses(usually, entry):
        common.append(Rule(_name_is(kept), ("pass",)))
    for odd, paths in exceptions.items():
        yield Rule(_name_test(paths, list(modules)), _lines(dict(odd), modules[paths[0]][0]) or ("pass",))
    yield from sorted(common, key=lambda rule: rule.condition.startswith("isinstance"))
    if not common and not exceptions:
        raise InexpressibleError(f"{entry.name} has no parameter that is drawn")


def _kept_subclasses(usually: Mapping[str, Actions], entry: Entry) -> list[str]:
    """Classes that are kept and may derive from a layer of torch's that is drawn, which ``isinstance`` would take in.

    Nothing tells what a class derives from but that it has tensors of the same names and as many axes.
    """
    held: dict[str, set[tuple[str, int]]] = {}
    for one in entry.weights:
        tensor = (one.weight.name.rpartition(".")[2], len(one.weight.shape))
        held.setdefault(one.weight.module_type, set()).add(tensor)
    drawn = [kind for kind, actions in usually.items() if _is_torch(kind) and any(actions.values())]
    kept = [kind for kind, actions in usually.items() if kind and not any(actions.values())]
    alike = {kind: [base for base in drawn if (held[kind] & held[base]) - {("bias", 1)}] for kind in kept}
    return [kind for kind, bases in alike.items() if any(_may_derive(kind, base) for base in bases)]


def _may_derive(kind: str, base: str) -> bool:
    return not _is_torch(kind) or issubclass(getattr(nn, kind), getattr(nn, base))


def _is_torch(kind: str) -> bool:
    return isinstance(getattr(nn, kind, None), type)


def _covered(actions: Actions, usual: Actions) -> bool:
    """Whether the usual lines do just this: a layer may be without the bias that others have."""
    missing = set(usual) - set(actions)
    return actions.items() <= usual.items() and missing <= {"bias"}


def _type_test(kind: str) -> str:
    return f"isinstance(module, nn.{kind})" if _is_torch(kind) else _name_is([kind])


def _name_is(kinds: Sequence[str]) -> str:
    if len(kinds) == 1:
        return f"type(module).__name__ == {_quoted(kinds[0])}"
    return f"type(module).__name__ in {{{', '.join(map(_quoted, kinds))}}}"


def _name_test(paths: list[str], others: list[str]) -> str:
    if len(paths) == 1:
        return f"name == {_quoted(paths[0])}"
    if (pattern := shell_pattern(paths, others)) is not None:
        return f"fnmatchcase(name, {_quoted(pattern)})"
    return f"name in {{{', '.join(map(_quoted, paths))}}}"


def _lines(actions: Actions, kind: str) -> tuple[str, ...]:
    lines: list[str] = []
    for tensor, action in actions.items():
        if not action:
            continue
        plain = tensor.isidentifier() and not iskeyword(tensor)
        place = f"module.{tensor}" if plain else f"module.get_parameter({tensor!r})"
        line = action.replace("{}", place)
        lines += [f"if {place} is not None:", f"    {line}"] if tensor == "bias" else [line]
        if kind == "Embedding":
            lines += ["if module.padding_idx is not None:", f"    {place}[module.padding_idx] = 0.0"]
    return tuple(lines)
