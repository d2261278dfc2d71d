"""What flows between the rooms: frozen, picklable, free of torch.

One more record is one more module here; a record holds numbers, strings and other records, never a tensor.
"""

from initprobe.records.activation_use import ActivationUse
from initprobe.records.anatomy import (
    Anatomy,
    Attention,
    Branch,
    Part,
    Role,
    Site,
    SiteKind,
    Skip,
    Stream,
    Weight,
)
from initprobe.records.estimate import Estimate
from initprobe.records.evidence import Evidence
from initprobe.records.finding import (
    SEVERITIES,
    Confidence,
    Finding,
    Gain,
    Judgement,
    NeedSeeds,
    RuleCard,
    Segment,
    Severity,
    Status,
    Verdict,
)
from initprobe.records.flow import Argument, Fixed, Flow, Held, Signal, Step
from initprobe.records.location import Location
from initprobe.records.outcome import Drawn, Outcome, Skipped
from initprobe.records.prediction import Expected, Prediction, SitePrediction
from initprobe.records.report import (
    Coverage,
    Entry,
    Environment,
    Failure,
    ParameterSummary,
    Report,
    SiteSummary,
    StatisticSummary,
)
from initprobe.records.request import (
    CheckRequest,
    InitRequest,
    Option,
    Options,
    Override,
    ProbeRequest,
    Request,
    SchemeChoice,
    TargetRequest,
)
from initprobe.records.residual import Growth, GrowthLaw, ResidualBlock, ResidualStream
from initprobe.records.spec import Spec
from initprobe.records.trace import Counts, ParameterTrace, PartTrace, SiteTrace, Statistics, Trace, Unseen, Value

__all__ = [
    "SEVERITIES",
    "ActivationUse",
    "Anatomy",
    "Argument",
    "Attention",
    "Branch",
    "CheckRequest",
    "Confidence",
    "Counts",
    "Coverage",
    "Drawn",
    "Entry",
    "Environment",
    "Estimate",
    "Evidence",
    "Failure",
    "Expected",
    "Finding",
    "Fixed",
    "Flow",
    "Gain",
    "Growth",
    "GrowthLaw",
    "Held",
    "InitRequest",
    "Judgement",
    "Location",
    "NeedSeeds",
    "Option",
    "Options",
    "Outcome",
    "Override",
    "ParameterSummary",
    "ParameterTrace",
    "Part",
    "PartTrace",
    "ProbeRequest",
    "Prediction",
    "Report",
    "Request",
    "ResidualBlock",
    "ResidualStream",
    "Role",
    "RuleCard",
    "SchemeChoice",
    "Segment",
    "Severity",
    "Signal",
    "Site",
    "SiteKind",
    "SitePrediction",
    "SiteSummary",
    "SiteTrace",
    "Skip",
    "Skipped",
    "Spec",
    "StatisticSummary",
    "Statistics",
    "Status",
    "Step",
    "Stream",
    "TargetRequest",
    "Trace",
    "Unseen",
    "Value",
    "Verdict",
    "Weight",
]
