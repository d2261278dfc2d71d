"""The command that a report proposes is the one that was typed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from initprobe.records import TargetRequest
from initprobe.report.phrases import check_command


@pytest.mark.parametrize(
    ("target", "command"),
    [
        (TargetRequest("net.yaml"), "initprobe check net.yaml"),
        (
            TargetRequest("a.py:build(w=3)", inputs=("3,4", "ids=int64[8]<9"), paths=("src",)),
            "initprobe check 'a.py:build(w=3)' --input 3,4 --input 'ids=int64[8]<9' --path src",
        ),
        (
            TargetRequest(
                "net.yaml", sets=(("vars.depth", "3"),), batch_from="a:b", allow_code=True, weights="my net.pt"
            ),
            "initprobe check net.yaml --set vars.depth=3 --batch-from a:b --weights 'my net.pt' --allow-code",
        ),
    ],
)
def test_it_has_every_option_of_the_target(canonical, target, command):
    entry = canonical["clean"].entries[0]
    assert check_command(replace(entry, request=replace(entry.request, target=target))) == [command]


@pytest.mark.parametrize(
    "target", [TargetRequest(""), TargetRequest("a\x1b[31m"), TargetRequest("a.yaml", weights="\n")]
)
def test_what_cannot_be_typed_is_not_proposed(canonical, target):
    entry = canonical["clean"].entries[0]
    assert check_command(replace(entry, request=replace(entry.request, target=target))) == []
