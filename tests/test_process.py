"""What a pass shares with the process is put back, and one thread at a time has it."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest
import torch
import torch.utils.checkpoint
from torch import nn
from torch.utils.checkpoint import checkpoint

from initprobe.hooks import undisturbed, watching
from initprobe.load.usercode import seeded
from initprobe.process import MANY, observable
from tests.measure.reference import probe
from tests.zoo.odd_models import Drawn, Random, Reused

TINY = 1e-40


def flushes():
    return (torch.tensor(TINY) * 1.0).item() == 0.0


@pytest.fixture
def flushing():
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor does not flush")
    yield
    torch.set_flush_denormal(False)


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_denormal_numbers_are_seen_and_flushed_again_afterwards(flushing, error):
    assert flushes()
    try:
        with observable():
            assert not flushes()
            if error is not None:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    assert flushes()


def test_denormal_activations_are_not_zero(flushing):
    model = nn.Sequential(nn.Linear(6, 6, bias=False), nn.Identity())
    with torch.no_grad():
        torch.set_flush_denormal(False)
        model[0].weight.fill_(TINY)
        torch.set_flush_denormal(True)
    trace = probe(model, Drawn())
    assert trace.sites[0].forward["rms"] > 0
    assert flushes()


def test_nothing_is_flushed_where_nothing_was():
    with observable():
        assert not flushes()
    assert not flushes()


@pytest.mark.parametrize("often", [0, 300, 10**6])
def test_cycles_are_sought_rarely_unless_somebody_said_how_often(often):
    before = gc.get_threshold()
    gc.set_threshold(often, 11, 12)
    try:
        with pytest.raises(ZeroDivisionError), observable():
            1 // (gc.get_threshold() != ({0: 0, 300: MANY}.get(often, often), 11, 12))
        assert gc.get_threshold() == (often, 11, 12)
    finally:
        gc.set_threshold(*before)


def test_a_program_that_forbids_underflow_can_be_probed():
    model = nn.Sequential(nn.Linear(6, 600, bias=False), nn.Identity())
    nn.init.normal_(model[0].weight, std=1e-22)
    with np.errstate(all="raise"):
        trace = probe(model, Drawn())
        assert np.geterr()["under"] == "raise"
    assert 0 < trace.sites[0].forward["rms"] < 1e-20


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints_are_back_afterwards(reentrant):
    before = torch.utils.checkpoint.CheckpointFunction
    with pytest.raises(ZeroDivisionError), observable():
        1 // (torch.utils.checkpoint.CheckpointFunction is before)
    assert torch.utils.checkpoint.CheckpointFunction is before
    x = torch.ones(2, requires_grad=True)
    with observable():
        y = checkpoint(torch.tanh, x, use_reentrant=reentrant)
    assert torch.autograd.grad(y.sum(), x)[0] == pytest.approx(1 - torch.tanh(x.detach()) ** 2)


def test_compiled_code_is_compiled_again_afterwards():
    calls = []

    def backend(graph, _inputs):
        calls.append(graph)
        return graph

    model = Reused()  # nobody compiles a class of torch's own
    model.compile(backend=backend)
    with undisturbed(model, mode="train", seed=0), watching(model, lambda visit: None) as watch:
        model(torch.randn(2, 6))
        assert not calls
    assert watch.called == {"first": 3, "second": 1, "": 1}
    model(torch.randn(2, 6))
    assert calls


def in_threads(work, number=2):
    """What every thread answered; all of them begin together."""
    answers, gate = {}, threading.Barrier(number)

    def run(place):
        gate.wait()
        try:
            answers[place] = work(place)
        except BaseException as error:  # noqa: BLE001 it belongs into the thread that asked
            answers[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[place] for place in range(number)]


def test_two_probes_of_one_model_do_not_mix():
    torch.manual_seed(0)
    model = Random()
    alone = [repr(probe(model, Drawn(), seed=seed)) for seed in (3, 4)]
    for _ in range(5):
        together = in_threads(lambda place: repr(probe(model, Drawn(), seed=3 + place)))
        assert together == alone


def test_a_factory_and_a_pass_do_not_mix_their_generators():
    model = Random()

    def work(place):
        if place:
            with seeded(7):
                return [torch.rand(1).item() for _ in range(200)]
        return [repr(probe(model, Drawn(), seed=3)) for _ in range(3)]

    expected = [work(0), work(1)]
    for _ in range(5):
        assert in_threads(work) == expected


def test_a_pass_within_a_pass_is_no_deadlock():
    with observable(), observable(), seeded(0), observable():
        assert torch.utils.checkpoint.CheckpointFunction.apply(torch.tanh, False, torch.zeros(1)).item() == 0
