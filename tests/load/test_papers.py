"""Published results, reproduced: what the configs of configs/papers state is what is measured."""

from pathlib import Path

import pytest

from initprobe.load.target import expand_targets
from tests.load.expectations import expectations, probed

pytestmark = pytest.mark.untraced

PAPERS = Path(__file__).parents[2] / "configs" / "papers"
FILES = sorted(PAPERS.glob("*.yaml"))

OFF_THEORY = {
    "xiao-2018": "the theory column does not know that orthogonal kernels lose nothing in a typical draw, as independent numbers do",
}


def test_a_directory_of_configs_does_not_take_the_papers_along():
    assert len(FILES) >= 12
    assert not set(expand_targets([str(PAPERS.parent)])) & {str(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_paper_is_named_with_what_to_look_at(path):
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=../../schema/spec.v1.json\n")
    assert "Look at" in text
    assert f"configs/papers/{path.name}" in text
    assert f"\nname: {path.stem}\n" in text


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_published_result_is_measured(path):
    """Every number is within its tolerance of the law; where the theory column says something of it, that is too."""
    wanted = expectations(path.read_text())
    assert any(one.published for one in wanted)
    for one, entry in probed(path, wanted):
        one.hold(entry)
        reading = one.reading(entry)
        if reading is not None and reading.predicted is not None and path.stem not in OFF_THEORY:
            assert reading.predicted == pytest.approx(one.value, abs=one.slack, rel=0), one.text
