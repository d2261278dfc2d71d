"""What may stand behind ``probe.loss``: a name, an objective with options, or a function of the user's own."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from initprobe.errors import UsageError
from initprobe.load.blocks.base import Section, Text, Wanted
from initprobe.load.loss import check_loss, written
from initprobe.load.tags import TAG

LossOption = Annotated[
    float | int | bool | str | list[float] | None, Wanted("a number, true, false, text or a list of numbers")
]


class ObjectiveMapping(Section):
    """An objective with options."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, LossOption] = Field(init=False)

    objective: Annotated[
        str, Field(pattern=r"^[A-Za-z_]{1,80}$"), Wanted("the name of an objective", hint="`initprobe ls objectives`")
    ] = Field(description="Name of the objective; every other key is an option of it")


class LossFunction(Section):
    """A loss of the user's own."""

    source: Text = Field(
        alias="from", description="`package.module:function` of the model's output, where code is allowed"
    )


def loss_tag(value: Any) -> str | None:
    """Which kind of loss a value is, whether it is read or written."""
    if isinstance(value, LossFunction) or (isinstance(value, dict) and "from" in value):
        return TAG + "function"
    return TAG + ("objective" if isinstance(value, dict | ObjectiveMapping) else "loss")


def loss_text(value: str | ObjectiveMapping | LossFunction) -> str:
    """A loss as it is typed on a command line."""
    if isinstance(value, LossFunction):
        return value.source
    return value if isinstance(value, str) else written(value.objective, value.model_extra or {})


def known_loss(value: Any) -> Any:
    """The loss, which must be there and take its options."""
    try:
        if not isinstance(value, LossFunction):
            check_loss(loss_text(value))
    except UsageError as error:
        raise PydanticCustomError("needs", "{message}", {"message": str(error), "hint": error.hint}) from None
    return value


LossName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_]{1,80}$"),
    Wanted("the name of a loss", hint="options stand beside it: {objective: elbo, kl_weight: 0.5}"),
]
ProbeLoss = Annotated[
    Annotated[LossName, Tag(TAG + "loss")]
    | Annotated[ObjectiveMapping, Tag(TAG + "objective")]
    | Annotated[LossFunction, Tag(TAG + "function")],
    Discriminator(loss_tag),
    AfterValidator(known_loss),
]
