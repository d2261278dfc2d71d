"""`check --against`, `--baseline` and `--update-baseline`."""

import json
from xml.etree import ElementTree as ET

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


CHANGED = ("check", "tiny.yaml", "--scheme", "lecun_normal", "--against", "golden.json", "--ignore", "IP006")


@pytest.fixture
def golden(initprobe):
    assert initprobe("check", "tiny.yaml", "--save", "golden.json", "-qq").code == 0
    return initprobe


def test_a_changed_init_is_in_every_machine_format(golden, folder):
    files = {"sarif": "a.sarif", "junit": "a.xml", "gitlab": "a.json", "jsonl": "a.jsonl", "json": "b.json"}
    ran = golden(*CHANGED, *(word for name, file in files.items() for word in ("-o", f"{name}={file}")), "-o", "github")
    text = {name: (folder / file).read_text() for name, file in files.items()}
    assert ran.code == 1
    (annotation, *_) = ran.out.splitlines()
    assert annotation.startswith("::error file=tiny.yaml,line=6,endLine=6,")
    assert "title=changed-init (IPR01) in tiny::the std of 8 parameters is ×0.707 what it was" in annotation
    (run,) = json.loads(text["sarif"])["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["IPR01"]
    (result,) = run["results"]
    assert (result["ruleId"], result["level"]) == ("IPR01", "error")
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 6
    assert result["locations"][0]["logicalLocations"][0] == {
        "fullyQualifiedName": "block.0.linear.weight",
        "kind": "variable",
    }
    failures = {case.get("name"): case for case in ET.fromstring(text["junit"]).iter("testcase") if len(case)}
    assert failures["changed-init: block.0–7.linear.weight"].find("failure").get("type") == "IPR01"
    (issue,) = json.loads(text["gitlab"])
    assert (issue["check_name"], issue["severity"]) == ("changed-init", "critical")
    assert issue["location"] == {"path": "tiny.yaml", "lines": {"begin": 6}}
    _, finding, summary = map(json.loads, text["jsonl"].splitlines())
    assert (finding["type"], finding["rule"]["code"], summary["verdict"]) == ("finding", "IPR01", "fail")
    assert finding["fingerprint"] == issue["fingerprint"]
    (entry,) = json.loads(text["json"])["results"]
    assert (entry["verdict"], entry["findings"][0]["rule"]["code"]) == ("fail", "IPR01")


def test_an_init_that_did_not_change_is_a_test_that_passed(golden):
    ran = golden("check", "tiny.yaml", "--against", "golden.json", "-o", "junit")
    cases = {case.get("name"): case for case in ET.fromstring(ran.out).iter("testcase")}
    assert {"changed-init", "changed-signal", "changed-structure"} <= set(cases)
    assert (ran.code, len(cases["changed-init"])) == (0, 0)
    assert "changed-init" not in golden("check", "tiny.yaml", "-o", "junit").out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--select", "dead-units"), 1),
        (("--select", "regression"), 1),
        (("--extend-ignore", "regression"), 0),
        (("--severity", "regression=warning"), 0),
        (("--severity", "regression=warning", "--fail-on", "warning"), 1),
        (("--fail-on", "never"), 0),
        (("--exit-zero",), 0),
    ],
    ids=str,
)
def test_what_turns_a_check_red_or_green_does_so_with_changes(golden, words, code):
    ran = golden(*CHANGED, *words)
    assert ran.code == code
    assert "init changed: tiny · lecun_normal, 64 numbers compared" in ran.out


def test_a_baseline_knows_a_change_until_it_is_gone(golden, folder):
    known = ("--baseline", "known.json")
    assert golden(*CHANGED, *known, "--update-baseline").code == 0
    assert '"rule": "changed-init", "layers": "block.*.linear.weight"' in (folder / "known.json").read_text()
    ran = golden(*CHANGED, *known)
    assert (ran.code, ran.err) == (0, "")
    assert "\nno findings in 1 target · 1 suppressed · 1 init changed · " in ran.out
    without = golden("check", "tiny.yaml", "--scheme", "lecun_normal", *known, "--strict")
    assert "not found any more" not in without.err, "nothing was compared"
    back = golden("check", "golden.json", "--against", "golden.json", *known)
    assert back.code == 0


def test_a_comment_beside_a_layer_keeps_its_change_from_counting(golden, folder):
    text = (folder / "tiny.yaml").read_text()
    line = "  # initprobe: ignore[changed-init, changed-signal] narrower on purpose"
    (folder / "tiny.yaml").write_text(text.replace("relu]}", "relu]}" + line))
    ran = golden(*CHANGED, "--show-suppressed")
    assert ran.code == 0
    assert "suppressed error[changed-init]" in ran.out
    assert "(narrower on purpose)" in ran.out
    assert "unused-ignore" not in ran.out


def test_a_network_that_the_golden_result_does_not_have_is_a_finding(golden, folder):
    (folder / "other.yaml").write_text((folder / "tiny.yaml").read_text().replace("tiny", "other"))
    ran = golden("check", "tiny.yaml", "other.yaml", "--against", "golden.json", "--ignore", "IP006", "-o", "gitlab")
    (issue,) = json.loads(ran.out)
    assert ran.code == 1
    assert issue["location"] == {"path": "other.yaml", "lines": {"begin": 1}}
    assert issue["description"].startswith("changed-structure: the older result does not have this network")


def test_a_saved_comparison_fails_again_and_forgets_the_other_one(golden):
    assert golden(*CHANGED, "--save", "now.json", "-qq").code == 1
    assert golden("check", "now.json").code == 1
    assert golden("check", "now.json", "--ignore", "regression").code == 0
    assert golden("check", "now.json", "--against", "now.json").code == 0


def test_diff_tells_machines_what_changed_and_nothing_else(golden):
    assert golden("check", *BAD, "--save", "bad.json", "-qq").code == 1
    ran = golden("diff", "golden.json", "bad.json", "-o", "junit")
    names = [case.get("name") for case in ET.fromstring(ran.out).iter("testcase")]
    assert ran.code == 1
    assert names == ["changed-init: block.0–7.linear.weight", "changed-signal", "changed-structure"]
    same = golden("diff", "bad.json", "bad.json", "-o", "gitlab")
    assert (same.code, same.out) == (0, "[]\n")


def test_rules_about_changes_alone_need_an_earlier_result(initprobe):
    ran = initprobe("check", "tiny.yaml", "--select", "regression")
    assert ran.code == 2
    assert "--against FILE says what before" in ran.err
