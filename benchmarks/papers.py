"""Published, predicted, measured: ``python -m benchmarks.papers > docs/papers.md``, from the root; a minute.

The configs of configs/papers/ say what is published and what the law predicts; it is measured as their tests do it.
"""

from __future__ import annotations

import re
from pathlib import Path

from initprobe.records import Entry
from tests.load.expectations import Expectation, expectations, probed

ROOT = Path(__file__).parents[1]
PAPERS = ROOT / "configs" / "papers"

TOP = """\
# Published results, reproduced

Each config in `configs/papers/` states what a paper says, and a test (`tests/load/test_papers.py`) holds what is
measured to what is predicted, within the tolerance given here.

- *published*: what the paper says, in its own terms; √ stands before second moments, because tables show the RMS.
- *predicted*: the number that follows for this network from the law that the config's comment names.
- *theory column*: what `initprobe run` shows beside the measurement, followed from layer to layer with the weights that
  were drawn; — where it says nothing of this kind of number.
- *measured*: the mean over the seeds of the config.

`tests/physics/test_papers.py` adds what no probe shows, He's thirty layers in training. This page is made by
`python -m benchmarks.papers`.
"""

HEAD = "| what | published | predicted | theory column | measured |\n|---|---|---|---|---|"


def main() -> None:
    """Print the page."""
    print(TOP)
    for path in sorted(PAPERS.glob("*.yaml")):
        print(section(path), flush=True)


def section(path: Path) -> str:
    """One paper: what its config says, the commands, and a row for each number."""
    text = path.read_text(encoding="utf-8")
    lines = [line.removeprefix("#").removeprefix(" ") for line in text.partition("version: 1")[0].splitlines()[1:]]
    said = "\n".join(line for line in lines if not line.startswith("expect")).strip()
    rows = [marked(row(one, entry)) for one, entry in probed(path, expectations(text))]
    return f"## {path.stem}\n\n{marked(said)}\n\n{HEAD}\n" + "\n".join(rows) + "\n"


def marked(said: str) -> str:
    """A text as Markdown, with the stars of q* and c* as they are."""
    return re.sub(r"(?<=\w)\*", r"\\*", said)


def row(one: Expectation, entry: Entry) -> str:
    """One number, or one word, on its way from the paper to the measurement."""
    where = [f"{key}={value}" for key, value in one.sets] + ([one.scheme] if one.scheme else [])
    what = re.sub(r" [0-9.e+-]+ \+- [0-9.e+-]+", "", one.text) + (f" ({', '.join(where)})" if where else "")
    one.hold(entry)
    reading = one.reading(entry)
    if reading is None:
        return f"| {what} | {one.published or '—'} | as said | — | the same |"
    theory = "—" if reading.predicted is None else digits(reading.predicted)
    stated = f"{digits(one.value)} ± {digits(one.slack)}"
    return f"| {what} | {one.published or '—'} | {stated} | {theory} | {digits(reading.measured)} |"


def digits(number: float) -> str:
    """Four digits."""
    return f"{number:.4g}"


if __name__ == "__main__":
    main()
