"""`initprobe theory`: one screen, several columns, other formats, the phase diagram, mistakes."""

import json

import pytest


def test_one_screen(initprobe, folder):
    ran = initprobe("theory", "tanh", "--sigma-w", "1.3", "--bias-variance", "0.05")
    assert ran.code == 0
    assert ran.err == ""
    lines = ran.out.splitlines()
    assert len(lines) < 50
    assert lines[0] == "tanh  tanh(z)"
    told = {line.split("  ")[1].strip(): line for line in lines if line.startswith("  ")}
    assert "0.39429449" in told["E f²"]
    assert "1.177" in told["batch norm"]
    assert "1.76095" in ran.out  # the critical point at this bias variance


def test_side_by_side(initprobe, folder):
    ran = initprobe("theory", "gelu", "leaky_relu(0.2)", "softmax")
    assert ran.code == 0
    assert "leaky_relu(negative_slope=0.2)" in ran.out
    assert "! gelu: no second moment above zero is both kept and stable" in ran.out
    assert "! softmax does not act on one number at a time: there is no theory of it" in ran.out


def test_other_formats(initprobe, folder):
    ran = initprobe("theory", "gelu", "tanh", "-o", "json", "-o", "markdown=t.md")
    result = json.loads(ran.out)
    assert result["schema"] == "initprobe/theory/v1"
    gelu, tanh = result["results"]
    assert gelu["half_stable"]["weight_variance"] == pytest.approx(1.98305825744)
    assert tanh["critical"][0]["weight_variance"] == pytest.approx(1.0)
    table = (folder / "t.md").read_text()
    assert "| chi\\_1 | 1.07203 | 1.17781 |" in table
    assert initprobe("theory", "softmax", "-o", "markdown").out.startswith("- softmax")


def test_an_activation_of_the_user(initprobe, folder):
    (folder / "mine.py").write_text("import numpy as np\ndef swish(z): return z / (1 + np.exp(-z))\n")
    ran = initprobe("theory", "mine.py:swish", "-o", "json")
    assert json.loads(ran.out)["results"][0]["moments"]["second"] == pytest.approx(0.355775519817352)


def test_the_phase_diagram(initprobe, folder):
    ran = initprobe("theory", "tanh", "--phase", "--plots", "pictures", "-q", "--max-weight-variance", "4")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "wrote pictures/phase-tanh.png\nwrote pictures/phase-tanh.svg\n"
    assert (folder / "pictures" / "phase-tanh.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_measured_phase_diagram(initprobe, folder):
    ran = initprobe("theory", "tanh", "--phase", "--measure")
    assert ran.code == 0
    assert (folder / "phase-tanh.svg").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("geluu",), "did you mean 'gelu'?"),
        (("elu(beta=1)",), "no option 'beta'"),
        (("tanh", "--sigma-w", "1", "--weight-variance", "1"), "say the same thing"),
        (("tanh", "--sigma-b", "-1"), "--sigma-b is -1"),
        (("tanh", "--bias-variance", "-1"), "the bias variance is -1"),
        (("tanh", "-o", "csv"), "theory is not told as csv"),
        (("tanh", "--phase", "--max-bias-variance", "0"), "the axis of bias variances ends at 0"),
        (("softmax", "--phase"), "one number at a time"),
        (("nowhere.py:fn",), "nowhere.py"),
    ],
)
def test_mistakes(initprobe, folder, arguments, message):
    ran = initprobe("theory", *arguments)
    assert ran.code in (2, 3)
    assert message in ran.err
    assert "Traceback" not in ran.err
