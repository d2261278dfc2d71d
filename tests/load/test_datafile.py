"""Samples and labels of data files."""

import zipfile

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import initprobe as ip
from initprobe.errors import SpecError, UsageError
from initprobe.load.datafile import FileInputs, LabelledInputs
from initprobe.load.loss import chosen_loss
from initprobe.load.target import open_target
from initprobe.records import ProbeRequest, TargetRequest


@pytest.fixture
def archive(tmp_path):
    def write(**arrays):
        path = tmp_path / "data.npz"
        np.savez(path, **arrays)
        return path

    return write


def test_a_file_gives_distinct_rows_chosen_by_the_seed(archive):
    inputs = FileInputs(archive(x=np.arange(10.0).reshape(10, 1)))
    first, again = (inputs.make(4, 3, torch.float64).args[0] for _ in range(2))
    assert torch.equal(first, again)
    assert len(set(first.flatten().tolist())) == 4
    assert not torch.equal(first, inputs.make(4, 4, torch.float64).args[0])
    assert (inputs.rows, inputs.sample_shape) == (10, (1,))


def test_a_batch_larger_than_the_file_is_the_whole_file(archive):
    batch = FileInputs(archive(x=np.arange(3.0))).make(256, 0, torch.float32).args[0]
    assert sorted(batch.tolist()) == [0, 1, 2]


def test_floats_of_a_file_are_cast_and_integers_kept(archive):
    path = archive(floats=np.zeros((2, 3), ">f8"), ints=np.zeros((2, 3), np.uint8))
    assert FileInputs(path, "floats").make(2, 0, torch.bfloat16).args[0].dtype == torch.bfloat16
    assert FileInputs(path, "ints").make(2, 0, torch.bfloat16).args[0].dtype == torch.uint8


def test_a_file_with_several_arrays_wants_a_name(archive):
    path = archive(a=np.zeros(2), b=np.zeros(2))
    with pytest.raises(UsageError, match="several arrays") as caught:
        FileInputs(path)
    assert "'a', 'b'" in caught.value.hint
    with pytest.raises(UsageError, match="no array 'c'"):
        FileInputs(path, "c")


@pytest.mark.parametrize(
    "values",
    [
        np.array([{}], dtype=object),
        np.array(["text"]),
        np.zeros(2, np.dtype([("a", "f4")])),
        np.zeros(()),
        np.zeros((0, 3)),
    ],
    ids=["objects", "strings", "records", "scalar", "empty"],
)
def test_arrays_that_are_no_batch_are_refused(archive, values):
    with pytest.raises(UsageError):
        FileInputs(archive(x=values))


def test_a_file_that_is_missing_or_broken_is_a_usage_error(tmp_path, archive):
    with pytest.raises(UsageError, match="no data file"):
        FileInputs(tmp_path / "none.npz")
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"not a zip")
    with pytest.raises(UsageError, match="cannot read"):
        FileInputs(broken)
    whole = archive(x=np.zeros(1000)).read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="cannot read"):
        FileInputs(broken)


def test_an_array_that_claims_to_be_endless_is_refused(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999999,), }"
    header += b" " * (64 - (len(header) + 11) % 64) + b"\n"
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as zipped:
        zipped.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(UsageError, match="cannot read"):
        FileInputs(tmp_path / "huge.npz")


def rows(count=12):
    """Samples that differ, each with its number."""
    return np.arange(count * 3.0, dtype=np.float32).reshape(count, 3), np.arange(count)


def test_a_label_goes_with_its_row(archive):
    x, y = rows()
    inputs = FileInputs(archive(x=x, y=y), "x")
    call = LabelledInputs(inputs, inputs.labels("y")).make(5, 3, torch.float64)
    assert torch.equal(call.args[0], inputs.make(5, 3, torch.float64).args[0])
    assert (call.args[0][:, 0] / 3).tolist() == call.labels.tolist()
    assert call.args[0].dtype == torch.float64
    assert call.labels.dtype == torch.int64


SPEC = """version: 1
model:
  input: {from: data.npz, array: x}
  layers: [LAYERS]
probe: {seeds: 2, max_seeds: 2, batch: 4, loss: LOSS}
"""
SAME = "{type: scalar_scale, value: 1.0, name: same}, {type: multiply, factor: 1.0}"


def spec(tmp_path, loss, layers="{type: linear, out: 4}"):
    file = tmp_path / "net.yaml"
    file.write_text(SPEC.replace("LAYERS", layers).replace("LOSS", loss))
    return file


def test_labels_of_other_rows_would_be_seen(tmp_path, archive):
    """A network that does nothing, and samples for their own labels: the loss is 0, with a gradient of 0."""
    x, _ = rows()
    archive(x=x, shifted=np.roll(x, 1, axis=0))
    own = ip.probe(spec(tmp_path, "{objective: mse, labels: x}", SAME))
    assert own.sites["same"].backward["rms"].mean == 0
    assert own.entry.loss == "mse(labels='x')"
    other = ip.probe(spec(tmp_path, "{objective: mse, labels: shifted}", SAME))
    assert other.sites["same"].backward["rms"].mean > 0.1


@pytest.mark.parametrize(
    ("arrays", "loss", "message"),
    [
        ({}, "{objective: ce, labels: z}", "has no array 'z'"),
        ({"y": np.arange(5)}, "{objective: ce, labels: y}", "there are 5 labels in 'y' for 12 samples"),
        ({"y": np.arange(12)}, "{objective: ce, labels: y}", "whole numbers from 0 to 3 of shape () as labels"),
        ({"y": np.full(12, -1)}, "{objective: ce, labels: y}", "'y' has int64 of shape () each, from -1 to -1"),
        ({"y": np.zeros(12)}, "{objective: ce, labels: y}", "'y' has float64 of shape () each, from 0.0 to 0.0"),
        ({"y": np.zeros((12, 4), int)}, "{objective: ce, labels: y}", "'y' has int64 of shape (4,) each"),
        ({"y": np.zeros(12, int)}, "{objective: ce, axis: 2, labels: y}", "has no axis 2 of classes"),
        ({"y": np.zeros(12)}, "{objective: mse, labels: y}", "mse wants finite numbers of shape (4,) as labels"),
        ({"y": np.full((12, 4), np.nan)}, "{objective: mse, labels: y}", "mse wants finite numbers"),
        ({"y": np.full((12, 4), 1.5)}, "{objective: bce, labels: y}", "bce wants numbers from 0 to 1 of shape (4,)"),
        ({"y": np.full((12, 4), np.nan)}, "{objective: bce, labels: y}", "bce wants numbers from 0 to 1"),
        ({"y": np.array(["a"] * 12)}, "{objective: bce, labels: y}", "cannot read"),
    ],
)
def test_labels_that_do_not_fit_are_told_at_their_node(tmp_path, archive, arrays, loss, message):
    archive(x=rows()[0], **arrays)
    file = spec(tmp_path, loss)
    with pytest.raises(SpecError) as caught:
        open_target(TargetRequest(str(file)))
    (problem,) = caught.value.problems
    assert message in problem.message
    place = caught.value.spec.locate(problem.path)
    assert (place.line, place.column) == (5, file.read_text().splitlines()[4].index("labels:") + len("labels: ") + 1)


def test_labels_need_a_file(tmp_path, archive):
    x, y = rows()
    archive(x=x, y=y % 4)
    file = spec(tmp_path, "{objective: ce, labels: y}")
    assert ip.probe(file).entry.loss == "cross_entropy(labels='y')"
    with pytest.raises(UsageError, match="takes its labels from the data file of the input, and the input is none"):
        ip.probe(file, inputs=(3,))
    file.write_text(file.read_text().replace("{from: data.npz, array: x}", "{shape: [3]}"))
    with pytest.raises(SpecError, match="the input is none"):
        open_target(TargetRequest(str(file)))


@pytest.mark.parametrize(
    ("loss", "out", "labels", "function"),
    [
        ("objective: ce", 2, np.arange(12) % 2, F.cross_entropy),
        ("objective: ce, axis: 1", 2, (np.arange(12) % 2).astype(np.uint8), F.cross_entropy),
        ("objective: mse", 1, np.arange(12.0), F.mse_loss),
        ("objective: mse", 1, np.arange(12)[:, None], F.mse_loss),
        ("objective: bce", 1, np.arange(12) % 2 == 0, F.binary_cross_entropy_with_logits),
        ("objective: bce, logits: false", 2, np.linspace(0, 1, 24).reshape(12, 2), F.binary_cross_entropy),
    ],
)
def test_labels_are_compared_as_torch_does(tmp_path, archive, loss, out, labels, function):
    archive(x=rows()[0], y=labels)
    layers = f"{{type: linear, out: {out}}}" + (", sigmoid" if "logits" in loss else "")
    target = open_target(TargetRequest(str(spec(tmp_path, f"{{{loss}, labels: y}}", layers))))
    subject = target.build(0, ProbeRequest())
    chosen_loss(target.sections.probe["loss"], TargetRequest("")).put(subject, 0)
    call = subject.call(12, 5)
    output = subject.model(*call.args)
    wanted = torch.from_numpy(labels)[(call.args[0][:, 0] / 3).long()]
    wanted = wanted.long() if function is F.cross_entropy else wanted.reshape(output.shape).float()
    torch.testing.assert_close(subject.loss_of(call)(output), function(output, wanted))
