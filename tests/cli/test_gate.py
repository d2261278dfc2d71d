"""`check --against`, `--baseline` and `--update-baseline`."""

import pytest

BAD = ("tiny.yaml", "--scheme", "normal(std=0.001)")


@pytest.fixture
def known(initprobe):
    """A baseline that knows what is wrong with a vanishing network."""
    ran = initprobe("check", *BAD, "--baseline", "known.json", "--update-baseline")
    assert ran.code == 0
    assert ran.err == "wrote known.json: 2 entries, 2 new, 0 gone\n"
    return initprobe


def test_what_is_known_passes_and_is_counted(known):
    ran = known("check", *BAD, "--baseline", "known.json")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "no findings in 1 target · 2 suppressed · seeds 0–1\n"
    shown = known("check", *BAD, "--baseline", "known.json", "--show-suppressed")
    assert shown.out.startswith("suppressed error[vanishing-forward]: ")
    assert " = ignored:  baselined\n" in shown.out


def test_without_it_the_check_fails(known):
    assert known("check", *BAD).code == 1


def test_a_stale_entry_is_told_and_fails_a_strict_check(known, folder):
    stale = '{"target": "tiny.yaml --scheme normal(std=0.001)", "rule": "dead-units", "layers": "block.*.relu"},\n'
    text = (folder / "known.json").read_text()
    (folder / "known.json").write_text(text.replace('{"target"', stale + '{"target"', 1))
    ran = known("check", *BAD, "--baseline", "known.json")
    assert ran.code == 0
    assert ran.err == (
        "warning: not found any more, and still in known.json: "
        "tiny.yaml --scheme normal(std=0.001): dead-units at block.*.relu\n"
        "  = help: --update-baseline takes it out\n"
    )
    assert known("check", *BAD, "--baseline", "known.json", "--strict").code == 1
    assert "2 entries, 0 new, 1 gone" in known("check", *BAD, "--baseline", "known.json", "--update-baseline").err
    assert (folder / "known.json").read_text() == text
    assert known("check", *BAD, "--baseline", "known.json", "--strict").code == 0


def test_an_update_keeps_other_targets_and_rules_that_did_not_run(known, folder):
    (folder / "other.yaml").write_text((folder / "tiny.yaml").read_text())
    other = ("other.yaml", "--scheme", "normal(std=0.002)", "--baseline", "known.json", "--update-baseline")
    assert "4 entries, 2 new, 0 gone" in known("check", *other).err
    one = known("check", *BAD, "--baseline", "known.json", "--update-baseline", "--select", "dead-units")
    assert "4 entries, 0 new, 0 gone" in one.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--update-baseline",), "does not know which file"),
        (("--baseline", "none.json"), "there is no baseline 'none.json'"),
        (("--baseline", "tiny.yaml"), "tiny.yaml is no baseline"),
        (("--against", "none.json"), "there is no file 'none.json'"),
    ],
    ids=" ".join,
)
def test_what_is_missing_is_told_before_anything_is_measured(initprobe, words, told):
    ran = initprobe("check", "tiny.yaml", *words)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err


def test_a_check_against_an_earlier_result(initprobe):
    assert initprobe("check", "tiny.yaml", "--save", "golden.json", "-qq").code == 0
    same = initprobe("check", "tiny.yaml", "--against", "golden.json")
    assert same.code == 0
    assert "init unchanged: tiny · kaiming_normal" in same.out
    other = initprobe("check", "tiny.yaml", "--scheme", "lecun_normal", "--against", "golden.json", "--ignore", "IP2")
    assert other.code == 1
    assert "std" in other.out
    assert "1 init changed" in other.out
    assert initprobe("check", "tiny.yaml", "--scheme", "he", "--against", "golden.json", "--exit-zero").code == 0
    assert initprobe("check", "golden.json", "--against", "golden.json").code == 0
