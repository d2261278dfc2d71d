"""`initprobe diff`: exit 1 when the init changed, 0 on a redraw."""

import json

import pytest


@pytest.fixture
def golden(initprobe):
    assert initprobe("run", "tiny.yaml", "--seeds", "5", "--save", "golden.json", "-qq").code == 0
    return initprobe


def measure(initprobe, name, *words):
    assert initprobe("run", "tiny.yaml", "--seeds", "5", "--save", name, "-qq", *words).code == 0


def test_a_redraw_passes(golden):
    measure(golden, "again.json", "--seed", "50")
    ran = golden("diff", "golden.json", "again.json")
    assert ran.code == 0
    assert ran.out.startswith("init unchanged: tiny · kaiming_normal, 64 numbers compared with tiny · kaiming_normal, ")
    assert ran.out.endswith("\n0 of 1 init changed\n")


def test_another_scheme_is_told_layer_by_layer(golden, folder):
    measure(golden, "new.json", "--scheme", "xavier_normal")
    ran = golden("diff", "golden.json", "new.json", "-o", "full", "-o", "json=diff.json", "-o", "concise=diff.txt")
    assert ran.code == 1
    assert ran.out.startswith("init changed: tiny · xavier_normal, ")
    assert "  std            block.0–7.linear.weight            0.349 → 0.247  ×0.707 " in ran.out
    assert "forward RMS    block.0–7.linear, block.0–7.relu" in ran.out
    text = (folder / "diff.txt").read_text()
    assert text.startswith("tiny: init changed: std of block.0–7.linear.weight 0.349 → 0.247  ×0.707")
    payload = json.loads((folder / "diff.json").read_text())
    assert payload["command"] == "diff"
    (entry,) = payload["results"]
    assert entry["difference"]["verdict"] == "fail"
    assert entry["difference"]["shifts"][0]["names"][0] == "block.0.linear.weight"
    assert golden("report", "diff.json").out == ran.out, "a saved difference is read again"


def test_layers_that_came_are_named(golden, folder):
    text = (folder / "tiny.yaml").read_text()
    (folder / "tiny.yaml").write_text(text.replace("times: 8", "times: 9"))
    measure(golden, "new.json")
    ran = golden("diff", "golden.json", "new.json")
    assert ran.code == 1
    assert "  only now: block.8.linear.weight\n" in ran.out
    assert "only before" not in ran.out


def test_a_network_that_is_gone_is_a_change(golden):
    golden("compare", "he", "xavier", "--depth", "3", "-o", "json=two.json")
    golden("compare", "he", "--on", "tiny.yaml", "xavier", "-o", "json=other.json")
    ran = golden("diff", "two.json", "other.json")
    assert ran.code == 1
    assert "the newer result does not have this network under this init" in ran.out


def test_what_is_no_result_is_told(golden):
    ran = golden("diff", "golden.json", "tiny.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert "tiny.yaml: the result file is not JSON" in ran.err
