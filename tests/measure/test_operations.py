"""Operations between modules: the same numbers as an independent capture, and as the same network written in modules.

The capture is a dispatch mode below autograd: it copies what every kernel puts out, and knows nothing of modules,
functions or names. Every site of a probe must be one of those values, in the order in which they were made.
"""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm
from torch.utils._python_dispatch import TorchDispatchMode

from initprobe.dissect.anatomy import trace_anatomy
from initprobe.hooks import watching
from initprobe.measure.signal import OTHERWISE, measure_signal
from initprobe.records import ProbeRequest
from initprobe.subject import Subject
from tests.dissect.networks import Bare, ClassToken, PostActivation, PreActivation, PreNorm, anatomy_of
from tests.measure.reference import BATCH, moments, probe
from tests.zoo.odd_models import IMAGES, SEQUENCES, Drawn, encoder


class Kernels(TorchDispatchMode):
    """Copies of all floating-point values that kernels put out, in order."""

    def __init__(self):
        super().__init__()
        self.values = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        output = function(*args, **(kwargs or {}))
        for value in output if isinstance(output, (tuple, list)) else (output,):
            if isinstance(value, torch.Tensor) and value.is_floating_point() and value.numel():
                self.values.append(value.detach().clone())
        return output


class GatedAttention(nn.Module):
    """Attention and a gated feed-forward, written in functions, adds in place."""

    def __init__(self, width=8):
        super().__init__()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.gate, self.up = nn.Parameter(torch.randn(2 * width, width) / 3), nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x):
        q, k, v = self.qkv(F.layer_norm(x, (8,))).chunk(3, -1)
        weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(8), -1)
        x = x + self.out(weights @ v)
        y = F.layer_norm(x, (8,))
        x += self.down(F.silu(F.linear(y, self.gate)) * self.up(y))
        return x


def gpt2():
    from transformers import GPT2Config, GPT2Model

    config = GPT2Config(n_layer=2, n_embd=32, n_head=4, vocab_size=97, n_positions=32, bos_token_id=0, eos_token_id=0)
    return GPT2Model(config)


def vision(library, name):
    import timm
    import torchvision

    return timm.create_model(name) if library == "timm" else torchvision.models.get_model(name)


def deep(block, *sizes):
    return nn.Sequential(*(block(*sizes) for _ in range(3)))


NETWORKS = {
    "bare parameters": (Bare, Drawn(((4,),))),
    "post-activation": (lambda: nn.Sequential(nn.Conv2d(3, 4, 1), deep(PostActivation, 4)), IMAGES),
    "pre-norm": (lambda: nn.Sequential(nn.Linear(6, 8), deep(PreNorm, 8)), Drawn()),
    "pre-activation": (lambda: nn.Sequential(nn.Linear(6, 8), deep(PreActivation, 8)), Drawn()),
    "gated attention": (lambda: nn.Sequential(nn.Linear(6, 8), deep(GatedAttention)), Drawn(((5, 6),))),
    "class token": (ClassToken, Drawn(((5, 6),))),
    "encoder": (encoder, SEQUENCES),
    "encoder, norm first": (lambda: encoder(norm_first=True), SEQUENCES),
    "two layers tied": (lambda: nn.Sequential(*[nn.Linear(6, 6)] * 2, PreNorm(6)), Drawn()),
    "recurrent": (lambda: nn.LSTM(6, 5, batch_first=True), Drawn(((4, 6),))),
    "GPT-2 of transformers": (gpt2, Drawn(((7,),), whole=97)),
    "ResNet-18 of torchvision": (lambda: vision("torchvision", "resnet18"), Drawn(((3, 32, 32),))),
    "ConvNeXt of timm": (lambda: vision("timm", "convnext_atto"), Drawn(((3, 32, 32),))),
}
EVERY = pytest.mark.parametrize("name", list(NETWORKS))


def network(name):
    build, inputs = NETWORKS[name]
    torch.manual_seed(0)
    return build(), inputs


@EVERY
def test_every_site_is_a_value_that_a_kernel_made(name):
    model, inputs = network(name)
    trace = probe(model, inputs, backward=False)
    call = Subject(model, inputs).call(BATCH, 3)
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    model.train()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), Kernels() as kernels:
            model(*call.args, **call.kwargs)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    rows = [(tuple(value.shape), moments(value)) for value in kernels.values]
    assert trace.sites
    for site in trace.sites:
        # A view of a kernel's value (heads folded back) has another shape and the same numbers.
        alike = [
            row
            for shape, row in rows
            if math.prod(shape) == math.prod(site.shape)
            and all(
                abs(float(row[name]) - site.forward[name]) <= 1e-6 * abs(float(row["rms"])) + 1e-30
                for name in ("mean", "rms", "std", "absmax", "min", "max", "zero_fraction")
            )
        ]
        assert alike, site.key


def test_functions_tell_what_modules_tell():
    """The same network, once in modules and once in functions: the same sites forward and backward."""

    class Modules(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.act, self.norm = nn.Linear(6, 8), nn.Linear(8, 8), nn.Tanh(), nn.LayerNorm(8)

        def forward(self, x):
            x = self.act(self.first(x))
            return self.norm(self.act(self.second(x)))

    class Functions(Modules):
        def forward(self, x):
            x = torch.tanh(F.linear(x, self.first.weight, self.first.bias))
            return F.layer_norm(F.linear(x, self.second.weight, self.second.bias).tanh_(), (8,))

    torch.manual_seed(0)
    modules = Modules()
    functions = Functions()
    functions.load_state_dict(modules.state_dict())
    expected, found = probe(modules, Drawn()), probe(functions, Drawn())
    assert [site.key for site in expected.sites] == ["first", "act", "second", "act#2", "norm"]
    assert [site.key for site in found.sites] == [
        "(model)/linear", "(model)/tanh", "(model)/linear#2", "(model)/tanh#2", "(model)",
    ]  # fmt: skip
    for one, other in zip(expected.sites, found.sites, strict=True):
        assert one.forward == other.forward
        assert one.backward == other.backward


def test_a_gated_attention_block_shows_all_that_happens_in_it():
    keys = [site.key for site in anatomy_of(*network("gated attention")).sites if site.path.startswith("1.0")]
    assert keys == [
        "1.0/layer_norm", "1.0.qkv", "1.0/matmul", "1.0/softmax", "1.0/matmul#2", "1.0.out", "1.0/add",
        "1.0/layer_norm#2", "1.0/linear", "1.0/silu", "1.0.up", "1.0/mul", "1.0.down", "1.0",
    ]  # fmt: skip
    kinds = {site.key: site.kind for site in anatomy_of(*network("gated attention")).sites}
    assert kinds["1.0"] == kinds["1.0/add"] == "join"
    assert kinds["1.0/linear"] == "weighted"
    assert kinds["1.0/silu"] == kinds["1.0/softmax"] == "activation"


def test_operations_stand_where_they_are_written():
    site = next(site for site in anatomy_of(*network("gated attention")).sites if site.key == "1.0/silu")
    assert site.location.file.endswith("test_operations.py")
    assert "F.silu" in site.location.text
    assert site.operation == "silu"


def test_torchs_own_layers_are_not_taken_apart():
    anatomy = anatomy_of(nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.LayerNorm(6), nn.GELU()), Drawn())
    assert not [site for site in anatomy.sites if site.operation]


def test_a_call_that_fails_inside_leaves_the_names_of_the_others_alone():
    class Fails(nn.Module):
        def forward(self, x):
            raise ValueError(x)

    class Catches(nn.Module):
        def __init__(self):
            super().__init__()
            self.fails, self.lin = Fails(), nn.Linear(6, 6)

        def forward(self, x):
            try:
                x = self.fails(x)
            except ValueError:
                x = torch.relu(x)
            return torch.tanh(self.lin(x)) + x

    keys = [site.key for site in anatomy_of(nn.Sequential(Catches()), Drawn()).sites if site.alias_of is None]
    assert keys[-3:] == ["0.lin", "0/tanh", "0"]


def test_the_watch_is_over_when_it_is_over():
    model = nn.Sequential(PreNorm(6))
    seen = []
    with watching(model, seen.append, operations=True):
        model(torch.randn(2, 6))
    number = len(seen)
    model(torch.randn(2, 6))
    F.relu(torch.randn(3))
    assert len(seen) == number
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_two_calls_of_a_block_are_told_apart():
    block = PreNorm(6)

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = block

        def forward(self, x):
            return self.block(self.block(x))

    keys = [site.key for site in trace_anatomy(Subject(Twice(), Drawn())).anatomy.sites if site.alias_of is None]
    assert "block/gelu" in keys
    assert "block#2/gelu" in keys


class Dropped(nn.Module):
    """Layers that are left out at random, each in another pass."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in range(6))

    def forward(self, x):
        for layer in self.layers:
            if torch.rand(()) < 0.5:
                x = x + F.relu(layer(x))
        return x


def test_a_pass_that_does_something_else_puts_nothing_under_the_names_of_another():
    torch.manual_seed(0)
    subject = Subject(Dropped(), Drawn())
    anatomy = trace_anatomy(subject, seed=0).anatomy
    same, other = (measure_signal(subject, anatomy, ProbeRequest(), seed=seed, batch=BATCH) for seed in (0, 1))
    operations = {site.key for site in anatomy.sites if site.operation and site.alias_of is None}
    assert operations
    assert operations <= {site.key for site in same.sites}
    assert operations.isdisjoint(site.key for site in other.sites)
    assert any(site.key.startswith("layers.") for site in other.sites)
    (told,) = [gap for gap in other.unseen if gap.hidden]
    assert (told.path, told.reason) == ("(model)", OTHERWISE)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin, self.w = nn.Linear(6, 6), nn.Parameter(torch.randn(6, 6))

    def forward(self, x):
        return F.layer_norm(x + F.relu(self.lin(x)) @ self.w, (6,))


@pytest.mark.parametrize(
    ("wrap", "prefix"),
    [(lambda block: block, "0"), (lambda block: weight_norm(block, "w"), "0"), (nn.DataParallel, "0.module")],
)
def test_what_torch_wraps_is_not_torchs_own(wrap, prefix):
    keys = [site.key for site in anatomy_of(nn.Sequential(wrap(Functional())), Drawn()).sites]
    assert [key for key in keys if "/" in key] == [f"{prefix}/relu", f"{prefix}/matmul", f"{prefix}/add"]


class Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, y):
        return x + y

    @staticmethod
    def backward(ctx, gradient):
        return gradient, gradient


class OwnSum(nn.Module):
    def __init__(self, add):
        super().__init__()
        self.lin, self.add = nn.Linear(6, 6), add

    def forward(self, x):
        return F.relu(self.add(x, torch.tanh(self.lin(x))))


def test_a_function_of_the_users_own_passes_gradients_like_any_other():
    traces = []
    for add in (torch.add, Sum.apply):
        torch.manual_seed(0)
        traces.append(probe(nn.Sequential(*[OwnSum(add) for _ in range(3)]), Drawn()))
    plain, own = traces
    assert [site.key for site in plain.sites] == [site.key for site in own.sites]
    assert [site.backward for site in plain.sites] == [site.backward for site in own.sites]
    assert all(site.backward is not None for site in own.sites)


def test_dropout_as_a_function_is_what_it_is_as_a_module():
    class Block(nn.Module):
        def __init__(self, drop):
            super().__init__()
            self.lin, self.drop = nn.Linear(6, 6), drop

        def forward(self, x):
            return x + self.drop(F.relu(self.lin(x)))

    keys = {}
    for name, drop in (("module", nn.Dropout(0.5)), ("function", lambda x: F.dropout(x, 0.5))):
        keys[name] = [
            branch.end for branch in anatomy_of(nn.Sequential(nn.Linear(6, 6), Block(drop)), Drawn()).branches
        ]
    assert keys == {"module": ["1.drop"], "function": ["1/dropout"]}


def test_a_gradient_inside_the_forward_is_none_of_the_losss():
    class Force(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin, self.energy = nn.Linear(6, 8), nn.Linear(8, 1)

        def forward(self, x):
            x = x.detach().requires_grad_()
            with torch.enable_grad():
                energy = self.energy(torch.tanh(self.lin(x)))
                (force,) = torch.autograd.grad(energy.sum(), x, create_graph=True)
            return force

    sites = {site.key: site for site in probe(Force(), Drawn()).sites}
    assert sites["energy"].backward is None
    assert sites["lin"].backward is not None


class Stubborn(torch.Tensor):
    """A subclass with an opinion of its own about what may be done with it."""

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if getattr(function, "__name__", "") == "detach":
            raise NotImplementedError
        return super().__torch_function__(function, types, args, kwargs or {})


def test_a_subclass_is_not_asked_about_our_own_arithmetic():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin, self.zero = nn.Linear(6, 6), torch.zeros(6).as_subclass(Stubborn)

        def forward(self, x):
            return F.relu(self.lin(torch.add(x, self.zero))).tanh()

    assert probe(Model(), Drawn()).sites


def test_a_module_called_like_an_operation_keeps_its_name():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.lin = nn.Linear(6, 6)

        def forward(self, x):
            return torch.tanh(x + self.lin(x))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = Block()
            self.add_module("block/add", nn.Linear(6, 6))

        def forward(self, x):
            return getattr(self, "block/add")(self.block(x))

    kinds = {site.key: site.kind for site in anatomy_of(Model(), Drawn()).sites}
    assert (kinds["block/add"], kinds["block//add"]) == ("weighted", "join")


class Elsewhere(torch.autograd.Function):
    """Leaves torch, as a kernel of somebody's own does."""

    @staticmethod
    def forward(ctx, x):
        return torch.from_numpy(np.tanh(x.detach().numpy()))

    @staticmethod
    def backward(ctx, gradient):
        return gradient


def test_what_a_function_computes_elsewhere_is_told():
    class Model(nn.Module):
        def __init__(self, function):
            super().__init__()
            self.first, self.second, self.function = nn.Linear(6, 6), nn.Linear(6, 6), function

        def forward(self, x):
            return x + self.second(self.function(self.first(x)))

    (told,) = [gap for gap in probe(Model(Elsewhere.apply), Drawn()).unseen if gap.hidden]
    assert told.reason == "what the autograd function Elsewhere computes"
    assert not [gap for gap in probe(Model(torch.tanh), Drawn()).unseen if gap.hidden]
    assert not [gap for gap in probe(OwnSum(Sum.apply), Drawn()).unseen if gap.hidden]
