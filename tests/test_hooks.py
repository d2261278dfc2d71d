"""What hooks see, how sites are named, and what is put back."""

from __future__ import annotations

import copy
import random
import warnings
from collections import OrderedDict, UserDict, deque

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from initprobe.errors import TargetError
from initprobe.hooks import ROOT, tensors_in, undisturbed, unmeasurable, watching
from initprobe.module_state import parameters_restored
from tests.zoo.odd_models import Answer, Counting, Norms, Pair, Random, Two, encoder, mlp

A, B = torch.zeros(1), torch.ones(2)


class Held:
    """An output of a class of one's own."""

    def __init__(self, value, **more):
        self.value = value
        vars(self).update(more)


class Slotted:
    __slots__ = ("missing", "value")

    def __init__(self, value):
        self.value = value


@pytest.mark.parametrize(
    ("value", "places"),
    [
        (A, [""]),
        (None, []),
        ("text", []),
        (3.0, []),
        ((A, None, B), ["[0]", "[2]"]),
        ([A, (B, A)], ["[0]", "[1][0]", "[1][1]"]),
        ({"x": A, "y": {"z": B}}, ["[x]", "[y][z]"]),
        (OrderedDict(b=B, a=A), ["[b]", "[a]"]),
        (UserDict(x=A), ["[x]"]),
        (Pair(A, B), ["[0]", "[1]"]),
        (Answer(A), ["[hidden]"]),
        (Answer, []),
        (pack_sequence([A, A]), ["[0]", "[1]"]),
        (object(), []),
        (Held(A, nothing=None), ["[value]"]),
        (Slotted(A), ["[value]"]),
        ([Held(Held(B)), 3], ["[0][value][value]"]),
        ((A, Held(B)), ["[0]"]),  # a cache beside an output is no output
        (deque([A, B]), ["[0]", "[1]"]),
        (torch.distributions.Normal(B, B), ["[loc]", "[scale]"]),
        (nn.Linear(2, 2), []),
        (lambda: A, []),
        (A.to("meta"), [""]),
    ],
)
def test_tensors_are_found_with_their_places(value, places):
    assert [place for place, _ in tensors_in(value)] == places


def test_a_value_that_holds_itself_is_opened_once():
    endless = [A]
    endless.append(endless)
    assert [place for place, _ in tensors_in(endless)] == ["[0]"]
    around = Held(None)
    around.value = [around, {"x": A}, Held(around)]
    assert [place for place, _ in tensors_in(around)] == ["[value][1][x]"]
    deep = A
    for _ in range(20):
        deep = [deep]
    assert list(tensors_in(deep)) == []


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (torch.zeros(2), None),
        (torch.zeros(()), None),
        (torch.zeros(2, dtype=torch.float16), None),
        (torch.zeros(2, dtype=torch.bfloat16), None),
        (torch.zeros(2, dtype=torch.complex64), None),
        (torch.zeros(2).to(torch.float8_e4m3fn), None),
        (nn.Parameter(torch.zeros(2)), None),
        (torch.zeros(0, 3), "empty tensor"),
        (torch.zeros(2, dtype=torch.int64), "int64 values"),
        (torch.zeros(2, dtype=torch.bool), "bool values"),
        (torch.zeros(2).to_sparse(), "sparse_coo layout"),
        (torch.zeros(2, device="meta"), "meta tensor, it has no values"),
        (torch.zeros(2, 2).to_mkldnn(), "torch._mkldnn layout"),
    ],
)
def test_what_cannot_be_measured_says_why(tensor, reason):
    found = unmeasurable(tensor)
    assert found == reason or (reason and found and found.endswith(reason.removeprefix("torch.")))


def test_nested_and_quantized_tensors_are_told():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nested = torch.nested.nested_tensor([A, B])
        quantized = torch.quantize_per_tensor(B, 0.1, 0, torch.qint8)
    assert unmeasurable(nested) == "nested tensor"
    assert unmeasurable(quantized) == "quantized tensor"


def keys(model, *args):
    seen = []
    with watching(model, seen.append) as watch:
        model(*args)
    return seen, watch


def test_keys_name_path_call_and_place():
    class Model(Two):
        def forward(self, x):
            x = self.first(self.first(x))
            return {"out": self.second(x), "both": (x, x + 1)}

    visits, _ = keys(Model(), torch.randn(2, 6))
    assert [visit.key for visit in visits] == [
        "first", "first#2", "second", "(model)[out]", "(model)[both][0]", "(model)[both][1]",
    ]  # fmt: skip
    assert [visit.alias_of for visit in visits] == [None, None, None, "second", "first#2", None]
    assert visits[0].args[0].shape == (2, 6)


def test_a_tensor_that_was_changed_in_place_is_another_value():
    visits, _ = keys(mlp(1, inplace=True), torch.randn(2, 6))
    assert [(visit.key, visit.alias_of) for visit in visits] == [("0", None), ("1", None), ("2", None), (ROOT, "2")]
    assert visits[0].tensor is visits[1].tensor


def test_the_hook_answers_none_whatever_its_listener_says():
    model = mlp()
    with watching(model, lambda visit: "not none") as watch:
        assert watch.leave(model[0], (), A) is None
        assert isinstance(model(torch.randn(2, 6)), torch.Tensor)


def test_a_listener_that_raises_leaves_no_hook():
    model = mlp()
    with pytest.raises(ZeroDivisionError), watching(model, lambda visit: 1 // 0):
        model(torch.randn(2, 6))
    assert not any(module._forward_hooks for module in model.modules())


def test_hooks_of_the_user_stay():
    model = mlp()
    handle = model[0].register_forward_hook(lambda *_: None)
    keys(model, torch.randn(2, 6))
    assert list(model[0]._forward_hooks) == [handle.id]


def test_a_module_copied_in_the_forward_disturbs_nothing():
    class Copying(Two):
        def forward(self, x):
            return copy.deepcopy(self.first)(x) + self.first(x)

    visits, _ = keys(Copying(), torch.randn(2, 6))
    assert [visit.key for visit in visits] == ["first", ROOT]


def test_the_fused_encoder_is_taken_apart():
    model = encoder().eval()
    with undisturbed(model, mode="eval", seed=0), torch.no_grad():
        visits, _ = keys(model, torch.randn(2, 5, 8))
    assert {"layers.0.self_attn", "layers.1.linear2", "layers.1.norm2"} <= {visit.path for visit in visits}
    assert torch.backends.mha.get_fastpath_enabled()


def test_the_mha_projection_counts_as_uncalled():
    _, watch = keys(encoder(), torch.randn(2, 5, 8))
    assert watch.uncalled() == ("layers.0.self_attn.out_proj", "layers.1.self_attn.out_proj")


def test_script_modules_are_told_as_unseen():
    class Model(Two):
        def __init__(self):
            super().__init__()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.script = torch.jit.script(nn.BatchNorm1d(6))

        def forward(self, x):
            return self.script(self.first(x))

    model = Model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with undisturbed(model, mode="train", seed=0):
        visits, watch = keys(model, torch.randn(4, 6))
    assert [visit.key for visit in visits] == ["first", ROOT]
    assert watch.unseen == {"script": "a ScriptModule takes no hooks"}
    assert watch.uncalled() == ("second",)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_layer_that_the_forward_builds_is_told():
    class Building(Two):
        def forward(self, x):
            self.late = nn.Linear(6, 2)
            return self.late(self.first(x))

    model = Building()
    with undisturbed(model, mode="train", seed=0):
        _, watch = keys(model, torch.randn(4, 6))
    assert watch.unseen == {"late": "the forward builds it itself, anew in every pass"}
    assert not hasattr(model, "late")


@pytest.mark.parametrize(("mode", "expected"), [("train", True), ("eval", False), ("as-is", None)])
def test_the_mode_is_set_inside_and_put_back(mode, expected):
    model = mlp()
    model[1].eval()
    flags = [module.training for module in model.modules()]
    with undisturbed(model, mode=mode, seed=0):
        inside = {module.training for module in model.modules()}
        assert inside == ({True, False} if expected is None else {expected})
    assert [module.training for module in model.modules()] == flags


def test_a_model_that_refuses_a_mode_says_so():
    class Stubborn(Two):
        def train(self, mode=True):
            raise NotImplementedError("not here")

    model = Stubborn()
    refused = pytest.raises(TargetError, match="cannot be put into eval mode: NotImplementedError: not here")
    with refused as caught, undisturbed(model, mode="eval", seed=0):
        pass
    assert "--mode as-is" in caught.value.hint
    with undisturbed(model, mode="as-is", seed=0):
        assert model.training


def draws():
    return torch.rand(1).item(), float(np.random.rand()), random.random()  # noqa: NPY002


def test_the_generators_are_seeded_inside_and_put_back():
    model = Random()
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    random.seed(7)
    expected = draws()
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    random.seed(7)
    inside = []
    for seed in (0, 0, 1, 2**40):
        with undisturbed(model, mode="train", seed=seed):
            inside.append(draws())
    assert inside[0] == inside[1]
    assert len(set(inside)) == 3
    assert draws() == expected


def test_a_forward_may_resize_its_buffers():
    model = Counting()
    model.register_buffer("grown", torch.zeros(2))
    grown = model.grown
    with undisturbed(model, mode="train", seed=0):
        model.grown.resize_(5).fill_(3.0)
    assert model.grown is grown
    assert model.grown.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("build", [lambda: torch.eye(3).to_sparse(), lambda: torch.eye(3).to_sparse_csr()])
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta state")
def test_sparse_buffers_are_put_back(build):
    model = Two()
    model.register_buffer("graph", build())
    with undisturbed(model, mode="train", seed=0):
        model.graph.values().mul_(2) if model.graph.layout is torch.sparse_csr else model.graph.mul_(2)
    assert torch.equal(model.graph.to_dense(), torch.eye(3))


class Installing(Two):
    """Hooks its layer in the first forward and remembers that, as transformers does to hand out hidden states."""

    def forward(self, x):
        if not hasattr(self, "installed"):
            self.installed, self.seen = True, []
            self.first.register_forward_hook(lambda _module, _args, output: self.seen.append(output), always_call=True)
            self.first.register_forward_pre_hook(lambda _module, args, _kwargs: (args, {}), with_kwargs=True)
        self.seen.clear()
        return self.second(self.first(x)) + self.seen[0].sum()


def test_hooks_that_a_forward_adds_are_gone_and_the_next_pass_adds_them_again():
    model = Installing()
    hooks = {name: value for name, value in vars(model.first).items() if "hooks" in name}
    before = {name: dict(value) for name, value in hooks.items() if isinstance(value, dict)}
    model.first.register_forward_hook(lambda *_: None).remove()
    for _ in range(2):
        with undisturbed(model, mode="train", seed=0):
            model(torch.ones(2, 6))
        assert not hasattr(model, "installed")
        assert {name: dict(value) for name, value in hooks.items() if isinstance(value, dict)} == before


def test_gradients_that_somebody_writes_are_gone_and_those_before_are_back():
    model = mlp(1)
    kept = torch.full_like(model[0].weight, 3.0)
    model[0].weight.grad = kept
    with undisturbed(model, mode="train", seed=0):
        model(torch.ones(2, 6)).sum().backward()
        assert model[0].bias.grad is not None
    assert model[0].weight.grad is kept
    assert kept.eq(3.0).all(), "nothing was added to it"
    assert all(parameter.grad is None for parameter in model.parameters() if parameter is not model[0].weight)


def test_batch_norm_comes_back_bit_by_bit():
    model = Norms()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    buffers = [id(buffer) for buffer in model.buffers()]
    with undisturbed(model, mode="train", seed=0):
        model(torch.randn(4, 3, 6, 6))
        assert model.norm.num_batches_tracked == 1
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert [id(buffer) for buffer in model.buffers()] == buffers


def overwrite(model):
    with parameters_restored(model):
        for parameter in model.parameters():
            nn.init.constant_(parameter, 7.0)
        raise KeyboardInterrupt


def test_parameters_come_back_after_an_interruption_too():
    model = mlp()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(KeyboardInterrupt):
        overwrite(model)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
