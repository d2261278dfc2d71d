"""Where the time axis is: recurrent layers tell, and what is made of their output keeps it."""

from __future__ import annotations

import keras
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from initprobe.load.keras_model import KerasNetwork
from tests.measure.reference import probe
from tests.zoo.odd_models import Drawn

T, C, H = 7, 8, 6
SEQUENCE = Drawn(((T, C),))


class Tagger(nn.Module):
    def __init__(self, kind, *, batch_first=True, **options):
        super().__init__()
        self.embed = nn.Linear(C, C)
        self.rnn = kind(C, H, batch_first=batch_first, **options)
        self.act, self.head = nn.Tanh(), nn.Linear(H * (1 + options.get("bidirectional", False)), 3)
        self.batch_first = batch_first

    def forward(self, x):
        x = self.embed(x if self.batch_first else x.transpose(0, 1))
        return self.head(self.act(self.rnn(x)[0]))


def lengths(model, inputs=SEQUENCE, **options):
    """Site to the number of time steps that were told forward and backward."""
    trace = probe(model, inputs, "rms_by_step", **options)
    return {
        site.key: tuple(len((side or {}).get("rms_by_step", ())) for side in (site.forward, site.backward))
        for site in trace.sites
    }


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_a_recurrent_layer_and_what_is_behind_it_run_over_time(kind, batch_first, bidirectional):
    found = lengths(Tagger(kind, batch_first=batch_first, bidirectional=bidirectional, num_layers=2))
    assert found["embed"] == (0, 0), "in front of it nothing tells"
    assert found["rnn[0]"] == found["act"] == found["head"] == (T, T)
    assert {size for key, size in found.items() if key.startswith("rnn[1]")} == {(0, 0)}, "states have no steps"


def test_each_step_is_that_step():
    model = Tagger(nn.LSTM)
    with torch.no_grad():
        model.head.weight.zero_()
    outputs = []
    model.rnn.register_forward_hook(lambda _m, _a, output: outputs.append(output[0].detach().clone()) or None)
    trace = probe(model, SEQUENCE, "rms_by_step")
    site = next(site for site in trace.sites if site.key == "rnn[0]")
    expected = outputs[-1].double().square().mean((0, 2)).sqrt()
    assert site.forward["rms_by_step"] == pytest.approx(expected.tolist(), rel=1e-6)


def test_packed_sequences_have_no_time_axis():
    class Packing(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = nn.GRU(C, H)

        def forward(self, x):
            return self.rnn(pack_sequence(list(x)))[0].data

    assert set(lengths(Packing()).values()) == {(0, 0)}


def test_networks_without_time_have_no_steps():
    model = nn.Sequential(nn.Linear(C, H), nn.Tanh(), nn.Linear(H, 2))
    assert set(lengths(model).values()) == {(0, 0)}


def test_nothing_is_told_that_was_not_asked_for():
    trace = probe(Tagger(nn.LSTM), SEQUENCE)
    assert not [site for site in trace.sites if "rms_by_step" in site.forward]


def test_recurrent_layers_of_keras_run_over_time_where_they_put_out_a_sequence():
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((T, C)),
        keras.layers.LSTM(H, return_sequences=True, name="first"),
        keras.layers.Bidirectional(keras.layers.GRU(H, return_sequences=True), name="both"),
        keras.layers.SimpleRNN(H, name="last"),
    ]
    found = lengths(KerasNetwork(keras.Sequential(layers)))
    assert found["first"] == found["both"] == (T, T)
    assert found["last"] == (0, 0)
