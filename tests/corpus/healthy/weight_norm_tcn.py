# A temporal convolutional network with weight norm and skip connections (Bai et al. 2018).
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm


class Block(nn.Module):
    def __init__(self, width, dilation):
        super().__init__()
        self.conv1 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        for conv in (self.conv1, self.conv2):
            nn.init.normal_(conv.weight, 0.0, 0.01)
            weight_norm(conv)

    def forward(self, x):
        return torch.relu(x + torch.relu(self.conv2(torch.relu(self.conv1(x)))))


def build():
    blocks = [Block(24, 2**index) for index in range(4)]
    return nn.Sequential(
        nn.Conv1d(4, 24, 1), *blocks, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(24, 4)
    ), torch.randn(8, 4, 32)
