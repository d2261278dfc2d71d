"""What ``--anatomy`` shows: roles, parts, fans, depth, and the residual branches."""

from __future__ import annotations

import pytest

from initprobe.records import (
    ActivationUse,
    Branch,
    Entry,
    ParameterSummary,
    Part,
    Report,
    Request,
    TargetRequest,
    Weight,
)
from initprobe.report.anatomy import role_text
from initprobe.report.options import RenderOptions
from initprobe.report.render import render
from tests.report.conftest import about

GELU = ActivationUse("gelu", (("approximate", "tanh"),))
PACKED = tuple(
    Part(name, 1, ((768 * place, 768 * (place + 1)),), 768.0, 768.0)
    for place, name in enumerate(("query", "key", "value"))
)


def block(layer: int) -> list[Weight]:
    """The four matrices of one block of GPT-2."""
    path, deep = f"transformer.h.{layer}", 4 * layer
    attention = {"branch": 2 * layer}
    perceptron = {"branch": 2 * layer + 1}
    return [
        Weight(f"{path}.attn.c_attn.weight", f"{path}.attn.c_attn", "Conv1D", "linear", (768, 2304), 768.0, 768.0, 1,
               parts=PACKED, attention="query_key_value", depth=deep + 1, **attention),
        Weight(f"{path}.attn.c_proj.weight", f"{path}.attn.c_proj", "Conv1D", "linear", (768, 768), 768.0, 768.0, 1,
               attention="out", tail=True, depth=deep + 2, **attention),
        Weight(f"{path}.mlp.c_fc.weight", f"{path}.mlp.c_fc", "Conv1D", "linear", (768, 3072), 768.0, 3072.0, 1,
               output_activation=GELU, depth=deep + 3, **perceptron),
        Weight(f"{path}.mlp.c_proj.weight", f"{path}.mlp.c_proj", "Conv1D", "linear", (3072, 768), 3072.0, 768.0, 1,
               input_activation=GELU, tail=True, depth=deep + 4, **perceptron),
    ]  # fmt: skip


def branches(layer: int) -> list[Branch]:
    path = f"transformer.h.{layer}"
    return [
        Branch(2 * layer, path, None, (f"{path}.attn.c_attn.weight", f"{path}.attn.c_proj.weight"),
               (f"{path}.attn.c_proj.weight",)),
        Branch(2 * layer + 1, path, path, (f"{path}.mlp.c_fc.weight", f"{path}.mlp.c_proj.weight"),
               (f"{path}.mlp.c_proj.weight",)),
    ]  # fmt: skip


def gpt2(layers: int = 12) -> Entry:
    embedding = Weight("transformer.wte.weight", "transformer.wte", "Embedding", "embedding", (50257, 768), 1.0, 768.0, 1,
                       aliases=("lm_head.weight",), head=True, depth=0)  # fmt: skip
    weights = [embedding, *(weight for layer in range(layers) for weight in block(layer))]
    return Entry(
        name="gpt2",
        scheme="own init",
        request=Request(TargetRequest("gpt2.py:build")),
        seeds=(0,),
        batch=2,
        weights=tuple(ParameterSummary(weight, {"std": about(0.02)}, None, None) for weight in weights),
        branches=tuple(branch for layer in range(layers) for branch in branches(layer)),
    )


def shown(entry: Entry, **options) -> list[str]:
    return render(Report("run", (entry,)), "full", RenderOptions(anatomy=True, **options)).splitlines()


def test_a_gpt2_in_five_rows_and_two():
    lines = [" ".join(line.split()) for line in shown(gpt2())]
    start = next(place for place, line in enumerate(lines) if line.startswith("parameters"))
    assert lines[start + 1 : start + 6] == [
        "transformer.wte.weight 1 embedding head tied 50257×768 1→768 - 0 - 0.0200",
        "transformer.h.0–11.attn.c_attn.weight 12 linear q+k+v 768×2304 768→768 - 1–45 0–22 0.0200",
        "transformer.h.0–11.attn.c_proj.weight 12 linear out tail 768×768 768→768 - 2–46 0–22 0.0200",
        "transformer.h.0–11.mlp.c_fc.weight 12 linear 768×3072 768→3072 → gelu(tanh) 3–47 1–23 0.0200",
        "transformer.h.0–11.mlp.c_proj.weight 12 linear tail 3072×768 3072→768 gelu(tanh) → 4–48 1–23 0.0200",
    ]
    start = lines.index("24 residual branches")
    assert lines[start + 2 : start + 4] == [
        "0,2,…,22 transformer.h.0–11 12 2 attn.c_proj.weight identity - -",
        "1,3,…,23 transformer.h.0–11 12 2 mlp.c_proj.weight identity - -",
    ]


@pytest.mark.parametrize("width", [None, 120])
def test_it_is_one_table_of_at_most_120_columns(width):
    lines = shown(gpt2(), width=width)
    assert max(map(len, lines)) <= 120
    assert sum(line.startswith("transformer.h.0–11.mlp.c_fc.weight  ") for line in lines) == 1


def test_every_weight_and_branch_has_a_row_on_request():
    lines = shown(gpt2(2), layers="all")
    assert sum("c_attn.weight" in line for line in lines) == 2
    assert [line.split()[0] for line in lines if " identity " in line] == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({"role": "linear"}, "linear"),
        ({"role": "recurrent", "recurrent": "hidden", "parts": PACKED}, "recurrent hidden 3 gates"),
        ({"role": "recurrent", "recurrent": "input"}, "recurrent input"),
        ({"role": "linear", "parts": (Part("gate", 0, ((0, 3),)), Part("value", 0, ((3, 6),)))}, "linear gate+value"),
        ({"role": "linear", "gated": "value", "tail": True}, "linear value tail"),
        ({"role": "linear", "attention": "key_value"}, "linear k+v"),
        ({"role": "bias", "attention": "query"}, "bias query"),
    ],
)
def test_a_role_in_words(known, text):
    assert role_text(Weight("w", "", "M", shape=(6, 4), **known)) == text


def test_experts_that_end_a_branch_are_counted_and_shortcuts_are_named():
    names = tuple(f"moe.experts.{place}.down.weight" for place in range(8))
    branch = Branch(0, "moe", None, names, names, "projection", ("moe.short.weight",), "moe.gamma")
    lines = shown(Entry("m", "own init", Request(TargetRequest("m.py:build")), branches=(branch,)))
    (line,) = [line for line in lines if "projection" in line]
    assert " ".join(line.split()) == (
        "0 moe 1 8 experts.0.down.weight, experts.1.down.weight +6 projection short.weight gamma -"
    )
