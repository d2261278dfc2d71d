"""An init as YAML reads back as itself."""

import pytest

from initprobe.load.init_text import init_flow, init_section, scalar_text
from initprobe.load.schema import read_spec, sections
from initprobe.records import InitRequest, Override, SchemeChoice

MODEL = "version: 1\nmodel: {input: {shape: [4]}, layers: [{type: linear, out: 4}]}\n"
HE = SchemeChoice("kaiming_normal")

INITS = [
    InitRequest(HE),
    InitRequest(SchemeChoice("normal", (("std", 1e-05),))),
    InitRequest(SchemeChoice("kaiming_normal", (("mode", "fan_out"), ("negative_slope", 0.2)))),
    InitRequest(None, (Override(HE, glob="block.*.weight"), Override(HE, layer_type="embedding"))),
    InitRequest(HE, (Override(HE, glob="a: '\"b", layer_type="linear"), Override(HE, glob="no")), ("head.*", "null")),
]


@pytest.mark.parametrize("init", INITS, ids=str)
def test_it_reads_back_as_itself(init):
    for text in (init_section(init), f"init: {init_flow(init)}\n"):
        assert sections(read_spec("net.yaml", text=MODEL + text)).init == init


@pytest.mark.parametrize("word", ["null", "true", "1e3", "a b", "*x", "", "ünder", "no: yes", "${a}"])
def test_text_is_quoted_where_it_would_be_something_else(word):
    assert scalar_text(word).startswith('"')
    assert scalar_text("kaiming_normal") == "kaiming_normal"


def test_one_line_for_each_part():
    assert init_section(INITS[3]) == (
        "init:\n  overrides:\n"
        '    - {match: "block.*.weight", scheme: kaiming_normal}\n'
        "    - {match: {type: embedding}, scheme: kaiming_normal}\n"
    )
