"""The network that needs no file: ``depth`` times a biased linear layer and an activation, all of one width."""

from __future__ import annotations

from initprobe.activations.base import ACTIVATIONS
from initprobe.load.blocks.base import Signal
from initprobe.load.build import plan
from initprobe.load.grammar import LayeredModel
from initprobe.load.inputs import DrawnInputs, InputSpec
from initprobe.load.schema import checked, read_spec, sections
from initprobe.load.sources.base import Target
from initprobe.load.sources.yaml import LayeredTarget

SPEC = """\
version: 1
name: "{depth} x (linear {width} + {activation})"
vars: {{depth: {depth}, width: {width}}}
model:
  input: {{shape: ["${{width}}"]}}
  layers:
    - type: repeat
      times: "${{depth}}"
      name: block
      layers: [{{type: linear, out: "${{width}}"}}, {activation}]
"""


def stack(depth: int = 50, width: int = 256, activation: str = "relu") -> Target:
    """The network as a target, its input as wide as its layers, without a head.

    Args:
        depth: number of layers.
        width: of every layer and of the input.
        activation: name of the activation behind every layer.

    Raises:
        UsageError: there is no such activation.
        SpecError: a number is out of range, or the network does not fit into memory.
    """
    ACTIVATIONS.find(activation)
    text = SPEC.format(depth=depth, width=width, activation=ACTIVATIONS.canonical(activation))
    spec = read_spec("stack", text=text)
    found = sections(spec)
    model = checked(spec).model
    if not isinstance(model, LayeredModel):
        raise TypeError("the built-in network is written out as layers")
    planned = plan(spec, model.layers, Signal((width,)))
    return LayeredTarget(found.name, found, planned, DrawnInputs((InputSpec(None, (width,)),)))
