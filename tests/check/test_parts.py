"""Whole parts of a network."""

from initprobe.check.parts import whole_parts


def test_the_largest_module_that_holds_nothing_else():
    parts = whole_parts(["a.b.x", "a.b.y", "a.c.z", "d.x", "e"], ["a.c.w", "d.y"])
    assert parts == {"a.b": ("a.b.x", "a.b.y"), "a.c.z": ("a.c.z",), "d.x": ("d.x",), "e": ("e",)}


def test_a_module_with_one_member_is_told_by_it():
    assert whole_parts(["pooler.dense"], ["head"]) == {"pooler.dense": ("pooler.dense",)}


def test_the_network_as_a_whole_is_no_part():
    assert set(whole_parts(["a.x", "a.y", "b.x"], [])) == {"a", "b.x"}


def test_names_that_begin_alike_are_not_in_one_module():
    assert set(whole_parts(["layer.x", "layer.y", "layer2.x"], [])) == {"layer", "layer2.x"}
