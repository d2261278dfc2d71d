"""timm targets: real models, small ones; nothing is downloaded."""

import pytest
import timm
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
    target = opened("timm:test_resnet")
    assert (target.name, target.one_draw) == ("timm:test_resnet", False)
    first, again, other = (weights(target.build(seed, PROBE)) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("timm:test_resnet", (3, 160, 160)),
        ("timm:resnet10t(num_classes=7)", (3, 176, 176)),
        ("timm:test_resnet(in_chans=1)", (1, 160, 160)),
        ("timm:test_vit(img_size=64)", (3, 64, 64)),
        ("timm:test_vit(img_size=(64, 96), in_chans=2)", (2, 64, 96)),
        ("timm:test_vit.r160_in1k(pretrained_cfg_overlay={'input_size': (3, 80, 80)})", (3, 80, 80)),
        ("timm:mobilenetv4_conv_small_050", (3, 224, 224)),
        ("timm:mobilenetv4_conv_small.e3600_r256_in1k", (3, 256, 256)),
        ("timm:test_resnet(features_only=True)", (3, 160, 160)),
    ],
)
def test_the_input_is_what_the_model_was_configured_for(text, shape):
    subject = built(text)
    assert subject.inputs == DrawnInputs((InputSpec(None, shape),))
    call = subject.call(2, 0)
    output = subject.model(*call.args)
    assert len(output[0] if isinstance(output, list) else output) == 2


def test_the_command_line_knows_better():
    assert built("timm:test_resnet", inputs=("3,32,32",)).inputs == DrawnInputs((InputSpec(None, (3, 32, 32)),))


def test_arguments_reach_the_model():
    target = opened("timm:test_resnet(num_classes=7, pretrained=False)")
    assert target.name == "timm:test_resnet(num_classes=7)"
    assert target.build(0, PROBE).model.num_classes == 7


def test_every_module_is_placed_at_the_line_that_defines_the_name():
    subject = built("timm:test_resnet.r160_in1k")
    assert subject.locations.keys() == {path for path, _ in subject.model.named_modules()}
    (place,) = set(subject.locations.values())
    assert place.file.endswith("timm/models/resnet.py")
    assert place.text.startswith("def test_resnet(")
    assert place.approximate


@pytest.mark.parametrize(
    ("text", "kind", "says", "hint"),
    [
        ("timm:resnet10x", TargetError, r"timm [\d.]+ has no model 'resnet10x'", "timm:resnet10t"),
        ("timm:ResNet50", TargetError, "no model 'ResNet50'", "timm:resnet50"),
        ("timm:test_resnet.r161_in1k", TargetError, "no model 'test_resnet.r161_in1k'", "timm:test_resnet.r160_in1k"),
        ("timm:nothing_of_the_kind", TargetError, "no model", "list_models"),
        ("timm:", UsageError, "cannot read the target 'timm:'", "timm:resnet50"),
        ("timm:test_resnet!", UsageError, "cannot read the target", "timm:resnet50"),
        ("timm:hf-hub:timm/resnet18.a1_in1k", UsageError, "neither downloads nor loads", "timm:resnet50"),
        ("timm:local-dir:models/x", UsageError, "neither downloads nor loads", "timm:resnet50"),
        ("timm:test_resnet(pretrained=True)", UsageError, "pretrained is not taken", "FILE.py:build"),
        ("timm:test_resnet(checkpoint_path='x.pt')", UsageError, "checkpoint_path is not taken", "FILE.py:build"),
        ("timm:test_resnet(7)", UsageError, "the argument 7 of test_resnet has no name", "num_classes"),
        ("timm:test_resnet(num_clases=7)", TargetError, "unexpected keyword argument 'num_clases'", "'num_classes'?"),
        ("timm:test_resnet(xyzzy=7)", TargetError, "unexpected keyword argument 'xyzzy'", "it takes block, layers,"),
        ("timm:test_resnet(act_layer='rleu')", TargetError, r"test_resnet\(act_layer='rleu'\): KeyError", None),
    ],
)
def test_a_mistake_has_one_message(text, kind, says, hint):
    with pytest.raises(InitprobeError, match=says) as caught:
        built(text)
    assert type(caught.value) is kind
    assert (hint is None) is (caught.value.hint is None)
    assert hint is None or hint in caught.value.hint
    assert "Traceback" not in caught.value.render()


def test_a_wrong_argument_is_told_with_the_line_that_takes_it():
    with pytest.raises(TargetError) as caught:
        built("timm:test_resnet(xyzzy=7)")
    assert "timm/models/resnet.py:" in caught.value.trace
    assert "def test_resnet(" in caught.value.trace


@pytest.mark.parametrize("name", ["test_vit", "test_convnext", "test_nfnet"])
def test_a_model_is_probed_from_first_to_last_layer(name):
    result = ip.probe(f"timm:{name}", seeds=1, max_seeds=1, batch=2)
    weighted = {path for path, module in timm.create_model(name).named_modules() if isinstance(module, torch.nn.Linear)}
    assert weighted <= result.sites.keys()
    assert result.verdict is not None


@pytest.mark.slow
@pytest.mark.parametrize("name", timm.list_models("test_*"))
def test_every_test_model_of_timm_is_probed(name):
    assert ip.probe(f"timm:{name}", seeds=1, max_seeds=1, batch=2).sites
