"""A gradient that is not that of its function."""

import torch


class Tenfold(torch.autograd.Function):
    """The identity with a gradient that is ten times its own."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return 10 * gradient
