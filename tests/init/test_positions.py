"""Which parameters count as positions."""

from dataclasses import replace

import pytest

from initprobe.init.positions import is_class_token, is_position, is_relative, is_table
from initprobe.records import Weight

TABLE = Weight("pos_embed", "", "Model", "bias", (1, 17, 32))
LOOKUP = Weight("wpe.weight", "wpe", "Embedding", "embedding", (17, 32))


@pytest.mark.parametrize(
    "name",
    ["wpe.weight", "embeddings.position_embeddings.weight", "encoder.embed_positions.weight", "positional_embedding",
     "encoder.pos_embedding", "pos_embed", "model.pos.weight"],
)  # fmt: skip
def test_lookups_are_known_by_their_names(name):
    found = replace(LOOKUP, name=name)
    assert is_position(found)
    assert not is_relative(found)
    assert not is_table(found)


@pytest.mark.parametrize(
    "name", ["wte.weight", "embeddings.word_embeddings.weight", "pos.tagger.token.weight", "composition.weight"]
)
def test_tokens_are_none(name):
    assert not is_position(replace(LOOKUP, name=name))


@pytest.mark.parametrize(
    "name", ["attn.relative_position_bias_table", "attn.rel_pos_h", "relative_attention_bias.weight"]
)
@pytest.mark.parametrize("role", ["bias", "embedding", "other"])
def test_relative_ones_are_known_by_their_names(name, role):
    found = replace(LOOKUP, name=name, role=role)
    assert is_relative(found)
    assert not is_position(found)


def test_a_table_that_is_stretched_before_it_is_added_is_known_by_its_name():
    assert is_position(replace(TABLE, role="other"))
    assert not is_position(replace(TABLE, role="other", name="table"))


def test_tables_are_known_by_where_they_are_added():
    unnamed = replace(TABLE, name="table")
    assert is_table(unnamed)
    assert is_position(unnamed)
    assert not is_relative(unnamed)
    inside = replace(unnamed, branch=0)
    assert is_relative(inside)
    assert not is_position(inside)


@pytest.mark.parametrize("shape", [(32,), (1, 1, 32), (1, 32, 1, 1), (17, 1)])
def test_one_row_is_no_table(shape):
    one = replace(TABLE, shape=shape)
    assert not is_table(one)
    assert not is_position(one)
    assert not is_relative(one)


def test_class_tokens():
    token = Weight("cls_token", "", "Model", "other", (1, 1, 32))
    assert is_class_token(token)
    assert not is_class_token(replace(token, shape=(32,)))
    assert is_class_token(replace(token, name="reg_token", shape=(1, 4, 32)))
    assert not is_class_token(replace(token, name="pos_embed", shape=(1, 4, 32)))
    assert not is_class_token(replace(token, shape=(17, 32)))
    assert not is_class_token(replace(token, role="bias"))
