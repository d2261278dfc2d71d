# ViT of the transformers library, small.
# corpus: requires transformers
import torch
from transformers import ViTConfig, ViTForImageClassification


def build():
    config = ViTConfig(
        hidden_size=48, num_hidden_layers=4, num_attention_heads=4, intermediate_size=96, image_size=16, patch_size=4,
        num_labels=10,
    )  # fmt: skip
    return ViTForImageClassification(config), {"pixel_values": torch.randn(8, 3, 16, 16)}
