"""Text from a model or a file is hostile until made visible; then each sink has its own encoder.

Module names may hold escape sequences, line breaks, markup, formulas and workflow commands (CWE-150, CWE-1236,
CVE-2020-15228). Everything that a format or a plot shows passes ``visible`` once, and the encoder of its sink after.
"""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})
"""Unicode categories that draw nothing or redirect what follows: controls, bidi and zero width, lone surrogates."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""First characters that make a spreadsheet read a cell as a formula (OWASP ASVS 1.2.10)."""


def visible(text: str, limit: int = 200) -> str:
    r"""The text as one harmless line.

    Characters that draw nothing become ``\x1b`` or ``\u202e``; what a CI runner would take for a command at the start
    of a line loses its first character likewise; text beyond ``limit`` characters is cut, and how much is told.
    """
    cut = len(text) - limit
    shown = "".join(map(_shown, text[:limit] if cut > 0 else text))
    if shown.lstrip().startswith("::"):
        shown = shown.replace(":", r"\x3a", 1)
    shown = shown.replace("##[", r"\x23#[")
    return f"{shown}…({cut} more)" if cut > 0 else shown


def visible_lines(text: str, limit: int = 4000) -> list[str]:
    """A text of several lines, each one made visible; tabs become four spaces."""
    return [visible(line.expandtabs(4), limit) for line in re.split(r"\r\n|\n|\r", text.rstrip())]


def markdown_cell(text: str) -> str:
    """Visible text for a cell of a GitHub table: no markup, no HTML, no mention, no link."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    escaped = re.sub(r"([\\`*_\[\]|~$])", r"\\\1", escaped)
    # an empty comment keeps GitHub from reading a mention, an issue, an address or an emoji
    return re.sub(r"@|#(?=\d)|:(?=//|[a-z][\w+-]*:)|(?<=www)\.", r"\g<0><!-- -->", escaped)


def csv_text(text: str) -> str:
    """Visible text for a text column of a CSV file, never a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def plot_text(text: str) -> str:
    """Visible text for matplotlib: no mathtext, and only letters that its default font draws."""
    drawn = "".join(
        char if ord(char) < 0x0370 or char in "–—…→←×±·" else char.encode("ascii", "backslashreplace").decode()
        for char in text
    )
    return drawn.replace("$", r"\$")


def ascii_text(text: str) -> str:
    """The text in ASCII: our own signs spelled out, other letters as escapes."""
    return text.translate(_SPELLED).encode("ascii", "backslashreplace").decode()


_SPELLED = str.maketrans(
    {
        "×": "x",
        "→": "->",
        "←": "<-",
        "…": "...",
        "±": "+-",
        "–": "-",
        "—": "-",
        "−": "-",
        "·": "|",
        "≤": "<=",
        "≥": ">=",
        "≈": "~",
        "√": "sqrt",
        "²": "^2",
        "‖": "||",
    },
)


def _shown(char: str) -> str:
    if unicodedata.category(char) not in _HIDDEN:
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
