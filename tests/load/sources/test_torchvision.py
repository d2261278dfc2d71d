"""torchvision targets: real models, small ones; nothing is downloaded."""

import subprocess
import sys

import pytest
import torch

import initprobe as ip
from initprobe.errors import InitprobeError, TargetError, UsageError
from initprobe.load.inputs import DrawnInputs, InputSpec
from initprobe.load.target import open_target
from initprobe.records import ProbeRequest, TargetRequest

PROBE = ProbeRequest()


def opened(text, **options):
    return open_target(TargetRequest(text, **options))


def built(text, seed=0, **options):
    return opened(text, **options).build(seed, PROBE)


def weights(subject):
    return torch.cat([parameter.detach().flatten() for parameter in subject.model.parameters()])


def test_a_name_is_a_factory_with_random_weights():
    target = opened("torchvision:squeezenet1_1")
    assert (target.name, target.one_draw) == ("torchvision:squeezenet1_1", False)
    first, again, other = (weights(target.build(seed, PROBE)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("squeezenet1_1", [(3, 224, 224)]),
        ("efficientnet_b1", [(3, 240, 240)]),
        ("quantized_shufflenet_v2_x0_5", [(3, 224, 224)]),
        ("googlenet(aux_logits=False)", [(3, 224, 224)]),
        ("raft_small", [(3, 128, 128), (3, 128, 128)]),
        pytest.param("inception_v3", [(3, 299, 299)], marks=pytest.mark.slow),
        pytest.param("swin_v2_t", [(3, 256, 256)], marks=pytest.mark.slow),
        pytest.param("vit_b_16(image_size=32)", [(3, 32, 32)], marks=pytest.mark.slow),
        pytest.param("maxvit_t(input_size=(224, 224))", [(3, 224, 224)], marks=pytest.mark.slow),
        pytest.param("r3d_18", [(3, 16, 112, 112)], marks=pytest.mark.slow),
        pytest.param("mvit_v2_s", [(3, 16, 224, 224)], marks=pytest.mark.slow),
        pytest.param("lraspp_mobilenet_v3_large", [(3, 224, 224)], marks=pytest.mark.slow),
    ],
)
def test_the_input_is_what_torchvision_says(text, shapes):
    subject = built(f"torchvision:{text}")
    assert subject.inputs == DrawnInputs(tuple(InputSpec(None, shape) for shape in shapes))
    subject.model.eval()
    call = subject.call(1, 0)
    with torch.no_grad():
        subject.model(*call.args)


def test_the_command_line_knows_better():
    subject = built("torchvision:squeezenet1_1", inputs=("3,64,64",))
    assert subject.inputs == DrawnInputs((InputSpec(None, (3, 64, 64)),))


def test_arguments_reach_the_model():
    target = opened("torchvision:squeezenet1_1(num_classes=7, weights=None)")
    assert target.name == "torchvision:squeezenet1_1(num_classes=7)"
    assert target.build(0, PROBE).model.num_classes == 7


def test_a_backbone_comes_without_weights_too(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    subject = built("torchvision:lraspp_mobilenet_v3_large")
    assert subject.model.backbone
    assert not list(tmp_path.iterdir()), "torchvision's own default is a backbone with downloaded weights"


def test_every_module_is_placed_at_the_line_that_defines_the_name():
    subject = built("torchvision:squeezenet1_1")
    assert subject.locations.keys() == {path for path, _ in subject.model.named_modules()}
    (place,) = set(subject.locations.values())
    assert place.file.endswith("torchvision/models/squeezenet.py")
    assert place.text.startswith("def squeezenet1_1(")
    assert place.approximate


@pytest.mark.parametrize(
    ("text", "kind", "says", "hint"),
    [
        ("resnet19", TargetError, r"torchvision [\d.]+ has no model 'resnet19'", "torchvision:resnet18"),
        ("nothing_of_the_kind", TargetError, "no model", "list_models"),
        ("", UsageError, "cannot read the target 'torchvision:'", "torchvision:resnet18"),
        ("pytorch/vision:resnet18", UsageError, "cannot read the target", "torchvision:resnet18"),
        ("resnet18(weights='DEFAULT')", UsageError, "weights is not taken", "FILE.py:build"),
        ("resnet18(pretrained=True)", UsageError, "pretrained is not taken", "FILE.py:build"),
        ("fcn_resnet50(weights_backbone='DEFAULT')", UsageError, "weights_backbone is not taken", "FILE.py:build"),
        ("resnet18(7)", UsageError, "the argument 7 of resnet18 has no name", "num_classes"),
        ("quantized_resnet18(quantize=True)", UsageError, "integer weights, which carry no gradient", "quantize"),
        ("fcos_resnet50_fpn", TargetError, "is a detector: it takes lists of images", "torchvision:resnet50"),
        ("squeezenet1_1(num_clases=7)", TargetError, "unexpected keyword argument 'num_clases'", "'num_classes'?"),
        ("squeezenet1_1(dropout='x')", TargetError, r"squeezenet1_1\(dropout='x'\): TypeError", None),
    ],
)
def test_a_mistake_has_one_message(text, kind, says, hint):
    with pytest.raises(InitprobeError, match=says) as caught:
        built(f"torchvision:{text}")
    assert type(caught.value) is kind
    assert (hint is None) is (caught.value.hint is None)
    assert hint is None or hint in caught.value.hint
    assert "Traceback" not in caught.value.render()


def test_a_model_is_probed_from_first_to_last_layer():
    result = ip.probe("torchvision:squeezenet1_1", seeds=1, max_seeds=1, batch=2)
    assert {"features.0", "features.12.expand3x3", "classifier.1"} <= result.sites.keys()
    assert result.verdict is not None


def test_two_images_go_into_a_network_of_optical_flow():
    result = ip.probe("torchvision:raft_small", seeds=1, max_seeds=1, batch=1, backward=False)
    assert "feature_encoder.conv" in result.sites


def test_a_process_that_a_test_starts_can_import_torchvision():
    code = "import torchvision, sys; print(torchvision.models.resnet18.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "resnet18\n", done.stderr
