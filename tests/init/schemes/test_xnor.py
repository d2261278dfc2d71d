import math

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError
from initprobe.parametrizations.reparametrize import reparametrize


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 48, 3, padding=1, groups=2),
        nn.BatchNorm2d(48),
        nn.ReLU(),
        nn.ConvTranspose2d(48, 32, 4, stride=2, groups=2),
        nn.Flatten(),
        nn.Linear(32 * 18 * 18, 10),
    )


def test_binary_layers_get_hes_normal_without_the_mean_of_their_channels():
    model = network()
    reparametrize(model, "binary", only=("3", "6"))
    outcome = ip.initialize(model, "xnor", inputs=(3, 8, 8))
    stored = {key: value.detach() for key, value in model.named_parameters()}
    convolution = stored["3.parametrizations.weight.original"]
    assert convolution.mean(1).abs().max() < 1e-6
    upward = stored["6.parametrizations.weight.original"]
    assert upward.reshape(2, 24, 16, 4, 4).mean(1).abs().max() < 1e-6
    told = {one.weight: one for one in outcome.drawn}
    for name, fan_in, channels in (("3", 16 * 9, 16), ("6", 24 * 4, 24)):
        one = told[f"{name}.parametrizations.weight.original"]
        assert one.std == pytest.approx(math.sqrt(2 / fan_in * (1 - 1 / channels)))
        assert one.note is None
        values = stored[one.weight]
        assert float(values.std()) == pytest.approx(one.std, rel=4 / math.sqrt(2 * values.numel()))
    # What a layer sees is what the authors' code makes of it: alpha times the signs.
    alpha = convolution.abs().flatten(1).mean(1)
    expected = alpha[:, None, None, None] * torch.where(convolution < 0, -1.0, 1.0)
    torch.testing.assert_close(model[3].weight.detach(), expected)


def test_real_layers_get_hes_normal():
    model, plain = network(), network()
    reparametrize(model, "binary", only=("3", "6"))
    ip.initialize(model, "xnor", inputs=(3, 8, 8))
    ip.initialize(plain, "he", inputs=(3, 8, 8))
    assert torch.equal(model[0].weight, plain[0].weight)
    assert torch.equal(model[8].weight, plain[8].weight)
    assert model[0].bias.eq(0).all()
    assert model[1].weight.eq(1).all()


def test_without_centring_the_real_weights_are_hes():
    model, plain = network(), network()
    reparametrize(model, "binary", only=("3", "6"))
    ip.initialize(model, "xnor(centre=False)", inputs=(3, 8, 8))
    ip.initialize(plain, "he", inputs=(3, 8, 8))
    torch.testing.assert_close(model[3].parametrizations.weight.original, plain[3].weight)


def test_two_over_pi_of_the_variance_is_left():
    model = network()
    reparametrize(model, "binary", only="3")
    ip.initialize(model, "xnor", inputs=(3, 8, 8))
    ratio = model[3].weight.square().mean() / model[3].parametrizations.weight.original.square().mean()
    # 48 filters of 144 weights: α² is a mean over all 6912.
    assert float(ratio.detach()) == pytest.approx(2 / math.pi, rel=0.03)


def test_a_first_or_last_layer_that_is_binary_is_told():
    model = network()
    reparametrize(model, "binary")
    outcome = ip.initialize(model, "xnor", inputs=(3, 8, 8))
    noted = [one.weight.partition(".")[0] for one in outcome.drawn if one.note]
    assert noted == ["0", "8"]


def test_a_depthwise_convolution_has_one_channel_and_no_mean_over_them():
    model = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 4, 1))
    reparametrize(model, "binary", only="1")
    ip.initialize(model, "xnor", inputs=(3, 5, 5))
    assert model[1].parametrizations.weight.original.abs().max() > 0.1


def test_a_model_without_binary_layers_is_refused():
    with pytest.raises(UsageError, match="is for binary layers, and the model has none") as error:
        ip.initialize(network(), "xnor", inputs=(3, 8, 8))
    assert 'reparametrize(model, "binary"' in error.value.hint
