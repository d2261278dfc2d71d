"""Libraries that are missing or broken; the working ones are tested with their sources."""

import sys

import pytest

from initprobe.errors import ExitCode, MissingExtraError, TargetError, UsageError
from initprobe.load.library import extents, handed_on, import_library, unknown_model


@pytest.fixture
def library(tmp_path, monkeypatch):
    """``library("raise ...")``: the name of an importable module with that text."""

    def write(text):
        (tmp_path / "brittle_library.py").write_text(text)
        return "brittle_library"

    monkeypatch.syspath_prepend(tmp_path)
    yield write
    sys.modules.pop("brittle_library", None)


def test_a_library_that_is_not_installed_is_told_with_the_extra_that_brings_it():
    with pytest.raises(MissingExtraError, match=r"timm:resnet50 needs the 'absent_library' extra") as caught:
        import_library("absent_library", "timm:resnet50")
    assert 'pip install "initprobe[absent_library]"' in caught.value.hint
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_library_whose_own_needs_are_not_installed_lacks_its_extra_too(library):
    with pytest.raises(MissingExtraError):
        import_library(library("import absent_library"), "x:y")


def test_a_torchvision_of_another_torch_is_told_with_both_versions(library):
    name = library("raise RuntimeError('operator torchvision::nms does not exist')")
    for _ in range(2):
        with pytest.raises(
            UsageError, match=r"torchvision build does not match torch build: torchvision .* torch "
        ) as caught:
            import_library(name, "timm:resnet50")
        assert "operator torchvision::nms does not exist" in str(caught.value)
        assert "together" in caught.value.hint


def test_whatever_else_an_import_raises_is_the_librarys(library):
    with pytest.raises(TargetError, match="importing brittle_library raised ValueError: no"):
        import_library(library("raise ValueError('no')"), "x:y")


def test_what_a_library_prints_while_it_is_imported_goes_to_stderr(library, capsys):
    import_library(library("print('hello')"), "x:y")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "hello\n")


def test_an_unknown_name_is_told_with_the_nearest():
    known = ["resnet18", "resnet50", "vit_base_patch16_224"]
    assert "timm:resnet18" in unknown_model("timm", "resnet19", known).hint
    assert unknown_model("timm", "vit", known).hint == "did you mean timm:vit_base_patch16_224?"
    assert "lists the 3" in unknown_model("timm", "xyzzy", known).hint
    assert unknown_model("timm", "", known).hint


class Net:
    def __init__(self, width, *args, depth=3, **kwargs):
        pass


def builds(**kwargs) -> Net: ...


def says_nothing(**kwargs): ...


def test_what_is_handed_on_goes_to_the_class_that_is_returned():
    assert handed_on(builds) == ("width", "depth")
    assert handed_on(says_nothing) == ()


@pytest.mark.parametrize(
    ("size", "axes", "expected"),
    [(8, 2, (8, 8)), ((8, 9), 2, (8, 9)), ([8, 9], 2, (8, 9)), ((8,), 2, None), ("88", 2, None), (8.0, 2, None)],
)
def test_a_size_is_a_number_or_one_for_each_axis(size, axes, expected):
    assert extents(size, axes) == expected
