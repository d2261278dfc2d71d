"""Each rule on records written by hand."""

from dataclasses import replace

import numpy as np
import pytest

from initprobe.check.looks import LookPlan
from initprobe.records import Evidence, ParameterTrace

DEPTH = 8


def healthy(make, depth=DEPTH, seeds=5, **options):
    chain = options.pop("anatomy", None) or make.chain(depth)
    rms = make.geometric(1.0, depth, seeds=seeds)
    return make.evidences(chain, rms, rms, **options)


def only(judgement, code):
    (found,) = [finding for finding in judgement.findings if finding.rule.code == code]
    assert len(judgement.findings) == 1
    return found


class TestVanishingForward:
    def test_it_reads_like_this(self, make):
        found = only(make.judge(make.evidences(make.chain(50), make.geometric(0.704, 50, noise=3e-3))), "IP101")
        assert found.message == "forward RMS shrinks ×0.703 per layer over 50 layers (1.00 → 3.3e-08)"
        assert found.label == "block.0.linear … block.49.linear (50 layers, first below 1e-3: block.20.linear)"
        assert found.measured == (
            "0.703 per layer, 95 % CI [0.702, 0.705], 5 seeds; drift ×3.3e-08 over 50 layers, "
            "error beyond ×1000 ([0.87, 1.15] per layer)"
        )
        assert str(found.location) == "net.py:10:1"
        assert len(found.sites) == 50

    def test_a_warning_is_told_against_its_own_limit(self, make):
        found = only(make.judge(make.evidences(make.chain(20), make.geometric(0.8, 20))), "IP101")
        assert found.severity == "warning"
        assert "first below 0.1: block.11.linear" in found.label
        assert "warning beyond ×10 ([0.89, 1.13] per layer)" in found.measured

    def test_one_draw_says_where_its_interval_comes_from(self, make):
        judgement = make.judge(make.evidences(make.chain(50), make.geometric(0.5, 50, seeds=1)), one_draw=True)
        assert "one draw: interval from the spread over layers" in only(judgement, "IP101").measured

    def test_a_signal_that_is_cut_off_is_found_where_it_is_cut(self, make):
        rms = make.geometric(1.0, DEPTH)
        rms[:, 5:] = 0.0
        found = only(make.judge(make.evidences(make.chain(DEPTH), rms)), "IP101")
        assert found.message == "the forward signal is exactly 0 from block.5.linear on"
        assert found.sites == ("block.5.linear", "block.6.linear", "block.7.linear")
        assert found.location.line == 15
        assert found.measured == "RMS 0 in 5 of 5 seeds; not 0 at the site before"
        assert found.severity == "error"

    def test_a_signal_that_is_cut_off_in_one_seed_is_a_warning(self, make):
        rms = make.geometric(1.0, DEPTH)
        rms[2, 5:] = 0.0
        found = only(make.judge(make.evidences(make.chain(DEPTH), rms)), "IP101")
        assert found.severity == "warning"
        assert "1 of 5 seeds" in found.measured

    def test_a_drift_that_only_the_fit_crosses_names_no_site(self, make):
        rms = make.geometric(1.0, 8)
        rms[:, :4] *= 7.0  # least squares makes more of two plateaus than their distance
        found = only(make.judge(make.evidences(make.chain(8), rms)), "IP101")
        assert found.label == "block.0.linear … block.7.linear (8 layers)"

    def test_a_run_that_begins_with_nothing_is_measured_from_its_first_signal(self, make):
        rms = make.geometric(0.2, 12)
        rms[:, 0] = 0.0
        found = only(make.judge(make.evidences(make.chain(12), rms)), "IP101")
        assert "over 11 layers (0.200 → " in found.message
        assert "first below 1e-3: block.6.linear" in found.label

    def test_an_underflow_belongs_to_the_drift_before_it(self, make):
        rms = make.geometric(1e-5, 12)
        rms[:, 9:] = 0.0
        found = only(make.judge(make.evidences(make.chain(12), rms)), "IP101")
        assert found.message == "forward RMS shrinks ×1.0e-05 per layer over 12 layers (1.00 → 0)"
        assert "drift ×0 over 12 layers" in found.measured

    @pytest.mark.parametrize("stream", [True, False])
    def test_zeros_everywhere_are_one_finding_at_the_first_layer(self, make, stream):
        chain = make.chain(DEPTH, stream=stream)
        zeros = np.zeros((5, DEPTH))
        found = only(make.judge(make.evidences(chain, zeros, zeros, zero=[w.module for w in chain.weights])), "IP101")
        assert found.message == f"the forward signal is exactly 0 in all {DEPTH} layers"
        assert found.location.line == 10

    def test_zeros_from_a_zero_input_are_nobody_s_fault(self, make):
        zeros = np.zeros((5, DEPTH))
        judgement = make.judge(make.evidences(make.chain(DEPTH), zeros, inputs={"0": {"rms": 0.0, "nonfinite": 0.0}}))
        assert judgement.findings == ()

    def test_one_zero_layer_alone_is_a_linear_model_that_starts_at_zero(self, make):
        assert make.judge(make.evidences(make.chain(1), np.zeros((5, 1)))).findings == ()


class TestExploding:
    def test_forward(self, make):
        found = only(make.judge(make.evidences(make.chain(30), make.geometric(2.0, 30))), "IP102")
        assert found.message == "forward RMS grows ×2.00 per layer over 30 layers (1.00 → 5.4e+08)"
        assert "first above 1000: block.10.linear" in found.label

    def test_backward_is_told_from_the_output_to_the_input(self, make):
        flat = make.geometric(1.0, 30)
        found = only(
            make.judge(make.evidences(make.chain(30), flat, make.geometric(0.5, 30, start=2.0**29, noise=0))), "IP202"
        )
        assert found.message == "gradient RMS grows ×2.00 per layer over 30 layers, output to input (1.00 → 5.4e+08)"
        assert found.label.startswith("block.29.linear … block.0.linear (30 layers")

    def test_what_overflows_in_the_end_is_one_finding(self, make):
        rms = make.geometric(100.0, 20)
        rms[:, 16:] = np.nan
        extra = {f"block.{i}.linear": {"nonfinite": 100.0, "backward": {"nonfinite": 9.0}} for i in range(16, 20)}
        gradients = make.geometric(1.0, 20)
        found = only(make.judge(make.evidences(make.chain(20), rms, gradients, extra=extra)), "IP102")
        assert found.message == "forward RMS grows ×100 per layer over 16 layers (1.00 → 1.0e+30, then not finite)"
        assert len(found.notes) == 2
        assert "from there non-finite-activation (IP103): 100 of 16,384 values" in found.notes[0]
        assert found.downstream == 4 + 4

    def test_without_its_cause_selected_the_consequence_stands_alone(self, make):
        rms = make.geometric(100.0, 20)
        rms[:, 16:] = np.nan
        extra = {f"block.{i}.linear": {"nonfinite": 100.0} for i in range(16, 20)}
        only(make.judge(make.evidences(make.chain(20), rms, extra=extra), ignore=("IP102",)), "IP103")


class TestVanishingBackward:
    def test_the_torch_default(self, make):
        pair = make.geometric(0.41, 50)
        evidences = make.evidences(
            make.chain(50), make.geometric(0.987, 50), make.geometric(1 / 0.408, 50, start=1e-20), pair=pair
        )
        judgement = make.judge(evidences)
        assert (
            "gradient RMS shrinks ×0.408 per layer over 50 layers, output to input" in only(judgement, "IP201").message
        )
        assert "is only the biases" in judgement.notes[0]

    def test_a_gradient_that_is_cut_off_is_found_where_it_is_cut(self, make):
        gradients = make.geometric(1.0, DEPTH)
        gradients[:, :3] = 0.0
        found = only(make.judge(make.evidences(make.chain(DEPTH), make.geometric(1.0, DEPTH), gradients)), "IP201")
        assert found.message == "the gradient is exactly 0 from block.2.linear on"
        assert found.sites == ("block.2.linear", "block.1.linear", "block.0.linear")

    def test_a_zero_head_is_correct(self, make):
        rms, gradients = make.geometric(1.0, DEPTH), np.zeros((5, DEPTH))
        rms[:, -1], gradients[:, -1] = 0.0, 1.0
        judgement = make.judge(make.evidences(make.chain(DEPTH, head=True), rms, gradients, zero=("head",)))
        assert judgement.findings == ()
        assert judgement.verdict == "pass"
        assert "zero-initialized head.weight" in judgement.notes[0]


class TestNonFinite:
    def test_an_input_that_is_not_finite_explains_the_rest(self, make):
        extra = {f"block.{i}.linear": {"nonfinite": 5.0, "backward": {"nonfinite": 5.0}} for i in range(DEPTH)}
        evidences = healthy(make, extra=extra, inputs={"x": {"rms": 1.0, "nonfinite": 7.0}})
        found = only(make.judge(evidences), "IP001")
        assert found.message == "input 'x' holds 7 NaN or infinite values"
        assert found.location is None
        assert len(found.notes) == 2

    def test_the_first_site_is_the_finding_and_the_later_ones_are_downstream(self, make):
        extra = {f"block.{i}.linear": {"nonfinite": 16384.0, "rms": 0.0} for i in range(3, DEPTH)}
        found = only(make.judge(healthy(make, extra=extra)), "IP103")
        assert found.message == "16,384 of 16,384 values are NaN or infinite at block.3.linear"
        assert (found.sites, found.downstream) == (("block.3.linear",), 4)
        assert found.notes == ("downstream: 4 sites",)
        assert found.measured == "in 5 of 5 seeds"

    def test_a_gradient_is_followed_from_the_output(self, make):
        extra = {f"block.{i}.linear": {"backward": {"nonfinite": 2.0}} for i in (1, 2, 3)}
        found = only(make.judge(healthy(make, extra=extra)), "IP203")
        assert (found.sites, found.downstream) == (("block.3.linear",), 2)

    def test_a_weight_s_gradient_alone_is_found_too(self, make):
        evidences = [
            replace(each, trace=replace(each.trace, parameters=tuple(
                ParameterTrace(p.name, p.value, {"nonfinite": 3.0 if "block.2" in p.name else 0.0}, reached=True)
                for p in each.trace.parameters
            )))
            for each in healthy(make)
        ]  # fmt: skip
        found = only(make.judge(evidences), "IP203")
        assert found.message == "the gradient of block.2.linear.weight holds NaN or infinite values"
        assert (found.label, found.location.line) == ("block.2.linear.weight", 12)


class TestNonfiniteActivation:
    def lost(self, make, *keys, backward=False):
        """Non-finite values at some sites; ``block.2.linear`` is an operation between modules."""
        chain = make.chain(DEPTH)
        operation = {"kind": "other", "weight": None, "operation": "add"}
        anatomy = replace(
            chain,
            sites=tuple(replace(one, **operation) if one.key == "block.2.linear" else one for one in chain.sites),
            streams=(),
        )
        back = {"backward": {"nonfinite": 7.0}} if backward else {}
        rms = make.geometric(1.0, DEPTH)[:, : DEPTH - 1]
        extra = {key: {"nonfinite": 7.0} for key in keys} | {"block.0.linear": back}
        return make.judge(make.evidences(anatomy, rms, rms, extra=extra), select=("IP103",))

    def test_scores_that_a_softmax_is_to_leave_out_are_meant(self, make):
        assert self.lost(make, "block.2.linear").findings == ()

    def test_no_layer_may_put_them_out(self, make):
        found = only(self.lost(make, "block.2.linear", "block.3.linear"), "IP103")
        assert (found.sites, found.downstream) == (("block.2.linear",), 1)

    def test_no_gradient_may_be_lost_on_them(self, make):
        assert only(self.lost(make, "block.2.linear", backward=True), "IP103").sites == ("block.2.linear",)


class TestCoverage:
    def test_a_layer_that_never_ran_is_named_once_per_kind(self, make):
        chain = make.chain(DEPTH)
        uncalled = ("block.0.linear", "block.1.linear", "norm.extra")
        weights = tuple(replace(weight, traced=weight.module not in uncalled) for weight in chain.weights)
        evidences = healthy(make, anatomy=replace(chain, weights=weights, uncalled=uncalled), reached=False)
        judgement = make.judge(evidences, ignore=("IP004",))
        found = only(judgement, "IP002")
        assert found.message == "2 Linear modules never ran"
        assert found.label == "block.0.linear, block.1.linear"
        assert found.measured == "2 parameter tensors that the loss does not reach"
        assert found.severity == "warning"
        assert judgement.verdict == "pass"

    def test_a_frozen_table_that_is_read_without_being_called_is_not_accused(self, make):
        chain = replace(make.chain(DEPTH), uncalled=("block.0.linear",))
        for traced, told in ((True, []), (False, ["IP002"])):
            weights = (replace(chain.weights[0], trainable=False, traced=traced), *chain.weights[1:])
            evidences = [
                replace(one, trace=replace(one.trace, parameters=tuple(
                    replace(each, reached=each.name != weights[0].name) for each in one.trace.parameters
                )))
                for one in healthy(make, anatomy=replace(chain, weights=weights))
            ]  # fmt: skip
            assert [one.rule.code for one in make.judge(evidences).findings] == told

    def test_a_module_that_is_used_without_being_called_may_lose_its_gradient(self, make):
        """The output projection of ``nn.MultiheadAttention`` is never called."""
        chain = replace(make.chain(DEPTH), uncalled=("block.0.linear",))
        evidences = [
            replace(one, trace=replace(one.trace, parameters=tuple(
                replace(each, reached=each.name != chain.weights[0].name) for each in one.trace.parameters
            )))
            for one in healthy(make, anatomy=chain)
        ]  # fmt: skip
        assert only(make.judge(evidences), "IP004").label == "block.0.linear.weight"

    def test_a_part_of_the_network_that_never_ran_is_one_finding(self, make):
        chain = make.chain(DEPTH)
        names = {3: "vision.norm", 4: "vision.head.up", 5: "vision.head.down", 6: "vision"}
        weights = tuple(
            replace(weight, module=names.get(i, weight.module), traced=i not in names)
            for i, weight in enumerate(chain.weights)
        )
        anatomy = replace(chain, weights=weights, uncalled=("vision.norm", "vision.head.up", "vision.head.down"))
        evidences = [
            replace(one, trace=replace(one.trace, parameters=tuple(
                replace(each, reached=each.name not in {weights[i].name for i in names}) for each in one.trace.parameters
            )))
            for one in healthy(make, anatomy=anatomy)
        ]  # fmt: skip
        found = only(make.judge(evidences, ignore=("IP004",)), "IP002")
        assert (found.label, found.message) == ("vision", "3 modules never ran")

    def test_a_module_that_is_used_without_being_called_is_not_accused(self, make):
        anatomy = replace(make.chain(DEPTH), uncalled=("block.0.linear",))
        assert make.judge(healthy(make, anatomy=anatomy)).findings == ()

    def test_without_a_backward_pass_the_traced_pass_decides(self, make):
        chain = replace(make.chain(DEPTH), uncalled=("block.0.linear",))
        assert make.judge(healthy(make, anatomy=chain, reached=None)).findings == ()
        untraced = replace(chain, weights=(replace(chain.weights[0], traced=False), *chain.weights[1:]))
        only(make.judge(healthy(make, anatomy=untraced, reached=None)), "IP002")

    def test_a_parameter_that_the_loss_does_not_reach(self, make):
        found = only(make.judge(healthy(make, reached=False)), "IP004")
        assert found.message == f"the loss does not reach {DEPTH} trainable parameters"
        assert found.label == "block"
        assert found.severity == "error"

    def test_parameters_are_told_by_the_part_that_they_are_lost_with(self, make):
        chain = make.chain(DEPTH)
        names = {
            2: "vision.0.qkv.weight",
            3: "vision.0.norm.weight",
            4: "vision.1.qkv.weight",
            5: "vision.1.norm.weight",
        }
        weights = tuple(
            replace(weight, name=names.get(i, weight.name), module=names.get(i, weight.name).rpartition(".")[0])
            for i, weight in enumerate(chain.weights)
        )
        evidences = [
            replace(one, trace=replace(one.trace, parameters=tuple(
                replace(each, reached=each.name not in [*names.values(), "block.7.linear.weight"])
                for each in one.trace.parameters
            )))
            for one in healthy(make, anatomy=replace(chain, weights=weights))
        ]  # fmt: skip
        part, alone = make.judge(evidences).findings
        assert (part.label, part.message) == ("vision", "the loss does not reach 4 trainable parameters")
        assert (alone.label, alone.message) == (
            "block.7.linear.weight",
            "the loss does not reach 1 trainable parameter",
        )

    def test_a_parameter_that_nothing_was_computed_with_is_a_warning(self, make):
        chain = make.chain(DEPTH)
        weights = (replace(chain.weights[0], traced=False), *chain.weights[1:])
        evidences = [
            replace(one, trace=replace(one.trace, parameters=tuple(
                replace(each, reached=each.name != chain.weights[0].name) for each in one.trace.parameters
            )))
            for one in healthy(make, anatomy=replace(chain, weights=weights))
        ]  # fmt: skip
        judgement = make.judge(evidences)
        found = only(judgement, "IP004")
        assert (found.severity, judgement.verdict) == ("warning", "pass")
        assert found.message == "nothing was seen to use 1 trainable parameter"

    def test_a_parameter_that_any_seed_reaches_is_fine(self, make):
        evidences = healthy(make, reached=False)
        evidences[3] = healthy(make)[3]
        assert make.judge(evidences).findings == ()

    def test_frozen_parameters_and_uncalled_modules_are_not_its_business(self, make):
        chain = make.chain(DEPTH)
        frozen = replace(chain, weights=tuple(replace(weight, trainable=False) for weight in chain.weights))
        assert make.judge(healthy(make, anatomy=frozen, reached=False)).findings == ()
        untraced = tuple(replace(weight, traced=False) for weight in chain.weights)
        uncalled = replace(chain, weights=untraced, uncalled=tuple(weight.module for weight in chain.weights))
        only(make.judge(healthy(make, anatomy=uncalled, reached=False)), "IP002")

    def test_layers_that_are_ignored_are_a_finding_of_their_own(self, make):
        judgement = make.judge(healthy(make, reached=False), layer_ignores=(("block.[0-2].*", ("no-gradient",)),))
        assert [finding.suppressed is None for finding in judgement.findings] == [True, False]
        assert judgement.findings[1].label == "block.0.linear.weight, block.1.linear.weight, block.2.linear.weight"


class TestInconclusive:
    def test_it_reads_like_this(self, make):
        rms = np.exp(np.linspace(-1.4, -0.7, 5)[:, None] * np.log(10) * np.linspace(0, 1, 20))
        found = only(make.judge(make.evidences(make.chain(20), rms)), "IP006")
        assert found.message == "vanishing-forward cannot be decided: the forward drift reaches across ×10 (warning)"
        assert "drift ×0.0891, 95 % interval [0.0404, 0.197]" in found.measured
        assert found.notes[0].startswith("about ")
        assert found.location.line == 10

    def test_a_single_seed_of_a_factory_asks_for_more(self, make):
        rms = make.finite_width(np.random.default_rng(0), 50, 16, 1)
        evidences = make.evidences(make.chain(50, units=16), rms)
        judgement = make.judge(evidences, planned=LookPlan(1, 1), select=("IP006", "forward"))
        undecided = [finding for finding in judgement.findings if finding.rule.code == "IP006"]
        assert {finding.notes for finding in undecided} == {("a single seed says little: --seeds 5",)}

    def test_one_draw_has_no_more_seeds(self, make):
        rms = make.finite_width(np.random.default_rng(0), 50, 16, 1)
        judgement = make.judge(make.evidences(make.chain(50, units=16), rms), one_draw=True)
        assert any("one draw has no further seeds" in finding.notes[0] for finding in judgement.findings)


class TestDeadUnits:
    @staticmethod
    def evidences(make, shares, *, units=64, seeds=5, rms=1.0) -> list[Evidence]:
        chain = make.chain(len(shares), units=units, activations=True)
        extra = {f"block.{i}.relu": {"dead_fraction": share} for i, share in enumerate(shares)}
        values = np.full((seeds, len(shares)), rms)
        return make.evidences(chain, values, extra=extra)

    def test_half_of_the_units_is_what_a_correct_net_has(self, make):
        assert make.judge(self.evidences(make, [0.0, 0.3, 0.5, 0.6, 0.66])).findings == ()

    def test_neighbours_are_one_finding(self, make):
        found = only(make.judge(self.evidences(make, [0.1, 0.8, 0.9, 0.1])), "IP301")
        assert found.message == "90 % of the units are silent on the whole batch"
        assert found.sites == ("block.1.relu", "block.2.relu")
        assert found.measured == "90 % of 64 units at block.2.relu, 5 seeds; warning beyond 60 %"
        assert found.severity == "warning"

    def test_a_layer_that_is_silent_as_a_whole_is_an_error(self, make):
        whole = only(make.judge(self.evidences(make, [0.2, 1.0, 0.2, 0.2])), "IP301")
        assert (whole.severity, whole.sites) == ("error", ("block.1.relu",))
        assert only(make.judge(self.evidences(make, [0.2, 0.98, 0.2, 0.2])), "IP301").severity == "warning"

    def test_layers_apart_are_two_findings(self, make):
        assert len(make.judge(self.evidences(make, [0.8, 0.1, 0.9, 0.1])).findings) == 2

    def test_few_units_prove_little(self, make):
        assert make.judge(self.evidences(make, [0.75] * 4, units=4)).findings == ()
        assert (
            make.judge(self.evidences(make, [1.0] * 4, units=4, seeds=1), one_draw=True, select=("IP301",)).findings
            == ()
        )
        assert len(make.judge(self.evidences(make, [1.0] * 4, units=4)).findings) == 1

    def test_a_layer_without_a_signal_is_not_dead_but_starved(self, make):
        judgement = make.judge(self.evidences(make, [1.0] * 4, rms=0.0))
        assert [finding.rule.code for finding in judgement.findings] == ["IP101"]

    def test_an_ignored_layer_is_split_off(self, make):
        judgement = make.judge(self.evidences(make, [0.9] * 4), layer_ignores=(("block.0.*", ("dead-units",)),))
        assert [finding.sites[0] for finding in judgement.findings] == ["block.1.relu", "block.0.relu"]
        assert judgement.findings[1].suppressed == "layer_ignores: block.0.*"

    def test_the_limit_can_be_moved(self, make):
        assert (
            len(make.judge(self.evidences(make, [0.5] * 4), thresholds=(("dead_units.fraction", 0.3),)).findings) == 1
        )
