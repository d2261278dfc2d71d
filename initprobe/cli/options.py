"""The options that several commands share, each declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

MODEL, INIT, SAMPLING, JUDGING, OUTPUT = "Model", "Init", "Sampling", "Judging", "Output"

Targets = Annotated[
    list[str],
    typer.Argument(
        metavar="TARGET",
        help="FILE.yaml, DIR, preset:NAME, FILE.py:ATTR, pkg.mod:ATTR(call), timm:NAME, torchvision:NAME, hf:TYPE, "
        "hf:DIR, FILE.pt2, FILE.keras; - for standard input.",
    ),
]
ProjectTargets = Annotated[
    list[str],
    typer.Argument(
        metavar="TARGET",
        help="As for run, or a saved RESULT.json; without any, the targets of the project (initprobe config).",
        show_default=False,
    ),
]
Sets = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change a value of the spec (model.width=512).", rich_help_panel=MODEL
    ),
]
Inputs = Annotated[
    list[str],
    typer.Option(
        "--input",
        metavar="SPEC",
        help="One sample: 3,224,224 or ids=int64[128]<50257. Repeatable.",
        rich_help_panel=MODEL,
    ),
]
BatchFrom = Annotated[
    str | None,
    typer.Option("--batch-from", metavar="PKG:FN", help="A function that makes the batch.", rich_help_panel=MODEL),
]
Paths = Annotated[
    list[Path], typer.Option("--path", metavar="DIR", help="Import from this directory too.", rich_help_panel=MODEL)
]
AllowCode = Annotated[
    bool,
    typer.Option(
        "--allow-code", help="Let the code that a file names or holds run. Only this flag can.", rich_help_panel=MODEL
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="FILE",
        help="Load this checkpoint first: .safetensors, .pt, .pth, .bin, .ckpt.",
        rich_help_panel=MODEL,
    ),
]
Scheme = Annotated[
    str | None,
    typer.Option(
        "--scheme", metavar="NAME", help="What draws the weights: he, 'normal(std=0.02)' ...", rich_help_panel=INIT
    ),
]
Only = Annotated[
    list[str],
    typer.Option(
        "--only",
        metavar="GLOB",
        help="Draw these parameters alone (head.*). Repeatable.",
        rich_help_panel=INIT,
    ),
]
Seeds = Annotated[
    str | None,
    typer.Option(
        "--seeds", metavar="N|LIST", help="How many seeds, or which (0,3,7). Default 5.", rich_help_panel=SAMPLING
    ),
]
MaxSeeds = Annotated[
    int | None,
    typer.Option(
        "--max-seeds", min=1, help="Seeds that an undecided verdict may use. Default 32.", rich_help_panel=SAMPLING
    ),
]
Seed = Annotated[int, typer.Option("--seed", min=0, metavar="BASE", help="The first seed.", rich_help_panel=SAMPLING)]
Batch = Annotated[
    int | None,
    typer.Option(
        "--batch", min=1, help="Samples per pass. Default 256, less where the memory asks.", rich_help_panel=SAMPLING
    ),
]
Dtype = Annotated[
    Literal["float32", "float64", "float16", "bfloat16"] | None,
    typer.Option("--dtype", help="Floating-point type of the model.", rich_help_panel=SAMPLING),
]
Device = Annotated[str | None, typer.Option("--device", help="cpu, cuda, cuda:1 ...", rich_help_panel=SAMPLING)]
Mode = Annotated[
    Literal["train", "eval", "as-is"] | None,
    typer.Option("--mode", help="Mode of the modules. Default train.", rich_help_panel=SAMPLING),
]
Loss = Annotated[
    str | None,
    typer.Option(
        "--loss",
        metavar="NAME",
        help="What the gradient is of: gaussian (random), own, cross_entropy, 'elbo(kl_weight=2)', pkg:fn ...",
        rich_help_panel=SAMPLING,
    ),
]
NoBackward = Annotated[
    bool, typer.Option("--no-backward", help="Measure the forward pass alone.", rich_help_panel=SAMPLING)
]
Statistics = Annotated[
    list[str],
    typer.Option(
        "--statistics",
        metavar="NAME",
        help="Measure and show these too: abs_mean, rms_by_step ... (initprobe ls statistics).",
        rich_help_panel=SAMPLING,
    ),
]
Outputs = Annotated[
    list[str],
    typer.Option(
        "--output",
        "-o",
        metavar="FORMAT[=PATH]",
        help="full, concise, json, sarif, junit, github ... (initprobe ls formats). Repeatable.",
        rich_help_panel=OUTPUT,
    ),
]
Save = Annotated[
    Path | None, typer.Option("--save", metavar="FILE", help="Write the result file (JSON).", rich_help_panel=OUTPUT)
]
Layers = Annotated[
    Literal["grouped", "flagged", "all"],
    typer.Option("--layers", help="Rows of the layer table.", rich_help_panel=OUTPUT),
]
Anatomy = Annotated[
    bool, typer.Option("--anatomy", help="Show every weight: role, fans, activations, std.", rich_help_panel=OUTPUT)
]
Plots = Annotated[
    Path | None,
    typer.Option("--plots", metavar="DIR", help="Draw the plots into this directory.", rich_help_panel=OUTPUT),
]
Quiet = Annotated[
    int,
    typer.Option("--quiet", "-q", count=True, help="Findings only; twice: the exit code only.", rich_help_panel=OUTPUT),
]
Color = Annotated[
    Literal["auto", "always", "never"],
    typer.Option("--color", help="Colours in the terminal.", rich_help_panel=OUTPUT),
]
Select = Annotated[
    list[str],
    typer.Option(
        "--select", metavar="RULE", help="Only these rules: name, code or family (IP1).", rich_help_panel=JUDGING
    ),
]
Ignore = Annotated[
    list[str], typer.Option("--ignore", metavar="RULE", help="Not these rules.", rich_help_panel=JUDGING)
]
ExtendSelect = Annotated[
    list[str],
    typer.Option("--extend-select", metavar="RULE", help="These rules too.", rich_help_panel=JUDGING),
]
ExtendIgnore = Annotated[
    list[str],
    typer.Option(
        "--extend-ignore",
        metavar="RULE",
        help="Nor these rules, beside those that a file ignores.",
        rich_help_panel=JUDGING,
    ),
]
Against = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="RESULT",
        help="Fail where the init is another one than in this result.",
        rich_help_panel=JUDGING,
    ),
]
Baseline = Annotated[
    Path | None,
    typer.Option("--baseline", metavar="FILE", help="What is known, and does not count.", rich_help_panel=JUDGING),
]
UpdateBaseline = Annotated[
    bool,
    typer.Option("--update-baseline", help="Write what is found into the baseline.", rich_help_panel=JUDGING),
]
ShowSuppressed = Annotated[
    bool,
    typer.Option("--show-suppressed", help="Show what does not count, too, and why.", rich_help_panel=OUTPUT),
]
FailOn = Annotated[
    Literal["error", "warning", "info", "never"] | None,
    typer.Option("--fail-on", help="The least severity that fails. Default error.", rich_help_panel=JUDGING),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Inconclusive and coverage findings count as errors.", rich_help_panel=JUDGING),
]
Severities = Annotated[
    list[str],
    typer.Option("--severity", metavar="RULE=LEVEL", help="Give a rule another severity.", rich_help_panel=JUDGING),
]
Thresholds = Annotated[
    list[str],
    typer.Option("--threshold", metavar="KEY=VALUE", help="forward_drift.error=100 ...", rich_help_panel=JUDGING),
]
Precision = Annotated[
    Literal["float16", "bfloat16"] | None,
    typer.Option("--precision", help="The type that the network is going to run in.", rich_help_panel=JUDGING),
]
ExitZero = Annotated[bool, typer.Option("--exit-zero", help="Exit 0 even with findings.", rich_help_panel=JUDGING)]
NoCi = Annotated[
    bool,
    typer.Option("--no-ci", help="In GitHub Actions, add no annotations and no job summary.", rich_help_panel=OUTPUT),
]
Suggest = Annotated[
    bool | None,
    typer.Option(
        "--suggest/--no-suggest",
        help="Look for an init that heals the findings, and probe it. Default: in a terminal, and with --fix.",
        rich_help_panel=JUDGING,
    ),
]
Fix = Annotated[
    bool, typer.Option("--fix", help="Write the verified fix into the spec's init: section.", rich_help_panel=JUDGING)
]
Traceback = Annotated[
    Literal["short", "full"],
    typer.Option("--traceback", help="Show the user's frames, or everything.", rich_help_panel=OUTPUT),
]
