"""`initprobe check --suggest` tells fixes that were verified, and `--fix` writes them."""

import json

import pytest

from initprobe.cli import fixes
from initprobe.errors import UsageError

SPEC = """\
version: 1
name: narrow
model: {input: {shape: [16]}, layers: [{type: mlp, width: 32, depth: 6, out: 4}]}  # six
init:
  default: {scheme: normal, std: 0.01}  # too small
probe: {seeds: 2, max_seeds: 4, batch: 16}
"""
FIXED = SPEC.replace("{scheme: normal, std: 0.01}", "kaiming_normal")
DEAD = SPEC.replace("{scheme: normal, std: 0.01}", "kaiming_normal").replace(
    "probe:", '  overrides: [{match: "*.bias", scheme: {scheme: constant, value: -9}}]\nprobe:'
)


@pytest.fixture
def narrow(folder):
    (folder / "narrow.yaml").write_text(SPEC)
    return folder


def test_a_defective_spec_is_fixed_and_its_check_passes(initprobe, narrow):
    ran = initprobe("check", "narrow.yaml", "--fix")
    assert ran.code == 0
    assert "= fix:      init.default: kaiming_normal    verified: " in ran.out
    assert "fixed narrow.yaml: init.default: kaiming_normal; the check passes now" in ran.err
    assert (narrow / "narrow.yaml").read_text() == FIXED
    again = initprobe("check", "narrow.yaml")
    assert again.code == 0
    assert "no findings" in again.out


def test_a_fix_is_a_change_since_an_earlier_result(initprobe, narrow):
    assert initprobe("run", "narrow.yaml", "--save", "golden.json", "-qq").code == 0
    ran = initprobe("check", "narrow.yaml", "--fix", "--against", "golden.json")
    assert ran.code == 1
    assert "init unchanged: narrow" in ran.out
    assert "held against the earlier result, narrow fails: init changed: std of " in ran.err
    assert (narrow / "narrow.yaml").read_text() == FIXED


def test_the_smallest_fix_is_written(initprobe, folder):
    (folder / "dead.yaml").write_text(DEAD)
    assert initprobe("check", "dead.yaml", "--no-suggest").code == 1
    assert initprobe("check", "dead.yaml", "--fix").code == 0
    assert (folder / "dead.yaml").read_text() == DEAD.replace("{scheme: constant, value: -9}", "zeros")


def test_suggestions_leave_the_file_and_the_exit_code(initprobe, narrow):
    ran = initprobe("check", "narrow.yaml", "--suggest", "-o", "json")
    assert ran.code == 1
    (entry,) = json.loads(ran.out)["results"]
    fix = next(one for one in entry["findings"] if one["rule"]["code"] == "IP101")["fix"]
    assert fix["summary"] == "init.default: kaiming_normal"
    assert fix["yaml"] == "init:\n  default: kaiming_normal\n"
    assert "next: --fix writes it" in ran.err
    assert (narrow / "narrow.yaml").read_text() == SPEC


def test_nothing_is_looked_for_unless_somebody_watches_or_asks(initprobe, narrow):
    ran = initprobe("check", "narrow.yaml")
    assert ran.code == 1
    assert "fix:" not in ran.out
    assert not fixes.wanted(None, fix=False)  # what is captured is no terminal
    assert fixes.wanted(None, fix=True)
    with pytest.raises(UsageError):
        fixes.wanted(suggest=False, fix=True)
    assert initprobe("check", "narrow.yaml", "--fix", "--no-suggest").code == 2


def test_a_watcher_gets_suggestions(monkeypatch):
    monkeypatch.setattr(fixes.sys.stderr, "isatty", lambda: True, raising=False)
    assert fixes.wanted(None, fix=False)
    assert not fixes.wanted(suggest=False, fix=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["models.py:vanishing"], "'models.py:vanishing' is no spec file"),
        (["narrow.yaml", "--scheme", "normal"], "--scheme normal decides the init, not narrow.yaml"),
        (["narrow.yaml", "--set", "init.default=normal"], "narrow.yaml is left as it is"),
    ],
)
def test_what_cannot_be_written_is_told_beside_the_findings(initprobe, narrow, arguments, message):
    ran = initprobe("check", *arguments, "--fix", "--seeds", "2", "--max-seeds", "2", "--batch", "16")
    assert ran.code == 1
    assert "error[vanishing-" in ran.out
    assert message in ran.err
    assert (narrow / "narrow.yaml").read_text() == SPEC


def test_a_read_only_file_is_one_message(initprobe, narrow):
    (narrow / "narrow.yaml").chmod(0o444)
    ran = initprobe("check", "narrow.yaml", "--fix")
    assert ran.code == 1
    assert "error[usage]: cannot write 'narrow.yaml': it is read-only" in ran.err


def test_what_no_weights_mend_is_told(initprobe, folder):
    (folder / "cut.py").write_text(
        "import torch\nfrom torch import nn\n\n\nclass Cut(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.encoder, self.head = nn.Linear(8, 8), nn.Linear(8, 4)\n\n"
        "    def forward(self, x):\n        return self.head(self.encoder(x).detach())\n\n\n"
        "def build():\n    return Cut(), torch.randn(16, 8)\n"
    )
    ran = initprobe("check", "cut.py:build", "--suggest", "--seeds", "2")
    assert ran.code == 1
    assert "no fix for cut.py:build: the check found nothing that a fresh draw of the weights would heal" in ran.err


def test_one_target_hides_no_other(initprobe, narrow):
    ran = initprobe("check", "models.py:fails", "narrow.yaml", "--fix")
    assert ran.code == 3
    assert (narrow / "narrow.yaml").read_text() == FIXED
