"""Transformers written out in YAML equal those of the libraries: parameter count and, with copied weights, outputs."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from initprobe.load.blocks.base import Signal
from initprobe.load.build import construct, plan
from initprobe.load.schema import checked, read_spec

TOKENS = Signal((7,), 31)


def built(layers, signal):
    lines = "\n".join(f"    - {layer}" for layer in layers)
    spec = read_spec("net.yaml", text=f"version: 1\nmodel:\n  input: {{shape: [1]}}\n  layers:\n{lines}\n")
    return construct(spec, plan(spec, checked(spec).model.layers, signal, memory=10**9), 0).eval()


def copied(module, other, renamings, *, transposed=()):
    """Give a module the weights of another one, whose names become its own one renaming after the other."""
    weights = {}
    for name, weight in other.named_parameters():
        own = name
        for pattern, text in renamings:
            own = re.sub(pattern, text, own)
        turned = weight.T if any(part in name for part in transposed) else weight
        weights[own] = turned[0] if name == "pos_embed" else turned
    missing, unexpected = module.load_state_dict({**weights}, strict=False)
    assert not missing
    assert not unexpected
    parameters = (sum(tensor.numel() for tensor in one.parameters()) for one in (module, other))
    assert next(parameters) == next(parameters)


def scrambled(model):
    """Other numbers for every parameter: fresh biases are zero and fresh scales one, which hides mistakes."""
    torch.manual_seed(3)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    return model.eval()


def tokens():
    return torch.randint(TOKENS.vocab, (2, *TOKENS.shape), generator=torch.Generator().manual_seed(0))


def close(left, right):
    torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-5)


def test_gpt2():
    library = pytest.importorskip("transformers.models.gpt2")
    config = library.GPT2Config(vocab_size=31, n_positions=7, n_embd=16, n_layer=3, n_head=4)
    other = scrambled(library.GPT2LMHeadModel(config))
    block = "{type: transformer, heads: 4, causal: true, packed: true, activation: gelu_tanh}"
    model = built(
        [
            "{type: embedding, out: 16, name: wte}",
            "{type: positions, name: wpe}",
            f"{{type: repeat, name: h, times: 3, layers: [{block}]}}",
            "{type: layer_norm, name: ln_f}",
            "{type: tied_head, embedding: wte}",
        ],
        TOKENS,
    )
    renamings = [
        ("^transformer.", ""),
        ("wpe.weight", "wpe.position"),
        (r"h\.(\d)\.", r"h.\1.transformer."),
        (r"ln_(\d)", r"norm\1"),
        (r"attn\.c_attn", "attention.query_key_value"),
        (r"attn\.c_proj", "attention.out"),
        (r"mlp\.c_fc", "feed_forward.up"),
        (r"mlp\.c_proj", "feed_forward.down"),
    ]
    copied(model, other, renamings, transposed=("c_attn.weight", "c_proj.weight", "c_fc.weight"))
    close(model(tokens()), other(tokens()).logits)


def test_bert_encoder():
    library = pytest.importorskip("transformers.models.bert")
    config = library.BertConfig(
        hidden_size=16, num_hidden_layers=3, num_attention_heads=4, intermediate_size=40, vocab_size=31
    )
    other = scrambled(library.BertModel(config).encoder)
    block = "{type: transformer, heads: 4, hidden: 40, norm: post, eps: 1e-12}"
    model = built([f"{{type: repeat, name: layer, times: 3, layers: [{block}]}}"], Signal((7, 16)))
    renamings = [
        (r"layer\.(\d)\.", r"layer.\1.transformer."),
        (r"attention\.self", "attention"),
        (r"attention\.output\.dense", "attention.out"),
        (r"attention\.output\.LayerNorm", "norm1"),
        (r"intermediate\.dense", "feed_forward.up"),
        (r"output\.dense", "feed_forward.down"),
        (r"output\.LayerNorm", "norm2"),
    ]
    copied(model, other, renamings)
    x = torch.randn(2, 7, 16)
    close(model(x), other(x).last_hidden_state)


def test_llama():
    library = pytest.importorskip("transformers.models.llama")
    config = library.LlamaConfig(
        vocab_size=31,
        hidden_size=32,
        intermediate_size=44,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        rms_norm_eps=1e-6,
    )
    other = scrambled(library.LlamaForCausalLM(config))
    block = (
        "{type: transformer, heads: 4, kv_heads: 2, causal: true, rotary: true, bias: false, hidden: 44, "
        "activation: swiglu, normalization: rms, eps: 1e-6}"
    )
    model = built(
        [
            "{type: embedding, out: 32, name: embed_tokens}",
            f"{{type: repeat, name: blocks, times: 3, layers: [{block}]}}",
            "{type: rms_norm, eps: 1e-6, name: norm}",
            "{type: linear, out: 31, bias: false, name: lm_head}",
        ],
        TOKENS,
    )
    renamings = [
        (r"^model\.", ""),
        (r"layers\.(\d)\.", r"blocks.\1.transformer."),
        ("input_layernorm", "norm1"),
        ("post_attention_layernorm", "norm2"),
        *((rf"self_attn\.{name[0]}_proj", f"attention.{name}") for name in ("query", "key", "value", "out")),
        (r"mlp\.(\w+)_proj", r"feed_forward.\1"),
    ]
    copied(model, other, renamings)
    close(model(tokens()), other(tokens()).logits)


def test_falcon_with_parallel_branches_and_one_head_of_keys():
    library = pytest.importorskip("transformers.models.falcon")
    config = library.FalconConfig(
        vocab_size=31, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, multi_query=True, parallel_attn=True
    )
    other = scrambled(library.FalconModel(config))
    block = (
        "{type: transformer, heads: 4, kv_heads: 1, causal: true, rotary: true, packed: true, bias: false, "
        "parallel: true}"
    )
    model = built(
        [
            "{type: embedding, out: 32, name: word_embeddings}",
            f"{{type: repeat, name: h, times: 2, layers: [{block}]}}",
            "{type: layer_norm, name: ln_f}",
        ],
        TOKENS,
    )
    renamings = [
        (r"h\.(\d)\.", r"h.\1.transformer."),
        ("input_layernorm", "norm1"),
        ("self_attention", "attention"),
        (r"attention\.dense", "attention.out"),
        ("mlp.dense_h_to_4h", "feed_forward.up"),
        ("mlp.dense_4h_to_h", "feed_forward.down"),
    ]
    copied(model, other, renamings)
    close(model(tokens()), other(tokens()).last_hidden_state)


def test_vit():
    timm = pytest.importorskip("timm")
    other = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, patch_size=8, embed_dim=48, depth=3, num_heads=3, num_classes=10
    )
    model = built(
        [
            "{type: patch_embedding, patch: 8, out: 48, name: patch_embed}",
            "class_token",
            "positions",
            "{type: repeat, name: blocks, times: 3, layers: [{type: transformer, heads: 3, packed: true, eps: 1e-6}]}",
            "{type: layer_norm, eps: 1e-6, name: norm}",
            "{type: token_pool, take: first}",
            "{type: linear, out: 10, name: head}",
        ],
        Signal((3, 32, 32)),
    )
    scrambled(other)
    renamings = [
        ("^cls_token", "class_token.class_token"),
        ("^pos_embed", "positions.position"),
        (r"patch_embed\.proj", "patch_embed.projection"),
        (r"blocks\.(\d)\.", r"blocks.\1.transformer."),
        (r"attn\.qkv", "attention.query_key_value"),
        (r"attn\.proj", "attention.out"),
        (r"mlp\.fc1", "feed_forward.up"),
        (r"mlp\.fc2", "feed_forward.down"),
    ]
    copied(model, other, renamings)
    x = torch.randn(2, 3, 32, 32)
    close(model(x), other(x))


def test_mixer():
    library = pytest.importorskip("timm.models.mlp_mixer")
    other = scrambled(library.MlpMixer(num_classes=10, img_size=32, patch_size=8, num_blocks=3, embed_dim=24))
    model = built(
        [
            "{type: patch_embedding, patch: 8, out: 24, name: stem}",
            "{type: repeat, name: blocks, times: 3, layers: [mixer]}",
            "{type: layer_norm, eps: 1e-6, name: norm}",
            "{type: token_pool, take: mean}",
            "{type: linear, out: 10, name: head}",
        ],
        Signal((3, 32, 32)),
    )
    renamings = [
        (r"stem\.proj", "stem.projection"),
        (r"blocks\.(\d)\.", r"blocks.\1.mixer."),
        (r"mlp_(\w+)\.fc1", r"\1.up"),
        (r"mlp_(\w+)\.fc2", r"\1.down"),
    ]
    copied(model, other, renamings)
    x = torch.randn(2, 3, 32, 32)
    close(model(x), other(x))


@pytest.mark.parametrize(
    ("name", "sizes", "parameters"),
    [
        ("gpt2", {"width": 768, "heads": 12, "depth": 12, "vocab": 50257, "length": 1024}, 124_439_808),
        ("bert", {"width": 768, "heads": 12, "depth": 12, "vocab": 30522, "length": 512}, 109_514_298 - 2 * 768),
        (
            "llama",
            {"width": 4096, "heads": 32, "kv_heads": 32, "hidden": 11008, "depth": 32, "vocab": 32000},
            6_738_415_616,
        ),
        ("vit", {"width": 768, "heads": 12, "size": 224, "patch": 16, "classes": 1000}, 86_567_656),
        ("mlp-mixer", {"width": 768, "depth": 12, "size": 224, "patch": 16, "classes": 1000}, 59_880_472),
    ],
)
def test_configs_hold_the_models_that_were_released(name, sizes, parameters):
    path = Path(__file__).parents[3] / "configs" / f"{name}.yaml"
    spec = read_spec(path, sets=[(f"vars.{key}", str(value)) for key, value in sizes.items()])
    model = checked(spec).model
    signal = Signal(tuple(model.input.shape), model.input.vocab)
    assert plan(spec, model.layers, signal, memory=10**12).parameters == parameters
