"""IP511: an embedding that is too large for the head that it is tied to."""

from __future__ import annotations

import math
from collections.abc import Iterator

from initprobe.check.rules.base import Case, Example, Finding, Threshold, rule, wording
from initprobe.check.values import std_of, typical

LOGITS = Threshold(
    "embedding_scale.logits",
    4.0,
    "factor",
    "softmax over logits of standard deviation s starts s²/2 nats above chance: 8 of them at 4, where log(50257) is "
    "10.8; a table of N(0, 1) and width 768 makes 28",
    "the RMS of logits that a tied embedding makes is above this: info",
)

MODEL = """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(100, 64)
            nn.init.normal_(self.embed.weight, std={std})
            self.block = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 64), nn.LayerNorm(64))
            self.head = nn.Linear(64, 100, bias=False)
            {tie}

        def forward(self, tokens):
            return self.head(self.block(self.embed(tokens)))

    def build():
        return Net(), torch.randint(100, (16, 8))
    """
TIE = "self.head.weight = self.embed.weight"
SMALL = Example(MODEL.replace("{tie}", TIE).replace("{std}", "0.02"), language="python")
UNTIED = Example(MODEL.replace("{tie}", "").replace("{std}", "1.0"), language="python")
TIED = Example(MODEL.replace("{tie}", TIE).replace("{std}", "1.0"), language="python")


@rule(
    "IP511",
    "embedding-scale",
    "parameters",
    "info",
    "high",
    good=(SMALL, UNTIED),
    bad=(TIED,),
    thresholds=(LOGITS,),
)
def embedding_scale(case: Case) -> Iterator[Finding]:
    """A table of embeddings is the head's weight too, and its standard deviation is an embedding's: logits are large.

    What it does:
        Looks at weights that are looked up in one place and multiplied with in another. It fires where the RMS of what
        the product makes is above the limit and the standard deviation above 1/√width. A head that divides what goes
        into it, as T5 does, makes small ones.

    Why is this bad:
        `nn.Embedding` draws N(0, 1), which is a fine embedding. As a head behind a norm it makes logits of √width: the
        loss starts far above chance, and the first thousand steps go into shrinking the table.

    Not a problem when:
        The two are not tied, or the model scales the signal in front of the head.

    Options:
        thresholds.embedding_scale.logits (4): RMS of the logits.

    References:
        fastai pull request 2090 (a tied embedding drawn by another layer's rule); Press & Wolf 2017, arXiv:1608.05859;
        Vaswani et al. 2017, arXiv:1706.03762, section 3.4: tied tables of std 1/√width, times √width as embeddings.
    """
    looked_up = {site.weight for site in case.sites("embedding")}
    for weight in case.facts.anatomy.weights:
        keys = [site.key for site in case.sites("weighted") if site.weight == weight.name]
        std = std_of(case, weight) if keys and weight.name in looked_up else None
        logits = None if std is None else typical(case.facts.signals.rms(keys[-1:], "forward")[:, 0])
        limit = case.facts.thresholds[LOGITS.key]
        if std is None or logits is None or logits <= limit:
            continue
        width = weight.shape[-1]
        if std * math.sqrt(width) <= 1.0:
            continue
        yield case.finding(
            f"{weight.name} is an embedding with a standard deviation of {wording.size(std)} and the head's weight: "
            f"logits have an RMS of {wording.size(logits)}",
            sites=keys[-1:],
            measured=f"RMS {wording.size(logits)}, {wording.count(case.seeds, 'seed')}; told beyond {limit:g}",
            expected=f"1/√{width} = {1.0 / math.sqrt(width):.2g} makes logits of the size of the head's input",
        )
