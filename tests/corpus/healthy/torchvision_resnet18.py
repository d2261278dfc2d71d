# torchvision's ResNet-18: He's scheme by the fan-out, batch normalization.
# corpus: requires torchvision
import torch
from torchvision.models import resnet18


def build():
    return resnet18(num_classes=10), torch.randn(4, 3, 32, 32)
