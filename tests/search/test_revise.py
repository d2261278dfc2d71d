"""A fix goes into the spec, and the rest of the file stays."""

import stat
from dataclasses import replace

import pytest

from initprobe.api import probe
from initprobe.errors import UsageError
from initprobe.init.choose import parse_scheme
from initprobe.records import Fix
from initprobe.search.revise import check_revisable, revise

SPEC = """\
version: 1
model: {input: {shape: [16]}, layers: [{type: mlp, width: 32, depth: 6, out: 4}]}  # six
init: {default: {scheme: normal, std: 0.01}}  # narrow
probe: {seeds: 2, max_seeds: 4, batch: 16}
"""
FIXED = SPEC.replace("{scheme: normal, std: 0.01}", "kaiming_normal")


@pytest.fixture
def spec(tmp_path):
    file = tmp_path / "net.yaml"
    file.write_bytes(SPEC.encode())
    return file


def found(file, **options):
    return probe(file, check={"complete": True}, **options).entry


def healed(before, scheme="kaiming_normal"):
    init = replace(before.request.init, default=parse_scheme(scheme))
    fix = Fix(f"init.default: {scheme}", "measured")
    return replace(before, change=fix, request=replace(before.request, init=init))


def test_the_file_is_changed_in_its_place(spec):
    before = found(spec)
    revision = revise(before, [healed(before)])
    assert spec.read_text() == SPEC  # until it is asked to
    assert revision.entry.verdict == "pass"
    spec.chmod(0o640)
    revision.write()
    assert spec.read_text() == FIXED
    assert stat.S_IMODE(spec.stat().st_mode) == 0o640


def test_what_a_link_leads_to_is_changed(spec, tmp_path):
    link = tmp_path / "link.yaml"
    link.symlink_to("net.yaml")
    before = found(link)
    revise(before, [healed(before)]).write()
    assert link.is_symlink()
    assert spec.read_text() == FIXED


def test_the_file_that_was_named_is_changed_and_not_what_it_extends(spec, tmp_path):
    child = tmp_path / "child.yaml"
    child.write_text("version: 1\nextends: net.yaml\nname: child")
    before = found(child)
    revise(before, [healed(before)]).write()
    assert child.read_text() == "version: 1\nextends: net.yaml\nname: child\ninit:\n  default: kaiming_normal"
    assert spec.read_text() == SPEC


def test_a_fix_that_does_not_pass_is_not_written(spec):
    before = found(spec)
    with pytest.raises(UsageError, match="left as it is: the check of the edited spec answers fail"):
        revise(before, [healed(before, "normal(std=0.02)")])
    with pytest.raises(UsageError, match="no fix was verified"):
        revise(before, [])


def test_the_next_one_is_taken_where_the_best_cannot_be_written(spec):
    spec.write_text(SPEC.replace("init: {default: {scheme: normal, std: 0.01}}", 'vars: {s: 0.01}\ninit: {default: {scheme: normal, std: "${s}"}}'))  # fmt: skip
    before = found(spec)
    with pytest.raises(UsageError) as caught:
        revise(before, [healed(before)])
    assert "comes from a variable" in str(caught.value)
    assert "init:\n      default: kaiming_normal" in caught.value.hint


def test_what_somebody_else_decides_is_not_written(spec):
    before = found(spec)
    elsewhere = replace(before.request.target, sets=(("init.default", "lecun_normal"),))
    with pytest.raises(UsageError, match="decided elsewhere"):
        revise(replace(before, request=replace(before.request, target=elsewhere)), [healed(before)])
    with pytest.raises(UsageError, match="--scheme lecun_normal decides the init"):
        check_revisable(found(spec, scheme="lecun_normal"))


def test_what_is_no_file_or_may_not_be_written_is_told(spec):
    before = found(spec)
    python = replace(before.request, target=replace(before.request.target, text="models.py:build"))
    with pytest.raises(UsageError, match="is no spec file"):
        check_revisable(replace(before, request=python))
    spec.chmod(0o440)
    with pytest.raises(UsageError, match="read-only"):
        check_revisable(before)


def test_another_place_has_to_find_what_the_spec_names(spec, tmp_path):
    child = tmp_path / "child.yaml"
    child.write_text("version: 1\nextends: net.yaml\n")
    before = found(child)
    revision = revise(before, [healed(before)])
    (tmp_path / "other").mkdir()
    revision.write(tmp_path / "beside.yaml")
    assert "kaiming_normal" in (tmp_path / "beside.yaml").read_text()
    with pytest.raises(UsageError, match="there is no file"):
        revision.write(tmp_path / "other" / "child.yaml")
