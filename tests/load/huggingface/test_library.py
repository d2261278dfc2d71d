"""What the library says where it does not load."""

import pytest

from initprobe.errors import UsageError
from initprobe.load.huggingface.library import unloadable


def raised(*errors):
    """The last error, caused by the one before it, and so on."""
    before = None
    for error in errors:
        error.__cause__, before = before, error
    return before


@pytest.mark.parametrize(
    ("errors", "says"),
    [
        (
            [
                RuntimeError("operator torchvision::nms does not exist"),
                ModuleNotFoundError("Could not import module 'X'"),
            ],
            "the model needs torchvision, and torchvision's build does not match torch's",
        ),
        (
            [ImportError("\nDinat requires the natten library\nmore")],
            "is not there: Dinat requires the natten library$",
        ),
        ([ModuleNotFoundError("No module named 'timm'"), RuntimeError("Failed to import")], "No module named 'timm'"),
        ([ValueError("odd")], "the model does not load: ValueError: odd"),
    ],
)
def test_the_cause_is_told(errors, says):
    with pytest.raises(UsageError, match=says):
        raise unloadable("the model", raised(*errors))
