import copy
import functools
import threading
from pathlib import Path

import pytest
import torch
from torch import nn

from initprobe.load.construction import Construction, class_locations, definition, shown_path


class Leaf(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(2, 2)


class Derived(Leaf):
    def __init__(self):
        super().__init__()
        self.extra = nn.ReLU()


class Tree(nn.Module):
    def __init__(self):
        super().__init__()
        self.leaves = nn.ModuleList([Leaf() for _ in range(2)])
        self.derived = Derived()
        self.wide = nn.Sequential(
            nn.Linear(2, 3),
            nn.Linear(3, 4),
        )
        self.encoder = nn.TransformerEncoderLayer(4, 1, 8)
        self.copied = copy.deepcopy(self.derived)
        self.shared = self.derived


def recorded(factory):
    with Construction() as construction:
        model = factory()
    return construction.locations(model, definition(factory))


def source(location):
    return location.text[location.column - 1 : location.end_column - 1]


@pytest.fixture(scope="module")
def tree():
    return recorded(lambda: Tree())  # noqa: PLW0108 - the call in a line of its own is the point


def test_a_layer_stands_where_it_was_built(tree):
    assert source(tree["wide.0"]) == "nn.Linear(2, 3)"
    assert source(tree["wide.1"]) == "nn.Linear(3, 4)"
    assert source(tree["leaves.0.fc"]) == "nn.Linear(2, 2)"
    assert not tree["wide.0"].approximate
    assert Path(tree["wide.0"].file).name == "test_construction.py"


def test_a_module_of_the_users_stands_where_it_is_called_not_where_it_calls_super(tree):
    assert source(tree[""]) == "Tree()"
    assert source(tree["leaves.1"]) == "Leaf()"
    assert source(tree["derived"]) == "Derived()"
    assert source(tree["derived.fc"]) == "nn.Linear(2, 2)"
    assert tree["shared"] == tree["derived"]


def test_a_call_over_several_lines_is_marked_up_to_the_end_of_its_first(tree):
    assert source(tree["wide"]) == "nn.Sequential("


def test_what_a_library_built_stands_at_the_call_of_the_library_and_is_approximate(tree):
    assert not tree["encoder"].approximate
    inner = tree["encoder.linear1"]
    assert (inner.line, inner.approximate) == (tree["encoder"].line, True)


def test_a_copy_takes_the_place_of_what_is_around_it(tree):
    assert (tree["copied"].line, tree["copied"].approximate) == (tree[""].line, True)
    assert (tree["copied.fc"].line, tree["copied.fc"].approximate) == (tree[""].line, True)


def test_every_module_has_a_place(tree):
    assert set(tree) == {path for path, _ in Tree().named_modules(remove_duplicate=False)}


def test_nothing_is_found_where_only_a_library_built_it_and_the_fallback_counts():
    with Construction() as construction:
        pass
    model = nn.TransformerEncoderLayer(4, 1, 8)
    fallback = definition(nn.TransformerEncoderLayer)
    assert set(construction.locations(model, fallback).values()) == {fallback}
    assert construction.locations(model, None) == {}


def test_columns_count_characters_not_bytes():
    found = recorded(lambda: {"größe": nn.Sequential(nn.Linear(2, 7))}["größe"])
    assert source(found["0"]) == "nn.Linear(2, 7)"


def test_module_init_is_put_back(monkeypatch):
    before = nn.Module.__init__
    with Construction():
        assert nn.Module.__init__ is not before
    assert nn.Module.__init__ is before

    def fails():
        with Construction():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert nn.Module.__init__ is before


def test_recorders_may_be_nested_and_each_sees_its_own():
    before = nn.Module.__init__
    with Construction() as outer:
        first = nn.ReLU()
        with Construction() as inner:
            second = nn.ReLU()
        third = nn.ReLU()
    assert [outer.saw(module) for module in (first, second, third)] == [True, False, True]
    assert inner.saw(second)
    assert nn.Module.__init__ is before


def test_another_thread_is_not_recorded_and_restores_nothing_too_early():
    before, built, inside, leave = nn.Module.__init__, [], threading.Event(), threading.Event()

    def other():
        with Construction():
            inside.set()
            leave.wait(10)
        built.append(nn.ReLU())

    thread = threading.Thread(target=other)
    with Construction() as construction:
        thread.start()
        inside.wait(10)
        mine = nn.ReLU()
    assert nn.Module.__init__ is not before, "the other thread still records"
    leave.set()
    thread.join(10)
    assert construction.saw(mine)
    assert not construction.saw(built[0])
    assert nn.Module.__init__ is before


def test_somebody_elses_patch_is_left_in_place(monkeypatch):
    original = nn.Module.__init__
    monkeypatch.setattr(nn.Module, "__init__", original)  # puts it back after this test
    with Construction():
        wrapped = nn.Module.__init__

        def theirs(self, *args, **kwargs):
            wrapped(self, *args, **kwargs)

        nn.Module.__init__ = theirs
    assert nn.Module.__init__ is theirs
    assert isinstance(nn.Linear(2, 2), nn.Linear)


def test_modules_are_not_kept_alive_and_a_reused_identity_is_not_believed():
    with Construction() as construction:
        for _ in range(50):
            nn.ReLU()
    later = [nn.ReLU() for _ in range(50)]
    assert not any(construction.saw(module) for module in later)


def test_works_on_the_meta_device():
    with torch.device("meta"):
        found = recorded(Tree)
    assert source(found["wide.0"]) == "nn.Linear(2, 3)"


def test_a_model_from_transformers_points_at_the_factory():
    transformers = pytest.importorskip("transformers")
    config = transformers.GPT2Config(n_layer=2, n_embd=8, n_head=2, vocab_size=16, n_positions=8)

    def build():
        return transformers.GPT2Model(config)

    found = recorded(build)
    assert source(found[""]) == "transformers.GPT2Model(config)"
    assert not found[""].approximate
    assert all(place.approximate and place.line == found[""].line for path, place in found.items() if path)


def decorator(function):
    return function


@decorator
@functools.lru_cache(
    maxsize=64,
)
def decorated_factory():
    return Leaf()


def test_a_definition_is_the_line_with_its_name():
    assert source(definition(decorated_factory)) == "def decorated_factory():"
    assert source(definition(Tree)) == "class Tree(nn.Module):"
    assert source(definition(functools.partial(decorated_factory))) == "def decorated_factory():"
    assert source(definition(Derived())) == "class Derived(Leaf):"
    assert definition(Tree).approximate
    assert definition(len) is None


def test_an_instance_points_at_the_nearest_class_of_the_users():
    found = class_locations(nn.Sequential(Leaf(), nn.ReLU()))
    assert source(found["0.fc"]) == "class Leaf(nn.Module):"
    assert found["0.fc"].approximate
    assert source(found["1"]).startswith("class Sequential")


def test_paths_are_relative_below_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert shown_path(str(tmp_path / "a" / "net.py")) == "a/net.py"
    assert shown_path("/elsewhere/net.py") == "/elsewhere/net.py"
    (tmp_path / ".git").mkdir()
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert shown_path(str(tmp_path / "net.py")) == "../net.py"
    assert shown_path("/elsewhere/net.py") == "/elsewhere/net.py"
