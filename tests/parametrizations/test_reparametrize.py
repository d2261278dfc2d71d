"""Which weights are changed, what is refused, and what stays shared."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from initprobe.errors import UsageError
from initprobe.parametrizations.base import PARAMETRIZATIONS, carried
from initprobe.parametrizations.reparametrize import reparametrize


class Everything(nn.Module):
    """One layer of every kind."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 4)
        self.stem = nn.Sequential(nn.Conv1d(4, 6, 3), nn.BatchNorm1d(6), nn.PReLU())
        self.up = nn.ConvTranspose1d(6, 4, 2)
        self.attention = nn.MultiheadAttention(4, 2)
        self.apart = nn.MultiheadAttention(4, 2, kdim=3, vdim=2)
        self.lstm = nn.LSTM(4, 4)
        self.norm = nn.LayerNorm(4)
        self.linear = nn.Linear(4, 4)
        self.empty = nn.Linear(0, 3)
        self.table = nn.Parameter(torch.ones(3, 3))
        self.head = nn.Linear(4, 9)
        self.head.weight = self.embed.weight


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_weights_that_multiply_are_changed_and_nothing_else():
    model = Everything()
    before = dict(model.named_parameters())
    told = reparametrize(model, "equalized")
    assert told == (
        "stem.0.weight",
        "up.weight",
        "attention.in_proj_weight",
        "attention.out_proj.weight",
        "apart.q_proj_weight",
        "apart.k_proj_weight",
        "apart.v_proj_weight",
        "apart.out_proj.weight",
        "linear.weight",
    )
    after = dict(model.named_parameters())
    assert before.keys() - after.keys() == set(told)
    assert all(after[name] is before[name] for name in before.keys() & after.keys())
    assert model.head.weight is model.embed.weight


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ("linear", ["linear.weight"]),
        ("*proj*", ["attention.in_proj_weight", "attention.out_proj.weight"]),
        (["attention", "stem.0.weight"], ["stem.0.weight", "attention.in_proj_weight", "attention.out_proj.weight"]),
        ("*", ["stem.0.weight", "up.weight", "attention.in_proj_weight", "attention.out_proj.weight", "linear.weight"]),
    ],
)
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_globs_mean_weights_or_modules(only, expected):
    model = Everything()
    del model.apart
    assert reparametrize(model, "equalized", only=only) == tuple(expected)
    assert {path for path, one in model.named_modules() if parametrize.is_parametrized(one)} == {
        name.rpartition(".")[0] for name in expected
    }


@pytest.mark.parametrize(
    ("arguments", "options", "message", "hint"),
    [
        (["equalised"], {}, "unknown parametrization 'equalised'", "'equalized'"),
        (["equalized(lr_mul=2)"], {}, "has its options in its name", '"equalized", option=value'),
        ([3], {}, "is named by text such as 'weight_norm', not int", ""),
        (["equalized"], {"only": 3}, "only takes shell patterns, not int", "head"),
        (["equalized"], {"gian": 1.0}, "has no option 'gian'", "'gain'"),
        (["equalized"], {"gain": -1.0}, "option 'gain' of parametrization 'equalized' is -1.0", None),
        (["binary"], {"gain": 1.0}, "parametrization 'binary' has no option 'gain'", "takes no options"),
        (["spectral_norm"], {"power_iterations": 0}, "it takes whole number >= 1", None),
        (["equalized"], {"only": "liner"}, "'liner' matches no weight of a linear or convolutional layer", "'linear'"),
        (["equalized"], {"only": ["linear", "norm"]}, "'norm' matches no weight", None),
        (["equalized"], {"only": "embed*"}, "'embed*' matches no weight", None),
        (["equalized"], {"only": "head"}, "'head' matches no weight", None),
        (["equalized"], {"only": "*.bias"}, "'*.bias' matches no weight", None),
    ],
)
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
def test_mistakes_are_told_before_anything_is_changed(arguments, options, message, hint):
    model = Everything()
    with pytest.raises(UsageError, match=r"\w") as error:
        reparametrize(model, *arguments, **options)
    assert message in str(error.value)
    if hint:
        assert hint in error.value.hint
    assert not any(parametrize.is_parametrized(one) for one in model.modules())


def test_a_model_without_such_layers():
    with pytest.raises(UsageError, match="the model has no weight of a linear or convolutional layer"):
        reparametrize(nn.Sequential(nn.Embedding(3, 3), nn.LayerNorm(3)), "equalized")


def test_a_model_that_is_one_layer():
    layer = nn.Linear(3, 4)
    assert reparametrize(layer, "equalized", only="weight") == ("weight",)
    assert list(dict(layer.named_parameters())) == ["bias", "parametrizations.weight.original"]


def test_a_layer_without_a_shape():
    model = nn.Sequential(nn.Linear(3, 4), nn.LazyLinear(5))
    with pytest.raises(UsageError, match=r"'1.weight' has no shape yet") as error:
        reparametrize(model, "equalized")
    assert "call the model once" in error.value.hint
    assert not parametrize.is_parametrized(model[0])
    assert reparametrize(model, "equalized", only="0") == ("0.weight",)


@pytest.mark.parametrize("name", list(PARAMETRIZATIONS))
def test_the_same_again_changes_nothing(name):
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 5))
    assert reparametrize(model, name, only="0") == ("0.weight",)
    stored = {key: value.clone() for key, value in model[0].state_dict().items()}
    assert reparametrize(model, name) == ("0.weight", "1.weight")
    assert len(model[0].parametrizations.weight) == 1
    assert all(torch.equal(value, stored[key]) for key, value in model[0].state_dict().items())


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (lambda layer: reparametrize(layer, "equalized"), r"by equalized\(gain=1.41421\d*, lr_mul=1.0\)"),
        (lambda layer: reparametrize(layer, "binary"), r"by binary\n"),
        (parametrizations.spectral_norm, r"by SpectralNorm\n"),
    ],
)
def test_another_one_on_top_is_refused(first, told):
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(3, 4))
    first(model[1])
    with pytest.raises(UsageError, match=told) as error:
        reparametrize(model, "equalized", gain=1.0)
    assert "remove_parametrizations" in error.value.hint
    assert not parametrize.is_parametrized(model[0])


def test_it_comes_off_with_torchs_own_function():
    model = nn.Sequential(nn.Linear(3, 4))
    before = model[0].weight.detach().clone()
    reparametrize(model, "equalized")
    parametrize.remove_parametrizations(model[0], "weight")
    torch.testing.assert_close(model[0].weight.detach(), before)
    assert carried(model[0], "weight") is None
    assert reparametrize(model, "binary") == ("0.weight",)


@pytest.mark.parametrize("name", list(PARAMETRIZATIONS))
def test_what_layers_share_stays_shared(name):
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    twin = nn.Linear(4, 4)
    twin.load_state_dict({"weight": model[0].weight, "bias": model[0].bias})
    count = len(list(model.parameters()))
    assert reparametrize(model, name) == ("0.weight", "2.weight")
    reparametrize(twin, name)
    assert len(list(model.parameters())) == count + (name == "weight_norm")
    model.eval()
    twin.eval()
    torch.testing.assert_close(model[0].weight, model[2].weight, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(model[0].weight, twin.weight, rtol=1e-3, atol=1e-6)
    with torch.no_grad():
        for parameter in model[0].parametrizations.weight.parameters():
            parameter.mul_(-1.0)
    torch.testing.assert_close(model[0].weight, model[2].weight, rtol=1e-3, atol=1e-6)


def test_a_layer_that_runs_twice_is_changed_once():
    layer = nn.Linear(4, 4)
    model = nn.Sequential(layer, nn.Tanh(), layer)
    assert reparametrize(model, "equalized") == ("0.weight",)
    assert len(layer.parametrizations.weight) == 1


def test_gpt2s_layers_have_their_outputs_on_the_second_axis():
    class Conv1D(nn.Module):
        def __init__(self, nf, nx):
            super().__init__()
            self.nf, self.nx = nf, nx
            self.weight = nn.Parameter(torch.randn(nx, nf))

    layer = Conv1D(6, 4)
    reparametrize(layer, "weight_standardization")
    torch.testing.assert_close(layer.weight.square().sum(0), torch.ones(6))


def test_frozen_weights_stay_frozen():
    model = nn.Sequential(nn.Linear(3, 4))
    model[0].weight.requires_grad_(False)
    reparametrize(model, "weight_norm")
    assert [one.requires_grad for one in model[0].parametrizations.weight.parameters()] == [False, False]


def test_torchs_fast_path_of_encoders_sees_the_weight():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    reparametrize(layer, "binary")
    x = torch.randn(2, 3, 8)
    trained = layer(x)
    with torch.no_grad():
        torch.testing.assert_close(layer.eval()(x), trained.detach())


def test_what_is_no_model_is_refused():
    with pytest.raises(UsageError, match=r"^type is no nn\.Module"):
        reparametrize(Everything, "weight_norm")
