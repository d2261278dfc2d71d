"""Whoever applies the fix that is printed for a broken model has a model whose check passes."""

from __future__ import annotations

import shutil
from functools import cache

import pytest

from initprobe.__main__ import run
from initprobe.report.result import load_result
from tests.corpus.reading import Model, corpus

pytestmark = pytest.mark.untraced

UNFIXED = {
    "attention_without_skips": "attention without a skip connection averages whatever the weights are",
    "batchnorm_without_skips": "the gradient grows by the architecture, whatever the weights",
    "branch_over_skip": "every block multiplies its skip connection by 0.05",
    "detached_encoder": "a detach cuts the gradient off",
    "erased_buffer": "a buffer is no parameter",
    "half_precision_overflow": "what overflows is not found",
    "ill_conditioned_relu": "no weights make a rectifier isometric",
    "layer_never_called": "the forward pass does not call it",
    "layers_in_a_plain_list": "torch does not know the layers",
    "log_of_activations": "the logarithm of zero, whatever the weights",
    "masked_rows": "the softmax of a row that is masked as a whole",
    "nan_in_the_batch": "the data",
    "narrow_relu_dies": "a width of two dies whatever the weights",
    "noise_without_a_seed": "the forward pass is random",
    "overconfident_head": "logits are divided by 0.01, and so is the head's bias",
    "physical_units": "the data are too small for float16",
    "raw_features": "the data are too large for float16",
}
"""Broken models that no other weights mend, and why."""

QUICK = {"chaotic_tanh", "lora_both_zero", "half_initialized", "detached_encoder"}
"""One of each kind; the others are slow."""

CALL = """

built = build


def build():
    model, inputs = built()
    {call}
    return model, inputs
"""


def as_parameter(model: Model):
    return pytest.param(model, id=model.name, marks=[] if model.name in QUICK else [pytest.mark.slow])


DEFECTIVE = [as_parameter(model) for model in corpus() if model.kind == "defective"]


@cache
def options(model_name: str) -> tuple[str, ...]:
    """What the head of a model asks for, as a person types it."""
    (model,) = (one for one in corpus() if one.kind == "defective" and one.name == model_name)
    given = {**model.probe, **model.check}
    return tuple(
        text
        for name, value in given.items()
        for text in (f"--{name}", ",".join(value) if isinstance(value, list) else str(value))
    )


@pytest.fixture
def command(capfd, tmp_path, monkeypatch):
    """``command("check", "net.yaml")`` in an empty folder: the exit code, what was printed, and the result."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    def ran(*arguments):
        capfd.readouterr()
        code = run([*arguments, "--save", "result.json"])
        return code, capfd.readouterr().out, load_result((tmp_path / "result.json").read_text(encoding="utf-8"))

    return ran


def applied(model, command, folder):
    """What was found and the target with the fix in it, None where none was printed.

    A spec is fixed in its place, and beside it for what is only worth knowing, which ``suggest`` alone looks at.
    """
    file = folder / model.path.name
    shutil.copy(model.path, file)
    if file.suffix == ".yaml":
        _, printed, found = command("check", file.name, "--fix", *options(model.name))
        changed = file.read_bytes() != model.path.read_bytes()
        assert changed is ("= fix:" in printed)
        if changed:
            return found.entries[0], file.name
        _, _, found = command("suggest", file.name, "--write", "fixed.yaml", *options(model.name))  # infos, too
        return found.entries[0], "fixed.yaml" if (folder / "fixed.yaml").exists() else None
    _, printed, found = command("suggest", f"{file.name}:build", "--write", "init.py", *options(model.name))
    written = folder / "init.py"
    if not written.exists():
        return found.entries[0], None
    function = written.read_text(encoding="utf-8")
    assert function in printed
    call = (
        "init_weights(model, inputs)" if "init_weights(model: nn.Module, inputs)" in function else "init_weights(model)"
    )
    fixed = folder / f"fixed_{file.name}"
    fixed.write_text(f"{file.read_text(encoding='utf-8')}\n\n{function}{CALL.format(call=call)}", encoding="utf-8")
    return found.entries[0], f"{fixed.name}:build"


@pytest.mark.parametrize("model", DEFECTIVE)
def test_the_check_passes_with_the_fix_that_is_printed(model, command, tmp_path):
    before, target = applied(model, command, tmp_path)
    assert (target is None) is (model.name in UNFIXED)
    if target is None:
        assert all(finding.fix is None for finding in before.findings)
        return
    code, _, after = command("check", target, *options(model.name))
    left = {finding.rule.code for finding in after.entries[0].findings if finding.suppressed is None}
    gone = {one.rule.code for one in before.findings if one.fix is not None and "finding gone" in one.fix.verified}
    assert code == 0
    assert gone
    assert gone.isdisjoint(left)


def test_what_has_no_fix_is_a_model_of_the_corpus():
    assert UNFIXED.keys() <= {model.name for model in corpus() if model.kind == "defective"}
