"""IP303 on records written by hand."""

from dataclasses import replace

from initprobe.records import Flow, Signal, Step


def judged(make, identical, *, zero=(), spread=0.0, start=1.0):
    chain = make.chain(6)
    extra = {f"block.{i}.linear": {"unit_spread": spread if i in identical else 0.7} for i in range(6)}
    rms = make.geometric(1.0, 6, start=start)
    return make.judge(make.evidences(chain, rms, extra=extra, zero=zero)).findings


def test_neighbours_are_one_finding(make):
    (found,) = judged(make, {1, 2, 3})
    assert (found.rule.code, found.severity) == ("IP303", "error")
    assert found.message == "all units of 3 layers compute the same value"
    assert found.label == "block.1.linear … block.3.linear (3 layers)"
    assert found.location.line == 11
    assert found.measured == "no difference between units beyond rounding in 5 seeds"


def test_layers_apart_are_two(make):
    first, second = judged(make, {0, 3})
    assert first.message == "all units of block.0.linear compute the same value"
    assert second.sites == ("block.3.linear",)


def test_rounding_does_not_break_the_symmetry_but_anything_else_does(make):
    assert len(judged(make, {1, 2, 3}, spread=2e-7)) == 1
    assert judged(make, {1, 2, 3}, spread=1e-5) == ()


def test_a_weight_that_is_zero_on_purpose_is_not_accused(make):
    assert judged(make, {2}, zero=("block.2.linear",)) == ()


def test_a_layer_that_puts_out_nothing_is_another_rule_s_business(make):
    assert "IP303" not in {finding.rule.code for finding in judged(make, set(range(6)), start=0.0)}


def test_a_layer_behind_silent_units_puts_out_its_biases_and_is_not_accused(make):
    chain = make.chain(2, activations=True)
    flow = [Step(0, "input", "other", (2, 64))]
    flow += [
        Step(i, "linear", "weighted", (2, 64), (Signal(i - 1),), sites=(s.key,)) for i, s in enumerate(chain.sites, 1)
    ]
    chain = replace(chain, flow=Flow(tuple(flow), (4,)))

    def judged(peak):
        extra = {"block.0.linear": {"unit_spread": 0.7}, "block.1.linear": {"unit_spread": 0.0}}
        extra["block.0.relu"] = {"absmax": peak}
        return make.judge(make.evidences(chain, make.geometric(1.0, 2), extra=extra), select=("IP303",)).findings

    assert judged(0.0) == ()
    assert [one.sites for one in judged(1.0)] == [("block.1.linear",)]


def test_one_seed_that_differs_is_enough(make):
    chain = make.chain(6)
    same = {"block.2.linear": {"unit_spread": 0.0}}
    evidences = make.evidences(chain, make.geometric(1.0, 6), extra=same)
    evidences[4] = make.evidence(chain, [1.0] * 6, extra={"block.2.linear": {"unit_spread": 0.1}}, seed=4)
    assert make.judge(evidences).findings == ()
