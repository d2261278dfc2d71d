"""Gates whose memory is spread over the time spans that the data asks for."""

import pytest
import torch
from torch import nn

import initprobe
from initprobe.errors import UsageError


class Memory(nn.Module):
    """A recurrent layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]


def biases(layer):
    return (layer.bias_ih_l0 + layer.bias_hh_l0).detach()


@pytest.mark.parametrize("t_max", [10, 784])
def test_the_memory_of_an_lstms_units_is_uniform_up_to_t_max(t_max):
    model = Memory(nn.LSTM(3, 2000, batch_first=True))
    initprobe.initialize(model, f"chrono(t_max={t_max})", inputs=(2, 3))
    enter, forget, cell, leave = biases(model.layer).chunk(4)
    assert torch.equal(enter, -forget)
    assert cell.eq(0).all()
    assert leave.eq(0).all()
    memory = 1 / (1 - forget.double().sigmoid())
    assert 2.0 <= float(memory.min()) < float(memory.max()) <= t_max + 1e-3
    # Uniform between 2 and t_max: standard error of the mean (t_max - 2) / √(12 · 2000).
    assert float(memory.mean()) == pytest.approx(1 + t_max / 2, abs=4 * (t_max - 2) / 24000**0.5)
    assert float(memory.std()) == pytest.approx((t_max - 2) / 12**0.5, rel=0.05)


def test_a_grus_update_gate_keeps():
    model = Memory(nn.GRU(3, 500, batch_first=True)).double()
    initprobe.initialize(model, "chrono(t_max=200)", inputs=(2, 3))
    reset, update, new = biases(model.layer).chunk(3)
    assert reset.eq(0).all()
    assert new.eq(0).all()
    assert float(update.min()) >= 0.0
    with torch.no_grad():
        for name, weight in model.layer.named_parameters():
            if name.startswith("weight"):
                weight.zero_()  # the gates by their biases alone
    state = torch.ones(1, 1, 500, dtype=torch.float64)
    _, kept = model.layer(torch.zeros(1, 1, 3, dtype=torch.float64), state)
    torch.testing.assert_close(kept.flatten(), update.sigmoid())


def test_every_layer_and_direction_has_spans_of_its_own():
    model = Memory(nn.LSTM(3, 16, num_layers=2, bidirectional=True, batch_first=True))
    initprobe.initialize(model, "chrono", inputs=(2, 3))
    forget = [getattr(model.layer, f"bias_ih_{ending}").detach()[16:32] for ending in ("l0", "l0_reverse", "l1")]
    assert not torch.equal(forget[0], forget[1])
    assert not torch.equal(forget[0], forget[2])


def test_it_lets_a_gradient_through_where_no_bias_does_not():
    gradients = {}
    for scheme in ("recurrent_orthogonal(forget_bias=0)", "chrono(t_max=300)"):
        model = Memory(nn.LSTM(3, 64, batch_first=True))
        initprobe.initialize(model, scheme, inputs=(2, 3))
        signal = torch.randn(4, 100, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
        last = model(signal)[:, -1].square().sum()
        gradients[scheme] = float(torch.autograd.grad(last, signal)[0][:, 0].norm())
    assert gradients["recurrent_orthogonal(forget_bias=0)"] < 1e-8
    assert gradients["chrono(t_max=300)"] > 1e-5


def test_only_biases_on_demand():
    model = Memory(nn.LSTM(3, 16, batch_first=True))
    before = model.layer.weight_hh_l0.detach().clone()
    initprobe.initialize(model, "chrono", inputs=(2, 3), only="*.bias_*")
    assert torch.equal(model.layer.weight_hh_l0, before)
    assert float(biases(model.layer)[16:32].min()) > 0.0


def test_plain_recurrence_has_no_gates():
    with pytest.raises(UsageError, match="this network has no such bias") as told:
        initprobe.initialize(Memory(nn.RNN(3, 8, batch_first=True)), "chrono", inputs=(2, 3))
    assert "irnn" in told.value.hint


def test_a_span_of_two_steps_is_none():
    with pytest.raises(UsageError, match="number > 2"):
        initprobe.initialize(Memory(nn.LSTM(3, 8, batch_first=True)), "chrono(t_max=2)", inputs=(2, 3))
