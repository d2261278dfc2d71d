from .conv import ConvNet

__all__ = ["ConvNet"]
