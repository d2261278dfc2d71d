"""Sizes are decided where nothing is allocated."""

import pytest
import torch

from initprobe.errors import UsageError
from initprobe.load.huggingface.configuration import configure
from initprobe.load.huggingface.model import builder, check_size, construct

SMALL = {"n_layer": 2, "n_embd": 32, "n_head": 2, "vocab_size": 96, "n_positions": 40}


def small():
    config = configure("gpt2", {}, SMALL, "it")
    return builder(config, None, "it"), config


def test_weights_that_do_not_fit_name_the_heaviest():
    build, config = small()
    count = sum(parameter.numel() for parameter in construct(build, config, "it").parameters())
    check_size(build, config, "it", memory=4 * count)
    with pytest.raises(UsageError, match=rf"it needs .* for its {count:,} parameters, 100 B available") as caught:
        check_size(build, config, "it", memory=100)
    assert "h.0.mlp.c_fc.weight takes 16.4 kB" in caught.value.hint


def test_a_network_without_end_is_not_built_to_its_end():
    build, config = small()
    check_size(build, config, "it", modules=100)
    with pytest.raises(UsageError, match="it has more than 10 modules"):
        check_size(build, config, "it", modules=10)
    assert construct(build, config, "it").h[1] is not None, "the counter is gone"


def test_the_configuration_stays_as_it_was():
    build, config = small()
    before = config.to_dict()
    model = construct(build, config, "it")
    model.config.n_layer = 77
    assert config.to_dict() == before
    assert model.wte.weight.dtype == torch.float32
