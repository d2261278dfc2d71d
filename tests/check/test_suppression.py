"""An ignore works where a finding says that it is: at an operation, a call, a layer or a parameter of a group."""

from dataclasses import replace

import numpy as np
import pytest
from torch import nn
from torch.nn import functional

import initprobe as ip
from initprobe.check.rejudge import rejudge
from initprobe.records import Anatomy, LayerIgnore, Location, Site, Stream, Weight

ONE = {"seeds": 2, "max_seeds": 2, "batch": 8}


class Loud(nn.Module):
    """Whose values are far beyond float16 from its first layer on."""

    def __init__(self):
        super().__init__()
        self.layer, self.key = nn.Linear(16, 16), nn.Linear(16, 16)
        nn.init.normal_(self.layer.weight, std=1e5)

    def forward(self, x):
        h = self.layer(x)
        h = functional.relu(h)
        h = h + x
        scores = h.unflatten(1, (4, 4)) @ self.key(x).unflatten(1, (4, 4)).mT
        return (scores.softmax(-1) @ x.unflatten(1, (4, 4))).flatten(1)


class Noted(Loud):
    """The same with a comment on every operation."""

    def forward(self, x):
        h = self.layer(x)
        h = functional.relu(h)  # initprobe: ignore[dtype-overflow] in float32
        h = h + x  # initprobe: ignore[dtype-overflow] in float32
        # initprobe: ignore[IP801] in float32
        scores = h.unflatten(1, (4, 4)) @ self.key(x).unflatten(1, (4, 4)).mT
        return (scores.softmax(-1) @ x.unflatten(1, (4, 4))).flatten(1)


class Twice(nn.Module):
    """Whose operations are those of a module's first call and of its second."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.head = inner(), nn.Linear(16, 4)

    def forward(self, x):
        return self.head(self.inner(x) + self.inner(x))


OPERATIONS = ("inner/relu", "inner/add", "inner/matmul", "inner#2/relu", "inner#2/add", "inner#2/matmul")


def overflows(inner=Loud, **check):
    request = {"precision": "float16", "select": ("IP801", "IP007"), **check}
    return ip.probe(lambda: Twice(inner), inputs=(16,), check=request, **ONE)


def split(findings):
    """Sites of what counts, and of what does not."""
    counts, not_so = (
        [key for one in findings if (one.suppressed is None) is counted for key in one.sites]
        for counted in (True, False)
    )
    return counts, not_so


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_is_ignored_by_the_name_that_the_finding_prints(name):
    everything, nothing = split(overflows().findings)
    assert set(OPERATIONS) <= set(everything)
    assert nothing == []
    counts, ignored = split(overflows(layer_ignores=((name, ("IP801",)),)).findings)
    assert ignored == [name]
    assert sorted([*counts, name]) == sorted(everything)


def test_a_module_s_path_means_the_operations_of_all_its_calls():
    _, ignored = split(overflows(layer_ignores=(("inner", ("IP801",)),)).findings)
    assert ignored == list(OPERATIONS)


def test_a_comment_on_the_line_of_an_operation_means_it_in_every_call():
    findings = overflows(Noted).findings
    assert [one.rule.code for one in findings if one.rule.code == "IP007"] == []
    counts, ignored = split(findings)
    assert set(OPERATIONS) == set(ignored)
    assert "inner.layer" in counts
    assert all("in float32" in one.suppressed for one in findings if one.suppressed)


@pytest.mark.parametrize("glob", ["inner/relu", "inner*"])
def test_a_saved_result_is_judged_anew_by_the_same_names(glob):
    entry = overflows(layer_ignores=(("nowhere/*", ("IP801",)),)).entry
    operations = replace(entry, findings=tuple(replace(one, sites=("inner/relu",)) for one in entry.findings))
    anew = replace(entry.request.check, layer_ignores=((glob, ("IP801",)),))
    assert [one.suppressed for one in rejudge(operations, anew).findings] == [f"layer_ignores: {glob}"]
    other = replace(entry.request.check, layer_ignores=(("inner/add", ("IP801",)),))
    assert [one.suppressed for one in rejudge(operations, other).findings] == [None]


def joined(remark="", depth=8):
    """A residual stream whose sums are operations on one line."""
    sites = tuple(
        Site(f"block.{i}/add", f"block.{i}", i, "Block", "join", 64, -1, operation="add",
             location=Location("net.py", 7, remark=remark))
        for i in range(depth)
    )  # fmt: skip
    weights = tuple(Weight(f"block.{i}.fc.weight", f"block.{i}.fc", "Linear", "linear", (64, 64)) for i in range(depth))
    return Anatomy(weights, sites, (Stream("residual", tuple(site.key for site in sites)),))


def undecided(depth=8):
    """RMS that a few seeds leave open: ×30 in the mean, by factors of 30 more or less."""
    slopes = np.log(30.0) / (depth - 1) * np.array([[0.0], [2.0], [1.0], [0.2], [1.8]])
    return np.exp(slopes * np.arange(depth))


class TestUndecided:
    def judged(self, make, anatomy=None, **request):
        return make.judge(
            make.evidences(anatomy or joined(), undecided()), select=("IP102", "IP006", "IP007"), **request
        )

    def test_it_is_there(self, make):
        judgement = self.judged(make)
        assert [one.rule.code for one in judgement.findings] == ["IP006"]
        assert judgement.verdict == "inconclusive"

    @pytest.mark.parametrize("glob", ["block.*/add", "block.?", "*"])
    def test_an_ignore_of_its_operations_settles_it(self, make, glob):
        judgement = self.judged(make, layer_ignores=((glob, ("IP102",)),))
        assert (judgement.verdict, judgement.findings) == ("pass", ())

    def test_so_does_a_comment_on_their_line_and_is_not_idle(self, make):
        judgement = self.judged(make, joined("ignore[exploding-forward] it is meant to grow"))
        assert (judgement.verdict, judgement.findings) == ("pass", ())

    def test_one_operation_of_eight_does_not(self, make):
        judgement = self.judged(make, layer_ignores=(("block.3/add", ("IP102",)),))
        assert judgement.verdict == "inconclusive"


class TestGroups:
    def ignored(self, build, code, module, **options):
        check = {"select": (code,), "layer_ignores": ((module, (code,)),), "complete": True}
        found = ip.probe(build, inputs=(8,), check=check, **ONE, **options).findings
        return [(one.label, one.suppressed is None) for one in found]

    def test_a_module_is_taken_out_of_the_parameters_that_nothing_uses(self):
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Linear(8, 8)
                self.spare = nn.ModuleList(nn.Linear(8, 8, bias=False) for _ in range(3))

            def forward(self, x):
                if x.sum().isnan():
                    x = sum(layer(x) for layer in self.spare)
                return self.body(x)

        assert self.ignored(Net, "IP002", "nowhere") == [("spare", True)]
        assert self.ignored(Net, "IP002", "spare.1") == [("spare.0, spare.2", True), ("spare.1", False)]

    @pytest.mark.parametrize("module", ["1", "1.*", "*1*"])
    def test_out_of_the_parameters_that_the_loss_does_not_reach(self, module):
        def build():
            return Detached(*(nn.Linear(8, 8) for _ in range(3)), nn.Linear(8, 8))

        assert self.ignored(build, "IP004", "nowhere") == [("0, 1, 2", True)]
        assert self.ignored(build, "IP004", module) == [("0, 2", True), ("1", False)]

    def test_out_of_the_uninitialized(self):
        def build():
            layers = [nn.Linear(8, 8) for _ in range(3)]
            for layer in layers:
                nn.init.constant_(layer.bias, float("nan"))
            return nn.Sequential(*layers)

        assert self.ignored(build, "IP501", "2") == [("0.bias, 1.bias", True), ("2.bias", False)]

    def test_out_of_the_copies_of_a_layer(self):
        def build():
            first = nn.Linear(8, 8)
            copies = [nn.Linear(8, 8) for _ in range(3)]
            for copy in copies:
                copy.load_state_dict(first.state_dict())
            return nn.Sequential(first, *copies)

        assert self.ignored(build, "IP502", "nowhere") == [("0.weight, 1.weight, 2.weight and 1 more", True)]
        assert self.ignored(build, "IP502", "1") == [
            ("0.weight, 2.weight, 3.weight", True),
            ("1.weight, 0.weight, 2.weight and 1 more", False),
        ]
        assert self.ignored(build, "IP502", "[12]") == [
            ("0.weight, 3.weight", True),
            ("1.weight, 2.weight, 0.weight and 1 more", False),
        ]
        assert self.ignored(build, "IP502", "[123]") == [("1.weight, 2.weight, 3.weight and 1 more", False)]

    def test_out_of_what_a_scheme_drew(self):
        def build():
            return nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))

        wide = {"scheme": "truncated_normal(a=-50, b=50)"}
        assert self.ignored(build, "IP512", "nowhere", **wide) == [("0.weight, 1.weight", True)]
        assert self.ignored(build, "IP512", "1", **wide) == [("0.weight", True), ("1.weight", False)]

    def test_a_saved_finding_about_parameters_is_judged_anew(self):
        def build():
            layers = [nn.Linear(8, 8) for _ in range(2)]
            nn.init.constant_(layers[1].bias, float("nan"))
            return nn.Sequential(*layers)

        entry = ip.probe(build, inputs=(8,), check={"select": ("IP501",), "complete": True}, **ONE).entry
        for glob in ("1", "1.bias"):
            anew = replace(entry.request.check, layer_ignores=((glob, ("IP501",)),))
            assert [one.suppressed for one in rejudge(entry, anew).findings] == [f"layer_ignores: {glob}"]


class Detached(nn.Sequential):
    def forward(self, x):
        *lost, head = self
        return head(x + sum(layer(x) for layer in lost).detach())


class TestIdle:
    """An ignore that took part is not called idle, whether it was enough or not."""

    def chain(self, make, place, remark):
        chain = make.chain(8)
        where = Location("net.py", 99, remark=remark)
        sites = tuple(replace(one, location=where) if one.path == place else one for one in chain.sites)
        return replace(chain, sites=sites)

    def judged(self, make, place, remark, rms, **options):
        chain = self.chain(make, place, remark)
        findings = make.judge(make.evidences(chain, rms, **options)).findings
        return [one for one in findings if one.rule.code == "IP007"], [
            one for one in findings if one.rule.code != "IP007"
        ]

    def test_an_ignore_of_one_layer_of_a_drift_is_not_idle_and_told_what_it_lacks(self, make):
        idle, (found,) = self.judged(make, "block.5.linear", "ignore[vanishing-forward] known", make.geometric(0.3, 8))
        assert idle == []
        assert (found.rule.code, found.suppressed) == ("IP101", None)
        assert found.notes[0] == (
            "ignored at net.py:99 (known) at 1 of 8 places: it counts until all of them ignore it"
        )

    def test_nor_is_one_of_a_layer_behind_the_one_that_lost_its_values(self, make):
        extra = {f"block.{i}.linear": {"nonfinite": 3.0, "count": 9.0} for i in range(4, 8)}
        remark = "ignore[non-finite-activation] known"
        idle, found = self.judged(make, "block.6.linear", remark, np.ones((2, 8)), extra=extra)
        assert (idle, [one.sites for one in found]) == ([], [("block.4.linear",)])
        (idle,), _ = self.judged(make, "block.2.linear", remark, np.ones((2, 8)), extra=extra)
        assert idle.message == "ignores non-finite-activation, which finds nothing here"

    def test_one_where_nothing_is_found_is(self, make):
        (idle,), found = self.judged(make, "block.5.linear", "ignore[exploding-forward]", make.geometric(0.3, 8))
        assert idle.label == "block.5.linear"
        assert [one.rule.code for one in found] == ["IP101"]

    def test_of_two_that_hold_for_the_same_layers_neither_is(self, make):
        written = [
            LayerIgnore(("block*",), "vanishing-forward", why, Location("net.yaml", line))
            for line, why in ((3, "known"), (4, "known too"))
        ]
        findings = make.judge(make.evidences(make.chain(8), make.geometric(0.3, 8)), ignores=tuple(written)).findings
        assert [one.rule.code for one in findings] == ["IP101"]
        assert findings[0].suppressed == "ignored at net.yaml:3 (known), ignored at net.yaml:4 (known too)"
