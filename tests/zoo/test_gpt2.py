"""A third-party model through a Python factory: every layer is shown, everything is as before."""

from __future__ import annotations

import hashlib

import pytest
import torch
from transformers import GPT2Config, GPT2Model

import initprobe as ip

pytestmark = pytest.mark.untraced


def state_of(model):
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode() + tensor.numpy().tobytes())
    flags = [module.training for module in model.modules()]
    hooks = [len(module._forward_hooks) for module in model.modules()]
    grads = [parameter.grad is None for parameter in model.parameters()]
    return digest.hexdigest(), flags, hooks, grads, torch.get_rng_state().numpy().tobytes()


def check_gpt2(config, tokens):
    torch.manual_seed(0)
    model = GPT2Model(config)
    before = state_of(model)
    options = {"inputs": f"input_ids=int64[{tokens}]<{config.vocab_size}", "batch": 2}
    result = ip.probe(model, **options)
    assert state_of(model) == before
    weighted = {
        f"h.{layer}.{part}" for layer in range(config.n_layer) for part in ("attn.c_attn", "mlp.c_fc", "mlp.c_proj")
    }
    assert weighted <= result.sites.keys()
    assert all(result.sites[key].backward is not None for key in weighted)
    text = result.render()
    assert all(name in text for name in ("wte", "wpe", "attn.c_attn", "mlp.c_proj", "ln_f"))
    (stream,) = [segment for segment in result.entry.segments if segment.kind == "residual"]
    assert stream.sites == tuple(f"h.{layer}{join}" for layer in range(config.n_layer) for join in ("/add", ""))
    assert stream.forward.per_layer.mean > 1.0, "every block adds to the stream"
    assert result.verdict == "pass"
    drawn = ip.probe(lambda: GPT2Model(config), scheme="normal(std=0.02)", seeds=2, max_seeds=2, **options)
    assert state_of(model) == before
    assert drawn.entry.outcome.drawn


def test_a_small_one():
    check_gpt2(GPT2Config(n_layer=4, n_embd=64, n_head=4, vocab_size=96, bos_token_id=0, eos_token_id=0), 12)


@pytest.mark.slow
def test_the_real_one():
    config = GPT2Config()
    check_gpt2(config, 32)
