"""What a probe costs beside the bare passes: ratios of time and of peak memory, measured in pairs in one run.

    python benchmarks/overhead.py [--pairs 7] [--threads 1] [--only mlp] [--no-memory]

Time is process CPU time for one thread and wall time for more, bare and probed passes taking turns, and the figure is
the median of the pairs' ratios. Memory is the peak resident set of a fresh process that makes one pass, beyond that of
the process before the pass.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from shapes import SHAPES, Shape

from initprobe.dissect.anatomy import trace_anatomy
from initprobe.measure.signal import measure_signal
from initprobe.records import ProbeRequest
from initprobe.subject import Subject
from initprobe.variates import Variates

VARIANTS = {
    "core": ProbeRequest(),
    "core + weight gradients": ProbeRequest(statistics=("weight_gradients",)),
    "everything": ProbeRequest(statistics=("weight_gradients", "exponents")),
}
"""``core`` is what ``initprobe check`` measures; it includes the cosine and the distance of input pairs."""

TARGETS = {"core": 1.05, "core + weight gradients": 1.25, "everything": 1.7}


def bare_pass(subject: Subject, batch: int) -> Callable[[], None]:
    """A plain forward and backward with weight gradients, on the probe's batch and cotangent."""
    call = subject.call(batch, 0)
    with torch.no_grad():
        shape = tuple(subject.model(*call.args).shape)
    cotangent = Variates(0, "@cotangent.0").normal(shape)

    def run() -> None:
        subject.model.zero_grad(set_to_none=True)
        subject.model(*call.args).backward(cotangent)

    return run


def probed_pass(subject: Subject, batch: int, probe: ProbeRequest) -> Callable[[], None]:
    """The same passes, watched; the structure has been read before, as it is once per target."""
    anatomy = trace_anatomy(subject).anatomy

    def run() -> None:
        measure_signal(subject, anatomy, probe, seed=0, batch=batch)

    return run


def time_ratios(shape: Shape, pairs: int, clock: Callable[[], float]) -> tuple[float, dict[str, list[float]]]:
    """Seconds of the bare pass (median), and each variant's ratio to it pair by pair."""
    subject = shape.subject()
    bare = bare_pass(subject, shape.batch)
    probes = {name: probed_pass(subject, shape.batch, probe) for name, probe in VARIANTS.items()}
    for run in (bare, *probes.values()):
        run()
    seconds: list[float] = []
    ratios: dict[str, list[float]] = {name: [] for name in probes}
    for _ in range(pairs):
        for name, run in probes.items():
            reference = _timed(bare, clock)
            seconds.append(reference)
            subject.model.zero_grad(set_to_none=True)
            ratios[name].append(_timed(run, clock) / reference)
    return statistics.median(seconds), ratios


def _timed(run: Callable[[], None], clock: Callable[[], float]) -> float:
    start = clock()
    run()
    return clock() - start


def peak(shape_name: str, variant: str) -> float:
    """MiB that one pass adds to a fresh process at its peak."""
    command = [sys.executable, __file__, "--child", shape_name, variant]
    # Large blocks go back to the system at once, so that the peak is what is held and not what the allocator keeps.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(json.loads(done.stdout))


def child(shape_name: str, variant: str) -> None:
    """One pass in this process; prints the growth of its peak resident set in MiB."""
    torch.set_num_threads(1)
    shape = SHAPES[shape_name]
    subject = shape.subject()
    run = bare_pass(subject, 2) if variant == "bare" else probed_pass(subject, shape.batch, VARIANTS[variant])
    if variant == "bare":
        run = bare_pass(subject, shape.batch)
    # The kernel's own figures, Linux only; a new process begins with the peak of the one that started it.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = _resident("VmRSS")
    run()
    after = _resident("VmHWM")
    print(json.dumps((after - before) / 2**10))


def _resident(field: str) -> int:
    """A line of ``/proc/self/status``, in KiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="shapes whose name contains this")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child)
        return
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    kind = "CPU" if options.threads == 1 else "wall"
    print(f"{options.threads} thread(s), {kind} time, {options.pairs} pairs; torch {torch.__version__}")
    print(f"{'network':14} {'variant':26} {'bare s':>8} {'ratio':>6}  {'min-max':>11}  {'memory':>7}")
    for name, shape in SHAPES.items():
        if options.only not in name:
            continue
        seconds, ratios = time_ratios(shape, options.pairs, clock)
        bare = 0.0 if options.no_memory else peak(name, "bare")
        for variant, values in ratios.items():
            memory = "" if options.no_memory else f"{peak(name, variant) / bare:7.2f}"
            spread = f"{min(values):.2f}-{max(values):.2f}"
            print(
                f"{name:14} {variant:26} {seconds:8.3f} {statistics.median(values):6.2f}  {spread:>11}  {memory}",
                flush=True,
            )


if __name__ == "__main__":
    main()
