"""What a rule may look at, and how it says what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from initprobe.check import wording
from initprobe.check.family import Side, beyond
from initprobe.check.looks import LookPlan
from initprobe.check.naming import alike_but_for_numbers
from initprobe.check.parts import whole_parts
from initprobe.check.places import Place, of_module, of_site, of_tensor, of_weight
from initprobe.check.policy import Policy
from initprobe.check.signals import Array, Mask, Signals
from initprobe.check.undecided import Undecided
from initprobe.records import (
    Anatomy,
    Difference,
    Evidence,
    Finding,
    Location,
    Prediction,
    RuleCard,
    Segment,
    Severity,
    Site,
    Weight,
)


@dataclass(frozen=True)
class Facts:
    """Everything that is known about one network, the same for every rule.

    Attributes:
        evidences: one per seed.
        anatomy: the network's structure.
        signals: the evidences' numbers as arrays.
        segments: the streams with their gains.
        undecided: the drifts that stay open now that the seeds are used up, suppressed ones too.
        thresholds: the limits in force.
        policy: severities and suppressions.
        one_draw: whether the weights are a single draw.
        prediction: what theory expects of these draws.
        ran: codes of the rules that were selected and had all that they read.
        findings: what the rules before this one found, suppressed ones too; empty for all but the last.
        precision: the floating-point type that the network is going to run in, None where that is the one it was
            probed in.
        difference: what changed since an earlier measurement; None for all but the rules about changes.
        planned: the looks at the seeds, and how sure each has to be.
    """

    evidences: tuple[Evidence, ...]
    anatomy: Anatomy
    signals: Signals
    segments: tuple[Segment, ...] = ()
    undecided: tuple[Undecided, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)
    policy: Policy = field(default_factory=Policy)
    one_draw: bool = False
    prediction: Prediction = field(default_factory=Prediction)
    ran: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()
    precision: str | None = None
    difference: Difference | None = None
    planned: LookPlan = field(default_factory=LookPlan)

    @cached_property
    def places(self) -> Mapping[str, Place]:
        """Where everything lives that is measured, by the name that findings have for it."""
        buffers = (name for one in self.evidences for name in one.trace.buffers)
        sites = {site.key: of_site(site) for site in self.anatomy.sites}
        weights = {name: of_weight(each) for each in self.anatomy.weights for name in (each.name, *each.aliases)}
        return {name: of_tensor(name) for name in buffers} | weights | sites


@dataclass(frozen=True)
class Case:
    """The facts, before one rule."""

    facts: Facts
    card: RuleCard

    @property
    def seeds(self) -> int:
        """How many draws were measured."""
        return len(self.facts.evidences)

    def sites(self, *kinds: str) -> tuple[Site, ...]:
        """The measured sites of those kinds (of all, when none is named), in execution order, no aliases."""
        return tuple(
            site
            for site in self.facts.anatomy.sites
            if site.alias_of is None
            and (not kinds or site.kind in kinds)
            and any(site.key in measured for measured in self.facts.signals.sites)
        )

    def place(self, name: str) -> Place:
        """Where something lives: the key of a site, the name of a parameter or a buffer, or the path of a module."""
        return self.facts.places.get(name) or of_module(name)

    def main_path(self) -> tuple[Site, ...]:
        """The sites on no residual branch: embeddings, outputs of weights, and the joins of the stream itself."""
        inner = {branch.join for branch in self.facts.anatomy.branches if branch.within is not None}
        branched = {weight.name for weight in self.facts.anatomy.weights if weight.branch is not None}
        sites = self.sites("embedding", "weighted", "join")
        return tuple(site for site in sites if site.key not in inner and site.weight not in branched)

    def weight(self, name: str) -> Weight | None:
        """The parameter of that name, None when the structure does not know it."""
        return next((weight for weight in self.facts.anatomy.weights if name in (weight.name, *weight.aliases)), None)

    def location(self, name: str) -> Location | None:
        """Where the module of a parameter or a buffer was built, or the nearest one around it that is known."""
        known = {weight.module: weight.location for weight in self.facts.anatomy.weights}
        known |= {site.path: site.location for site in self.facts.anatomy.sites if site.operation is None}
        path = name.rpartition(".")[0]
        while path and path not in known:
            path = path.rpartition(".")[0]
        return known.get(path)

    def suppression(self, names: Sequence[str]) -> str | None:
        """Why this rule's findings about what has those names (``place``) do not count, None when they do."""
        return self.facts.policy.suppression(self.card, [self.place(name) for name in names])

    def beyond(self, values: Array, limit: float, side: Side = "above", *, of: int = 1) -> Mask:
        """Which of many layers lie beyond a limit, so that all together are wrongly told once in twenty networks.

        Args:
            values: seeds by layers, as for ``family.beyond``.
            limit: what the mean over seeds must lie beyond.
            side: which way.
            of: how many such calls there are.
        """
        return beyond(values, limit, side, level=self.facts.planned.one_of(values.shape[1] * of))

    def runs(self, sites: Sequence[Site], flagged: Callable[[Site], bool]) -> Iterator[tuple[Site, ...]]:
        """Neighbours among ``sites`` that are flagged, so that one cause is one finding.

        A run ends where the rule begins or ceases to be ignored.
        """
        run: list[Site] = []
        for site in sites:
            joins = flagged(site)
            if run and (not joins or self.suppression([site.key]) != self.suppression([run[-1].key])):
                yield tuple(run)
                run = []
            if joins:
                run.append(site)
        if run:
            yield tuple(run)

    def apart(self, names: Iterable[str]) -> Iterator[tuple[str, ...]]:
        """Names that one finding may be about: what is suppressed stays apart from what is not.

        Args:
            names: of sites, parameters, buffers or modules.
        """
        groups: dict[str | None, list[str]] = {}
        for name in names:
            groups.setdefault(self.suppression([name]), []).append(name)
        yield from map(tuple, groups.values())

    def families(self, names: Iterable[str]) -> Iterator[tuple[str, ...]]:
        """Names grouped over their numbers: ``block.0.gate`` and ``block.7.gate`` are one.

        What is suppressed stays apart from what is not.
        """
        for alike in alike_but_for_numbers(names):
            yield from self.apart(alike)

    def parts(self, concerned: Sequence[str], others: Sequence[str]) -> Iterator[dict[str, tuple[str, ...]]]:
        """Names grouped into whole parts of the network (``whole_parts``), those alike but for their numbers together.

        What is suppressed stays apart from what is not.
        """
        for names in self.apart(concerned):
            beside = [name for name in concerned if name not in set(names)]
            parts = whole_parts(names, [*others, *beside])
            for alike in alike_but_for_numbers(parts):
                yield {part: parts[part] for part in alike}

    def finding(  # noqa: PLR0913 - each is a field of the finding
        self,
        message: str,
        *,
        severity: Severity | None = None,
        sites: Sequence[str] = (),
        label: str | None = None,
        measured: str = "",
        expected: str = "",
        notes: Sequence[str] = (),
    ) -> Finding:
        """A finding about call sites.

        Args:
            message: one sentence with the numbers.
            severity: where it differs from the rule's own.
            sites: keys of the sites, that of the cause first; its location is the finding's.
            label: the sites as a person reads them; made from ``sites`` where it is not given.
            measured: the numbers with seeds and limits.
            expected: what theory expects there.
            notes: further lines.
        """
        by_key = {site.key: site for site in self.facts.anatomy.sites}
        known = [by_key[key] for key in sites]
        if label is None:
            label = wording.span(sites) if sites else ""
            label += f" ({wording.count(len(sites), 'layer')})" if len(sites) > 1 else ""
        found = Finding(
            rule=self.card,
            severity=severity or self.card.severity,
            message=message,
            sites=tuple(sites),
            label=label,
            location=known[0].location if known else None,
            measured=measured,
            expected=expected,
            notes=(*notes, *self._partly(sites)),
            suppressed=self.suppression(sites),
        )
        return self.facts.policy.weighed(found)

    def finding_about(  # noqa: PLR0913 - each is a field of the finding
        self,
        message: str,
        *,
        severity: Severity | None = None,
        about: Sequence[str],
        label: str,
        location: Location | None,
        measured: str = "",
        notes: Sequence[str] = (),
        parameters: Sequence[str] = (),
    ) -> Finding:
        """A finding about modules or parameters that no call site stands for.

        Args:
            message: one sentence with the numbers.
            severity: where it differs from the rule's own.
            about: their names, for suppression (``place``).
            label: what it is about, as a person reads it.
            location: where the first of them was built.
            measured: the numbers.
            notes: further lines.
            parameters: names of those whose values it is about.
        """
        found = Finding(
            rule=self.card,
            severity=severity or self.card.severity,
            message=message,
            label=label,
            location=location,
            measured=measured,
            notes=(*notes, *self._partly(about)),
            suppressed=self.suppression(about),
            parameters=tuple(parameters),
            about=tuple(about),
        )
        return self.facts.policy.weighed(found)

    def _partly(self, names: Sequence[str]) -> Iterator[str]:
        """Says of an ignore that is not enough by itself what it lacks."""
        partly = self.facts.policy.partly(self.card, [self.place(name) for name in names])
        if partly is not None:
            yield partly
