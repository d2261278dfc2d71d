"""Twelve schemes on each of five networks: ``python benchmarks/ranking.py [WORD ...]`` makes docs/rankings.md.

Every table is what one ``initprobe compare`` prints, with its command above it. It takes some minutes in all.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

CLASSICAL = ["he", "xavier", "lecun", "orthogonal", "torch"]

COMMANDS: dict[str, list[str]] = {
    "A plain network: 50 layers of 256 units, ReLU": [
        *CLASSICAL, "variance_scaling", "keras", "sparse", "zero_identity", "lsuv", "krahenbuhl", "normal(std=0.01)",
        "--depth", "50",
    ],
    "A residual network without normalization: 25 blocks of two convolutions, with a scalar on every branch": [
        *CLASSICAL, "delta_orthogonal", "fixup", "skipinit", "rezero", "zero_init_residual", "branch_scaling", "lsuv",
        "--on", "benchmarks/networks.py:resnet", "--input", "3,12,12",
    ],
    "A pre-norm transformer: 12 layers of width 96": [
        "he", "xavier", "orthogonal", "torch", "gpt2", "bert", "vit_timm", "small_init", "wang_init", "magneto",
        "depth_mup", "mimetic",
        "--on", "benchmarks/networks.py:pre_norm", "--input", "int64[32]<256",
    ],
    "A post-norm transformer: 12 layers of width 96": [
        "he", "xavier", "orthogonal", "torch", "gpt2", "bert", "small_init", "t_fixup", "deepnorm", "admin", "mup",
        "mimetic",
        "--on", "benchmarks/networks.py:post_norm", "--input", "int64[32]<256",
    ],
    "An LSTM over 200 steps": [
        *CLASSICAL, "keras", "jax_default", "recurrent_orthogonal", "lstm_forget_bias", "lstm_forget_bias(bias=3.0)",
        "chrono(t_max=200)", "normal(std=0.01)",
        "--on", "benchmarks/networks.py:lstm", "--input", "200,64",
    ],
}  # fmt: skip
COMMON = ["--seeds", "5", "--batch", "16"]


def main(wanted: list[str]) -> None:
    """Print the tables of all networks, or of those whose title holds one of the words."""
    for title, words in COMMANDS.items():
        if wanted and not any(word in title for word in wanted):
            continue
        command = ["initprobe", "compare", *words, *COMMON]
        run = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, cwd=ROOT, check=False)
        print(f"## {title}\n\n```\n$ {shlex.join(command)}\n{run.stdout}{run.stderr}```\n", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
