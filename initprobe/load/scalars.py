"""What an unquoted word of a YAML document means: the core schema of YAML 1.2 (section 10.3.2 of its specification).

YAML 1.1, PyYAML's own reading, would make ``1e-3`` a text, ``no`` a truth value, ``010`` eight and ``1:30`` ninety.
"""

from __future__ import annotations

import math
import re

from initprobe.load.limits import MAX_DIGITS

Scalar = str | int | float | bool | None

NULL = re.compile(r"null|Null|NULL|~|")
TRUE = re.compile(r"true|True|TRUE")
FALSE = re.compile(r"false|False|FALSE")
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def resolve(text: str) -> Scalar:
    """The value of an unquoted scalar.

    Raises:
        ValueError: it is a number that is not finite or has too many digits.
    """
    if NULL.fullmatch(text):
        return None
    if TRUE.fullmatch(text):
        return True
    if FALSE.fullmatch(text):
        return False
    if INTEGER.fullmatch(text):
        if len(text.lstrip("+-")) > MAX_DIGITS:
            raise ValueError(f"a whole number of more than {MAX_DIGITS} digits")
        return int(text, 0 if text[:2] in ("0x", "0o") else 10)
    if NOT_FINITE.fullmatch(text) or (REAL.fullmatch(text) and not math.isfinite(float(text))):
        raise ValueError("numbers must be finite")
    return float(text) if REAL.fullmatch(text) else text
