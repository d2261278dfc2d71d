"""The Lightning callback in real trainers: it stops before step 0, and leaves the module as it was."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from initprobe import UnhealthyInitError
from initprobe.errors import UsageError
from initprobe.integrations.before_training import UnhealthyInitWarning, first_of

lightning = pytest.importorskip("pytorch_lightning")
from initprobe.integrations.lightning import InitCheck  # noqa: E402 - it needs Lightning

WIDTH = 32


class Deep(lightning.LightningModule):
    def __init__(self, gain):
        super().__init__()
        layers = []
        for _ in range(20):
            linear = nn.Linear(WIDTH, WIDTH, bias=False)
            nn.init.normal_(linear.weight, std=gain * (2 / WIDTH) ** 0.5)
            layers += [linear, nn.ReLU()]
        self.net = nn.Sequential(*layers)
        self.steps = 0

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, _):
        self.steps += 1
        return self(batch[0]).square().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


def pairs(samples=64):
    generator = torch.Generator().manual_seed(0)
    return DataLoader(TensorDataset(torch.randn(samples, WIDTH, generator=generator), torch.zeros(samples)), 32)


@pytest.fixture
def fit(tmp_path):
    def run(model, callback, data=None):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning")
            warnings.filterwarnings("ignore", module="lightning_fabric")
            trainer = lightning.Trainer(
                max_steps=2,
                callbacks=[callback],
                accelerator="cpu",
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                default_root_dir=tmp_path,
            )
            trainer.fit(model, data or pairs())
        return trainer

    return run


def test_a_healthy_model_trains(fit):
    torch.manual_seed(0)
    model = Deep(1.0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fit(model, InitCheck())
    assert model.steps == 2
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_an_exploding_one_does_not_begin(fit):
    torch.manual_seed(0)
    model = Deep(3.0)
    with pytest.raises(UnhealthyInitError, match="IP102"):
        fit(model, InitCheck())
    assert model.steps == 0


def test_it_may_warn_and_go_on(fit):
    torch.manual_seed(0)
    model = Deep(3.0)
    with pytest.warns(UnhealthyInitWarning, match="IP102"):
        fit(model, InitCheck(on_fail="warn"))
    assert model.steps == 2


def test_options_are_those_of_a_check(fit):
    torch.manual_seed(0)
    model = Deep(3.0)
    fit(model, InitCheck(inputs=(WIDTH,), ignore=["forward", "backward"]))
    assert model.steps == 2


def test_a_fit_that_goes_on_is_let_go_on(fit):
    torch.manual_seed(0)
    model = Deep(3.0)
    trainer = fit(model, InitCheck(on_fail="warn", fail_on="never"))
    callback = InitCheck()
    callback.on_train_start(trainer, model)
    assert trainer.global_step == 2


def test_a_batch_that_says_nothing_is_told(fit):
    data = DataLoader([{"image": torch.zeros(WIDTH)} for _ in range(4)], 2)
    with pytest.raises(UsageError, match="first batch is a dict"):
        fit(Deep(1.0), InitCheck(), data)


def test_training_goes_as_it_would_have_gone_without_it():
    loader = DataLoader(TensorDataset(torch.arange(64.0)), 8, shuffle=True)
    torch.manual_seed(3)
    expected = [batch[0].tolist() for batch in loader]
    torch.manual_seed(3)
    first_of(loader)
    assert [batch[0].tolist() for batch in loader] == expected


def test_an_unknown_action_is_told_at_once():
    with pytest.raises(UsageError, match="'raise' or 'warn'"):
        InitCheck(on_fail="explode")
