"""The same step in PyTorch: eager and compiled, channels last or first, float32 and bfloat16 autocast.

It runs in an environment of its own, which holds PyTorch and NumPy and nothing else of this project.
"""

import argparse
import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks.speed.cases import (
    ALPHA,
    BATCHES,
    BETA1,
    BETA2,
    LEARNING_RATE,
    POOLED,
    STABILIZER,
    Case,
    Floats,
)
from benchmarks.speed.serve import Maker, serve


def conv7(weights: list[Any], x: Any) -> Any:
    """The logits of the article's network."""
    for w, pooled in zip(weights, POOLED, strict=True):
        if pooled:
            x = functional.avg_pool2d(x, 2)
        if w.shape[-1] % 2 == 0:
            x = functional.pad(x, (0, 1, 0, 1))  # the odd row and column of SAME are at the end
            x = functional.conv2d(x, w)
        else:
            x = functional.conv2d(x, w, padding=w.shape[-1] // 2)
        x = functional.celu(x, ALPHA)
    return x.flatten(1)


def mlp(weights: list[Any], x: Any) -> Any:
    """The logits of the paper's network; weights [out, in], as PyTorch has them."""
    x = x.flatten(1)
    for k in (0, 2):
        x = functional.relu(functional.linear(x, weights[k], weights[k + 1]))
    return functional.linear(x, weights[4], weights[5])


class Torch:
    """The step. Gradients are asked for by `autograd.grad`, which computes no other.

    Args:
        case: what is trained.
        layout: of images and kernels in memory.
        bfloat16: autocast of both passes.
        compiled: the forward pass with its derivatives, and the update, by `torch.compile`.
    """

    def __init__(self, case: Case, layout: Any, *, bfloat16: bool, compiled: bool) -> None:
        torch._dynamo.reset()  # noqa: SLF001 - else what the last case compiled counts against a limit
        self._case, self._conv7, self._bfloat16, self._next = case, case.network == "conv7", bfloat16, 0
        self._layout = layout if self._conv7 else torch.contiguous_format
        self._images = torch.from_numpy(case.images()).permute(0, 3, 1, 2).contiguous(memory_format=self._layout)
        self._labels = torch.from_numpy(case.labels()).long()
        self._weights = [self._own_shape(w).requires_grad_() for w in case.weights()]
        self._means, self._squares, self._largest = (
            [torch.zeros_like(w, requires_grad=False) for w in self._weights] for _ in range(3)
        )
        compile_: Callable[[Any], Any] = (
            partial(torch.compile, dynamic=False) if compiled else lambda function: function
        )
        self._cost, self._update = compile_(self._mean_cost), compile_(self._amsgrad)

    def _mean_cost(self, weights: list[Any], x: Any, labels: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bfloat16):
            logits = (conv7 if self._conv7 else mlp)(weights, x)
        return functional.cross_entropy(logits.float(), labels)

    def _amsgrad(self, gradients: list[Any]) -> None:
        # The products over lists of tensors that PyTorch's own optimizers are made of.
        torch._foreach_lerp_(self._means, gradients, 1 - BETA1)
        torch._foreach_mul_(self._squares, BETA2)
        torch._foreach_addcmul_(self._squares, gradients, gradients, 1 - BETA2)
        torch._foreach_maximum_(self._largest, self._squares)
        roots = torch._foreach_sqrt(self._largest)  # noqa: SLF001
        torch._foreach_add_(roots, STABILIZER)
        torch._foreach_addcdiv_(self._weights, self._means, roots, -LEARNING_RATE)

    def _step(self, x: Any, labels: Any) -> None:
        if self._case.epsilon:
            x = x.detach().requires_grad_()
            cost = self._cost([w.detach() for w in self._weights], x, labels)
            (dx,) = torch.autograd.grad(cost, x)
            x = x.detach() + self._case.epsilon * torch.sign(dx)
        gradients = torch.autograd.grad(self._cost(self._weights, x, labels), self._weights)
        with torch.no_grad():
            self._update(list(gradients))

    def steps(self, count: int) -> None:
        """Train for some batches more."""
        size = self._case.batch
        for _ in range(count):
            chosen = slice(self._next * size, (self._next + 1) * size)
            self._step(self._images[chosen], self._labels[chosen])
            self._next = (self._next + 1) % BATCHES

    def learned(self) -> tuple[list[Floats], list[Floats]]:
        """Weights and means."""
        return [self._common_shape(w) for w in self._weights], [self._common_shape(m) for m in self._means]

    def _own_shape(self, w: Floats) -> Any:
        if self._conv7:
            return torch.from_numpy(w).permute(3, 2, 0, 1).contiguous(memory_format=self._layout)
        return torch.from_numpy(np.ascontiguousarray(w.T))

    def _common_shape(self, w: Any) -> Floats:
        w = w.detach()
        return np.array((w.permute(2, 3, 1, 0) if self._conv7 else w.T).numpy())


def makers() -> dict[str, Maker]:
    """Of all contenders that this machine can run: without a C++ compiler nothing is compiled."""
    found: dict[str, Maker] = {}
    for suffix, bfloat16 in (("", False), (", bfloat16", True)):
        first, last = torch.contiguous_format, torch.channels_last
        found[f"PyTorch{suffix}"] = partial(Torch, layout=first, bfloat16=bfloat16, compiled=False)
        found[f"PyTorch channels last{suffix}"] = partial(Torch, layout=last, bfloat16=bfloat16, compiled=False)
        if shutil.which("g++") or shutil.which("clang++"):
            found[f"PyTorch compiled{suffix}"] = partial(Torch, layout=last, bfloat16=bfloat16, compiled=True)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, required=True)
    torch.set_num_threads(parser.parse_args().threads)
    serve({"torch": torch.__version__}, makers())
