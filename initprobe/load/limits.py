"""How large a spec and its network may be: decided by arithmetic, before anything is allocated."""

from __future__ import annotations

import os
from pathlib import Path

MAX_BYTES = 256 * 1024
"""Size of a YAML document."""

MAX_EVENTS = 50_000
"""Keys, values and brackets of a document, also after its variables are filled in."""

MAX_DEPTH = 32
"""Nesting of lists and mappings, also after variables are filled in; and the length of a chain of variables."""

MAX_BASES = 8
"""Specs that extend each other, one after the other, behind the one that was asked for."""

MAX_DIGITS = 18
"""Digits of a whole number: what fits an int64 with room to spare."""

MAX_MODULES = 100_000
"""Modules of a network, repetitions and containers counted."""

MAX_POINTS = 1000
"""Networks that a sweep probes."""

MAX_PROBLEMS = 50
"""Problems that are told of one document; more would hide the first."""

SMALLEST_BATCH = 2
"""What the memory must hold at the very least: the smallest batch that a probe lowers itself to."""


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes that this process can still allocate: what the machine has free, or less where a cgroup says so.

    Args:
        root: where ``/proc`` and ``/sys`` are looked for.

    Returns:
        None when the system does not tell.
    """
    limits = [size for size in (_machine(root), *_cgroups(root)) if size is not None]
    return max(0, min(limits)) if limits else None


def readable(size: float) -> str:
    """A number of bytes for people, in decimal units: ``4.0 TB``."""
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.3g} EB"


def _machine(root: Path) -> int | None:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    names = os.sysconf_names if hasattr(os, "sysconf_names") else {}
    if "SC_PHYS_PAGES" in names and "SC_PAGE_SIZE" in names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


def _cgroups(root: Path) -> list[int]:
    """What every memory cgroup above this process leaves, versions 1 and 2."""
    left = []
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            base, limit, usage, cache = root / "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            base, limit, usage = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            cache = "total_inactive_file"
        else:
            continue
        group = base / path.strip().lstrip("/")
        for folder in (group, *group.parents):
            allowed, used = _number(folder / limit), _number(folder / usage)
            if allowed is not None and used is not None:
                left.append(allowed - used + _statistic(folder / "memory.stat", cache))
            if folder == base:
                break
    return left


def _statistic(path: Path, key: str) -> int:
    """A line of ``memory.stat``: the page cache counts as used although it is given back on demand."""
    return next((int(line.split()[1]) for line in _lines(path) if line.split()[0] == key), 0)


def _number(path: Path) -> int | None:
    text = "".join(_lines(path)).strip()
    return int(text) if text.isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
