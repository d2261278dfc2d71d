"""What ``dissect`` finds in the blocks of transformers: projections, parts, branches, tails and gates."""

import pytest

from initprobe.dissect.anatomy import trace_anatomy
from initprobe.load.target import open_target
from initprobe.records import ProbeRequest, TargetRequest


def anatomy(tmp_path, *layers):
    file = tmp_path / "net.yaml"
    lines = "\n".join(f"    - {layer}" for layer in (*layers, "{type: linear, out: 3, name: head}"))
    file.write_text(f"version: 1\nmodel:\n  input: {{shape: [6, 16]}}\n  layers:\n{lines}\n")
    return trace_anatomy(open_target(TargetRequest(str(file))).build(0, ProbeRequest())).anatomy


def block(options=""):
    return f"{{type: transformer, heads: 4{options}}}"


@pytest.mark.parametrize(
    "options",
    [
        "",
        ", kv_heads: 2, rotary: true, causal: true",
        ", kv_heads: 1, norm: sandwich",
        ", relative: buckets, norm: post",
        ", relative: table, scale: linear, norm: none",
    ],
)
def test_projections_are_known(tmp_path, options):
    found = anatomy(tmp_path, block(options))
    known = {weight.module: weight.attention for weight in found.weights if weight.role == "linear"}
    assert {path.rpartition(".")[2]: name for path, name in known.items() if ".attention." in path} == {
        name: name for name in ("query", "key", "value", "out")
    }


def test_packed_parts_are_known_where_heads_are_grouped(tmp_path):
    found = anatomy(tmp_path, block(", kv_heads: 2, packed: true, rotary: true"))
    packed = next(weight for weight in found.weights if weight.name.endswith("query_key_value.weight"))
    assert [(part.name, part.ranges) for part in packed.parts] == [
        ("query", ((0, 16),)),
        ("key", ((16, 24),)),
        ("value", ((24, 32),)),
    ]


@pytest.mark.parametrize("options", ["", ", parallel: true", ", norm: sandwich", ", norm: deepnorm, depth: 2"])
def test_every_block_is_two_branches(tmp_path, options):
    found = anatomy(tmp_path, block(options), block(options))
    assert [branch.tails for branch in found.branches] == [
        (f"{path}.{tail}.weight",)
        for path in ("transformer", "transformer_1")
        for tail in ("attention.out", "feed_forward.down")
    ]
    assert {branch.skip for branch in found.branches} == {"scaled" if "deepnorm" in options else "identity"}


@pytest.mark.parametrize("kind", ["rezero", "layerscale"])
def test_gates_are_those_of_branches(tmp_path, kind):
    found = anatomy(tmp_path, block(f", gate: {kind}, activation: swiglu"))
    assert [branch.gate for branch in found.branches] == ["transformer.gate1.gamma", "transformer.gate2.gamma"]
    gated = {weight.module.rpartition(".")[2]: weight.gated for weight in found.weights if weight.gated}
    assert gated == {"gate": "gate", "up": "value"}


def test_a_mixer_is_two_branches(tmp_path):
    found = anatomy(tmp_path, "mixer", "mixer")
    assert [branch.tails for branch in found.branches[:2]] == [
        ("mixer.tokens.down.weight",),
        ("mixer.channels.down.weight",),
    ]


def test_a_tied_head_is_an_embedding_and_a_head(tmp_path):
    file = tmp_path / "net.yaml"
    file.write_text(
        "version: 1\nmodel:\n  input: {shape: [6], dist: tokens, vocab: 11}\n"
        "  layers: [{type: embedding, out: 8}, positions, {type: transformer, heads: 2}, tied_head]\n"
    )
    found = trace_anatomy(open_target(TargetRequest(str(file))).build(0, ProbeRequest())).anatomy
    table = next(weight for weight in found.weights if weight.name == "embedding.weight")
    assert (table.role, table.head) == ("embedding", True)
    assert not any("tied_head" in weight.name for weight in found.weights)
