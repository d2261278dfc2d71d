# An NF-ResNet: standardized weights, branches divided by the deviation that comes in, a SkipInit gain of zero at the end
# (Brock et al. 2021).
import torch
from torch import nn


class WSConv2d(nn.Conv2d):
    def forward(self, x):
        mean = self.weight.mean((1, 2, 3), keepdim=True)
        variance = self.weight.var((1, 2, 3), keepdim=True, unbiased=False)
        fan_in = self.weight[0].numel()
        return self._conv_forward(x, (self.weight - mean) * torch.rsqrt(variance * fan_in + 1e-4), self.bias)


class Block(nn.Module):
    def __init__(self, width, beta):
        super().__init__()
        self.conv1 = WSConv2d(width, width, 3, padding=1)
        self.conv2 = WSConv2d(width, width, 3, padding=1)
        self.skip_gain = nn.Parameter(torch.zeros(()))
        self.beta = beta

    def forward(self, x):
        y = self.conv1(torch.relu(x) * 1.7139588594436646 / self.beta)
        return x + 0.2 * self.skip_gain * self.conv2(torch.relu(y) * 1.7139588594436646)


def build():
    blocks = [Block(32, (1 + 0.04 * index) ** 0.5) for index in range(6)]
    head = nn.Linear(32, 10)
    nn.init.normal_(head.weight, 0.0, 0.01)
    nn.init.zeros_(head.bias)
    model = nn.Sequential(
        WSConv2d(3, 32, 3, padding=1), *blocks, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), head
    )
    for module in model.modules():
        if isinstance(module, WSConv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in", nonlinearity="linear")
            nn.init.zeros_(module.bias)
    return model, torch.randn(8, 3, 8, 8)
