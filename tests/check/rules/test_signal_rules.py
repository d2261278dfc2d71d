"""The rules over signals, on records written by hand."""

from dataclasses import replace

import numpy as np
import pytest

from initprobe.activations.saturation import flat_beyond
from initprobe.records import (
    ActivationUse,
    Branch,
    Flow,
    ParameterTrace,
    Signal,
    Site,
    SiteTrace,
    Step,
    Unsteady,
)

DEPTH = 8
TANH = ActivationUse("tanh")


def found(judgement, code):
    return [finding for finding in judgement.findings if finding.rule.code == code]


def only(judgement, code):
    (finding,) = found(judgement, code)
    return finding


def steady(make, anatomy, depth=DEPTH, seeds=5, **options):
    rms = make.geometric(1.0, depth, seeds=seeds)
    return make.evidences(anatomy, rms, rms, **options)


def with_flow(anatomy, *, norms=False):
    """The chain's sites as a flow: weighted, activation, weighted ..., every second one a normalization with ``norms``."""
    effects = {"weighted": "weighted", "activation": "norm" if norms else "activation"}
    steps = [Step(0, "input", "other", (2, 64))]
    steps += [
        Step(index, site.module_type, effects[site.kind], (2, 64), (Signal(index - 1),), sites=(site.key,))
        for index, site in enumerate(anatomy.sites, 1)
    ]
    return replace(anatomy, flow=Flow(tuple(steps), (len(steps) - 1,)))


class TestUnsteady:
    def repeated(self, make, *unsteady):
        evidences = steady(make, make.chain(DEPTH))
        first = replace(evidences[0], trace=replace(evidences[0].trace, unsteady=unsteady))
        return make.judge([first, *evidences[1:]])

    def test_a_steady_target_is_not_told(self, make):
        assert self.repeated(make).findings == ()

    def test_weights_are_told_before_what_they_cause(self, make):
        finding = only(
            self.repeated(
                make,
                Unsteady("parameter", "block.2.linear.weight", 0.3, 0.31),
                Unsteady("site", "block.2.linear", 1.0, 1.1),
            ),
            "IP005",
        )
        assert finding.message == "the same seed gives other weights: block.2.linear.weight"
        assert finding.location.line == 12
        assert "RMS 0.3 the first time, RMS 0.31 the second" in finding.measured

    def test_a_batch(self, make):
        finding = only(self.repeated(make, Unsteady("input", "0", 1.0, 2.0)), "IP005")
        assert finding.message == "the same seed gives other inputs: 0"

    def test_a_value_is_told_where_it_first_differs(self, make):
        later = [Unsteady("site", f"block.{i}.linear", 1.0, 1.1) for i in (3, 4, 5)]
        finding = only(self.repeated(make, *later), "IP005")
        assert finding.sites == ("block.3.linear",)
        assert "so do 2 sites behind it" in finding.measured

    def test_a_value_that_was_there_once(self, make):
        finding = only(self.repeated(make, Unsteady("site", "gone", float("nan"), 1.0)), "IP005")
        assert finding.sites == ()
        assert "no value the first time" in finding.measured


class TestScaleJump:
    def judged(self, make, factor, seeds=5, noise=0.0, **options):
        """Eight layers behind activations of RMS 1, the sixth with a gain of its own that the next activation undoes."""
        anatomy = with_flow(make.chain(DEPTH, activations=True))
        rms = np.ones((seeds, DEPTH))
        rms[:, 5] = factor * np.exp(noise * np.random.default_rng(0).standard_normal(seeds))
        return make.judge(make.evidences(anatomy, rms, **options))

    @pytest.mark.parametrize("factor", [30.0, 1 / 30])
    def test_a_layer_that_stands_out(self, make, factor):
        finding = only(self.judged(make, factor), "IP104")
        assert finding.sites == ("block.5.linear",)
        assert "the others by 1.00" in finding.message

    @pytest.mark.parametrize("factor", [9.0, 1 / 9])
    def test_less_than_a_decade_is_none(self, make, factor):
        assert found(self.judged(make, factor), "IP104") == []

    def test_a_layer_that_stands_out_in_some_seeds_is_none(self, make):
        assert found(self.judged(make, 14.0, noise=1.0), "IP104") == []

    def test_where_it_makes_a_whole_run_drift_it_is_a_part_of_that(self, make):
        anatomy = with_flow(make.chain(DEPTH, activations=True))
        rms = np.ones((5, DEPTH)) * np.where(np.arange(DEPTH) < 4, 1.0, 1000.0)
        relus = [site.key for site in anatomy.sites if site.kind == "activation"]
        extra = {key: {"rms": value} for key, value in zip(relus, rms[0], strict=True)}
        finding = only(make.judge(make.evidences(anatomy, rms, extra=extra)), "IP102")
        assert any("block.4.linear multiplies the signal by 1000" in note for note in finding.notes)

    def test_the_first_layer_may_undo_the_scale_of_the_input(self, make):
        anatomy = with_flow(make.chain(DEPTH, activations=True))
        rms = np.ones((5, DEPTH))
        rms[:, 0] = 500.0
        assert found(make.judge(make.evidences(anatomy, rms)), "IP104") == []

    def test_a_zero_layer_is_none(self, make):
        assert found(self.judged(make, 0.0, zero=["block.5.linear"]), "IP104") == []


class TestMeanDrift:
    def judged(self, make, share, bias=0.0, units=64):
        anatomy = make.chain(DEPTH, units=units)
        extra = {site.key: {"shared_mean": abs(bias) + share**0.5, "mean": bias} for site in anatomy.sites}
        return make.judge(steady(make, anatomy, extra=extra))

    def test_units_that_agree_are_one_finding(self, make):
        finding = only(self.judged(make, 0.95), "IP105")
        assert len(finding.sites) == DEPTH
        assert finding.message.startswith("95 % of the mean square of block.")

    def test_an_identity_behind_a_relu_is_none(self, make):
        assert found(self.judged(make, 0.32), "IP105") == []

    def test_a_narrow_layer_is_none(self, make):
        assert found(self.judged(make, 0.95, units=8), "IP105") == []

    def test_a_bias_that_was_set_is_taken_off(self, make):
        anatomy = make.chain(DEPTH)
        bias = replace(anatomy.weights[3], name="block.3.linear.bias", role="bias", shape=(64,))
        anatomy = replace(anatomy, weights=(*anatomy.weights, bias))
        # RMS 1 of which 0.98 is the bias: what is left has nothing in common.
        row = {"shared_mean": 0.98, "mean": 0.98}
        evidences = steady(make, anatomy, extra={"block.3.linear": row})
        assert [each.sites for each in found(make.judge(evidences), "IP105")] == [("block.3.linear",)]
        traces = (*evidences[0].trace.parameters[:-1], ParameterTrace(bias.name, {"rms": 0.98, "mean": 0.98}))
        known = [replace(each, trace=replace(each.trace, parameters=traces)) for each in evidences]
        assert found(make.judge(known), "IP105") == []

    def test_a_bias_that_is_added_elsewhere_is_not(self, make):
        anatomy = make.chain(DEPTH)
        bias = replace(anatomy.weights[3], name="block.3.linear.bias", role="bias", shape=(64,))
        anatomy = replace(anatomy, weights=(*anatomy.weights, bias))
        evidences = steady(make, anatomy, extra={"block.3.linear": {"shared_mean": 0.1, "mean": 0.0}})
        traces = (*evidences[0].trace.parameters[:-1], ParameterTrace(bias.name, {"rms": 5.0, "mean": -5.0}))
        known = [replace(each, trace=replace(each.trace, parameters=traces)) for each in evidences]
        assert found(make.judge(known), "IP105") == []


class TestImbalance:
    def judged(self, make, gradients, values=None):
        anatomy = make.chain(len(gradients))
        values = values or [0.1] * len(gradients)
        traces = tuple(
            ParameterTrace(weight.name, {"rms": value}, {"rms": gradient, "nonfinite": 0.0}, reached=True)
            for weight, value, gradient in zip(anatomy.weights, values, gradients, strict=True)
        )
        rms = make.geometric(1.0, len(gradients))
        return make.judge(make.evidences(anatomy, rms, rms, parameters=traces))

    def test_a_layer_without_a_part(self, make):
        finding = only(self.judged(make, [1.0, 1.0, 1e-5, 1.0]), "IP204")
        assert finding.sites[0] == "block.2.linear"
        assert "×" in finding.message

    def test_which_of_many_layers_is_the_weakest_needs_no_evidence(self, make):
        """Norm products of the queries and keys of 24 post-norm blocks, whose last ones take turns."""
        depth, gaps = 48, (13.9, 11.6, 12.9, 10.8, 13.4)
        anatomy, rms = make.chain(depth), make.geometric(1.0, depth)

        def traces(seed):
            logs = np.linspace(0.0, -8.0, depth)
            logs[-1 - seed % 2] = -gaps[seed]
            rows = zip(anatomy.weights, np.exp(logs), strict=True)
            return tuple(
                ParameterTrace(w.name, {"rms": 0.1}, {"rms": g, "nonfinite": 0.0}, reached=True) for w, g in rows
            )

        evidences = [make.evidence(anatomy, rms[s], rms[s], seed=s, parameters=traces(s)) for s in range(5)]
        assert "part of block.4" in only(make.judge(evidences), "IP204").message

    def test_three_decades_are_what_widths_and_strides_do(self, make):
        assert found(self.judged(make, [1.0, 1.0, 1e-3, 1.0]), "IP204") == []

    def test_a_rescaling_between_layers_is_none(self, make):
        assert found(self.judged(make, [1.0, 1.0, 1e6, 1.0], [0.1, 0.1, 1e-7, 0.1]), "IP204") == []

    def test_a_weight_without_gradient_is_not_compared(self, make):
        assert found(self.judged(make, [1.0, 1.0, 0.0, 1.0]), "IP204") == []

    def test_two_are_too_few(self, make):
        assert found(self.judged(make, [1.0, 1e-6]), "IP204") == []


class TestSaturation:
    def judged(self, make, shares, gate=False, use=TANH, zeros=0.0):
        anatomy = make.chain(DEPTH, activations=True)
        sites = tuple(replace(site, activation=use if site.kind == "activation" else None) for site in anatomy.sites)
        anatomy = with_flow(replace(anatomy, sites=sites))
        if gate:
            steps = anatomy.flow.steps
            product = Step(len(steps), "mul", "other", (2, 64), (Signal(1), Signal(2)))
            anatomy = replace(anatomy, flow=Flow((*steps, product)))
        extra = {
            site.key: {"saturated_fraction": share, "zero_fraction": zeros}
            for site, share in zip([s for s in sites if s.kind == "activation"], shares, strict=True)
        }
        return make.judge(steady(make, anatomy, extra=extra))

    def test_neighbours_are_one_finding(self, make):
        finding = only(self.judged(make, [0.1, 0.6, 0.9, 0.8, 0.1, 0.1, 0.1, 0.1]), "IP302")
        assert finding.sites == ("block.1.relu", "block.2.relu", "block.3.relu")
        assert finding.message == "90 % of the values of block.2.relu are saturated: tanh is flat there"
        assert finding.measured.startswith("60 to 90 % of the values, at most -0.975 or at least 0.975: the slope")
        (note,) = finding.notes
        assert note.startswith("its input, block.2.linear, has an RMS of 1.00: smaller weights")

    def test_a_third_is_what_clipping_does(self, make):
        assert found(self.judged(make, [0.32] * DEPTH), "IP302") == []

    @pytest.mark.parametrize(("use", "told"), [(TANH, True), (ActivationUse("sigmoid"), False)])
    def test_a_gate_may_be_open_or_shut(self, make, use, told):
        shares = [0.9, *[0.0] * (DEPTH - 1)]
        assert flat_beyond(use) is not None
        assert bool(found(self.judged(make, shares, gate=True, use=use), "IP302")) is told
        assert found(self.judged(make, shares, use=use), "IP302") != []

    @pytest.mark.parametrize(("share", "told"), [(0.75, []), (0.9, ["60"])])
    def test_what_a_router_left_out_is_not_flat(self, make, share, told):
        """Three of four scores are -inf, whose sigmoid is zero; of the others none or six in ten are flat."""
        judgement = self.judged(make, [share] * DEPTH, use=ActivationUse("sigmoid"), zeros=0.75)
        assert [one.message[:2] for one in found(judgement, "IP302")] == told
        assert found(self.judged(make, [share] * DEPTH, zeros=0.75), "IP302") != []


class TestCollapse:
    def judged(self, make, difference, shapes=None, head=False):
        """1 - cosine at each layer."""
        anatomy = with_flow(make.chain(len(difference), activations=True))
        *others, last = anatomy.weights
        anatomy = replace(anatomy, weights=(*others, replace(last, head=head)))
        noise = np.exp(1e-3 * np.random.default_rng(0).standard_normal((5, 1)))
        pair = np.sqrt(2.0 * np.asarray(difference)) * noise
        flat = np.ones((5, len(difference)))
        evidences = make.evidences(anatomy, flat, flat, pair=pair)
        if shapes is None:
            return make.judge(evidences)
        by_key = dict(zip([s.key for s in anatomy.sites if s.kind == "weighted"], shapes, strict=True))
        return make.judge(
            [
                replace(
                    each,
                    trace=replace(
                        each.trace,
                        sites=tuple(replace(one, shape=by_key.get(one.key, one.shape)) for one in each.trace.sites),
                    ),
                )
                for each in evidences
            ]
        )

    def test_an_exponential_fall(self, make):
        finding = only(self.judged(make, 0.3 ** np.arange(12)), "IP401")
        assert "first below 1e-3: block.6.linear" in finding.label
        assert finding.expected.startswith("a correct ReLU net makes 0.1")

    def test_an_exact_zero(self, make):
        finding = only(self.judged(make, [1.0, 0.5, 1e-3, 1e-6, 0.0, 0.0]), "IP401")
        assert "next to nothing at the end" in finding.message

    def test_the_fall_of_a_correct_relu_net_is_none(self, make):
        law = [1.0]
        for _ in range(100):
            c = 1.0 - law[-1]
            law.append(1.0 - ((1.0 - c * c) ** 0.5 + c * (np.pi - np.arccos(c))) / np.pi)
        assert found(self.judged(make, law), "IP401") == []

    def test_inputs_that_are_alike_are_nobody_s_fault(self, make):
        assert found(self.judged(make, np.full(12, 5e-4)), "IP401") == []

    def test_a_head_whose_biases_are_a_prior_is_not(self, make):
        assert found(self.judged(make, [1.0] * 6 + [1e-4], head=True), "IP401") == []
        assert found(self.judged(make, [1.0] * 6 + [1e-4]), "IP401") != []
        assert found(self.judged(make, 0.1 ** np.arange(6), head=True), "IP401") != []

    def test_a_pooling_is_not(self, make):
        images, rows = [(8, 64, 16, 16)] * 6, [(8, 64)] * 6
        assert found(self.judged(make, [1.0] * 6 + [5e-4] * 6, images + rows), "IP401") == []
        assert found(self.judged(make, [1.0] * 6 + [5e-4] * 6, rows + rows), "IP401") != []


class TestChaos:
    def judged(self, make, growth, gain):
        chain = make.chain(DEPTH)
        pair = 0.1 * np.sqrt(growth) ** np.arange(DEPTH) * np.ones((5, 1))
        back = make.geometric(1.0 / gain, DEPTH)
        return make.judge(make.evidences(chain, np.ones((5, DEPTH)), back, pair=pair))

    def test_a_difference_that_grows_with_the_gradient(self, make):
        assert only(self.judged(make, 1.3, 1.14), "IP402").severity == "info"

    @pytest.mark.parametrize(("growth", "gain"), [(1.3, 0.9), (1.05, 1.02), (0.8, 1.14)])
    def test_one_of_them_alone_is_none(self, make, growth, gain):
        assert found(self.judged(make, growth, gain), "IP402") == []

    def test_an_exploding_gradient_is_told_instead(self, make):
        judgement = self.judged(make, 2.0, 2.0)
        assert [finding.rule.code for finding in judgement.findings] == ["IP202"]


class TestResidual:
    def judged(self, make, variance, ratio=1.0, **request):
        depth = len(variance)
        anatomy = make.chain(depth, kind="residual")
        ends = tuple(Site(f"end.{i}", f"end.{i}", depth + i, "Linear", "weighted", 64, -1) for i in range(depth))
        branches = tuple(
            Branch(i, f"block.{i}", site.key, (), (), end=ends[i].key, beside=f"side.{i}")
            for i, site in enumerate(anatomy.sites)
        )
        sides = tuple(Site(f"side.{i}", f"side.{i}", 2 * depth + i, "Linear", "other", 64, -1) for i in range(depth))
        anatomy = replace(anatomy, sites=(*anatomy.sites, *ends, *sides), branches=branches)
        ratios = np.broadcast_to(ratio, depth)
        rms = np.sqrt(np.asarray(variance)) * np.exp(1e-4 * np.random.default_rng(0).standard_normal((5, 1)))
        evidences = []
        for seed in range(5):
            rows = [
                SiteTrace(site.key, (32, 64), "float32", {"rms": value, "std": value, "nonfinite": 0.0})
                for site, value in zip(anatomy.sites[:depth], rms[seed], strict=True)
            ]
            rows += [
                SiteTrace(one.key, (32, 64), "float32", {"rms": std, "std": std, "nonfinite": 0.0})
                for group, stds in ((ends, ratios), (sides, np.ones(depth)))
                for one, std in zip(group, stds, strict=True)
            ]
            empty = make.evidence(replace(anatomy, sites=()), (), seed=seed)
            evidences.append(replace(empty, anatomy=anatomy, trace=replace(empty.trace, sites=tuple(rows))))
        return make.judge(evidences, **request)

    def test_doubling_is_told_once_at_the_severity_of_its_drift(self, make):
        judgement = self.judged(make, 2.0 ** np.arange(24))
        finding = only(judgement, "IP601")
        assert finding.severity == "error"
        assert finding.message == "the variance of the residual stream grows ×2.00 per block over 24 blocks"
        assert found(judgement, "IP102") == []
        assert any("exploding-forward" in note for note in finding.notes)

    def test_a_drift_of_a_decade_is_a_warning(self, make):
        assert only(self.judged(make, 1.5 ** np.arange(16)), "IP601").severity == "warning"

    def test_a_line_is_none(self, make):
        assert self.judged(make, 1.0 + np.arange(100)).findings == ()

    def test_one_block_that_jumps_is_not_growth(self, make):
        judgement = self.judged(make, [1.0] * 8 + [1e8] * 8)
        assert found(judgement, "IP601") == []
        assert found(judgement, "IP102") != []

    def test_it_can_be_ignored_and_the_drift_is_told_instead(self, make):
        assert only(self.judged(make, 2.0 ** np.arange(24), ignore=("IP601",)), "IP102").severity == "error"

    def test_branches_that_drown_the_stream_are_one_finding(self, make):
        finding = only(self.judged(make, [1.0] * 6, [1.0, 1.0, 20.0, 30.0, 1.0, 1.0]), "IP602")
        assert finding.sites == ("block.2.linear", "block.3.linear")
        assert finding.message == "the branch of block.3 adds ×30.0 what its skip carries"

    def test_the_first_block_may(self, make):
        assert found(self.judged(make, [1.0] * 6, [50.0, 1.0, 1.0, 1.0, 1.0, 1.0]), "IP602") == []


class TestNormalizations:
    def judged(self, make, gain, depth=40):
        anatomy = make.chain(depth, activations=True, stream=False)
        anatomy = with_flow(anatomy, norms=True)
        relus = [site for site in anatomy.sites if site.kind == "activation"]
        sites = tuple(replace(site, kind="norm") if site in relus else site for site in anatomy.sites)
        anatomy = replace(anatomy, sites=sites)
        flat = np.ones((5, depth))
        evidences = []
        for seed, each in enumerate(make.evidences(anatomy, flat, flat)):
            wobble = 1.0 + 1e-3 * seed
            grown = {site.key: gain ** (depth - 1 - i) * wobble for i, site in enumerate(relus)}
            rows = tuple(
                replace(one, backward={"rms": grown[one.key], "nonfinite": 0.0, "count": 16384.0})
                if one.key in grown
                else one
                for one in each.trace.sites
            )
            evidences.append(replace(each, trace=replace(each.trace, sites=rows)))
        return make.judge(evidences)

    def test_a_deep_stack(self, make):
        finding = only(self.judged(make, 1.211), "IP603")
        assert finding.message == ("gradient norm grows ×1750 over 40 normalizations, ×1.21 by each, output to input")
        assert finding.label == "block.39.relu … block.0.relu (40 normalizations)"
        assert finding.measured == (
            "×1750 from block.39.relu to block.0.relu, 5 seeds; warning beyond ×1000 (×1.19 by each)"
        )
        assert finding.expected == "", "these are no batch normalizations"

    @pytest.mark.parametrize(("gain", "depth"), [(1.211, 34), (1.0, 40), (0.8, 40)])
    def test_a_shallow_or_level_one_is_none(self, make, gain, depth):
        assert found(self.judged(make, gain, depth), "IP603") == []
