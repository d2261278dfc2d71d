"""Draws valid specs at random: options from the published JSON Schema, so that a new block joins by itself."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from random import Random
from typing import Any
from unittest import mock

from initprobe.errors import SpecError
from initprobe.load import build
from initprobe.load.blocks.base import BLOCKS, Signal
from initprobe.load.build import Plan, plan
from initprobe.load.json_schema import spec_json_schema
from initprobe.load.schema import checked, read_spec
from initprobe.records import Spec

KEPT = {"type", "name", "ignore"}
"""Options that say nothing about what a layer computes."""

OPTIONS_LEFT_OUT = {
    "inplace": "torch refuses the backward pass where the layer before needs its output, a softmax for example",
}
"""Options that no random network has, and why."""

SIGNALS = [
    Signal((6,)),
    Signal((4, 8)),
    Signal((8, 6)),
    Signal((6, 6, 6)),
    Signal((8, 8, 8)),
    Signal((2, 4, 4, 4)),
    Signal((5,), 11),
    Signal((2, 3), 11),
]
"""What may reach the first layer."""

NUMBERS = (0.0, 0.1, 0.5, 1.0, 2.0, -0.5, 1e-5)
LARGEST = 4096
"""Numbers that may leave a layer for one sample."""

MEMORY = 10**8
TRIES = 20
"""Draws of one layer until another kind is tried."""


def spec_text(layers: list[Any], signal: Signal) -> str:
    """The document: JSON, which is YAML as well."""
    reaches: dict[str, Any] = {"shape": list(signal.shape)}
    if signal.vocab is not None:
        reaches.update(dist="tokens", vocab=signal.vocab)
    return json.dumps({"version": 1, "model": {"input": reaches, "layers": layers}}, indent=1)


def planned(layers: list[Any], signal: Signal) -> tuple[Spec, Plan]:
    """The spec and its plan.

    Raises:
        SpecError: the layers do not fit.
    """
    return _plan(read_spec("net.yaml", text=spec_text(layers, signal)), signal)


def leaving(layer: Any, signal: Signal) -> Signal | None:
    """What leaves a layer; None where it does not take the signal."""
    return _leaving(json.dumps(layer), signal)


@cache
def _leaving(layer: str, signal: Signal) -> Signal | None:
    """The same of a layer as JSON: most of what is drawn was drawn before, in another list that did not fit."""
    # The spec is not read from its text: that takes longest.
    model = {"input": {"shape": [1]}, "layers": [json.loads(layer)]}
    # Nothing is drawn on the meta device, and seeding torch's generators takes most of a small plan's time.
    with mock.patch.object(build, "seeded", nullcontext):
        try:
            return _plan(Spec("net.yaml", {"version": 1, "model": model}), signal)[1].output
        except SpecError:
            return None


def _plan(spec: Spec, signal: Signal) -> tuple[Spec, Plan]:
    return spec, plan(spec, checked(spec).model.layers, signal, memory=MEMORY)


@cache
def definitions() -> dict[str, Any]:
    """What the JSON Schema knows."""
    found: dict[str, Any] = spec_json_schema()["$defs"]
    return found


@cache
def blocks() -> dict[str, dict[str, Any]]:
    """The JSON Schema of every block, by its name."""
    known = {}
    for definition in definitions().values():
        kind = definition.get("properties", {}).get("type", {}).get("anyOf", [{}])[0]
        for name in [kind["const"]] if "const" in kind else kind.get("enum", []):
            if name in BLOCKS:
                known.setdefault(BLOCKS.canonical(name), definition)
    return known


@cache
def inner() -> list[str]:
    """Blocks that stand in any other and need no other."""
    return [name for name in blocks() if not BLOCKS.find(name).ends and name not in PARTNERS]


@cache
def leaves() -> list[str]:
    """Those of them that have no layers inside."""
    return [name for name in inner() if "AnyLayer" not in json.dumps(blocks()[name]["properties"])]


class Drawing:
    """Draws one network.

    Args:
        number: the seed.
    """

    def __init__(self, number: int) -> None:
        self.random = Random(number)

    def network(self, name: str) -> tuple[list[Any], Signal]:
        """Layers with a block of that name among them, and what reaches the first of them."""
        if name in PARTNERS:
            return PARTNERS[name](self)
        for _ in range(60):
            start = signal = self.random.choice(SIGNALS)
            layers: list[Any] = []
            found = self.layer(name, signal)
            if found is None:
                continue
            if self.random.random() < 0.5:
                layers, signal = self.grown(start, 1)
                later = self.layer(name, signal, tries=3)
                layers, found = (layers, later) if later is not None else ([], found)
            behind = 0 if BLOCKS.find(name).ends else self.random.randint(0, 3)
            after, signal = self.grown(found[1], behind)
            layers += [found[0], *after]
            if signal.vocab is not None:
                layers.append({"type": "embedding", "out": 4})
            return layers, start
        raise AssertionError(f"no network with {name} was found: mend the drawing")

    def grown(self, signal: Signal, count: int, depth: int = 0) -> tuple[list[Any], Signal]:
        """Layers one after the other that take the signal, and what leaves them."""
        layers: list[Any] = []
        while len(layers) < count:
            nested = depth == 0 or (depth == 1 and self.random.random() < 0.2)
            name = self.random.choice(inner() if nested else leaves())
            found = self.layer(name, signal, depth, tries=3)
            if found is not None:
                layers.append(found[0])
                signal = found[1]
        return layers, signal

    def layer(self, name: str, signal: Signal, depth: int = 0, tries: int = TRIES) -> tuple[Any, Signal] | None:
        """A layer of that kind that takes the signal, and what leaves it; None where none was found."""
        for _ in range(tries):
            layer = self.options(name, signal, depth)
            if name in FITTED:
                FITTED[name](self, layer, signal)
            left = leaving(layer, signal)
            if left is not None and math.prod(left.shape) <= LARGEST:
                return layer, left
        return None

    def options(self, name: str, signal: Signal, depth: int) -> dict[str, Any]:
        """The block with its needed options, and some of the others."""
        definition = blocks()[name]
        given = {"type": name}
        for key, option in definition["properties"].items():
            if key not in KEPT | OPTIONS_LEFT_OUT.keys() and (
                key in definition.get("required", ()) or self.random.random() < 0.4
            ):
                given[key] = self.value(option, signal, depth)
        return given

    def value(self, schema: dict[str, Any], signal: Signal, depth: int) -> Any:
        """A value that the schema allows."""
        kinds = [one for one in schema.get("anyOf", [schema]) if not one.get("$ref", "").endswith("/Variable")]
        kind = self.random.choice(kinds)
        if kind.get("$ref", "").endswith("/AnyLayer"):
            return self.grown(signal, 1, depth + 1)[0][0]
        if "anyOf" in kind:
            return self.value(kind, signal, depth)
        if "$ref" in kind:
            return self.section(definitions()[kind["$ref"].rpartition("/")[2]], signal, depth)
        if "enum" in kind or "const" in kind:
            return self.random.choice(kind.get("enum") or [kind["const"]])
        if kind["type"] == "array":
            return self.items(kind, signal, depth)
        return self.plain(kind, signal)

    def section(self, definition: dict[str, Any], signal: Signal, depth: int) -> dict[str, Any]:
        """A mapping that is no layer."""
        return {
            key: self.value(option, signal, depth)
            for key, option in definition.get("properties", {}).items()
            if key in definition.get("required", ()) or self.random.random() < 0.4
        }

    def items(self, kind: dict[str, Any], signal: Signal, depth: int) -> list[Any]:
        """A list; layers in it fit each other."""
        count = self.random.randint(max(1, kind.get("minItems", 1)), min(3, kind.get("maxItems", 3)))
        if "AnyLayer" in json.dumps(kind["items"]):
            return self.grown(signal, min(count, 2), depth + 1)[0]
        return [self.value(kind["items"], signal, depth) for _ in range(count)]

    def plain(self, kind: dict[str, Any], signal: Signal) -> Any:
        """A number, a flag or nothing; sizes of the signal are tried often, for they fit best."""
        low = max(kind.get("minimum", -2), kind.get("exclusiveMinimum", -2))
        high = min(kind.get("maximum", 12), kind.get("exclusiveMaximum", 12))
        if kind["type"] == "integer":
            sizes = [size for size in (*signal.shape, signal.vocab or 0, 1, 2, 3, 4) if low <= size <= high]
            return self.random.choice([*sizes, self.random.randint(low, min(high, low + 4))])
        if kind["type"] == "number":
            strict = "exclusiveMinimum" in kind
            return self.random.choice([one for one in NUMBERS if low <= one <= high and not (strict and one == low)])
        if kind["type"] == "boolean":
            return self.random.random() < 0.5
        return None if kind["type"] == "null" else "x"


def ending_with(signal: Signal) -> list[Any]:
    """Layers that make that shape of any other."""
    return [
        "flatten",
        {"type": "linear", "out": math.prod(signal.shape)},
        {"type": "reshape", "shape": [*signal.shape]},
    ]


def fit_vae(drawing: Drawing, layer: dict[str, Any], signal: Signal) -> None:
    """The code is made of features, and becomes what it was made of."""
    layer["encoder"] = [*layer["encoder"], "flatten"]
    layer["decoder"] = [*drawing.grown(Signal((layer["latent"],)), 1, 1)[0], *ending_with(signal)]


def fit_gan(drawing: Drawing, layer: dict[str, Any], signal: Signal) -> None:
    """Fakes have the shape of real data, and the discriminator takes them."""
    fake = signal
    if layer.get("latent") is None:
        layer["generator"], fake = drawing.grown(signal, 2, 1)
    else:
        latent = layer["latent"] if isinstance(layer["latent"], list) else [layer["latent"]]
        layer["generator"] = [*drawing.grown(Signal(tuple(latent)), 1, 1)[0], *ending_with(signal)]
    layer["discriminator"] = drawing.grown(fake, 2, 1)[0]


def tied(drawing: Drawing) -> tuple[list[Any], Signal]:
    """An embedding, and a head that shares its weight."""
    start = Signal((5,), 11)
    width = drawing.random.randint(1, 6)
    between, _ = drawing.grown(Signal((5, width)), drawing.random.randint(0, 2))
    head = drawing.options("tied_head", start, 0) | {"embedding": "words"}
    embedding = {"type": "embedding", "out": width, "name": "words"}
    return [embedding, *between, "flatten", {"type": "linear", "out": width}, head], start


def reading(name: str) -> Callable[[Drawing], tuple[list[Any], Signal]]:
    """A network with an encoder, and a block of that name that reads it."""

    def pair(drawing: Drawing) -> tuple[list[Any], Signal]:
        for _ in range(60):
            source, target = drawing.random.randint(1, 4), drawing.random.randint(1, 4)
            width = drawing.random.choice((4, 6, 8))
            encoder = drawing.grown(Signal((source, width)), drawing.random.randint(0, 1), 1)[0]
            encoder = [*encoder, *ending_with(Signal((2, drawing.random.choice((4, 6)))))]
            reader = drawing.options(name, Signal((target, width)), 1)
            after, _ = drawing.grown(Signal((target, width)), drawing.random.randint(0, 2), 1)
            layer = {"type": "encoder_decoder", "source": source, "encoder": encoder, "decoder": [reader, *after]}
            start = Signal((source + target, width))
            if leaving(layer, start) is not None:
                return [layer], start
        raise AssertionError(f"no network with {name} was found: mend the drawing")

    return pair


def styled(drawing: Drawing) -> tuple[list[Any], Signal]:
    """A generator, and a convolution that reads its style."""
    start, constant = Signal((6,)), Signal((3, 4, 4))
    while True:
        mapping = [*drawing.grown(start, 1, 1)[0], "flatten"]
        reader = drawing.options("modulated_conv2d", constant, 1)
        after, _ = drawing.grown(Signal((reader["out"], 4, 4)), drawing.random.randint(0, 2), 1)
        layer = {"type": "style_generator", "constant": [3, 4, 4], "mapping": mapping, "synthesis": [reader, *after]}
        if leaving(layer, start) is not None:
            return [layer], start


FITTED = {"vae": fit_vae, "gan": fit_gan}
"""Blocks whose options hang together: what makes them fit."""

PARTNERS = {
    "tied_head": tied,
    "cross_attention": reading("cross_attention"),
    "transformer_decoder": reading("transformer_decoder"),
    "encoder_decoder": reading("cross_attention"),
    "modulated_conv2d": styled,
    "style_generator": styled,
}
"""Blocks that need another one, and a network with both."""


@cache
def drawn(number: int) -> tuple[str, tuple[Any, ...], Signal]:
    """The block that the network was drawn around, its layers, and what reaches them."""
    name = list(blocks())[number % len(blocks())]
    layers, signal = Drawing(number).network(name)
    return name, tuple(layers), signal
