"""Losses by name: on the command line, in a spec, and as functions."""

import pytest

import initprobe as ip
from initprobe.errors import CodeNotAllowedError, SpecError, TargetError, UsageError
from initprobe.load.loss import check_loss, chosen_loss
from initprobe.load.schema import read_spec, sections
from initprobe.load.target import open_target
from initprobe.records import TargetRequest

SPEC = """version: 1
model:
  input: {shape: [6]}
  layers: [{type: linear, out: 8}, relu, {type: linear, out: 3}]
probe: {seeds: 2, max_seeds: 2, batch: 16, loss: LOSS}
"""

FUNCTION = """def loss(output):
    return output.square().mean()
number = 3
"""


def spec(tmp_path, loss):
    file = tmp_path / "net.yaml"
    file.write_text(SPEC.replace("LOSS", loss))
    return file


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("cros_entropy", "unknown objective 'cros_entropy'", "'cross_entropy'"),
        ("gausian", "unknown objective 'gausian'", "'gaussian'"),
        ("zzz", "unknown objective 'zzz'", "initprobe ls objectives"),
        ("elbo(kl_wight=1)", "has no option 'kl_wight'", "'kl_weight'"),
        ("elbo(kl_weight=-1)", "takes number >= 0", None),
        ("gan(hing)", "takes non_saturating", "'hinge'"),
        ("mse('y', 2)", "too many options", "labels"),
        ("quantile(levels=[2])", "takes list of number > 0 and < 1", None),
        ("elbo(kl_weight=open('x'))", "is no objective", "literal values"),
    ],
)
def test_a_mistake_names_what_would_be_right(text, message, hint):
    with pytest.raises(UsageError) as caught:
        check_loss(text)
    assert message in str(caught.value)
    assert hint is None or hint in caught.value.hint


def test_names_are_shown_as_they_are_typed():
    assert chosen_loss("auto", TargetRequest("")) is None
    assert chosen_loss("ce", TargetRequest("")).name == "cross_entropy"
    assert chosen_loss("elbo(0.5)", TargetRequest("")).name == "elbo(kl_weight=0.5)"
    assert chosen_loss("gan(player=generator)", TargetRequest("")).name == "gan(player='generator')"


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        ("cross_entropy", "cross_entropy"),
        ("auto", "auto"),
        ("{objective: elbo, kl_weight: 0.5}", "elbo(kl_weight=0.5)"),
        ("{objective: quantile, levels: [0.1, 0.9]}", "quantile(levels=[0.1, 0.9])"),
        ("{objective: gan, kind: hinge}", "gan(kind='hinge')"),
    ],
)
def test_a_spec_names_a_loss(tmp_path, loss, text):
    assert sections(read_spec(spec(tmp_path, loss))).probe["loss"] == text


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("cross_entrop", "5:50 unknown objective 'cross_entrop'"),
        ("{objective: elbow}", "5:50 unknown objective 'elbow'"),
        ("{objective: elbo, kl: 1}", "5:50 objective 'elbo' has no option 'kl'"),
        ("{kind: hinge}", "5:50 'loss' needs 'objective'"),
        ("3", "5:50 'loss' must be the name of a loss"),
        ("'pkg:fn'", "5:50 'loss' must be the name of a loss"),
        ("{from: a:b, more: 1}", "5:62 unknown key 'more'"),
        ("{objective: elbo, kl_weight: [x]}", "5:79 'kl_weight' must be a number"),
    ],
)
def test_a_mistake_in_a_spec_has_a_place(tmp_path, loss, message):
    with pytest.raises(SpecError) as caught:
        sections(read_spec(spec(tmp_path, loss)))
    (problem,) = caught.value.problems
    place = caught.value.spec.locate(problem.path, on=problem.on)
    assert f"{place.line}:{place.column} {problem.message}".startswith(message)


def test_a_function_beside_the_spec_runs_where_code_is_allowed(tmp_path):
    (tmp_path / "losses.py").write_text(FUNCTION)
    file = spec(tmp_path, "{from: 'losses.py:loss'}")
    with pytest.raises(CodeNotAllowedError, match=r"net\.yaml:5:57 names code to run"):
        open_target(TargetRequest(str(file)))
    target = open_target(TargetRequest(str(file), allow_code=True))
    chosen = chosen_loss(target.sections.probe["loss"], TargetRequest(""))
    assert chosen.name.endswith("losses.py:loss")
    with pytest.raises(TargetError, match="is no function but int"):
        chosen_loss(f"{tmp_path / 'losses.py'}:number", TargetRequest(""))
    with pytest.raises(UsageError, match="without a call"):
        chosen_loss("losses:loss()", TargetRequest(""))


def test_the_loss_is_what_is_differentiated_and_the_report_says_so(tmp_path):
    result = ip.probe(spec(tmp_path, "{objective: cross_entropy, axis: 1}"))
    assert result.entry.loss == "cross_entropy(axis=1)"
    assert "· loss cross_entropy(axis=1)\n" in result.render()
    # The gradient of a logit is (p - label) / samples: between 0 and 1, a third of the classes each.
    head = result.sites["linear_1"].backward["rms"].mean
    assert 0.35 / 16 < head < 0.65 / 16
    plain = ip.probe(spec(tmp_path, "cross_entropy"), loss="gaussian")
    assert plain.entry.loss == "gaussian"
    assert plain.sites["linear_1"].backward["rms"].mean == pytest.approx(1, abs=0.2)
    again = ip.probe(spec(tmp_path, "cross_entropy"))
    assert again.sites["linear_1"].backward["rms"].mean == head
    with pytest.raises(UsageError, match="unknown objective"):
        ip.probe(spec(tmp_path, "own"), loss="crossentropy")
