# timm's smallest NFNet, without normalization.
# corpus: unsolved because a weight that its own gain makes zero is not known for the end of a branch
# corpus: requires timm
import timm
import torch


def build():
    return timm.create_model("test_nfnet", num_classes=10), torch.randn(4, 3, 32, 32)
