"""Models that are odd as programs: compiled, scripted, recurrent over time, of several networks, or not finished.

``PROGRAMS`` is the table that ``test_failure_modes.py`` runs over. ``odd_models.py`` holds those whose numbers are
compared with a second, independent pass.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.zoo.odd_models import CLASSES, IMAGES, SEQUENCES, TOKENS, WIDTH, Checkpointed, Drawn, Norms, Two, mlp


@dataclass(frozen=True)
class Program:
    """How to build it, what goes in, and why it cannot be probed, if it cannot."""

    build: Callable[[], nn.Module]
    inputs: Drawn = field(default_factory=Drawn)
    refused: str | None = None


class Held:
    def __init__(self, hidden, out):
        self.hidden, self.out, self.me = hidden, out, self


class OwnClass(Two):
    def forward(self, x):
        hidden = self.first(x)
        return Held(hidden, self.second(torch.relu(hidden)))


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(8, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x):
        lengths = torch.tensor([5] + [3] * (len(x) - 1))
        out, _ = self.lstm(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
        return self.head(pad_packed_sequence(out, batch_first=True)[0])


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.LazyLinear(4), nn.Linear(4, 2)

    def forward(self, x):
        return self.second(self.first(x).relu())


class Empty(nn.Module):
    def forward(self, x):
        return x * 2


class Deciding(Two):
    """Answers with a class: nothing that a gradient could come back from."""

    def forward(self, x):
        return self.first(x).argmax(-1)


class Nothing(nn.Module):
    def forward(self, x):
        return x > 0


class Conditional(Two):
    def forward(self, x):
        return self.first(x) if x.sum() > 0 else self.second(x)


class Recursive(Two):
    def forward(self, x, depth=3):
        return self(torch.tanh(self.first(x)), depth - 1) if depth else self.second(x)


class Autocast(Two):
    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.second(torch.relu(self.first(x)))


class Ragged(nn.Module):
    def forward(self, x):
        return torch.nested.as_nested_tensor(list(x))


class Nested(Two):
    def __init__(self):
        super().__init__()
        self.ragged = Ragged()

    def forward(self, x):
        return self.second(self.ragged(self.first(x)).to_padded_tensor(0.0))


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(WIDTH, 8), nn.Linear(2, WIDTH)
        self.mean, self.spread = nn.Linear(8, 2), nn.Linear(8, 2)

    def forward(self, x):
        hidden = torch.relu(self.encoder(x))
        mean, spread = self.mean(hidden), self.spread(hidden)
        latent = mean + torch.exp(0.5 * spread) * torch.randn_like(mean)
        return {"image": self.decoder(latent), "mean": mean, "spread": spread}


class Adversaries(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = mlp(2)
        self.discriminator = nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU(), nn.Linear(4, 1))

    def forward(self, z):
        fake = self.generator(z)
        return fake, self.discriminator(fake), self.discriminator(fake.detach())


class Answering(Two):
    """Its output is a generator, which runs nothing before somebody asks."""

    def forward(self, x):
        return (layer(x) for layer in (self.first, self.second))


class Streaming(nn.Module):
    def forward(self, x):
        return (x * factor for factor in range(3))


class Streamed(Two):
    def __init__(self):
        super().__init__()
        self.stream = Streaming()

    def forward(self, x):
        return self.second(sum(self.stream(self.first(x))))


class OverTime(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.GRUCell(8, WIDTH), nn.Linear(WIDTH, 2)

    def forward(self, x):
        state = x.new_zeros(len(x), WIDTH)
        for step in x.unbind(1):
            state = self.cell(step, state)
        return self.head(state)


class SparseGradients(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.head = nn.Embedding(CLASSES, WIDTH, sparse=True), nn.Linear(WIDTH, 2)

    def forward(self, x):
        return self.head(self.table(x))


class Graph(Two):
    def __init__(self):
        super().__init__()
        self.register_buffer("edges", torch.eye(WIDTH).to_sparse())

    def forward(self, x):
        return self.second(torch.sparse.mm(self.edges, self.first(x).t()).t())


class Raising(Two):
    def forward(self, x):
        raise ValueError(f"no {self.first(x).shape}")


class Leaving(Two):
    def forward(self, x):
        raise SystemExit(self.first(x).dim())


def quiet(build):
    """What torch warns of is its own, and deprecated: jit, quantization, nested tensors."""

    def built():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return build()

    return built


def with_meta_parameters():
    model = mlp()
    model[0] = nn.Linear(WIDTH, WIDTH, device="meta")
    return model


def pruned():
    model = mlp()
    prune.random_unstructured(model[0], "weight", 0.3)
    return model


def compiled_parts():
    return nn.Sequential(nn.Linear(WIDTH, WIDTH), torch.compile(mlp(1), backend="eager"))


PROGRAMS: dict[str, Program] = {
    "own_class": Program(OwnClass),
    "packed": Program(Packed, SEQUENCES),
    "lazy": Program(Lazy, refused="no shape yet: first.weight"),
    "empty": Program(Empty),
    "deciding": Program(Deciding),
    "nothing": Program(Nothing, refused="no layer was measured"),
    "conditional": Program(Conditional),
    "recursive": Program(Recursive),
    "checkpointed": Program(lambda: Checkpointed(use=False)),
    "checkpointed_reentrant": Program(lambda: Checkpointed(use=True)),
    "compiled": Program(lambda: torch.compile(mlp(), backend="eager")),
    "compiled_parts": Program(compiled_parts),
    "scripted": Program(quiet(lambda: torch.jit.script(mlp())), refused="ScriptModule"),
    "traced": Program(quiet(lambda: torch.jit.trace(mlp(), torch.randn(2, WIDTH))), refused="ScriptModule"),
    "scripted_part": Program(quiet(lambda: nn.Sequential(nn.Linear(WIDTH, WIDTH), torch.jit.script(mlp(1))))),
    "symbolically_traced": Program(lambda: torch.fx.symbolic_trace(mlp())),
    "exported": Program(
        lambda: torch.export.export(mlp(), (torch.randn(7, WIDTH),)).module(), refused="error[target]: the model"
    ),
    "quantized": Program(quiet(lambda: torch.ao.quantization.quantize_dynamic(mlp(), {nn.Linear}))),
    "data_parallel": Program(lambda: nn.DataParallel(mlp())),
    "orthogonal": Program(lambda: nn.Sequential(parametrizations.orthogonal(nn.Linear(WIDTH, WIDTH)), nn.ReLU())),
    "pruned": Program(pruned),
    "autocast": Program(Autocast),
    "nested": Program(Nested),
    "meta": Program(with_meta_parameters, refused="on the meta device"),
    "autoencoder": Program(Autoencoder),
    "adversaries": Program(Adversaries),
    "answering": Program(Answering, refused="no layer was measured"),
    "streamed": Program(Streamed),
    "over_time": Program(OverTime, SEQUENCES),
    "sparse_gradients": Program(SparseGradients, TOKENS),
    "graph": Program(Graph),
    "channels_last": Program(lambda: Norms().to(memory_format=torch.channels_last), IMAGES),
    "raising": Program(Raising, refused="forward failed: ValueError: no torch.Size"),
    "leaving": Program(Leaving, refused="forward failed: SystemExit"),
}
