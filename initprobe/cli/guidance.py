"""What the selection guide says of one scheme or one activation, as ``explain`` shows it."""

from __future__ import annotations

from collections.abc import Iterator


def guide_to_scheme(name: str) -> Iterator[str]:
    """Where the selection guide names a scheme."""
    from initprobe.activations import guide
    from initprobe.activations.advice import ARCHITECTURES
    from initprobe.activations.base import ACTIVATIONS

    found = guide.recommended_for(name)
    if found:
        yield from ("", "Recommended for:")
    for architecture, names in found.items():
        which = "" if len(names) > len(ACTIVATIONS) else f", with {', '.join(names)}"
        yield f"    {ARCHITECTURES[architecture]}{which}".replace("with none", "with no activation")


def guide_to_activation(name: str) -> Iterator[str]:
    """What the selection guide says of an activation: the plain network in full, the others in a line each."""
    from initprobe.activations import guide
    from initprobe.activations.advice import ARCHITECTURES

    plain = guide.recommend(name)
    yield from ("", f"Draw with {plain.scheme}: {plain.reason}.", *(f"    {text}." for text in plain.warnings))
    yield from ("", "By architecture:")
    for architecture, what in ARCHITECTURES.items():
        found = guide.recommend(name, architecture)
        others = f"   (or {', '.join(found.alternatives)})" if found.alternatives else ""
        yield f"    {what}: {found.scheme}{others}"
    yield from ("", f"From {'; '.join(plain.sources)}.")
