"""Small likenesses of architectures, written as their repositories write them; a few numbers wide."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Bottleneck(nn.Module):
    """torchvision's, of ResNet-50: 1×1, 3×3, 1×1 with four times the width; a projection where the shape changes."""

    def __init__(self, inplanes: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        out = 4 * planes
        self.conv1, self.bn1 = nn.Conv2d(inplanes, planes, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = nn.Conv2d(planes, out, 1, bias=False), nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or inplanes != out:
            self.downsample = nn.Sequential(nn.Conv2d(inplanes, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x):
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    """ResNet-50 with [3, 4, 6, 3] blocks, two channels where it has 64."""

    def __init__(self, blocks=(3, 4, 6, 3), base: int = 2) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, base, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(base)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        width = base
        for stage, depth in enumerate(blocks):
            planes = base * 2**stage
            layers = []
            for place in range(depth):
                layers.append(Bottleneck(width, planes, 2 if stage and not place else 1))
                width = 4 * planes
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(width, 10)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class PackedAttention(nn.Module):
    """timm's: one linear layer for query, key and value, unbound behind a permutation."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):
        batch, tokens, dim = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        attn = (q * (dim // self.heads) ** -0.5) @ k.transpose(-2, -1)
        return self.proj((attn.softmax(-1) @ v).transpose(1, 2).reshape(batch, tokens, dim))


class LayerScale(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(1e-5 * torch.ones(dim))

    def forward(self, x):
        return x * self.gamma


class DropPath(nn.Module):
    """timm's: whole branches are dropped, sample by sample."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x):
        if self.rate == 0.0 or not self.training:
            return x
        keep = 1 - self.rate
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
        mask.div_(keep)
        return x * mask


class VisionBlock(nn.Module):
    def __init__(self, dim: int, heads: int, drop: float) -> None:
        super().__init__()
        self.norm1, self.attn, self.ls1 = nn.LayerNorm(dim), PackedAttention(dim, heads), LayerScale(dim)
        self.norm2, self.ls2, self.drop_path = nn.LayerNorm(dim), LayerScale(dim), DropPath(drop)
        self.fc1, self.act, self.fc2 = nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim)

    def forward(self, x):
        x = x + self.drop_path(self.ls1(self.attn(self.norm1(x))))
        return x + self.drop_path(self.ls2(self.fc2(self.act(self.fc1(self.norm2(x))))))


class VisionTransformer(nn.Module):
    """timm's, with LayerScale and stochastic depth."""

    def __init__(self, dim: int = 8, depth: int = 2, drop: float = 0.0) -> None:
        super().__init__()
        self.patch_embed = nn.Conv2d(3, dim, 4, stride=4)
        self.cls_token, self.pos_embed = nn.Parameter(torch.zeros(1, 1, dim)), nn.Parameter(torch.zeros(1, 5, dim))
        self.blocks = nn.Sequential(*[VisionBlock(dim, 2, drop) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, 10)

    def forward(self, x):
        x = self.patch_embed(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls_token.expand(x.shape[0], -1, -1), x), dim=1) + self.pos_embed
        return self.head(self.norm(self.blocks(x))[:, 0])


class MixerBlock(nn.Module):
    """Tolstikhin et al. 2021: one perceptron across tokens, one across channels."""

    def __init__(self, tokens: int, dim: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.tokens1, self.tokens2 = nn.Linear(tokens, 6), nn.Linear(6, tokens)
        self.channels1, self.channels2 = nn.Linear(dim, 32), nn.Linear(32, dim)

    def forward(self, x):
        x = x + self.tokens2(F.gelu(self.tokens1(self.norm1(x).transpose(1, 2)))).transpose(1, 2)
        return x + self.channels2(F.gelu(self.channels1(self.norm2(x))))


class Mixer(nn.Module):
    def __init__(self, depth: int = 3, dim: int = 8) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, dim, 4, stride=4)
        self.blocks = nn.Sequential(*[MixerBlock(4, dim) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, 10)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.stem(x).flatten(2).transpose(1, 2))).mean(1))


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int, reduced: int) -> None:
        super().__init__()
        self.conv_reduce, self.act1 = nn.Conv2d(channels, reduced, 1), nn.SiLU(inplace=True)
        self.conv_expand, self.gate = nn.Conv2d(reduced, channels, 1), nn.Sigmoid()

    def forward(self, x):
        return x * self.gate(self.conv_expand(self.act1(self.conv_reduce(x.mean((2, 3), keepdim=True)))))


class InvertedResidual(nn.Module):
    """EfficientNet's: expand, depthwise, squeeze and excite, project without activation."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        middle = 4 * channels
        self.conv_pw, self.bn1 = nn.Conv2d(channels, middle, 1, bias=False), nn.BatchNorm2d(middle)
        self.conv_dw = nn.Conv2d(middle, middle, 3, stride, 1, groups=middle, bias=False)
        self.bn2, self.act = nn.BatchNorm2d(middle), nn.SiLU(inplace=True)
        self.se = SqueezeExcite(middle, max(1, channels // 4))
        self.conv_pwl, self.bn3 = nn.Conv2d(middle, out, 1, bias=False), nn.BatchNorm2d(out)
        self.has_skip = stride == 1 and channels == out

    def forward(self, x):
        shortcut = x
        x = self.act(self.bn1(self.conv_pw(x)))
        x = self.se(self.act(self.bn2(self.conv_dw(x))))
        x = self.bn3(self.conv_pwl(x))
        return x + shortcut if self.has_skip else x


class EfficientNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv_stem, self.bn1, self.act = nn.Conv2d(3, 4, 3, 2, 1, bias=False), nn.BatchNorm2d(4), nn.SiLU()
        self.blocks = nn.Sequential(
            InvertedResidual(4, 4, 1), InvertedResidual(4, 8, 2), InvertedResidual(8, 8, 1), InvertedResidual(8, 8, 1)
        )
        self.classifier = nn.Linear(8, 10)

    def forward(self, x):
        return self.classifier(self.blocks(self.act(self.bn1(self.conv_stem(x)))).mean((2, 3)))


class SelectiveScan(nn.Module):
    """Mamba's mixer, the recurrence step by step, with the skip path D · u inside."""

    def __init__(self, dim: int, inner: int = 16, states: int = 3, rank: int = 2) -> None:
        super().__init__()
        self.states, self.rank = states, rank
        self.in_proj = nn.Linear(dim, 2 * inner, bias=False)
        self.conv1d = nn.Conv1d(inner, inner, 4, groups=inner, padding=3)
        self.x_proj = nn.Linear(inner, rank + 2 * states, bias=False)
        self.dt_proj = nn.Linear(rank, inner)
        self.A_log, self.D = nn.Parameter(torch.zeros(inner, states)), nn.Parameter(torch.ones(inner))
        self.out_proj = nn.Linear(inner, dim, bias=False)

    def forward(self, x):
        u, z = self.in_proj(x).chunk(2, dim=-1)
        u = F.silu(self.conv1d(u.transpose(1, 2))[..., : x.shape[1]]).transpose(1, 2)
        dt, b, c = self.x_proj(u).split([self.rank, self.states, self.states], dim=-1)
        dt = F.softplus(self.dt_proj(dt))
        decay = torch.exp(dt[..., None] * -torch.exp(self.A_log))
        drive = dt[..., None] * b[:, :, None] * u[..., None]
        state, outputs = torch.zeros_like(drive[:, 0]), []
        for step in range(x.shape[1]):
            state = decay[:, step] * state + drive[:, step]
            outputs.append((state @ c[:, step, :, None])[..., 0])
        y = torch.stack(outputs, 1) + u * self.D
        return self.out_proj(y * F.silu(z))


class Mamba(nn.Module):
    def __init__(self, dim: int = 8, depth: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, dim)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(depth))
        self.mixers = nn.ModuleList(SelectiveScan(dim) for _ in range(depth))
        self.norm_f, self.head = nn.LayerNorm(dim), nn.Linear(dim, 11, bias=False)

    def forward(self, tokens):
        x = self.embedding(tokens)
        for norm, mixer in zip(self.norms, self.mixers, strict=True):
            x = x + mixer(norm(x))
        return self.head(self.norm_f(x))


class Recurrent(nn.Module):
    """A language model on two layers of an LSTM, with a projected hidden state on request."""

    def __init__(self, kind=nn.LSTM, **options) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 6)
        self.rnn = kind(6, 5, num_layers=2, batch_first=True, **options)
        self.head = nn.Linear(options.get("proj_size", 5), 11)

    def forward(self, tokens):
        return self.head(self.rnn(self.embedding(tokens))[0])


class Switch(nn.Module):
    """Experts as modules, called only where a token is sent to them: Fedus et al. 2021, with the two best."""

    def __init__(self, dim: int = 6, experts: int = 8) -> None:
        super().__init__()
        self.norm, self.router = nn.LayerNorm(dim), nn.Linear(dim, experts, bias=False)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(dim, 12), nn.ReLU(), nn.Linear(12, dim)) for _ in range(experts)
        )

    def forward(self, x):
        y = self.norm(x)
        weights, chosen = self.router(y).softmax(-1).topk(2, dim=-1)
        out = torch.zeros_like(y)
        for place in chosen.unique().tolist():
            token, slot = torch.where(chosen == place)
            out.index_add_(0, token, self.experts[place](y[token]) * weights[token, slot, None])
        return x + out
