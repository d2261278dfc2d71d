"""The callback of the Hugging Face Trainer, in a real one."""

from __future__ import annotations

import warnings

import pytest
import torch

from initprobe import UnhealthyInitError
from initprobe.errors import UsageError
from initprobe.integrations.before_training import UnhealthyInitWarning

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")
from initprobe.integrations.transformers import InitCheck  # noqa: E402 - it needs transformers


def gpt2(scale):
    config = transformers.GPT2Config(n_layer=6, n_head=2, n_embd=32, vocab_size=64, n_positions=32)
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(config)
    with torch.no_grad():
        for block in model.transformer.h:
            block.mlp.c_proj.weight.mul_(scale)
    return model


@pytest.fixture
def train(tmp_path):
    def run(model, callback, **options):
        tokens = torch.randint(0, 64, (8, 16), generator=torch.Generator().manual_seed(0))
        data = [{"input_ids": row, "labels": row} for row in tokens]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="transformers|accelerate|torch")
            arguments = transformers.TrainingArguments(
                output_dir=str(tmp_path), max_steps=2, per_device_train_batch_size=4, report_to=[], use_cpu=True,
                save_strategy="no", disable_tqdm=True, logging_strategy="no", learning_rate=0.0, **options,
            )  # fmt: skip
            trainer = transformers.Trainer(model, arguments, train_dataset=data, callbacks=[callback])
            trainer.train()
        return trainer

    return run


def test_a_healthy_model_trains(train):
    model = gpt2(1.0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    trainer = train(model, InitCheck())
    assert trainer.state.global_step == 2
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_an_exploding_one_does_not_begin(train):
    seen = []
    model = gpt2(1.0)
    model.register_forward_hook(lambda *_: seen.append(1))
    with pytest.raises(UnhealthyInitError, match="IP103"):
        train(poisoned(model), InitCheck())
    assert len(seen) <= 3, "only the probe has run it: traced, measured"


def test_it_may_warn_and_go_on(train):
    with pytest.warns(UnhealthyInitWarning, match="IP103"):
        train(poisoned(gpt2(1.0)), InitCheck(on_fail="warn"))


def test_inputs_may_be_given(train):
    ids = torch.zeros(2, 8, dtype=torch.long)
    assert train(gpt2(1.0), InitCheck(inputs={"input_ids": ids})).state.global_step == 2


def test_no_data_is_told():
    state = transformers.TrainerState()
    with pytest.raises(UsageError, match="holds no tensor"):
        InitCheck().on_train_begin(None, state, None, model=gpt2(1.0), train_dataloader=None)


def test_a_training_that_resumes_is_let_go_on():
    state = transformers.TrainerState(global_step=7)
    InitCheck().on_train_begin(None, state, None, model=poisoned(gpt2(1.0)))


def poisoned(model):
    with torch.no_grad():
        model.transformer.h[3].ln_1.weight[0] = float("nan")
    return model
