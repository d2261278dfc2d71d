# Whatever has "norm" in its name becomes 1, the projection called ``normalizer`` as well.
# corpus: rule IP503 or IP303 at normalizer*
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(16, 32)
        self.norm = nn.LayerNorm(32)
        self.normalizer = nn.Linear(32, 32, bias=False)
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        return self.head(torch.tanh(self.normalizer(self.norm(torch.relu(self.stem(x))))))


def build():
    model = Net()
    for name, parameter in model.named_parameters():
        if "norm" in name and name.endswith("weight"):
            nn.init.ones_(parameter)
    return model, torch.randn(32, 16)
