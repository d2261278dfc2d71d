"""The phase diagram as a picture: every activation, the same bytes twice, and what it says."""

from dataclasses import replace

import pytest
from matplotlib.figure import Figure

from initprobe.predict.phase import phase_diagram
from initprobe.records import ActivationUse, PhasePoint
from initprobe.report.figures import picture, save_figure
from initprobe.report.phase import phase_figure


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


@pytest.mark.untraced
@pytest.mark.parametrize("name", ["tanh", "relu", "gelu", "softplus", "hardshrink", "sigmoid", "threshold"])
def test_every_kind_of_activation_is_drawn(name):
    figure = phase_figure(phase_diagram(ActivationUse(name)))
    assert isinstance(figure, Figure)
    assert picture(figure, "png").startswith(b"\x89PNG")


def test_what_is_drawn_is_explained():
    diagram = phase_diagram(ActivationUse("tanh"))
    assert r"critical line, $\chi_1 = 1$" in texts(phase_figure(diagram))
    points = (PhasePoint(1.0, 0.1, 0.7, 0.71), PhasePoint(3.0, 0.1, 1.2, 1.21), PhasePoint(0.1, 0.1, 0.0, None))
    figure = phase_figure(replace(diagram, measured=points))
    assert {r"measured $\chi_1$ above 1", r"measured $\chi_1$ below 1"} <= set(texts(figure))
    shown = {text.get_text() for text in figure.axes[0].texts}
    assert {"0.71", "1.21"} <= shown
    assert r"critical point, $\chi_1 = 1$" in texts(phase_figure(phase_diagram(ActivationUse("relu"))))


def test_why_there_is_no_line_stands_below_the_name():
    figure = phase_figure(phase_diagram(ActivationUse("silu")))
    assert any("there a signal grows away" in text.get_text() for text in figure.axes[0].texts)


def test_equal_diagrams_give_equal_files(tmp_path):
    diagram = phase_diagram(ActivationUse("hardtanh"))
    files = [
        save_figure(phase_figure(diagram), tmp_path / name, "phase-hardtanh", formats=("svg",))
        for name in ("one", "two")
    ]
    for one, two in zip(*files, strict=True):
        assert one.read_bytes() == two.read_bytes()
