"""Hypothesis strategies: tensors of every dtype, size, layout and range that a network may put out."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

RANGES = {torch.float32: (-44, 37), torch.float64: (-300, 300), torch.float16: (-7, 4), torch.bfloat16: (-38, 37)}
LAYOUTS = ("contiguous", "transposed", "sliced", "expanded", "channels_last", "stepped", "zero_dim")
SHAPES = ("normal", "lognormal", "cauchy", "offset", "relu", "two_values", "one_spike")


def laid_out(flat: torch.Tensor, layout: str) -> torch.Tensor:
    """The numbers of a 1-D tensor in a layout; some layouts leave a few of them out or repeat them."""
    size = flat.numel()
    even, divisible = size - size % 2, size % 12 == 0
    if layout == "sliced" and even:
        return flat[:even].view(-1, 2)[:, 0]
    if layout == "transposed" and divisible:
        return flat.view(4, -1, 3).transpose(0, 2)
    if layout == "channels_last" and divisible:
        return flat.view(2, 3, 2, -1).contiguous(memory_format=torch.channels_last)
    whole = {"zero_dim": flat[0], "stepped": flat[::3], "expanded": flat[:50_000, None].expand(-1, 3)}
    return whole.get(layout, flat)


@st.composite
def flats(draw, dtypes=tuple(RANGES), sizes=(1, 2, 7, 48, 300, 1200), offset=1e5):
    """1-D tensors: a shape of distribution at a scale, some values not finite."""
    dtype = draw(st.sampled_from(dtypes))
    size = draw(st.sampled_from(sizes))
    seed = draw(st.integers(0, 2**31))
    shape = draw(st.sampled_from(SHAPES))
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(size, generator=generator, dtype=torch.float64)
    values = {
        "normal": lambda: z,
        "lognormal": lambda: torch.exp(3 * z),
        "cauchy": lambda: z / torch.randn(size, generator=generator, dtype=torch.float64),
        "offset": lambda: z + draw(st.sampled_from([0.5, 1.0, 3.0, 3.2, 30.0, offset])),
        "relu": z.relu,
        "two_values": lambda: torch.where(z > 1, -3.0, 1.0).double(),
        "one_spike": lambda: torch.where(torch.arange(size) == size // 2, 1e4, z),
    }[shape]()
    low, high = RANGES[dtype]
    scale = 10.0 ** draw(st.integers(low, high) | st.sampled_from([0, low, high, -30 if low < -30 else 0, -1]))
    tensor = (values * scale).to(dtype)
    for special in draw(st.lists(st.sampled_from([float("nan"), float("inf"), float("-inf"), 0.0]), max_size=3)):
        tensor[draw(st.integers(0, size - 1))] = special
    return tensor


@st.composite
def tensors(draw, **options):
    """The same in every layout."""
    return laid_out(draw(flats(**options)), draw(st.sampled_from(LAYOUTS)))
