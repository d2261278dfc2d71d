"""Makes a torchvision importable that was built for another torch; Python runs this file as it starts.

Where torchvision is a CUDA build and torch is not, the library with its operators cannot be loaded, and whatever imports
torchvision (timm does, and transformers) ends with "operator torchvision::nms does not exist". The models need none of
these operators: it is enough that two of them are declared before the import.

``tests/conftest.py`` runs this for the test process, and names its folder in PYTHONPATH for the processes that tests
start. It costs nothing before somebody imports torchvision, and changes nothing where torchvision's own library loads.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from pathlib import Path


class OperatorsFirst(MetaPathFinder):
    """Finds nothing; declares the operators of torchvision when it is about to be imported."""

    def __init__(self):
        self.kept = None

    def find_spec(self, name, path=None, target=None):
        if name == "torchvision" and self.kept is None:
            found = PathFinder.find_spec(name, path, target)
            if found is not None and found.origin is not None:
                self.kept = declared(Path(found.origin).parent)


def declared(package):
    """A library with the two operators, alive as long as somebody holds it; False where torchvision has its own."""
    import torch

    for file in package.glob("_C*.so"):
        try:
            torch.ops.load_library(str(file))
        except OSError:
            continue
        return False
    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


# A process that a test process started has it from Python's start when its conftest.py runs this file once more.
if not any(type(finder).__name__ == OperatorsFirst.__name__ for finder in sys.meta_path):
    sys.meta_path.insert(0, OperatorsFirst())
