"""Admin: omegas from measured variances, where they go, and that dividing the branch is the same function."""

import copy
import math

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import UsageError
from tests.init.stacks import VOCABULARY, Encoder, EncoderDecoder, geometric_mean, slope, tokens

OMEGAS = [f"layers.{layer}.skip{place}" for layer in range(6) for place in (1, 2)]


def drawn(weighed: bool, layers: int = 6) -> tuple[Encoder, object]:
    model = Encoder(layers, weighed=weighed)
    return model, ip.initialize(model, "admin", inputs=tokens(32))


def omegas(model: Encoder) -> list[float]:
    values = [model.get_parameter(name).detach() for name in OMEGAS]
    assert all(value.eq(value[0]).all() for value in values)
    return [float(value[0]) for value in values]


def test_omega_is_the_root_of_what_was_added_before():
    model, outcome = drawn(weighed=True)
    found = omegas(model)
    profiled = copy.deepcopy(model)
    with torch.no_grad():
        for name in OMEGAS:
            profiled.get_parameter(name).fill_(1.0)
    total = float(profiled.embed(tokens(32)).detach().var())
    x, expected = profiled.embed(tokens(32)), []
    with torch.no_grad():
        for layer in profiled.layers:
            for branch, norm in ((layer.attend, layer.norm1), (layer.feed, layer.norm2)):
                expected.append(math.sqrt(total) if expected else 1.0)
                total += float(branch(x).var())
                x = norm(x + branch(x))
    # Another batch of the same size was measured, of random tokens.
    assert found == pytest.approx(expected, rel=0.05)
    assert found == sorted(found)
    assert f"{found[-1]:.4g} over the 12 branches of the network" in outcome.notes[0]
    told = {one.weight: one for one in outcome.drawn}
    assert [told[name].std for name in OMEGAS] == [None] * 12
    assert told["layers.0.down.weight"].std == pytest.approx(math.sqrt(2 / 96))


def test_dividing_the_branch_is_the_same_function():
    (weighed, _), (plain, outcome) = drawn(weighed=True), drawn(weighed=False)
    with torch.no_grad():
        torch.testing.assert_close(plain(tokens()), weighed(tokens()), rtol=1e-3, atol=1e-3)
    for omega, name in zip(omegas(weighed), OMEGAS, strict=True):
        tail = name.replace("skip1", "out.weight").replace("skip2", "down.weight")
        torch.testing.assert_close(plain.get_parameter(tail), weighed.get_parameter(tail) / omega)
        note = next(one.note for one in outcome.drawn if one.weight == tail)
        assert (note is None) if omega == 1.0 else (f"divided by ω = {omega:.4g}" in note)


@pytest.mark.parametrize(("optimizer", "power"), [(torch.optim.SGD, 2), (torch.optim.Adam, 1)])
def test_with_the_learning_rates_of_the_note_it_is_the_same_training(optimizer, power):
    (weighed, _), (plain, _) = drawn(weighed=True, layers=6), drawn(weighed=False, layers=6)
    weighed.double(), plain.double()
    places = dict(zip(OMEGAS, omegas(weighed), strict=True))
    options = {} if power == 2 else {"eps": 1e-30}
    targets = torch.randint(VOCABULARY, (32,), generator=torch.Generator().manual_seed(0))
    for model in (weighed, plain):
        for norm in (one for one in model.modules() if isinstance(one, nn.LayerNorm)):
            norm.eps = 0.0
        groups = []
        for name, parameter in model.named_parameters():
            tail = name.replace("out.weight", "skip1").replace("down.weight", "skip2")
            rate = 1e-3
            if model is plain and tail in places:
                rate /= places[tail] ** power
            if "skip" not in name and not name.endswith(("out.bias", "down.bias")):
                groups.append({"params": [parameter], "lr": rate})
        stepper = optimizer(groups, **options)
        for _ in range(2):
            stepper.zero_grad()
            nn.functional.cross_entropy(model(tokens()).flatten(0, 1), targets).backward()
            stepper.step()
    with torch.no_grad():
        torch.testing.assert_close(plain(tokens()), weighed(tokens()), rtol=1e-5, atol=1e-5)


def test_encoder_and_decoder_start_anew():
    outcome = ip.initialize(EncoderDecoder(3, 2), "admin", inputs=(tokens(), tokens(seed=1)))
    assert [note.rpartition(" of ")[2] for note in outcome.notes] == ["the encoder", "the decoder"]
    notes = {one.weight: one.note for one in outcome.drawn}
    assert notes["encoder.layers.0.self_attn.out_proj.weight"] is None
    assert notes["decoder.layers.0.self_attn.out_proj.weight"] is None
    assert "divided by ω" in notes["decoder.layers.0.multihead_attn.out_proj.weight"]


def norm_of_gradients(n: int, scheme: str, seed: int) -> float:
    model = Encoder(n, weighed=True)
    ip.initialize(model, scheme, inputs=tokens(), seed=seed)
    targets = torch.randint(VOCABULARY, (32,), generator=torch.Generator().manual_seed(seed))
    nn.functional.cross_entropy(model(tokens()).flatten(0, 1), targets).backward()
    matrices = [parameter for parameter in model.layers.parameters() if parameter.dim() > 1]
    return math.sqrt(sum(float(parameter.grad.square().sum()) for parameter in matrices))


@pytest.mark.untraced
def test_gradients_grow_more_slowly_with_depth():
    depths = [4, 8, 24]
    admin, xavier = (
        slope(depths, [geometric_mean(lambda s, n=n, w=w: norm_of_gradients(n, w, s), 2) for n in depths])
        for w in ("admin", "xavier_normal")
    )
    assert admin < 0.4
    assert xavier > 0.5


@pytest.mark.parametrize(
    ("model", "inputs", "what"),
    [
        (nn.Sequential(nn.Linear(8, 8)), (8,), "no residual branch"),
        (Encoder(2, norm="pre"), tokens(), "behind the sum"),
        (Encoder(2, norm="none"), tokens(), "behind the sum"),
    ],
)
def test_networks_that_it_is_not_made_for(model, inputs, what):
    with pytest.raises(UsageError, match=what) as raised:
        ip.initialize(model, "admin", inputs=inputs)
    assert raised.value.hint
