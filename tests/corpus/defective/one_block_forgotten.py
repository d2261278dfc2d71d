# Seven of eight layers get their init by name, and one that was renamed keeps PyTorch's.
# corpus: rule IP507 at *fc5*
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        for index in range(8):
            self.add_module(f"fc{index}", nn.Linear(96, 96))
        self.head = nn.Linear(96, 4)

    def forward(self, x):
        for index in range(8):
            x = torch.relu(self.get_submodule(f"fc{index}")(x))
        return self.head(x)


def build():
    model = Net()
    for name in ("fc0", "fc1", "fc2", "fc3", "fc4", "fc6", "fc7"):
        nn.init.kaiming_normal_(model.get_submodule(name).weight, nonlinearity="relu")
        nn.init.zeros_(model.get_submodule(name).bias)
    return model, torch.randn(32, 96)
