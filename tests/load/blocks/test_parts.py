"""Networks of several parts: what they put out, what they are made of, and where they may stand."""

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import SpecError
from initprobe.load.target import open_target
from initprobe.records import ProbeRequest, TargetRequest

VAE = """
    - type: vae
      encoder: [flatten, {type: linear, out: 12}, relu]
      latent: 3
      decoder: [{type: linear, out: 12}, relu, {type: linear, out: 8}, {type: reshape, shape: [2, 4]}]
"""
GAN = """
    - type: gan
      generator: [flatten, {type: linear, out: 6}]
      discriminator: [{type: linear, out: 5}, relu, {type: linear, out: 1}]
"""
SIAMESE = """
    - type: siamese
      noise: 0.5
      layers: [flatten, {type: linear, out: 5}]
"""


def spec(tmp_path, layers, probe="{seeds: 2, max_seeds: 2, batch: 16}"):
    file = tmp_path / "net.yaml"
    file.write_text(f"version: 1\nmodel:\n  input: {{shape: [2, 4]}}\n  layers:{layers}probe: {probe}\n")
    return file


def built(tmp_path, layers):
    target = open_target(TargetRequest(str(spec(tmp_path, layers))))
    model = target.build(0, ProbeRequest()).model
    assert target.plan.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert target.plan.modules >= len(list(model.modules()))
    return target, model


def outputs(target, model, x):
    torch.manual_seed(5)
    found = model(x)
    assert found[0].shape == (len(x), *target.plan.output.shape)
    return found


def test_a_vae_draws_its_code(tmp_path):
    target, model = built(tmp_path, VAE)
    assert target.plan.parameters == (8 * 12 + 12) + 2 * (12 * 3 + 3) + (3 * 12 + 12) + (12 * 8 + 8)
    x = torch.randn(7, 2, 4)
    y, mean, log_variance, same = outputs(target, model, x)
    vae = model.vae
    hidden = vae.encoder(x)
    torch.manual_seed(5)
    code = torch.distributions.Normal(vae.mean(hidden), (vae.log_variance(hidden) / 2).exp()).rsample()
    assert torch.allclose(y, vae.decoder(code), atol=1e-6)
    assert torch.equal(mean, vae.mean(hidden))
    assert torch.equal(log_variance, vae.log_variance(hidden))
    assert same is x


def test_a_gan_from_noise_and_from_data(tmp_path):
    target, model = built(tmp_path, GAN)
    assert target.plan.parameters == (8 * 6 + 6) + (6 * 5 + 5) + (5 + 1)
    noise = torch.randn(7, 2, 4)
    fooled, fake, real = outputs(target, model, noise)
    assert torch.equal(fooled, fake)
    generator, discriminator = model.gan.generator, model.gan.discriminator
    assert torch.equal(fake, discriminator(generator(noise)))
    torch.manual_seed(5)
    assert torch.equal(real, discriminator(torch.randn(7, 6)))
    assert torch.autograd.grad(fake.sum(), list(generator.parameters()), allow_unused=True) == (None, None)

    data = GAN.replace("[flatten, {type: linear, out: 6}]", "[{type: linear, out: 8}, {type: reshape, shape: [2, 4]}]")
    data = data.replace("      discriminator: [", "      latent: 3\n      discriminator: [flatten, ")
    target, model = built(tmp_path, data)
    x = torch.randn(7, 2, 4)
    fooled, _, real = outputs(target, model, x)
    assert torch.equal(real, model.gan.discriminator(x))
    torch.manual_seed(5)
    assert torch.equal(fooled, model.gan.discriminator(model.gan.generator(torch.randn(7, 3))))


def test_a_siamese_network_sees_two_views(tmp_path):
    target, model = built(tmp_path, SIAMESE)
    x = torch.randn(7, 2, 4)
    first, second = outputs(target, model, x)
    torch.manual_seed(5)
    noise = torch.randn_like(x)
    assert torch.equal(first, model.siamese.encoder(x))
    assert torch.equal(second, model.siamese.encoder(x + 0.5 * noise))


@pytest.mark.parametrize(
    ("layers", "loss"),
    [(VAE, "elbo"), (GAN, "gan"), (GAN, "{objective: gan, kind: wasserstein}"), (SIAMESE, "contrastive")],
)
def test_every_part_gets_its_gradient_under_its_loss(tmp_path, layers, loss):
    result = ip.probe(spec(tmp_path, layers, f"{{seeds: 2, max_seeds: 2, batch: 16, loss: {loss}}}"))
    assert result.verdict == "pass"
    assert result.entry.coverage.called == result.entry.coverage.modules
    assert not result.entry.coverage.unseen
    for summary in result.entry.sites:
        if summary.site.kind == "weighted":
            assert summary.backward["rms"].mean > 0, summary.site.key


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (VAE + "    - relu\n", "9:7 relu cannot stand behind vae, which ends the network"),
        ("\n    - {type: sequential, layers: [{type: siamese, layers: [relu]}]}\n", "5:35 siamese ends a network"),
        ("\n    - {type: residual, layers: [relu, {type: siamese, layers: [relu]}]}\n", "5:39 siamese ends a network"),
        (VAE.replace("flatten, ", ""), "6:16 vae needs an encoder that ends with features, here it ends with (2, 12)"),
        (VAE.replace("out: 8}", "out: 9}"), "8:95 reshape cannot put 9 numbers, of (9,), into (2, 4)"),
        (VAE.replace(", {type: reshape, shape: [2, 4]}", ""), "8:16 vae reconstructs (2, 4), its decoder ends with (8,)"),
        (GAN.replace("gan\n", "gan\n      latent: 8\n"), "7:18 gan needs fakes of the data's shape (2, 4)"),
        (SIAMESE.replace("0.5", "0"), "6:14 'noise' must be a number above 0, not 0"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_with_its_place(tmp_path, layers, message):
    with pytest.raises(SpecError) as caught:
        open_target(TargetRequest(str(spec(tmp_path, layers))))
    (problem,) = caught.value.problems
    place = caught.value.spec.locate(problem.path, on=problem.on)
    assert f"{place.line}:{place.column} {problem.message}".startswith(message)


def test_signs_are_binary_and_their_gradient_goes_straight_through(tmp_path):
    _, model = built(tmp_path, "\n    - sign\n")
    x = torch.tensor([[-3.0, -1.0, -0.5, 0.0, 0.5, 1.0, 3.0]], requires_grad=True)
    y = model(x)
    assert y.tolist() == [[-1, -1, -1, 1, 1, 1, 1]]
    (gradient,) = torch.autograd.grad((y * torch.arange(7.0)).sum(), x)
    assert gradient.tolist() == [[0, 1, 2, 3, 4, 5, 0]]


def test_output_ranges(tmp_path):
    _, model = built(tmp_path, "\n    - exp\n    - {type: clamp, low: 0.5, high: 2}\n")
    assert model(torch.tensor([-9.0, 0.0, 9.0])).tolist() == [0.5, 1.0, 2.0]
    for layer, message in (
        ("clamp", "clamp needs 'low' or 'high'"),
        ("{type: clamp, low: 2, high: 2}", "'low' must be less"),
    ):
        with pytest.raises(SpecError, match=message):
            built(tmp_path, f"\n    - {layer}\n")


def test_reshape(tmp_path):
    target, model = built(
        tmp_path, "\n    - {type: reshape, shape: [4, 2]}\n    - flatten\n    - {type: unflatten, shape: [8]}\n"
    )
    x = torch.randn(3, 2, 4)
    assert torch.equal(model(x), x.flatten(1))
    assert target.plan.signals["reshape"].shape == (4, 2)
    assert isinstance(model.reshape_1, nn.Unflatten)
