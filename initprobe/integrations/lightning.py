"""A Lightning callback that checks the model before step 0: ``Trainer(callbacks=[InitCheck()])``."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from initprobe.errors import MissingExtraError, UsageError
from initprobe.integrations.before_training import Gate, OnFail, first_of

try:
    import lightning.pytorch as lightning
except ImportError:
    try:
        import pytorch_lightning as lightning
    except ImportError as error:
        raise MissingExtraError("the Lightning callback", "lightning") from error


class InitCheck(lightning.Callback):  # type: ignore[misc, unused-ignore] # it is Any where Lightning is not installed
    """Judges the module that is about to be trained, as ``initprobe check`` does, on the first batch.

    A fit that resumes from a checkpoint is let go on: those weights are trained.

    Args:
        inputs: what ``forward`` takes: a shape, or a batch (see ``initprobe.probe``). None for the module's
            ``example_input_array``, else the first batch of the training data, or its first element where that is a
            pair.
        on_fail: ``raise`` stops the training, ``warn`` warns and goes on.
        options: of ``initprobe.assert_healthy_init`` (``fail_on``, ``ignore``, ``thresholds`` ...).
    """

    def __init__(self, inputs: Any = None, *, on_fail: OnFail = "raise", **options: Any) -> None:
        super().__init__()
        self.inputs = inputs
        self.gate = Gate(on_fail, options)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Lightning calls this once, before the first batch.

        Raises:
            UnhealthyInitError: the verdict is ``fail``.
            UsageError: nothing says what ``forward`` takes.
        """
        if trainer.global_step == 0:
            self.gate.hold(pl_module, self._inputs(trainer, pl_module))

    def _inputs(self, trainer: Any, module: Any) -> Any:
        if self.inputs is not None or module.example_input_array is not None:
            return self.inputs  # the probe finds the example by itself
        batch = first_of(trainer.train_dataloader)
        first = batch[0] if isinstance(batch, (list, tuple)) and batch else batch
        if not isinstance(first, Tensor):
            raise UsageError(
                f"the first batch is a {type(first).__name__}, which does not say what forward() takes",
                hint="InitCheck(inputs=(3, 224, 224)), or set example_input_array in the module",
            )
        return trainer.strategy.batch_to_device(first)
