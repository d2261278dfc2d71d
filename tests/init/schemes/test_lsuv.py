"""LSUV: unit variance of every layer's output, for the price of two passes."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import initprobe as ip
from initprobe.errors import UsageError

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU}


class Counted(nn.Linear):
    """A linear layer that counts its calls."""

    calls = 0

    def forward(self, x):
        Counted.calls += 1
        return super().forward(x)


def chain(depth, width=64, activation=nn.ReLU, layer=nn.Linear):
    torch.manual_seed(0)
    layers = []
    for _ in range(depth):
        layers += [layer(width, width), activation()]
    return nn.Sequential(*layers)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x):
        return x + self.conv2(torch.relu(self.conv1(torch.relu(x))))


def convolutions():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(inplace=True), nn.Conv2d(16, 32, 3, stride=2, groups=4), nn.BatchNorm2d(32),
        nn.SiLU(), nn.Conv2d(32, 32, 3, groups=32, padding=1, bias=False), nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 4, stride=2, groups=2), nn.Tanh(), nn.Flatten(), nn.LazyLinear(10),
    )  # fmt: skip


def residual():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 16, 3), *(Block(16) for _ in range(8)), nn.Flatten(), nn.LazyLinear(10))


def variances(model, batch):
    """Of what every layer with a weight of two axes puts out, by its name, in training mode."""
    found = {}
    handles = [
        module.register_forward_hook(
            lambda _m, _i, out, name=name: found.update({name: float(out.double().var(correction=0))})
        )
        for name, module in model.named_modules()
        if isinstance(getattr(module, "weight", None), torch.Tensor) and module.weight.dim() > 1
    ]
    with torch.no_grad():
        model(batch)
    for handle in handles:
        handle.remove()
    return found


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_thirty_layers_have_unit_variance(activation):
    model, batch = chain(30, activation=ACTIVATIONS[activation]), torch.randn(128, 64) * 3 + 1
    outcome = ip.initialize(model, "lsuv", inputs=batch)
    found = variances(model, batch)
    assert len(found) == 30
    assert max(abs(one - 1) for one in found.values()) < 0.02
    assert "30 layers, output variance within" in outcome.notes[0]
    assert outcome.notes[0].endswith("2 forward passes")
    assert all(parameter.eq(0).all() for name, parameter in model.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize(("build", "layers"), [(convolutions, 5), (residual, 18)])
def test_images(build, layers):
    model, batch = build(), torch.randn(16, 3, 12, 12)
    with torch.no_grad():
        model(batch)
    ip.initialize(model, "lsuv(tolerance=1e-4)", inputs=batch)
    found = variances(model, batch)
    assert len(found) == layers
    assert max(abs(one - 1) for one in found.values()) < 1e-3  # a second run of the same sums, in another order


def test_the_drawn_batch_is_not_the_one_that_is_measured():
    # Other samples of the same distribution: the variance of 30 layers has errors of some percent.
    model = chain(30, width=128)
    ip.initialize(model, "lsuv", inputs=(128,))
    found = variances(model, torch.randn(256, 128))
    assert all(0.7 < one < 1.4 for one in found.values())


@pytest.mark.untraced
def test_a_probe_sees_a_network_that_keeps_its_signal():
    entry = ip.compare(["lsuv", "torch"], depth=20, width=64, activation="tanh", batch=64, seeds=2).report.entries[0]
    (segment,) = entry.segments
    assert segment.forward.per_layer.mean == pytest.approx(1.0, abs=0.01)


def test_fifty_layers_cost_two_passes():
    model, batch = chain(50, layer=Counted), torch.randn(64, 64)
    ip.initialize(model, "orthogonal", inputs=batch)
    Counted.calls = 0
    ip.initialize(model, "orthogonal", inputs=batch)
    traced = Counted.calls
    Counted.calls = 0
    outcome = ip.initialize(model, "lsuv", inputs=batch)
    assert Counted.calls - traced == 2 * 50
    assert outcome.notes[0].endswith("2 forward passes")


def test_weights_are_orthonormal_up_to_one_factor():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 32), nn.LSTM(32, 16))
    outcome = ip.initialize(model, "lsuv", inputs=torch.randn(64, 32) * 5)
    for matrix in (model[0].weight.T, model[2].weight):
        gram = (matrix @ matrix.T).detach()
        torch.testing.assert_close(gram / gram[0, 0], torch.eye(32), atol=1e-5, rtol=0)
    for gate in model[3].weight_hh_l0.detach().chunk(4):  # one matrix for each gate, and nothing rescales them
        torch.testing.assert_close(gate @ gate.T, torch.eye(16), atol=1e-5, rtol=0)
    notes = {one.weight: one.note for one in outcome.drawn}
    assert notes["3.weight_hh_l0"] == "not calibrated: no module puts out its product alone"
    assert notes["0.weight"] is None
    stds = {one.weight: one.std for one in outcome.drawn}
    assert stds["3.weight_hh_l0"] == 0.25
    assert stds["0.weight"] is None


def test_a_layer_within_the_tolerance_is_left_alone():
    model, batch = chain(1), torch.randn(4096, 64)  # an orthonormal matrix keeps variance 1
    outcome = ip.initialize(model, "lsuv", inputs=batch)
    assert outcome.drawn[0].std == 0.125
    assert outcome.notes[0].endswith("; 1 forward pass")


def test_a_foreign_bias_takes_more_passes():
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(32, 32)
            nn.init.normal_(self.layer.bias, std=0.5)

        def forward(self, x):
            return self.layer(x)

    torch.manual_seed(0)
    model, batch = Shifted(), torch.randn(128, 32) * 4
    outcome = ip.initialize(model, "lsuv(tolerance=1e-3)", inputs=batch, only="*.weight")
    assert abs(variances(model, batch)["layer"] - 1) < 1e-3
    passes = int(outcome.notes[0].split("; ")[1].split()[0])
    assert passes > 2
    cut = ip.initialize(model, "lsuv(tolerance=1e-3, max_passes=1)", inputs=batch, only="*.weight")
    assert "the last of which still rescaled 1" in cut.notes[0]
    assert "rescaled without another look" in cut.drawn[0].note


def test_means_are_removed_on_request():
    model, batch = chain(5), torch.randn(128, 64)
    ip.initialize(model, "lsuv(remove_mean=True, tolerance=1e-3)", inputs=batch)
    x = batch
    for layer in model:
        x = layer(x)
        if isinstance(layer, nn.Linear):
            assert abs(float(x.detach().mean())) < 1e-3
            assert abs(float(x.detach().var()) - 1) < 2e-3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types(dtype):
    model, batch = chain(10).to(dtype), (torch.randn(128, 64) * 50).to(dtype)
    ip.initialize(model, "lsuv", inputs=batch)
    assert max(abs(one - 1) for one in variances(model, batch).values()) < 0.02


def test_weight_norm_and_frozen_layers_are_rescaled_too():
    torch.manual_seed(0)
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(32, 32)), nn.ReLU(), nn.Linear(32, 32))
    model.requires_grad_(requires_grad=False)
    batch = torch.randn(64, 32) * 7
    ip.initialize(model, "lsuv", inputs=batch)
    assert max(abs(one - 1) for one in variances(model, batch).values()) < 0.02


def test_the_seed_decides():
    states = []
    for seed in (0, 0, 1):
        model = chain(4)
        torch.manual_seed(len(states))
        ip.initialize(model, "lsuv", inputs=(64,), seed=seed)
        states.append(torch.cat([parameter.flatten() for parameter in model.parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


class Breaks(nn.Module):
    """Puts out zeros, or what is no number, behind its first layer."""

    def __init__(self, factor):
        super().__init__()
        self.first, self.second, self.factor = nn.Linear(8, 8), nn.Linear(8, 8), factor

    def forward(self, x):
        return self.second(self.first(x) * self.factor)


class Functional(nn.Module):
    """Uses a layer's weight without calling the layer."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        return nn.functional.linear(x, self.layer.weight)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Sequential(nn.Embedding(4, 8), nn.LayerNorm(8)), "the network has none"),
        (nn.LSTM(8, 8), "the network has none"),
        (Functional(), "found no layer to adjust"),
        (Breaks(0.0), "what 'second' puts out is zero for every sample"),
        (Breaks(float("nan")), "'second' puts out numbers that are not finite"),
    ],
)
def test_what_cannot_be_rescaled_is_told_and_the_model_stays(model, message):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    batch = torch.zeros(4, 3, dtype=torch.int64) if isinstance(model, nn.Sequential) else torch.randn(16, 8)
    with pytest.raises(UsageError, match=message) as caught:
        ip.initialize(model, "lsuv", inputs=batch)
    assert caught.value.hint
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_without_data_nothing_is_drawn():
    from initprobe.dissect.anatomy import trace_anatomy
    from initprobe.init.initialize import initialize_model
    from initprobe.load.inputs import DrawnInputs, InputSpec
    from initprobe.records import InitRequest, SchemeChoice
    from initprobe.subject import Subject

    model = chain(2)
    before = model[0].weight.detach().clone()
    anatomy = trace_anatomy(Subject(model, DrawnInputs((InputSpec(None, (64,)),)))).anatomy
    with pytest.raises(UsageError, match="runs the network on data, and there is none"):
        initialize_model(model, anatomy, InitRequest(SchemeChoice("lsuv")), 0)
    assert torch.equal(model[0].weight, before)
