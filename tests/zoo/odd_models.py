"""Small models that break naive probes: each a few numbers wide, each odd in one way.

``ODD`` is the table that generic tests run over; ``inputs`` makes the batch, ``signal_free`` names models whose early
sites carry no gradient in a plain pass (frozen layers behind token inputs), so that a reference pass differs.
"""

from __future__ import annotations

import copy
import random
import warnings
from collections import UserDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from initprobe.subject import Call

WIDTH = 6
CLASSES = 11


@dataclass(frozen=True)
class Drawn:
    """Gaussian (or whole) numbers that depend on the seed alone."""

    shapes: tuple[tuple[int, ...], ...] = ((WIDTH,),)
    whole: int | None = None
    fixed: int | None = None

    def make(self, batch: int, seed: int, dtype: torch.dtype) -> Call:
        generator = torch.Generator().manual_seed(seed)
        args = []
        for shape in self.shapes:
            if self.whole is not None:
                args.append(torch.randint(self.whole, (batch, *shape), generator=generator))
            else:
                args.append(torch.randn(batch, *shape, generator=generator).to(dtype))
        return Call(tuple(args))


@dataclass(frozen=True)
class Odd:
    build: Callable[[], nn.Module]
    inputs: Drawn = field(default_factory=Drawn)
    signal_free: bool = False
    twin: bool = True  # whether a second, perturbed pass computes the same function


TOKENS = Drawn(((5,),), whole=CLASSES)
IMAGES = Drawn(((3, 6, 6),))
SEQUENCES = Drawn(((5, 8),))


class Two(nn.Module):
    """Two linear layers for the models below to connect."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(WIDTH, WIDTH)
        self.second = nn.Linear(WIDTH, WIDTH)


def mlp(depth: int = 3, width: int = WIDTH, *, inplace: bool = False) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Linear(width, width), nn.ReLU(inplace=inplace)]
    return nn.Sequential(*layers, nn.Linear(width, 3))


class InplaceArithmetic(Two):
    def forward(self, x):
        y = self.first(x)
        y += x
        y *= 2
        return self.second(y)


class InplaceOnView(Two):
    def forward(self, x):
        y = self.first(x)
        y[:, :2].mul_(3.0)
        y.view(-1)[::2].add_(1.0)
        return self.second(y)


class Halves(nn.Module):
    def forward(self, x):
        return x.chunk(2, -1)


class UnusedHalf(Two):
    """One of two outputs of one operation gets no gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.halves = Halves()
        self.head = nn.Linear(WIDTH // 2, 3)

    def forward(self, x):
        left, _ = self.halves(self.first(x))
        return self.head(left)


class MaterializeNothing(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x * 2, x * 3

    @staticmethod
    def backward(ctx, left, right):
        return (0 if left is None else left * 2) + (0 if right is None else right * 3)


class OwnFunction(nn.Module):
    def forward(self, x):
        return MaterializeNothing.apply(x)


class OwnBackward(Two):
    def __init__(self) -> None:
        super().__init__()
        self.own = OwnFunction()

    def forward(self, x):
        left, _ = self.own(self.first(x))
        return self.second(left)


class Reused(Two):
    def forward(self, x):
        for _ in range(3):
            x = torch.tanh(self.first(x))
        return self.second(x)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(CLASSES, WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, x):
        return self.head(torch.tanh(self.mix(self.tokens(x))))


class OneModuleTwoNames(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(WIDTH, WIDTH)
        self.b = self.a

    def forward(self, x):
        return self.b(torch.relu(self.a(x)))


class Positions(nn.Module):
    """Hands out its parameter itself."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(5, WIDTH))

    def forward(self):
        return self.table


class Learned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(CLASSES, WIDTH)
        self.positions = Positions()
        self.head = nn.Linear(WIDTH, 3)

    def forward(self, x):
        return self.head(self.tokens(x) + self.positions())


class TwoInputs(Two):
    def forward(self, x, y):
        return self.first(x) * torch.sigmoid(self.second(y))


class Gradless(Two):
    def forward(self, x):
        with torch.no_grad():
            y = self.first(x)
        return self.second(y + x)


class Detached(Two):
    def forward(self, x):
        return self.second(self.first(x).detach())


class Uncalled(Two):
    def __init__(self) -> None:
        super().__init__()
        self.never = nn.Linear(WIDTH, WIDTH)
        self.loose = nn.Parameter(torch.ones(3))

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


def frozen(*names: str) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        model = mlp()
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(not (names == () or name.partition(".")[0] in names))
        return model

    return build


class FrozenTokens(Tied):
    def __init__(self) -> None:
        super().__init__()
        self.requires_grad_(requires_grad=False)


Pair = namedtuple("Pair", ["left", "right"])  # noqa: PYI024 the untyped one is what models return


@dataclass
class Answer:
    hidden: torch.Tensor
    nothing: Any = None
    kept: str = "text"


class Wrapping(Two):
    """Puts its hidden value and its output into one of many containers."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.inner = Container(kind)

    def forward(self, x):
        return self.inner(self.second(torch.relu(self.first(x))))


class Container(nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x):
        y = x * 2
        made = {
            "tuple": lambda: (x, y),
            "list": lambda: [x, [y]],
            "dict": lambda: {"hidden": x, "nested": {"out": y}},
            "namedtuple": lambda: Pair(x, y),
            "dataclass": lambda: Answer(y),
            "userdict": lambda: UserDict(hidden=x, out=y),
            "whole": lambda: (y, y.argmax(-1), y > 0),
        }
        return made[self.kind]()


class Nothing(nn.Module):
    def forward(self, _x):
        return None


class Sink(Two):
    """A module in the middle answers None."""

    def __init__(self) -> None:
        super().__init__()
        self.sink = Nothing()

    def forward(self, x):
        y = self.first(x)
        self.sink(y)
        return self.second(y)


class Norms(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(4, 3)
        self.head.eval()

    def forward(self, x):
        return self.head(self.act(self.norm(self.conv(x))).mean((2, 3)))


class Counting(Two):
    """Replaces a buffer, adds one, writes into one, and keeps its last value in an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("replaced", torch.zeros(()))
        self.register_buffer("written", torch.zeros(2), persistent=False)
        self.register_buffer("spread", torch.ones(1).expand(4))
        self.register_buffer("absent", None)
        self.steps = 0
        self.last = None

    def forward(self, x):
        self.replaced = self.replaced + 1
        self.written.add_(1)
        self.steps += 1
        self.last = self.first(x)
        if not hasattr(self, "added"):
            self.register_buffer("added", torch.ones(2))
            self.extra = 3
            self.late = nn.Linear(WIDTH, WIDTH)
            self.gain = nn.Parameter(torch.ones(()))
        return self.second(torch.relu(self.last)) * self.spread.sum()


class Random(Two):
    """Draws from every global generator."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        factor = 1 + random.random() + np.random.rand() + float(torch.rand(()))  # noqa: NPY002
        return self.second(self.drop(self.first(x))) * factor


class Same(Two):
    """Three modules hand out one and the same tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = nn.Sequential(nn.Identity(), nn.Identity())

    def forward(self, x):
        return self.second(self.chain(self.first(x)))


class Bypassed(Two):
    """One module's forward is called directly, another lives in a plain list."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = [nn.Linear(WIDTH, WIDTH)]

    def forward(self, x):
        return self.second(self.hidden[0](self.first.forward(x)))


class Copying(Two):
    """Copies a module in its forward, hooks and all."""

    def forward(self, x):
        return self.second(copy.deepcopy(self.first)(x) + self.first(x))


class SetsLeaf(Two):
    """Asks for gradients of its input by itself, which only a leaf without them allows."""

    def forward(self, x):
        x = x[:, None]
        if self.training and x.is_floating_point() and torch.is_grad_enabled():
            x.requires_grad = True
        return self.second(torch.relu(self.first(x[:, 0])))


class Spectrum(nn.Module):
    def forward(self, x):
        return torch.fft.fft(x).conj()


class Complex(Two):
    def __init__(self) -> None:
        super().__init__()
        self.spectrum = Spectrum()

    def forward(self, x):
        return self.second(self.spectrum(self.first(x)).imag)


class Mapped(Two):
    """Runs a layer under a torch.func transform."""

    def forward(self, x):
        return self.second(torch.vmap(self.first)(x))


class Strange(nn.Module):
    """Values that no statistic can be taken of."""

    def forward(self, x):
        return x[:0], x.relu().to_sparse(), x > 0, x.to("meta")


class Unmeasurable(Two):
    def __init__(self) -> None:
        super().__init__()
        self.strange = Strange()

    def forward(self, x):
        y = self.first(x)
        self.strange(y.detach())
        return self.second(y)


class Checkpointed(nn.Module):
    def __init__(self, *, use: bool | None) -> None:
        super().__init__()
        self.use = use
        self.first = nn.Linear(WIDTH, WIDTH)
        self.block = mlp(1)
        self.drop = nn.Dropout(0.3)

    def forward(self, x):
        x = self.drop(self.first(x))
        return self.block(x) if self.use is None else checkpoint(self.block, x, use_reentrant=self.use)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 5, batch_first=True)
        self.gru = nn.GRU(5, 4, batch_first=True)
        self.cell = nn.GRUCell(4, 3)
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        x, _ = self.gru(self.lstm(x)[0])
        state = self.cell(x[:, 0])
        return self.head(self.cell(x[:, 1], state))


def encoder(*, norm_first: bool = False) -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=norm_first)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


class Parametrized(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.utils.parametrizations.weight_norm(nn.Linear(WIDTH, WIDTH))
        self.b = nn.utils.parametrizations.spectral_norm(nn.Linear(WIDTH, WIDTH))

    def forward(self, x):
        return self.b(torch.tanh(self.a(x)))


class Reweighted(nn.Module):
    """The old reparametrizations keep the computed weight in a plain attribute."""

    def __init__(self) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.a = nn.utils.weight_norm(nn.Linear(WIDTH, WIDTH))
            self.b = nn.utils.spectral_norm(nn.Linear(WIDTH, WIDTH))

    def forward(self, x):
        return self.b(torch.tanh(self.a(x)))


class Shrinking(nn.Module):
    """Ends in one number without any axis."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp(1)
        self.loss = nn.MSELoss()

    def forward(self, x):
        return self.loss(self.body(x), x[:, :3])


class Transposed(nn.Module):
    """Its outputs are strided, and one is spread over an axis of stride zero."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(8, 8)
        self.flip = Flip()

    def forward(self, x):
        return self.flip(self.lin(x))


class Flip(nn.Module):
    def forward(self, x):
        return x.transpose(1, 2), x[:, :1].expand_as(x), x[:, ::2, 1:5]


def half() -> nn.Module:
    return mlp().to(torch.bfloat16)


def double() -> nn.Module:
    return mlp().double()


def channels_last() -> nn.Module:
    return Norms().to(memory_format=torch.channels_last)


def exploding() -> nn.Module:
    model = mlp(4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1e12)
    return model


ODD: dict[str, Odd] = {
    "plain": Odd(mlp),
    "inplace_relu": Odd(lambda: mlp(inplace=True)),
    "inplace_arithmetic": Odd(InplaceArithmetic),
    "inplace_on_view": Odd(InplaceOnView),
    "unused_half": Odd(UnusedHalf),
    "own_backward": Odd(OwnBackward),
    "reused": Odd(Reused),
    "tied": Odd(Tied, TOKENS),
    "one_module_two_names": Odd(OneModuleTwoNames),
    "learned_positions": Odd(Learned, TOKENS),
    "two_inputs": Odd(TwoInputs, Drawn(((WIDTH,), (WIDTH,)))),
    "gradless_region": Odd(Gradless, signal_free=True),
    "detached": Odd(Detached),
    "uncalled": Odd(Uncalled),
    "frozen_start": Odd(frozen("0", "2")),
    "frozen": Odd(frozen()),
    "frozen_tokens": Odd(FrozenTokens, TOKENS, signal_free=True),
    **{
        kind: Odd(lambda kind=kind: Wrapping(kind))
        for kind in ("tuple", "list", "dict", "namedtuple", "dataclass", "userdict", "whole")
    },
    "none": Odd(Sink),
    "batch_norm": Odd(Norms, IMAGES),
    "counting": Odd(Counting),
    "random": Odd(Random),
    "same_tensor": Odd(Same),
    "bypassed": Odd(Bypassed),
    "copying": Odd(Copying, twin=False),
    "sets_leaf": Odd(SetsLeaf),
    "complex": Odd(Complex),
    "mapped": Odd(Mapped, twin=False),
    "unmeasurable": Odd(Unmeasurable, twin=False),
    "checkpointed": Odd(lambda: Checkpointed(use=False), twin=False),
    "recurrent": Odd(Recurrent, SEQUENCES),
    "encoder": Odd(encoder, SEQUENCES),
    "encoder_norm_first": Odd(lambda: encoder(norm_first=True), SEQUENCES),
    "parametrized": Odd(Parametrized),
    "reweighted": Odd(Reweighted),
    "scalar_output": Odd(Shrinking),
    "strided": Odd(Transposed, SEQUENCES),
    "bfloat16": Odd(half),
    "float64": Odd(double),
    "channels_last": Odd(channels_last, IMAGES),
    "exploding": Odd(exploding),
    "no_parameters": Odd(lambda: nn.Sequential(nn.Tanh(), nn.Softmax(-1))),
}


def built(name: str) -> tuple[nn.Module, Drawn]:
    """The model under a fixed seed, its modes mixed by itself, with its inputs."""
    torch.manual_seed(0)
    return ODD[name].build(), ODD[name].inputs


def functional_activations() -> nn.Module:
    """Weights as bare parameters, activations as functions and methods."""

    class Bare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.right = nn.Parameter(torch.randn(4, 6))
            self.transposed = nn.Parameter(torch.randn(5, 6))
            self.square = nn.Parameter(torch.randn(5, 7))
            self.shift = nn.Parameter(torch.zeros(3))
            self.mixed = nn.Parameter(torch.randn(7, 3))
            self.left = nn.Parameter(torch.randn(9, 3))

        def forward(self, x):
            x = F.relu(x @ self.right)
            x = torch.tanh(x @ self.transposed.t())
            x = (x @ self.square).relu_()
            x = torch.addmm(self.shift, x, self.mixed)
            return (self.left @ x.t()).t()

    return Bare()
