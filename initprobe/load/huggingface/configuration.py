"""From a ``config.json`` or a model type to a configuration. No content of a file runs code or allocates much."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from initprobe.errors import InitprobeError, UsageError, first_line, visible_lines
from initprobe.load.huggingface.library import confined, unloadable
from initprobe.load.limits import MAX_DEPTH, MAX_MODULES, readable

MAX_BYTES = 16_000_000
"""Size of a ``config.json``: the names of 22 000 classes take two megabytes."""

LARGEST = 2**31
"""Of a whole number in a configuration."""

COUNTED = re.compile(
    r"(layers?|depths?|blocks?|stages?|labels|experts?|heads|levels|steps|queries|repeats?|codebooks)$"
)
"""Keys that say how many of something are built, one by one."""

REFUSED = ("attn_implementation", "auto_map", "experts_implementation", "name_or_path", "trust_remote_code")
"""Keys that lead to code or to the Hub; so does every key that begins with an underscore."""

WEIGHTS = ("quantization_config", "use_pretrained_backbone", "torch_dtype", "dtype")
"""Keys about weights that are stored somewhere: these here are drawn, in float32 unless the probe says otherwise."""


def read_configuration(path: Path) -> dict[str, Any]:
    """The values of a ``config.json`` (or of the directory that holds it), without keys that lead to code.

    Raises:
        UsageError: it is not there, too large, no JSON, or names no model type.
    """
    file = path / "config.json" if path.is_dir() else path
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {str(file)!r}: {error.strerror or error}") from error
    if len(raw) > MAX_BYTES:
        raise UsageError(f"{file} is larger than {readable(MAX_BYTES)}, the limit of a configuration")
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise UsageError(f"{file} holds no configuration: it is a {type(values).__name__}, not an object")
    if not isinstance(values.get("model_type"), str):
        raise UsageError(
            f"{file} names no model type", hint='a configuration of transformers says "model_type": "bert" or the like'
        )
    cleaned: dict[str, Any] = _harmless(values, str(file))
    return cleaned


def _harmless(value: Any, where: str, depth: int = 0) -> Any:
    """The value less every key that leads to code, to the Hub or to stored weights, at any depth."""
    if depth > MAX_DEPTH:
        raise UsageError(f"{where} is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, dict):
        return {
            key: _harmless(item, where, depth + 1)
            for key, item in value.items()
            if not key.startswith("_") and key not in REFUSED and key not in WEIGHTS
        }
    return [_harmless(item, where, depth + 1) for item in value] if isinstance(value, list) else value


def configure(model_type: str, values: Mapping[str, Any], overrides: Mapping[str, Any], where: str) -> Any:
    """The configuration object of a model type.

    Args:
        model_type: a key of transformers' ``CONFIG_MAPPING``.
        values: what a file says.
        overrides: what the command line says; it wins, key by key in nested configurations.
        where: what the configuration is called in messages.

    Raises:
        UsageError: there is no such type or key, or a value is not what the type can take.
    """
    kind = _configuration_class(model_type)
    _check_overrides(kind, overrides, where)
    merged = _merged(values, overrides)
    merged.pop("model_type", None)
    _check_numbers(merged, where)
    for key in merged:
        if callable(getattr(kind, key, None)):
            raise UsageError(f"{where} has a key {key!r}, which is no value of {kind.__name__} but a method")
    try:
        with confined():
            config = kind(**merged)
    except InitprobeError:
        raise
    except (Exception, SystemExit) as error:
        raise UsageError(f"{where} is no configuration that {kind.__name__} takes: {_told(error)}") from error
    _without_cache(config)
    return config


def _configuration_class(model_type: str) -> Any:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if model_type not in CONFIG_MAPPING:
        raise _no_model_type(model_type, list(CONFIG_MAPPING))
    try:
        return CONFIG_MAPPING[model_type]
    except Exception as error:
        raise unloadable(f"the configuration of {model_type}", error) from error


def _no_model_type(name: str, known: list[str]) -> UsageError:
    """Names the nearest type, or the one that a name on the Hub begins with (``bert-base-uncased``)."""
    if Path(name).is_dir():
        return UsageError(f"there is no config.json in {name!r}", hint="give a directory with one, or a model type")
    last = name.lower().rpartition("/")[2]
    begins = sorted((kind for kind in known if re.match(rf"{re.escape(kind)}([^a-z]|$)", last)), key=len, reverse=True)
    near = begins[:1] or get_close_matches(last, known, n=3)
    meant = f" (did you mean {' or '.join(f'hf:{kind}' for kind in near)}?)" if near else ""
    hub = "/" in name or "\\" in name or name.endswith(".json")
    missing = f"there is no file or directory {name!r}" if hub else f"transformers has no model type {name!r}"
    return UsageError(
        f"{missing}, and nothing is downloaded",
        hint=f"give a directory with a config.json in it, or a model type{meant}",
    )


def _check_overrides(kind: Any, overrides: Mapping[str, Any], where: str) -> None:
    """A key that nothing reads would silently change nothing."""
    known = _known_keys(kind)
    for key, value in overrides.items():
        if key in REFUSED or key in WEIGHTS or key.startswith("_"):
            raise UsageError(
                f"{key!r} cannot be set: weights are drawn, nothing is downloaded, attention is computed in the open"
            )
        if key not in known:
            near = get_close_matches(key, sorted(known), n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"it has: {', '.join(sorted(known)[:40])}"
            raise UsageError(f"{kind.__name__} ({where}) has no {key!r}", hint=hint)
        inner = getattr(kind, "sub_configs", {}).get(key)
        if inner is not None and isinstance(value, Mapping) and dataclasses.is_dataclass(inner):
            _check_overrides(inner, {name: item for name, item in value.items() if name != "model_type"}, where)


def _known_keys(kind: Any) -> set[str]:
    """Fields of a configuration class, their other names, and the properties that can be set."""
    fields = {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) else set()
    settable = {
        name
        for owner in kind.__mro__
        for name, value in vars(owner).items()
        if isinstance(value, property) and value.fset is not None
    }
    rotary = {"rope_theta", "rope_scaling"} if "rope_parameters" in fields else set()
    known = fields | set(getattr(kind, "attribute_map", {})) | settable | rotary
    return {name for name in known if not name.startswith("_")} - set(REFUSED) - set(WEIGHTS)


def _merged(values: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for key, value in overrides.items():
        before = merged.get(key)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        merged[key] = _merged(before, value) if both else value  # type: ignore[arg-type]
    return merged


def _check_numbers(values: Mapping[str, Any], where: str) -> None:
    """Refuse by arithmetic what would fill the memory before a module is built: labels, layers, tables of positions."""
    for key, number in _numbers(values):
        name = key.rpartition(".")[2]
        limit = MAX_MODULES if COUNTED.search(name) else LARGEST
        if number > limit:
            raise UsageError(f"{where}: {key} is {number:.3g}, and no network is that large (limit {limit:,})")


def _numbers(value: Any, key: str = "") -> Iterator[tuple[str, int]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _numbers(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _numbers(item, key)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield key, value


def _without_cache(config: Any) -> None:
    """No keys and values in the output: a loss never reaches them, so a gradient that enters there is nobody's."""
    if getattr(config, "use_cache", False):
        config.use_cache = False
    for name in getattr(config, "sub_configs", {}):
        inner = getattr(config, name, None)
        if inner is not None:
            _without_cache(inner)


def _told(error: BaseException) -> str:
    """An error of a configuration class on one line; the checks of its fields take several."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return visible_lines(" ".join(lines) if len(lines) > 1 else first_line(error))[:300]
