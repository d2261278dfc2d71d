"""One finding as text: the message, the place, the source line with carets, the numbers, where to read on."""

from __future__ import annotations

from rich.cells import cell_len

from initprobe.records import Finding, Location
from initprobe.report.numbers import plural
from initprobe.report.phrases import Tone
from initprobe.report.visible import visible

Span = tuple[str, Tone]
Line = tuple[Span, ...]

_LONG = 2000
_SEVERITY_TONES: dict[str, Tone] = {"error": "error", "warning": "warning", "info": "info"}


def diagnostic(finding: Finding) -> list[Line]:
    """The lines of a finding, as coloured pieces."""
    tone = _SEVERITY_TONES[finding.severity] if finding.suppressed is None else "dim"
    head = f"{'suppressed ' * (finding.suppressed is not None)}{finding.severity}[{visible(finding.rule.name)}]"
    lines: list[Line] = [((head, tone), (f": {visible(finding.message, _LONG)}", "title"))]
    place = finding.location
    gutter = " " * (len(str(place.line)) if place else 1)
    label = visible(finding.label, _LONG)
    if place is not None:
        nearest = " (the nearest line that is known)" if place.approximate else ""
        lines.append(((f"{gutter}--> ", "dim"), (f"{location_text(place)}{nearest}", "plain")))
        lines += _source(place, gutter, label, tone)
    shown = place is not None and bool(place.text)  # then the label stands under the source line
    fields = [(name, text) for name, text in details(finding) if not (shown and name == "layers")]
    lines += [((f"{gutter} = {name + ':':<9} ", "dim"), (text, "plain")) for name, text in fields]
    return lines


def details(finding: Finding) -> list[tuple[str, str]]:
    """What a finding says beyond its message: pairs of what it is and a visible text, where there is one."""
    fields = [
        ("layers", visible(finding.label, _LONG)),
        ("measured", visible(finding.measured, _LONG)),
        ("expected", visible(finding.expected, _LONG)),
    ]
    if finding.fix is not None:
        found = f"{visible(finding.fix.summary, _LONG)}    verified: {visible(finding.fix.verified, _LONG)}"
        fields.append(("fix", found))
    fields += [("note", visible(note, _LONG)) for note in finding.notes]
    fields.append(("ignored", visible(finding.suppressed or "", _LONG)))
    if finding.downstream:
        fields.append(("note", f"{plural(finding.downstream, 'later call site')} explained by it"))
    fields.append(("docs", f"initprobe explain {visible(finding.rule.code)}"))
    return [(name, text) for name, text in fields if text]


def location_text(place: Location) -> str:
    """``deep_mlp.yaml:15:11``."""
    return f"{visible(place.file)}:{place.line}:{place.column}"


def _source(place: Location, gutter: str, label: str, tone: Tone) -> list[Line]:
    if not place.text:
        return []
    start, end = place.column - 1, (place.end_column or place.column + 1) - 1
    parts = (place.text[:start], place.text[start:end], place.text[end:])
    before, marked, after = (visible(part.replace("\t", "    ")) for part in parts)
    carets = " " * cell_len(before) + "^" * max(1, cell_len(marked))
    return [
        ((f"{gutter} |", "dim"),),
        ((f"{place.line} | ", "dim"), (f"{before}{marked}{after}", "plain")),
        ((f"{gutter} | ", "dim"), (carets, tone), (f" {label}", "plain")),
        ((f"{gutter} |", "dim"),),
    ]
