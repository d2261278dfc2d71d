"""The whole program: load, init, measure, predict, judge, and the only loop over seeds."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import cache, partial
from typing import cast

import torch

import initprobe
from initprobe.check.confirm import INCONCLUSIVE, confirm, doubtful
from initprobe.check.judge import judge, needed, validate
from initprobe.check.looks import LookPlan
from initprobe.check.rules.base import RULES
from initprobe.dissect.anatomy import Traced, trace_anatomy
from initprobe.init.calibration import Data
from initprobe.init.choose import check_choice
from initprobe.init.initialize import initialize_model
from initprobe.load.limits import free_memory
from initprobe.load.loss import chosen_loss
from initprobe.load.sources.base import Target
from initprobe.measure.ledger import Plan
from initprobe.measure.repeat import unsteady
from initprobe.measure.signal import measure_signal
from initprobe.module_state import parameters_restored
from initprobe.predict.propagate import predict
from initprobe.records import (
    REPEATED_FORWARD,
    Entry,
    Environment,
    Evidence,
    Judgement,
    NeedSeeds,
    Prediction,
    Request,
)
from initprobe.subject import Subject
from initprobe.summary import summarize

BATCH = 256
"""Samples per pass, where nobody says otherwise and the memory allows it."""

FEWEST_FRESH = 2
"""Fresh seeds that confirm anything: one alone has no spread."""

Listener = Callable[[str], None]
"""Hears one line about what happens next."""


def probe_target(target: Target, request: Request, listen: Listener = lambda _line: None) -> Entry:
    """One target under one init: draw, measure and judge seed after seed until the judge is satisfied.

    Args:
        target: what ``load.open_target`` found.
        request: what is asked for.
        listen: hears what happens, for progress.

    Raises:
        UsageError: the request names what is not there.
        TargetError: the user's model cannot be built or run.
        NothingToProbeError: it has no call site to measure.
    """
    validate(request.check)
    for choice in request.init.choices:
        check_choice(choice)
    Plan.of(request.probe.statistics)
    one_draw = target.one_draw and request.init.default is None
    looks = LookPlan(len(request.probe.seeds), max(request.probe.max_seeds, len(request.probe.seeds)))
    wanted = 1 if one_draw else looks.start
    bench = Bench(target, request, listen)
    evidences: list[Evidence] = []
    while True:
        for seed in seeds_up_to(request.probe.seeds, wanted)[len(evidences) :]:
            listen(f"seed {seed} ({len(evidences) + 1} of {wanted})")
            evidences.append(bench.draw(seed))
        expect = cache(partial(bench.expect, evidences))
        answer = judge(evidences, request.check, one_draw=one_draw, planned=looks, expect=expect)
        if isinstance(answer, Judgement):
            sure = answer if one_draw else _confirmed(bench, evidences, answer)
            return bench.entry(evidences, sure, expect(), one_draw=one_draw)
        wanted = _more(answer, wanted)


def _confirmed(bench: Bench, evidences: Sequence[Evidence], answer: Judgement) -> Judgement:
    """A verdict that is acted on, held against as many fresh seeds as it took, as far as seeds are left."""
    request, used = bench.request, len(evidences)
    fresh = min(used, request.probe.max_seeds - used)
    if not request.check.complete or fresh < FEWEST_FRESH or not doubtful(answer, request.check):
        return answer
    seeds = seeds_up_to(request.probe.seeds, used + fresh)[used:]
    others = []
    for seed in seeds:
        bench.listen(f"confirming: seed {seed}")
        others.append(bench.draw(seed))
    expect = partial(bench.expect, others)
    second = LookPlan.second(fresh)  # asks for no more
    again = cast("Judgement", judge(others, request.check, one_draw=False, planned=second, expect=expect))
    return confirm(answer, again, request.check, seeds, RULES[INCONCLUSIVE].card)


class Bench:
    """Where the draws of one target are made and measured, one at a time.

    The anatomy is traced and the batch chosen once, on the first draw: all draws of a target share an architecture.
    """

    def __init__(self, target: Target, request: Request, listen: Listener) -> None:
        self.target = target
        self.request = request
        probe = request.probe
        self.measured = replace(probe, statistics=(*probe.statistics, *probe.plotted, *needed(request.check)))
        self.listen = listen
        self.notes: list[str] = []
        self.batch = 0
        self.dtype = "float32"
        self.loss = "gaussian"
        self.chosen = chosen_loss(request.probe.loss, request.target)
        self.traced: Traced | None = None
        # Layers of a spec run no code but ours.
        foreign = target.sections is None or request.target.allow_code
        self.repeats = foreign and REPEATED_FORWARD in self.measured.statistics

    def draw(self, seed: int) -> Evidence:
        """Build, initialize and measure one draw; the first one once more, where a rule asks for it."""
        evidence = self._draw(seed)
        if self.repeats:
            self.repeats = False
            self.listen("repeating the forward pass")
            found = unsteady(evidence.trace, self._draw(seed, again=True).trace)
            evidence = replace(evidence, trace=replace(evidence.trace, unsteady=found))
        return evidence

    def _draw(self, seed: int, *, again: bool = False) -> Evidence:
        subject = self.target.build(seed, self.request.probe)
        if self.chosen is not None:
            self.chosen.put(subject, seed)
        traced = self.traced or self._prepare(subject, seed)
        # A factory's model is ours to draw into; an instance belongs to the user.
        borrowed = self.target.one_draw and self.request.init.draws
        with parameters_restored(subject.model) if borrowed else nullcontext():
            outcome = None
            if self.request.init.draws:
                outcome = initialize_model(
                    subject.model,
                    traced.anatomy,
                    self.request.init,
                    seed,
                    layer_types=subject.layer_types,
                    data=Data(subject, self.batch, self.request.probe.mode),
                )
            probe = replace(self.measured, statistics=()) if again else self.measured
            trace = measure_signal(subject, traced.anatomy, probe, seed=seed, batch=self.batch, returns=not again)
        return Evidence(traced.anatomy, trace, outcome)

    def _prepare(self, subject: Subject, seed: int) -> Traced:
        self.listen("tracing the structure")
        self.traced = traced = trace_anatomy(subject, mode=self.request.probe.mode, seed=seed)
        self.notes += [*subject.notes, *_weights_notes(self.target, self.request)]
        self.batch = self._choose_batch(subject, traced.bytes_per_sample)
        self.dtype = next(
            (str(p.dtype).removeprefix("torch.") for p in subject.model.parameters() if p.is_floating_point()),
            "float32",
        )
        own = subject.loss is not None and self.request.probe.loss != "gaussian"
        self.loss = self.chosen.name if self.chosen is not None else "own" if own else "gaussian"
        return traced

    def _choose_batch(self, subject: Subject, bytes_per_sample: float) -> int:
        batch, note = choose_batch(subject, self.request.probe.batch, bytes_per_sample)
        self.notes += [note] if note else []
        return batch

    def expect(self, evidences: Sequence[Evidence]) -> Prediction:
        """What theory expects of these draws."""
        return predict(evidences[0].anatomy, [one.trace for one in evidences], samples=self.batch)

    def entry(
        self, evidences: Sequence[Evidence], judgement: Judgement, prediction: Prediction, *, one_draw: bool
    ) -> Entry:
        """Everything about this target, ready to be rendered."""
        return summarize(
            Entry(
                name=self.target.name,
                scheme=self.request.origin,
                request=self.request,
                one_draw=one_draw,
                batch=self.batch,
                dtype=self.dtype,
                device=self.request.probe.device,
                loss=self.loss if self.request.probe.backward else "none",
                notes=tuple(self.notes),
            ),
            evidences,
            judgement,
            prediction,
        )


def _weights_notes(target: Target, request: Request) -> list[str]:
    """What becomes of a checkpoint where more than one says what the weights are."""
    file = request.target.weights
    if file is None:
        return []
    if request.init.draws:
        return [f"drawn over the weights of {file!r}: what the scheme leaves alone is the file's"]
    if target.sections is not None and target.sections.init is not None:
        return [f"the weights are those of {file!r}: the init of the spec is left out"]
    return []


def choose_batch(subject: Subject, asked: int | None, bytes_per_sample: float) -> tuple[int, str | None]:
    """The batch size of a network's passes, and what to say where it is not the one that one would expect.

    Args:
        subject: the network; its inputs may come in their own size.
        asked: what somebody asked for, if anybody did.
        bytes_per_sample: what a pass keeps for each sample.
    """
    fixed = subject.inputs.fixed
    if fixed is not None:
        other = asked not in (None, fixed)
        return fixed, f"batch {fixed}, not {asked}: the input comes in its own size" if other else None
    if asked is not None:
        return asked, None
    free = free_memory()
    batch = affordable_batch(bytes_per_sample, None if free is None else free / 2)
    lowered = f"batch lowered from {BATCH} to {batch}: half of the free memory holds no larger passes"
    return batch, lowered if batch < BATCH else None


def affordable_batch(bytes_per_sample: float, budget: float | None) -> int:
    """The largest power of two from 2 to ``BATCH`` whose passes fit the budget (in bytes, None for no limit).

    A pass keeps every value that its operations made, and the backward pass needs about as much again at its worst.
    """
    batch = BATCH
    while budget is not None and batch > 2 and 2 * bytes_per_sample * batch > budget:
        batch //= 2
    return batch


def seeds_up_to(given: Sequence[int], count: int) -> list[int]:
    """The given seeds, then the numbers after the largest of them, ``count`` in all."""
    after = max(given, default=-1) + 1
    return [*given, *range(after, after + count)][:count]


def _more(answer: NeedSeeds, had: int) -> int:
    if answer.count <= had:
        raise RuntimeError(f"the judge asks for {answer.count} seeds and has {had}")
    return answer.count


def describe_environment() -> Environment:
    """The versions and settings that the numbers depend on."""
    return Environment(
        initprobe=initprobe.__version__,
        python=platform.python_version(),
        torch=torch.__version__,
        platform=f"{platform.system()}-{platform.machine()}",
        threads=torch.get_num_threads(),
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
    )
