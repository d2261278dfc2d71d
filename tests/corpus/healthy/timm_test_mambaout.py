# timm's smallest MambaOut.
# corpus: requires timm
import timm
import torch


def build():
    return timm.create_model("test_mambaout", num_classes=10), torch.randn(4, 3, 32, 32)
