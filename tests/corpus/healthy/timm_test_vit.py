# timm's smallest ViT.
# corpus: requires timm
import timm
import torch


def build():
    return timm.create_model("test_vit", num_classes=10, img_size=32), torch.randn(4, 3, 32, 32)
