"""What is asked for, from all who may say so.

Flags win over environment variables, those over a spec, a spec over the project's settings, these over the defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any, Literal

from initprobe.check.judge import validate
from initprobe.check.selection import EVERYTHING, codes_of
from initprobe.errors import KeyPath, Problem, SpecError, UsageError
from initprobe.init.choose import check_choice, parse_scheme
from initprobe.project import Project, Said
from initprobe.records import (
    CheckRequest,
    InitRequest,
    LayerIgnore,
    ProbeRequest,
    Request,
    SchemeChoice,
    Spec,
    TargetRequest,
)


@dataclass(frozen=True, slots=True)
class Flags:
    """What a command line (or a Python call) says; what it does not say is not in here.

    Attributes:
        scheme: replaces the file's ``init.default``; its overrides stay.
        probe: fields of ``ProbeRequest`` by name.
        check: fields of ``CheckRequest`` by name.
        only: replaces the file's ``init.only``: which parameters are drawn.
        environment: what environment variables say; the file does not win over it.
        project: what the project's settings say; everything else wins over it.
    """

    scheme: SchemeChoice | None = None
    probe: Mapping[str, Any] = field(default_factory=dict)
    check: Mapping[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    environment: Said = field(default_factory=Said)
    project: Said = field(default_factory=Said)

    @property
    def decided(self) -> tuple[str, ...]:
        """The keys of a spec that this decides, whatever the spec says."""
        scheme = ("init.default",) if self.scheme is not None else ()
        return (*scheme, *(f"probe.{name}" for name in (*self.environment.probe, *self.probe)))

    @property
    def typed(self) -> tuple[str, ...]:
        """What is said about the init, as words of a command line."""
        scheme = ("--scheme", str(self.scheme)) if self.scheme is not None else ()
        return (*scheme, *(word for glob in self.only for word in ("--only", glob)))


def resolve(target: TargetRequest, flags: Flags, sections: Any = None) -> Request:
    """The request for one target.

    Args:
        target: what is probed.
        flags: what the command line says.
        sections: what the target's file says (``load.schema.Sections``), None where it is no spec.

    Raises:
        SpecError: the file names a scheme or a rule that is not there, with the place.
        UsageError: the flags do.
    """
    probe, check = ({}, {}) if sections is None else (sections.probe, sections.check)
    if sections is not None:
        _check_sections(sections)
    project, environment = flags.project, flags.environment
    return Request(
        target,
        _narrowed(_init_of(target, flags, sections), flags.only),
        ProbeRequest(**{**project.probe, **probe, **environment.probe, **flags.probe}),
        CheckRequest(**merged(project.check, check, environment.check, flags.check)),
        flags.typed,
        CheckRequest(**check) if check else None,
        tuple(check),
    )


def _init_of(target: TargetRequest, flags: Flags, sections: Any) -> InitRequest:
    """What draws: a typed scheme, else a checkpoint, else what the spec says, else the project's scheme."""
    init = sections.init if sections is not None else None
    if target.weights is not None and flags.scheme is None and not flags.only:
        return InitRequest()
    if flags.scheme is not None:
        return replace(init or InitRequest(), default=flags.scheme)
    if init is None and flags.project.scheme is not None and target.weights is None:
        return InitRequest(parse_scheme(flags.project.scheme))
    return init or InitRequest()


def _check_sections(sections: Any) -> None:
    """Reject what a spec names and is not there."""
    _check_init(sections.init or InitRequest(), sections.spec)
    for ignored in sections.check.get("ignores", ()):
        _at(sections.spec, _path_of(sections.spec, ignored), lambda: codes_of((ignored.rule,)))  # noqa: B023 at once
    _at(sections.spec, ("check",), lambda: validate(CheckRequest(**sections.check)))


def validate_schemes(sections: Any) -> None:
    """Make sure that every scheme and every rule that a file names is there, those that it only compares, too.

    Raises:
        SpecError: one is not, with the place.
    """
    resolve(TargetRequest(""), Flags(), sections)
    for place, choice in enumerate(sections.compare):
        _at(sections.spec, ("compare", place), lambda: check_choice(choice))  # noqa: B023 called at once
    for place, value in enumerate(sections.sweep.get("init.default", ())):
        name, options = (value, {}) if isinstance(value, str) else (value["scheme"], value)
        choice = SchemeChoice(name, tuple((key, option) for key, option in options.items() if key != "scheme"))
        _at(sections.spec, ("sweep", "init.default", place), lambda: check_choice(choice))  # noqa: B023 called at once


def _narrowed(init: InitRequest, only: tuple[str, ...]) -> InitRequest:
    """The same init for some parameters.

    Raises:
        UsageError: nothing would draw them.
    """
    if not only:
        return init
    if not init.draws:
        raise UsageError(
            "--only says which parameters a scheme draws, and there is no scheme", hint="add --scheme NAME"
        )
    return replace(init, only=only)


def merged(*said: Mapping[str, Any]) -> dict[str, Any]:
    """What is said later replaces what was said before; tables it extends, and the last entry of a key counts.

    ``extend_select`` and ``extend_ignore`` add to whichever ``select`` and ``ignore`` is the last.
    """
    merged = {key: value for one in said for key, value in one.items() if not key.startswith("extend_")}
    for table in ("thresholds", "severities", "layer_ignores", "ignores"):
        every = tuple(row for one in said for row in one.get(table, ()))
        if every:
            merged[table] = every
    for names in ("select", "ignore"):
        more = tuple(name for one in said for name in one.get(f"extend_{names}", ()))
        if more:
            nobody = (EVERYTHING,) if names == "select" else ()
            merged[names] = (*(merged.get(names) or nobody), *more)
    return merged


def _check_init(init: InitRequest, spec: Spec) -> None:
    if init.default is not None:
        default = init.default
        _at(spec, ("init", "default"), lambda: check_choice(default))
    for place, override in enumerate(init.overrides):
        scheme = override.scheme
        _at(spec, ("init", "overrides", place, "scheme"), lambda: check_choice(scheme))  # noqa: B023 called at once


def _path_of(spec: Spec, ignored: LayerIgnore) -> KeyPath:
    """Where a layer's ignore stands in its spec."""
    return next((path for path, place in spec.value_at.items() if place == ignored.location), ("check",))


def _at(spec: Spec, path: KeyPath, verify: Callable[[], object]) -> None:
    """Let a mistake that another room finds point at the line of the file that made it."""
    try:
        verify()
    except SpecError as error:
        raise error.located(spec) from None
    except UsageError as error:
        raise SpecError([Problem(str(error), path, error.hint)], spec=spec) from None


def known_options(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of a Python call, all of them fields of ``ProbeRequest``.

    Raises:
        UsageError: one is none; the message names the nearest.
    """
    _refuse_unknown(options, {one.name for one in fields(ProbeRequest)})
    return options


def split_options(options: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The options of a Python call: those that say how it is measured, and those that say how it is judged.

    Lists and tables become what records hold: ``ignore=["dead-units"]``, ``severities={"dead-units": "error"}``,
    ``layer_ignores={"head*": ["dead-units"]}``.

    Raises:
        UsageError: one is neither; the message names the nearest.
    """
    judging = {one.name for one in fields(CheckRequest)} - {"complete", "against"}
    measuring = {one.name for one in fields(ProbeRequest)}
    _refuse_unknown(options, judging | measuring)
    measured = {name: value for name, value in options.items() if name in measuring}
    return measured, {name: _frozen(value) for name, value in options.items() if name in judging}


def _refuse_unknown(options: Mapping[str, Any], known: set[str]) -> None:
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(sorted(known))}"
            raise UsageError(f"unknown option {name!r}", hint=hint)


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple((key, _frozen(one)) for key, one in value.items())
    if isinstance(value, (list, set, tuple)):
        return tuple(value)
    return value


def given_seeds(seeds: int | Sequence[int] | None) -> dict[str, tuple[int, ...]]:
    """The option as a Python call gives it: how many, or which. None says nothing, and leaves it to the file."""
    if seeds is None:
        return {}
    return {"seeds": seeds_of(str(seeds), 0) if isinstance(seeds, int) else tuple(seeds)}


def seeds_of(text: str, base: int) -> tuple[int, ...]:
    """Seeds as typed: a number of them (``5``) or a list (``0,3,7``).

    Raises:
        UsageError: it is neither, a seed is negative or too large, or one is named twice.
    """
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--seeds takes a number or a list such as 0,1,2, not {text!r}") from None
    if base and "," in text:
        raise UsageError(
            f"--seed says where to begin to count, and --seeds {text} counts nothing", hint="give one of them"
        )
    if len(numbers) == 1 and "," not in text:
        if not 1 <= numbers[0] <= MOST_SEEDS:
            raise UsageError(f"--seeds takes from 1 to {MOST_SEEDS}, not {text}")
        numbers = list(range(base, base + numbers[0]))
    if any(not 0 <= seed <= LARGEST_SEED for seed in numbers) or len(set(numbers)) < len(numbers):
        raise UsageError(f"seeds are different whole numbers from 0 to 2^63 - 1, not {text!r}")
    return tuple(numbers)


MOST_SEEDS = 10_000
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that says something: about ``probe`` or ``check``, which field, and how it is read."""

    about: Literal["probe", "check"]
    name: str
    read: Callable[[str], Any]


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"a whole number from 1 up is wanted, not {text!r}")
    return int(text)


def _word(*known: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if known and text not in known:
            raise UsageError(f"one of {', '.join(known)} is wanted, not {text!r}")
        return text

    return read


VARIABLES: Mapping[str, Variable] = {
    "INITPROBE_SEEDS": Variable("probe", "seeds", lambda text: seeds_of(text, 0)),
    "INITPROBE_MAX_SEEDS": Variable("probe", "max_seeds", _count),
    "INITPROBE_BATCH": Variable("probe", "batch", _count),
    "INITPROBE_DTYPE": Variable("probe", "dtype", _word("float32", "float64", "float16", "bfloat16")),
    "INITPROBE_DEVICE": Variable("probe", "device", _word()),
    "INITPROBE_FAIL_ON": Variable("check", "fail_on", _word("error", "warning", "info", "never")),
}
"""None of them can let code run."""


def environment_says(environment: Mapping[str, str]) -> Said:
    """What environment variables say; an empty one says nothing.

    Raises:
        UsageError: a value cannot be read.
    """
    told: dict[str, dict[str, Any]] = {"probe": {}, "check": {}}
    for name, variable in VARIABLES.items():
        text = environment.get(name, "")
        if text:
            try:
                told[variable.about][variable.name] = variable.read(text)
            except UsageError as error:
                raise UsageError(f"{name}: {error}", hint=error.hint) from None
    return Said(None, told["probe"], told["check"])


def check_project(project: Project) -> Project:
    """The project, none of whose settings names what is not there.

    Raises:
        SpecError: one does, with its line.
    """
    scheme = project.said.scheme
    if scheme is not None:
        _at(project.spec, ("scheme",), lambda: check_choice(parse_scheme(scheme)))
    for key in ("select", "ignore", "extend-select", "extend-ignore"):
        names = project.said.check.get(key.replace("-", "_"), ())
        _at(project.spec, (key,), lambda: codes_of(names))  # noqa: B023 called at once
    for key, name in (("severity", "severities"), ("thresholds", "thresholds"), ("layer-ignores", "layer_ignores")):
        for written in project.spec.values.get(key, {}):
            rows = tuple(row for row in project.said.check[name] if _is_row(row[0], written))
            asked: dict[str, Any] = {name: rows}
            _at(project.spec, (key, written), lambda: validate(CheckRequest(**asked)))  # noqa: B023 called at once
    return project


def _is_row(found: str, written: str) -> bool:
    """Whether a row of a request comes from the key of a table: ``forward_drift.error`` from ``forward-drift``."""
    quantity = written.replace("-", "_")
    return found in (written, quantity) or found.startswith(f"{quantity}.")
