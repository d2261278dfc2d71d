from dataclasses import replace

from initprobe.check.causes import attribute
from initprobe.records import Finding, RuleCard

EXPLODING = RuleCard("IP102", "exploding-forward", "error", "high", "")
NONFINITE = RuleCard("IP103", "non-finite-activation", "error", "certain", "")
GRADIENT = RuleCard("IP203", "non-finite-gradient", "error", "certain", "")
FOLLOWS = {"non-finite-activation": ("exploding-forward",), "non-finite-gradient": ("non-finite-activation",)}
SITES = tuple(f"block.{i}.linear" for i in range(6))


def finding(card, first, last=None, severity="error", **options):
    return Finding(card, severity, f"{card.name} here", SITES[first : (first if last is None else last) + 1], **options)


def attributed(make, *findings):
    return attribute(findings, FOLLOWS, make.chain(6))


def test_what_follows_becomes_a_note_on_its_cause(make):
    (root,) = attributed(make, finding(EXPLODING, 0, 3), finding(NONFINITE, 4, downstream=1))
    assert root.rule == EXPLODING
    assert root.downstream == 2
    assert root.notes == ("from there non-finite-activation (IP103): non-finite-activation here",)


def test_a_chain_of_causes_ends_at_its_root(make):
    (root,) = attributed(make, finding(EXPLODING, 0, 3), finding(NONFINITE, 4), finding(GRADIENT, 5))
    assert [note.split()[2] for note in root.notes] == ["non-finite-activation", "non-finite-gradient"]


def test_what_comes_earlier_on_the_way_does_not_follow(make):
    assert len(attributed(make, finding(EXPLODING, 2, 5), finding(NONFINITE, 1))) == 2


def test_a_gradient_comes_after_the_whole_forward_pass(make):
    assert len(attributed(make, finding(NONFINITE, 5), finding(GRADIENT, 0))) == 1


def test_a_gradient_of_weights_alone_comes_after_every_site(make):
    (root,) = attributed(make, finding(NONFINITE, 5), replace(finding(GRADIENT, 0), sites=()))
    assert root.rule == NONFINITE
    assert len(root.notes) == 1


def test_an_error_never_hides_behind_a_warning_or_a_suppressed_finding(make):
    assert len(attributed(make, finding(EXPLODING, 0, 3, "warning"), finding(NONFINITE, 4))) == 2
    assert len(attributed(make, finding(EXPLODING, 0, 3, suppressed="ignored"), finding(NONFINITE, 4))) == 2


def test_unrelated_findings_stay(make):
    findings = [finding(GRADIENT, 5), finding(EXPLODING, 0, 3)]
    assert attributed(make, *findings) == findings


DEFAULT = RuleCard("IP513", "default-init", "info", "high", "")
CONSTANT = RuleCard("IP503", "constant-weight", "error", "certain", "")
ALIKE = RuleCard("IP303", "identical-units", "error", "certain", "")
OF_WEIGHTS = {"default-init": ("non-finite-gradient", "exploding-forward"), "identical-units": ("constant-weight",)}


def test_what_is_said_of_weights_belongs_to_what_is_said_of_their_layers_before_or_behind(make):
    findings = [finding(GRADIENT, 4, 5), finding(DEFAULT, 3, 4, "info")]
    (root,) = attribute(findings, OF_WEIGHTS, make.chain(6))
    assert root.rule == GRADIENT
    assert root.notes == ("in its weights default-init (IP513): default-init here",)
    assert root.downstream == 1
    apart = [finding(GRADIENT, 4, 5), finding(DEFAULT, 0, 2, "info")]
    assert len(attribute(apart, OF_WEIGHTS, make.chain(6))) == 2


def test_weights_are_a_cause_too(make):
    (root,) = attribute([finding(ALIKE, 0, 2), finding(CONSTANT, 0, 1)], OF_WEIGHTS, make.chain(6))
    assert root.rule == CONSTANT
    assert root.notes == ("from there identical-units (IP303): identical-units here",)
