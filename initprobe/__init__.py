"""Will signals survive this network?

``import initprobe`` is cheap: torch is imported when something is probed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from initprobe.api import (
        Result,
        UnhealthyInitError,
        assert_healthy_init,
        compare,
        initialize,
        parameter_groups,
        probe,
        reparametrize,
        suggest,
        theory,
    )

__version__ = "0.1.0"
__all__ = [
    "Result",
    "UnhealthyInitError",
    "__version__",
    "assert_healthy_init",
    "compare",
    "initialize",
    "parameter_groups",
    "probe",
    "reparametrize",
    "suggest",
    "theory",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from initprobe import api

        return getattr(api, name)
    raise AttributeError(f"module 'initprobe' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
