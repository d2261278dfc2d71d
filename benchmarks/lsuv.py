"""What LSUV costs in one pass over the network, beside the way that runs the network anew for every layer.

    python benchmarks/lsuv.py [--width 256] [--batch 256] [--pairs 5] [--threads 1]

Prints, for several depths, the wall time of one bare forward pass, how many passes the calibration makes and how many
bare ones its wall time is worth (the pass that verifies included; drawing and tracing are part of neither way), the
same for the naive way, and the ratio of the two: medians of pairs that take turns. Both start from the same orthonormal
weights and end within the same tolerance.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from initprobe.dissect.anatomy import trace_anatomy
from initprobe.init.calibration import Calibration, Data
from initprobe.init.choose import build_scheme, parse_scheme
from initprobe.init.initialize import initialize_model
from initprobe.init.network import Network
from initprobe.init.slots import find_slots
from initprobe.load.inputs import DrawnInputs, InputSpec
from initprobe.records import InitRequest
from initprobe.subject import Subject

TOLERANCE = 0.02
DEPTHS = (10, 25, 50, 100)


def network(depth: int, width: int) -> nn.Sequential:
    """``depth`` times Linear + tanh: no layer keeps variance 1 by itself."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(width, width), nn.Tanh()]
    return nn.Sequential(*layers)


def naive(model: nn.Sequential, batch: torch.Tensor) -> int:
    """The authors' loop: for every layer run the whole network, look at that layer, rescale, until it is right.

    Returns:
        The number of forward passes.
    """
    passes = 0
    for layer in model:
        if not isinstance(layer, nn.Linear):
            continue
        seen: list[torch.Tensor] = []
        handle = layer.register_forward_hook(lambda _module, _args, output, seen=seen: seen.append(output))
        for _ in range(20):
            seen.clear()
            with torch.no_grad():
                model(batch)
            passes += 1
            variance = seen[0].var(correction=0)
            if abs(float(variance) - 1.0) < TOLERANCE:
                break
            with torch.no_grad():
                layer.weight.div_(variance.sqrt())
        handle.remove()
    return passes


def timed(run: Callable[[], int]) -> tuple[float, int]:
    """Seconds, and the number of passes."""
    start = time.perf_counter()
    passes = run()
    return time.perf_counter() - start, passes


def compare(depth: int, width: int, batch: int, pairs: int) -> str:
    """One line of the table."""
    model = network(depth, width)
    subject = Subject(model, DrawnInputs((InputSpec(None, (width,)),)))
    anatomy = trace_anatomy(subject).anatomy
    scheme = build_scheme(parse_scheme(f"lsuv(tolerance={TOLERANCE})"))
    start = InitRequest(parse_scheme("orthogonal(gain=1)"))
    slots = {slot.weight.name: slot for slot in find_slots(model, anatomy)}
    rows = []
    for _ in range(1 + pairs):
        calibration = Calibration(Network(model, anatomy, 0, slots), tuple(slots.values()), Data(subject, batch))
        initialize_model(model, anatomy, start, 0)
        (x,) = calibration.call().args
        with torch.no_grad():
            bare, _ = timed(lambda x=x: [model(x)] and 1)
        initialize_model(model, anatomy, start, 0)
        slow = timed(lambda x=x: naive(model, x))
        initialize_model(model, anatomy, start, 0)
        fast = timed(lambda calibration=calibration: [scheme.calibrate(calibration)] and calibration.passes)
        rows.append((bare, fast, slow))
    rows = rows[1:]  # the first one warms up
    bare, quick, slow = (
        statistics.median(values) for values in zip(*((b, f[0], s[0]) for b, f, s in rows), strict=True)
    )
    return (
        f"{depth:5d} {1e3 * bare:9.2f} {rows[0][1][1]:7d} {quick / bare:7.1f} {rows[0][2][1]:7d} {slow / bare:8.1f} "
        f"{slow / quick:8.1f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"width {options.width}, batch {options.batch}, {options.threads} thread(s), torch {torch.__version__}")
    print("depth   pass ms  passes  x pass  naive's   x pass  naive/one")
    for depth in DEPTHS:
        print(compare(depth, options.width, options.batch, options.pairs), flush=True)


if __name__ == "__main__":
    main()
