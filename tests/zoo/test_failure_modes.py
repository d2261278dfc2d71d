"""The thirty ways in which probes of other people's models have failed, and the tests that hold each of them off.

``ROWS`` names them; the odd models run through the whole program here, and end in a report or in one clear reason.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
import torch

import initprobe as ip
from initprobe.errors import InitprobeError
from tests.measure.test_restoring import state_of
from tests.zoo.odd_models import ODD, TOKENS, Drawn
from tests.zoo.odd_programs import PROGRAMS

pytestmark = pytest.mark.untraced

TESTS = Path(__file__).parents[1]

ROWS: dict[str, tuple[str, ...]] = {
    "1 full backward hooks break in-place operations": (
        "measure/test_signal.py:test_gradients_are_those_at_zeros_added_to_a_plain_pass",
        "measure/test_signal.py:test_views_that_are_written_into_carry_the_gradients_of_an_untouched_copy",
    ),
    "2 full backward hooks change the computation": (
        "measure/test_restoring.py:test_the_output_is_the_same_bit_by_bit_under_watch",
    ),
    "3 an output is overwritten after the hook": (
        "test_hooks.py:test_a_tensor_that_was_changed_in_place_is_another_value",
        "measure/test_signal.py:test_forward_statistics_are_those_of_a_plain_pass",
    ),
    "4 a hook that returns something replaces the output": (
        "test_hooks.py:test_the_hook_answers_none_whatever_its_listener_says",
    ),
    "5 a module is called several times or has several names": (
        "test_hooks.py:test_keys_name_path_call_and_place",
        "dissect/test_sites.py:test_reused_layers_are_steps_of_one_stream",
    ),
    "6 outputs of any type": (
        "test_hooks.py:test_tensors_are_found_with_their_places",
        "test_hooks.py:test_a_value_that_holds_itself_is_opened_once",
        "measure/test_signal.py:test_every_container_is_looked_into",
    ),
    "7 functional operations": ("dissect/test_weights.py:test_functions_and_methods_are_activations",),
    "8 a forward that is called directly, modules in a plain list": (
        "dissect/test_sites.py:test_a_forward_that_is_called_directly_leaves_its_module_uncalled",
        "measure/test_signal.py:test_parameters_outside_all_modules_are_told",
    ),
    "9 the projection of MultiheadAttention": ("test_hooks.py:test_the_mha_projection_counts_as_uncalled",),
    "10 the fused encoder": ("test_hooks.py:test_the_fused_encoder_is_taken_apart",),
    "11 activation checkpointing": (
        "measure/test_signal.py:test_checkpointing_counts_nothing_twice_and_changes_no_number",
        "test_process.py:test_checkpoints_are_back_afterwards",
    ),
    "12 torch.compile": (
        "test_process.py:test_compiled_code_is_compiled_again_afterwards",
        "load/test_wrappers.py:test_layers_have_the_names_that_they_were_written_with",
    ),
    "13 ScriptModules": (
        "load/sources/test_python.py:test_script_modules_are_refused_in_words",
        "test_hooks.py:test_script_modules_are_told_as_unseen",
    ),
    "14 exported programs": ("zoo/test_failure_modes.py:test_a_report_or_one_clear_reason",),
    "15 parametrized weights": (
        "init/test_initialize.py:test_a_weight_norm_keeps_the_drawn_weight",
        "init/test_initialize.py:test_a_parametrization_that_takes_no_values_is_told_and_undone",
        "init/test_initialize.py:test_hooks_that_recompute_the_weight_are_told",
        "dissect/test_weights.py:test_reparametrized_weights_are_the_weights_they_make",
    ),
    "16 reading a spectrally normed weight moves its buffers": (
        "measure/test_restoring.py:test_everything_is_as_it_was",
    ),
    "17 lazy modules": ("dissect/test_sites.py:test_lazy_layers_are_refused_in_words",),
    "18 running statistics": ("test_hooks.py:test_batch_norm_comes_back_bit_by_bit",),
    "19 buffers that the forward replaces": ("test_hooks.py:test_a_forward_may_resize_its_buffers",),
    "20 dtypes and layouts": (
        "test_hooks.py:test_what_cannot_be_measured_says_why",
        "test_hooks.py:test_nested_and_quantized_tensors_are_told",
        "test_hooks.py:test_sparse_buffers_are_put_back",
    ),
    "21 autocast": ("zoo/test_failure_modes.py:test_the_dtype_of_a_site_is_the_one_it_has",),
    "22 statistics of nan and inf": (
        "measure/statistics/test_contract.py:test_every_value_is_a_number_for_every_tensor",
    ),
    "23 exceptions leave hooks": (
        "measure/test_restoring.py:test_everything_is_as_it_was_after_a_failure_in_any_call",
        "measure/test_restoring.py:test_everything_is_as_it_was_after_a_failure_in_the_backward_pass",
    ),
    "24 two threads": (
        "test_process.py:test_two_probes_of_one_model_do_not_mix",
        "test_process.py:test_a_factory_and_a_pass_do_not_mix_their_generators",
    ),
    "25 regions without gradient": ("measure/test_signal.py:test_a_site_behind_detach_says_so",),
    "26 several modules hand out one tensor": ("measure/test_signal.py:test_one_tensor_handed_on_is_one_site",),
    "27 DataParallel": ("load/test_wrappers.py:test_layers_have_the_names_that_they_were_written_with",),
    "28 quantized modules": ("zoo/test_failure_modes.py:test_a_report_or_one_clear_reason",),
    "29 a random forward": (
        "test_hooks.py:test_the_generators_are_seeded_inside_and_put_back",
        "test_process.py:test_denormal_numbers_are_seen_and_flushed_again_afterwards",
    ),
    "30 memory": (
        "dissect/test_sites.py:test_the_memory_of_a_pass_is_told_per_sample",
        "load/test_limits.py:test_a_cgroup_leaves_less",
    ),
}
"""What goes wrong to the tests that would notice. 1 to 30 in the order in which the field's tools met them."""


TORCHS_OWN = (
    "ignore:The PyTorch API of nested tensors",
    "ignore:quantized..linear_dynamic. an autograd kernel was not registered",
    "ignore:The .grad attribute of a Tensor that is not a leaf",  # copying a ScriptModule makes such parameters
)
"""What torch warns of where it runs these models, and where it moves them."""


@cache
def known_in(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_its_tests(row):
    for test in ROWS[row]:
        file, _, name = test.partition(":")
        assert name in known_in(file), test


def written(inputs):
    """The inputs as ``--input`` takes them."""
    shapes = [",".join(map(str, shape)) for shape in inputs.shapes]
    return [f"int64[{shape}]<{inputs.whole}" if inputs.whole else shape for shape in shapes]


def attempt(target, inputs, **options):
    """The report's text, or the reason; everything else is a bug."""
    try:
        result = ip.probe(target, inputs=written(inputs), batch=4, seeds=1, max_seeds=1, **options)
    except InitprobeError as error:
        return None, error.render()
    return result, result.render()


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("options", [{}, {"scheme": "he", "mode": "eval"}], ids=["own init", "scheme"])
@pytest.mark.filterwarnings(*TORCHS_OWN)
def test_a_report_or_one_clear_reason(name, options):
    program = PROGRAMS[name]
    torch.manual_seed(0)
    result, text = attempt(program.build, program.inputs, **options)
    if program.refused is None:
        assert result is not None, text
        assert result.sites
        assert "verdict:" in text
    else:
        assert result is None
        assert program.refused in text
        assert text.startswith("error[")


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.filterwarnings(*TORCHS_OWN)
def test_a_model_that_exists_is_as_it_was(name):
    program = PROGRAMS[name]
    torch.manual_seed(0)
    model = program.build()
    before = state_of(model)
    for options in ({"scheme": "he"}, {"mode": "eval"}):
        _, text = attempt(model, program.inputs, **options)
        assert "verdict:" in text or text.startswith("error[")
        assert state_of(model) == before


@pytest.mark.parametrize("name", ODD)
def test_every_odd_model_is_drawn_and_reported(name):
    odd = ODD[name]
    torch.manual_seed(0)
    result, text = attempt(odd.build, odd.inputs, scheme="orthogonal")
    assert result is not None, text
    assert "verdict:" in text


def test_the_dtype_of_a_site_is_the_one_it_has():
    result, _ = attempt(PROGRAMS["autocast"].build, Drawn())
    assert {site.dtype for site in result.entry.sites} == {"bfloat16"}
    assert {site.dtype for site in attempt(PROGRAMS["sparse_gradients"].build, TOKENS)[0].entry.sites} == {"float32"}
