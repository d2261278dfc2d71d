"""The Python face."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

import initprobe as ip
from initprobe.errors import NothingToProbeError, SpecError, TargetError, UsageError
from initprobe.init.schemes.base import KEPT


def net():
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


def test_a_factory_with_a_shape():
    result = ip.probe(net, inputs=(8,), scheme="kaiming_normal", seeds=2, max_seeds=2, batch=8)
    assert result.verdict == "pass"
    assert result.sites["0"].forward["rms"].mean > 0
    assert list(result.sites) == ["0", "1", "2"]
    assert result.entry.parameters == sum(parameter.numel() for parameter in net().parameters())
    assert json.loads(result.render("json"))["results"][0]["scheme"] == "kaiming_normal"
    assert "pass" in str(result)


def test_a_spec_says_how_many_seeds_unless_the_call_does(tmp_path):
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "version: 1\nmodel: {input: {shape: [8]}, layers: [{type: linear, out: 8}]}\nprobe: {seeds: 2, max_seeds: 2}\n"
    )
    assert ip.probe(spec).entry.request.probe.seeds == (0, 1)
    assert ip.probe(spec, seeds=[7]).entry.request.probe.seeds == (7,)
    assert {one.request.probe.seeds for one in ip.compare(["he", "lecun"], on=spec).report.entries} == {(0, 1)}
    assert ip.probe(net, inputs=(8,), max_seeds=5).entry.request.probe.seeds == (0, 1, 2, 3, 4)


def test_a_result_is_saved_whole(tmp_path):
    result = ip.probe(net, inputs=(8,), seeds=1, max_seeds=1, batch=8)
    result.save(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text())["schema"] == "initprobe/result/v1"


def test_plots_are_written(tmp_path):
    result = ip.probe(net, inputs=(8,), seeds=1, max_seeds=1, batch=8)
    paths = result.plots(tmp_path, formats=["png"])
    assert paths
    assert all(path.exists() for path in paths)


def test_named_inputs_as_on_the_command_line():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(10, 8)
            self.head = nn.Linear(8, 10)

        def forward(self, ids):
            return self.head(self.embedding(ids))

    result = ip.probe(Tokens, inputs="ids=int64[5]<10", seeds=2, max_seeds=2, batch=4)
    assert list(result.sites) == ["embedding", "head"]
    assert result.sites["embedding"].backward is not None


def test_initialize_draws_in_place_and_says_what_it_did():
    model = nn.Sequential(nn.Linear(256, 256), nn.LayerNorm(256), nn.ReLU())
    outcome = ip.initialize(model, "he", inputs=(256,))
    assert {drawn.weight for drawn in outcome.drawn} >= {"0.weight", "0.bias"}
    assert all(skipped.reason for skipped in outcome.skipped)
    assert {one.weight for one in (*outcome.drawn, *outcome.skipped)} == dict(model.named_parameters()).keys()
    assert model[0].weight.std().item() == pytest.approx((2 / 256) ** 0.5, rel=0.02)
    assert torch.equal(model[1].weight, torch.ones(256))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: ip.probe(net, inputs=(8,), scheme="hee"), UsageError),
        (lambda: ip.probe(net, inputs=(8,), batch_size=3), UsageError),
        (lambda: ip.probe(net, inputs=(8,), statistics=("kurtosiss",)), UsageError),
        (lambda: ip.probe(net), UsageError),
        (lambda: ip.probe(net, inputs=(9,)), TargetError),
        (lambda: ip.probe("absent.yaml"), UsageError),
        (lambda: ip.probe(net, inputs=8, scheme=3), UsageError),
        (lambda: ip.compare("he", depth=3), UsageError),
        (lambda: ip.compare([], depth=3), UsageError),
        (lambda: ip.compare(["he", "xavier"], activation="reluu"), UsageError),
        (lambda: ip.compare(["he", "xavier"], on=net, inputs=(8,), depth=3), UsageError),
        (lambda: ip.probe(nn.Identity, inputs="int64[3]<5"), NothingToProbeError),
    ],
)
def test_mistakes_have_one_clear_error(call, error):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value)


def test_a_wrong_scheme_in_a_file_is_shown_with_its_line(tmp_path):
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "version: 1\nmodel:\n  input: {shape: [4]}\n  layers: [{type: linear, out: 4}]\ninit: {default: hee}\n"
    )
    with pytest.raises(SpecError) as caught:
        ip.probe(str(spec))
    text = caught.value.render()
    assert ":5:" in text
    assert "^^^" in text


def test_an_override_that_matches_nothing_is_shown_with_its_line(tmp_path):
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "version: 1\nmodel:\n  input: {shape: [4]}\n  layers: [{type: linear, out: 4, name: head}]\n"
        "init:\n  default: he\n  overrides:\n    - {match: haed, scheme: zeros}\n"
    )
    with pytest.raises(SpecError) as caught:
        ip.probe(str(spec))
    assert ":8:" in caught.value.render()


def test_several_schemes_on_ones_own_network():
    result = ip.compare(["he", "xavier"], on=net, inputs=(8,), seeds=2, max_seeds=2, batch=8)
    assert [entry.scheme for entry in result.report.entries] == ["kaiming_normal", "xavier_normal"]
    assert result.verdict == "pass"


def test_a_scheme_that_refuses_stands_beside_the_others_under_their_name(tmp_path):
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "version: 1\n"
        "model:\n"
        "  input: {shape: [8]}\n"
        "  layers: [{type: linear, out: 8}, tanh, {type: linear, out: 8, name: head}]\n"
        "init: {default: he, overrides: [{match: head, scheme: zeros}]}\n"
    )
    result = ip.compare(["he", "chrono", "dks(slope=1.2)"], on=spec, seeds=2, max_seeds=2, batch=8)
    names = {entry.name for entry in result.report.entries}
    assert names == {"net"}
    failed = result.report.entries[1]
    assert failed.scheme == "chrono + 1 override"
    assert "net.yaml" not in result.render().partition("\n\n")[2].partition("error")[0]


def test_a_refusal_names_its_scheme():
    for scheme in ("dks", "tat"):
        with pytest.raises(UsageError, match=f"^{scheme}: ") as told:
            ip.initialize(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)), scheme, inputs=(4,))
        assert scheme in told.value.render()
    with pytest.raises(UsageError, match=r"^lsuv: what '0' puts out is zero"):
        ip.initialize(nn.Sequential(nn.Linear(4, 4)), "lsuv", inputs=torch.zeros(3, 4))


def test_an_outcome_reads_as_a_few_lines():
    model = nn.Sequential(nn.Linear(64, 256), nn.LayerNorm(256), nn.ReLU(), nn.Linear(256, 256), nn.Linear(256, 4))
    assert str(ip.initialize(model, "mup", inputs=(64,))).splitlines() == [
        "mup: 6 of 8 parameters drawn",
        f"kept: 1.weight and 1 more: {KEPT['norm']}",
        "learning rate: 3.weight and 1 more: times 0.25",
        "note: mup: counted as 4 times wider than the reference: 256 / 64",
    ]
    assert str(ip.initialize(model, "zeros", inputs=(64,), only="4")).splitlines()[0] == (
        "zeros on 4: 2 of 8 parameters drawn"
    )
