"""Judge the whole corpus from many base seeds, and write the table.

python -m tests.corpus [--bases 20] [--jobs 2] [--only 'defective/rnn*'] [--output docs/corpus.md]
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

# As tests/conftest.py does for the tests, before torch is imported: one thread, and a torchvision that can be imported.
os.environ["OMP_NUM_THREADS"] = "1"
STARTUP = Path(__file__).parents[1] / "startup" / "sitecustomize.py"
runpy.run_path(str(STARTUP))

from tests.corpus.judging import Judged, judge  # noqa: E402 - torch must see the two lines above
from tests.corpus.page import PAGE, page  # noqa: E402
from tests.corpus.reading import Model, corpus  # noqa: E402


def judge_all(model: Model, bases: int) -> tuple[Model, list[Judged]]:
    """One model from every base seed; nothing where it cannot be judged."""
    return model, [] if model.missing else [judge(model, base) for base in range(bases)]


def chosen(pattern: str) -> list[Model]:
    return [model for model in corpus() if fnmatchcase(f"{model.kind}/{model.name}", pattern)]


def judged(models: list[Model], bases: int, jobs: int) -> Iterator[tuple[Model, list[Judged]]]:
    with ProcessPoolExecutor(jobs) as pool:
        futures = [pool.submit(judge_all, model, bases) for model in models]
        for future in futures:
            model, runs = future.result()
            faults = sum(bool(run.wrong(model)) for run in runs)
            state = model.missing or f"{faults} of {len(runs)} wrong" if faults or model.missing else "right"
            print(f"{model.kind}/{model.name}: {state}", file=sys.stderr, flush=True)
            yield model, runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bases", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="*")
    parser.add_argument("--output", type=Path, default=PAGE)
    options = parser.parse_args()
    start = time.perf_counter()
    outcomes = list(judged(chosen(options.only), options.bases, options.jobs))
    options.output.write_text(page(outcomes, options.bases), encoding="utf-8")
    print(f"{options.output}: {time.perf_counter() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
