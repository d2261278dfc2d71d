"""The table of the corpus: how often each model is judged rightly, as a page of the documents."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.corpus.judging import Judged
from tests.corpus.reading import Model

PAGE = Path(__file__).parents[2] / "docs" / "corpus.md"

INTRODUCTION = """\
# The corpus: what is found, and what is not accused

`tests/corpus/` holds models that are broken and models that are not, one small file each. The broken ones are likenesses
of mistakes that shipped (project and issue stand in the file) or of what papers warn of; the head of a file says which
rule must find it, at which layer. The sound ones are what papers and libraries do on purpose: every zero that is meant,
depth, narrowness, tied weights, the models of transformers, timm and torchvision.

Every model is checked from {bases} base seeds, 1000 apart, so that no draw is used twice, with the default of five seeds and
up to 32 where a verdict stays open. `python -m tests.corpus` makes this page; one base seed of each model runs with the
tests.
"""

Outcomes = Sequence[tuple[Model, Sequence[Judged]]]


@dataclass(frozen=True)
class Counts:
    """How often an expectation was met, out of how many base seeds."""

    found: int
    placed: int
    bases: int

    @property
    def share(self) -> str:
        return f"{100 * self.placed / self.bases:.0f} %" if self.bases else "–"


def page(outcomes: Outcomes, bases: int) -> str:
    """The whole page."""
    defective = [(model, runs) for model, runs in outcomes if model.kind == "defective"]
    healthy = [(model, runs) for model, runs in outcomes if model.kind == "healthy"]
    blocks = [
        INTRODUCTION.format(bases=bases),
        "## In short\n",
        _short(defective, healthy),
        "## Recall, rule by rule\n",
        _recall(defective),
        "## Broken models\n",
        _defective(defective),
        "## Sound models\n",
        _healthy(healthy),
    ]
    return "\n".join(blocks)


def _short(defective: Outcomes, healthy: Outcomes) -> str:
    judged = [(model, runs) for model, runs in defective if runs]
    met = sum(not run.missed and not run.misplaced for _, runs in judged for run in runs)
    sound = [(model, runs) for model, runs in healthy if runs]
    errors = sum(bool(run.errors) for _, runs in sound for run in runs)
    warnings = sum(bool(run.warnings) for _, runs in sound for run in runs)
    checks = sum(len(runs) for _, runs in judged), sum(len(runs) for _, runs in sound)
    rows = [
        ("broken", len(judged), checks[0], f"{met} found by the right rule at the right layer"),
        (
            "sound",
            len(sound),
            checks[1],
            f"{errors} with an error, {warnings} with a warning that its file does not allow",
        ),
    ]
    return _table(("models", "judged", "checks", "outcome"), rows)


def _recall(defective: Outcomes) -> str:
    found: dict[str, Counts] = {}
    for model, runs in defective:
        for wanted in model.wanted:
            before = found.get(" or ".join(wanted.codes), Counts(0, 0, 0))
            found[" or ".join(wanted.codes)] = Counts(
                before.found + sum(wanted not in run.missed for run in runs),
                before.placed + sum(wanted not in run.missed and wanted not in run.misplaced for run in runs),
                before.bases + len(runs),
            )
    rows = [(codes, counts.bases, counts.found, counts.placed, counts.share) for codes, counts in sorted(found.items())]
    return _table(("rule", "checks", "found", "at the right layer", "recall"), rows)


def _defective(outcomes: Outcomes) -> str:
    rows = []
    for model, runs in outcomes:
        for wanted in model.wanted:
            found = sum(wanted not in run.missed for run in runs)
            placed = sum(wanted not in run.missed and wanted not in run.misplaced for run in runs)
            numbers = (f"{found}/{len(runs)}", f"{placed}/{len(runs)}") if runs else ("–", "–")
            rows.append((model.name, _cell(model.title), f"`{wanted}`", *numbers, _others(model, runs)))
    return _table(("model", "what is wrong", "must be found", "found", "right layer", "other errors"), rows)


def _healthy(outcomes: Outcomes) -> str:
    rows = []
    for model, runs in outcomes:
        clean = sum(not run.errors and not run.warnings for run in runs)
        said = collections.Counter(code for run in runs for code in {*run.errors, *run.warnings})
        accused = ", ".join(f"{code} ({count})" for code, count in sorted(said.items()))
        numbers = f"{clean}/{len(runs)}" if runs else "–"
        rows.append((model.name, _cell(model.title), numbers, "; ".join(filter(None, [accused, *_remarks(model)]))))
    return _table(("model", "what it is", "clean", "accused of"), rows)


def _others(model: Model, runs: Sequence[Judged]) -> str:
    """Errors that nobody expected, and why the row is as it is."""
    said = collections.Counter(code for run in runs for code in set(run.errors))
    errors = ", ".join(f"{code} ({count})" for code, count in sorted(said.items()))
    return "; ".join(filter(None, [errors, *_remarks(model)]))


def _remarks(model: Model) -> Iterator[str]:
    if model.missing is not None:
        yield f"not judged: {_cell(model.missing)}"
    if model.unsolved is not None:
        yield f"unsolved: {_cell(model.unsolved)}"
    if model.kind == "healthy":
        yield from (f"allowed: {code}, {_cell(reason)}" for code, reason in model.allowed.items())


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join(lines) + "\n"
