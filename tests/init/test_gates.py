"""Which side and which gate of a recurrent layer a parameter belongs to."""

import pytest
import torch
from torch import nn

from initprobe.init.gates import gates_with_bias, has_hidden, is_gate_bias, known
from initprobe.init.network import Network
from initprobe.records import Anatomy, Weight


def network_of(layer: nn.Module) -> Network:
    model = nn.Module()
    model.add_module("layer", layer)
    weights = tuple(
        Weight(name, "layer", type(layer).__name__, "bias" if "bias" in name else "recurrent", tuple(one.shape))
        for name, one in model.named_parameters()
    )
    return Network(model, Anatomy(weights, (), ()))


@pytest.mark.parametrize(
    ("layer", "gates"),
    [
        (nn.LSTM(3, 5, 2, bidirectional=True), ["input_gate", "forget_gate", "cell_gate", "output_gate"]),
        (nn.GRUCell(3, 5), ["reset_gate", "update_gate", "new_gate"]),
        (nn.RNN(3, 5), []),
    ],
)
def test_a_layer_that_no_pass_ran_is_known_by_its_class(layer, gates):
    network = network_of(layer)
    for weight in network.anatomy.weights:
        found = known(weight, network)
        assert found.recurrent == ("input" if "_ih" in weight.name else "hidden")
        assert [part.name for part in found.parts] == gates
        assert all(part.size == 5 for part in found.parts)
        assert is_gate_bias(weight) == ("bias" in weight.name)
    assert gates_with_bias(network) == set(gates)
    assert has_hidden(network)


def test_keras_layers_have_their_gates_in_their_own_order():
    class GRU(nn.Module):
        """Keras' names and layouts."""

        def __init__(self):
            super().__init__()
            self.kernel = nn.Parameter(torch.zeros(3, 15))
            self.recurrent_kernel = nn.Parameter(torch.zeros(5, 15))

    network = network_of(GRU())
    kernel, hidden = (
        known(Weight(one.name, "layer", "GRU", "recurrent", one.shape, unit_axis=1), network)
        for one in network.anatomy.weights
    )
    assert (kernel.recurrent, hidden.recurrent) == ("input", "hidden")
    assert (hidden.parts[0].name, hidden.parts[0].ranges) == ("update_gate", ((0, 5),))
    assert (hidden.parts[0].axis, hidden.parts[0].fan_in, kernel.parts[0].fan_in) == (1, 5.0, 3.0)


def test_other_layers_stay_as_they_are():
    network = network_of(nn.Linear(3, 4))
    assert [known(weight, network) for weight in network.anatomy.weights] == list(network.anatomy.weights)
    assert not has_hidden(network)
    assert not gates_with_bias(network)
