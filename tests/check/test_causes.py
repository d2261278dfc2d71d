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


def test_an_error_never_hides_behind_a_warning_or_a_suppressed_finding(make):
    assert len(attributed(make, finding(EXPLODING, 0, 3, "warning"), finding(NONFINITE, 4))) == 2
    assert len(attributed(make, finding(EXPLODING, 0, 3, suppressed="ignored"), finding(NONFINITE, 4))) == 2


def test_unrelated_findings_stay(make):
    findings = [finding(GRADIENT, 5), finding(EXPLODING, 0, 3)]
    assert attributed(make, *findings) == findings
