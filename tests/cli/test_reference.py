"""``ls`` and ``explain``."""

import json

from initprobe.load.presets import preset_files


def test_presets_are_listed_with_what_they_are(initprobe):
    listed = json.loads(initprobe("ls", "presets", "--json").out)
    assert [row["name"] for row in listed] == list(preset_files())
    assert all(row["summary"] for row in listed)
    assert "deep-mlp  " in initprobe("ls", "presets").out


def test_a_preset_is_explained_with_its_spec(initprobe):
    ran = initprobe("explain", "deep-mlp")
    assert ran.code == 0
    assert ran.out.startswith("deep-mlp: Fifty linear layers")
    assert "initprobe run preset:deep-mlp" in ran.out
    assert "\nversion: 1\n" in ran.out
    assert "Its layer" not in ran.out


def test_a_preset_with_the_name_of_a_layer_leads_to_it(initprobe):
    assert "\nIts layer:   initprobe explain block:unet\n" in initprobe("explain", "unet").out
    assert initprobe("explain", "block:unet").out.startswith("unet: One level of a U-Net")


def test_a_mistyped_preset_is_told(initprobe):
    ran = initprobe("explain", "deep-mpl")
    assert ran.code == 2
    assert "did you mean 'deep-mlp'?" in ran.err


def test_parametrizations_are_listed_and_explained(initprobe):
    listed = json.loads(initprobe("ls", "parametrizations", "--json").out)
    names = [row["name"] for row in listed]
    assert names == ["binary", "equalized", "spectral_norm", "weight_norm", "weight_standardization"]
    assert all(row["summary"] and row["reference"] for row in listed)
    ran = initprobe("explain", "ws")
    assert ran.code == 0
    assert ran.out.startswith("weight_standardization: every filter has mean 0")
    assert "also called ws" in ran.out
    assert "    gain: number > 0, default 1.0. a constant factor" in ran.out
    assert 'initprobe.reparametrize(model, "weight_standardization")' in ran.out
    assert "did you mean 'equalized'?" in initprobe("explain", "equalised").err


def test_an_activation_is_explained_with_what_to_draw(initprobe):
    out = initprobe("explain", "gelu").out
    assert "Draw with variance_scaling: its own gain, 1 / √(E f²) = 1.53353" in out
    assert "no stable fixed point" in out
    assert "LSTM, GRU: recurrent_orthogonal   (or chrono)" in out
    assert "Draw with lecun_normal: it looks at many numbers at once" in initprobe("explain", "softmax").out


def test_a_scheme_is_explained_with_what_it_assumes_and_where_it_belongs(initprobe):
    out = initprobe("explain", "he").out
    assert "Family:     classical: one weight at a time" in out
    assert "Assumes:    independent zero-mean weights" in out
    assert "no normalization and no skips, with leaky_relu, prelu, relu" in out
    assert "Recommended for:" not in initprobe("explain", "zeros").out


def test_rules_that_run_only_where_they_are_named_say_so(initprobe):
    from initprobe.check.rules.base import RULES

    listed = json.loads(initprobe("ls", "rules", "--json").out)
    named = {row["name"] for row in listed if row["runs"] == "where it is named"}
    assert named == {name for name in RULES if RULES[name].optional} != set()
    held = {row["name"] for row in listed if row["runs"] == "with --against, and in diff"}
    assert held == {name for name in RULES if RULES[name].compares} != set()
    assert {row["runs"] for row in listed} == {"by default", "where it is named", "with --against, and in diff"}
    assert "confidence high · runs where it is named\n" in initprobe("explain", "IP404").out
    assert "runs" not in initprobe("explain", "IP401").out.split("\n")[1]
    out = initprobe("explain", "ipr01").out
    assert "changed-init (IPR01)\nregression · error · confidence high · runs with --against, and in diff\n" in out
    assert "\n  held against:\n    version: 1\n" in out


def test_schemes_are_listed_by_family(initprobe):
    from initprobe.init.schemes.base import FAMILIES, SCHEMES

    listed = json.loads(initprobe("ls", "schemes", "--json").out)
    assert sorted(row["name"] for row in listed) == list(SCHEMES)
    order = [list(FAMILIES).index(row["family"]) for row in listed]
    assert order == sorted(order)


def test_a_layer_is_explained_with_its_options_and_an_example(initprobe):
    out = initprobe("explain", "conv2d").out
    assert out.startswith("conv2d: A convolution over two axes")
    assert "    - {type: conv2d, kernel: 3, out: 64}\n" in out
    assert initprobe("explain", "block:relu").out.endswith("In a spec:\n    - relu\n")
    assert initprobe("explain", "relu").out.startswith("relu: max(0, z)\n")
    assert "did you mean 'conv2d'?" in initprobe("explain", "conv2dd").err
    assert "did you mean 'block:softmax'?" in initprobe("explain", "block:softmx").err


def test_layers_are_listed_with_what_they_need(initprobe):
    listed = {row["name"]: row for row in json.loads(initprobe("ls", "blocks", "--json").out)}
    assert listed["linear"]["options"] == "out*, bias"
    assert listed["log_sigmoid"]["aliases"] == "logsigmoid"
    assert all(row["summary"] for row in listed.values())
