"""A callback of the Hugging Face Trainer that checks the model before step 0: ``Trainer(callbacks=[InitCheck()])``."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from initprobe.errors import MissingExtraError, UsageError
from initprobe.integrations.before_training import Gate, OnFail, device_of, first_of

try:
    from transformers import TrainerCallback
except ImportError as error:
    raise MissingExtraError("the callback of the Trainer", "hf") from error


class InitCheck(TrainerCallback):  # type: ignore[misc, unused-ignore] # it is Any where transformers is not installed
    """Judges the model that is about to be trained, as ``initprobe check`` does, on the first batch.

    A training that resumes from a checkpoint is let go on.

    Args:
        inputs: keyword arguments of ``forward``, or a shape (see ``initprobe.probe``). None for the first batch of the
            training data.
        on_fail: ``raise`` stops the training, ``warn`` warns and goes on.
        options: of ``initprobe.assert_healthy_init`` (``fail_on``, ``ignore``, ``thresholds`` ...).
    """

    def __init__(self, inputs: Any = None, *, on_fail: OnFail = "raise", **options: Any) -> None:
        self.inputs = inputs
        self.gate = Gate(on_fail, options)

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:  # noqa: ARG002 - the Trainer's
        """The Trainer calls this once, before the first batch.

        Raises:
            UnhealthyInitError: the verdict is ``fail``.
            UsageError: nothing says what ``forward`` takes.
        """
        if state.global_step == 0:
            model = given["model"]
            inputs = self.inputs
            if inputs is None:
                inputs = _first_batch(given.get("train_dataloader"), device_of(model))
            self.gate.hold(model, inputs)


def _first_batch(loader: Any, device: str) -> dict[str, Tensor]:
    """The tensors of the first batch, as keyword arguments."""
    batch = first_of(loader) if loader is not None else {}
    tensors = {name: value.to(device) for name, value in dict(batch).items() if isinstance(value, Tensor)}
    if not tensors:
        raise UsageError("the first batch holds no tensor", hint="InitCheck(inputs={'input_ids': ...})")
    return tensors
