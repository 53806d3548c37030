"""The same U-Net, with the same weights, in PyTorch and OpenVINO; None where not installed.

Each is given uint8 (B, H, W, 1) and gives float32 (B, H, W), in bfloat16 as its maker advises:
PyTorch with channels last and autocast, OpenVINO with two streams of small batches on two cores,
which was its fastest of four ways.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

Run = Callable[[np.ndarray], np.ndarray]


def torch_network(model: keras.Model) -> Any:
    """The PyTorch module, None where PyTorch is not installed."""
    try:
        import torch
    except ImportError:
        return None
    from torch import nn

    def tensor(value: Any) -> Any:
        return torch.from_numpy(np.asarray(value).copy())

    def load(module: Any, layer: layers.Layer) -> Any:
        module.weight.data = tensor(np.asarray(layer.kernel).transpose(3, 2, 0, 1))
        module.bias.data = tensor(layer.bias)
        return module

    kinds = (layers.Conv2D, layers.Conv2DTranspose, layers.BatchNormalization)
    todo = iter([layer for layer in model.layers if isinstance(layer, kinds)])

    def convolution(layer: layers.Conv2D, padding: int) -> Any:
        inputs, outputs = layer.kernel.shape[2:]
        return load(nn.Conv2d(inputs, outputs, layer.kernel_size, padding=padding), layer)

    def block() -> Any:
        modules = []
        for _ in range(2):
            modules.append(convolution(next(todo), 1))
            norm = next(todo)
            modules.append(nn.BatchNorm2d(norm.gamma.shape[0], eps=norm.epsilon))
            modules[-1].weight.data, modules[-1].bias.data = tensor(norm.gamma), tensor(norm.beta)
            modules[-1].running_mean.data = tensor(norm.moving_mean)
            modules[-1].running_var.data = tensor(norm.moving_variance)
            modules.append(nn.ReLU(inplace=True))
        return nn.Sequential(*modules)

    def up() -> Any:
        layer = next(todo)
        if isinstance(layer, layers.Conv2DTranspose):
            inputs = layer.kernel.shape[3]
            return load(nn.ConvTranspose2d(inputs, layer.filters, 2, 2), layer)
        nearest = nn.Upsample(scale_factor=2, mode="nearest")
        return nn.Sequential(nearest, nn.ZeroPad2d((0, 1, 0, 1)), convolution(layer, 0))

    levels = len([layer for layer in model.layers if isinstance(layer, layers.Concatenate)])

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.ModuleList(block() for _ in range(levels + 1))
            pairs = [(up(), block()) for _ in range(levels)]
            self.up = nn.ModuleList(pair[0] for pair in pairs)
            self.join = nn.ModuleList(pair[1] for pair in pairs)
            self.head = convolution(next(todo), 0)

        def forward(self, x: Any) -> Any:
            skips = []
            for index, level in enumerate(self.down):
                x = level(nn.functional.max_pool2d(x, 2) if index else x)
                skips.append(x)
            for wider, level, skip in zip(self.up, self.join, skips[-2::-1], strict=True):
                x = level(torch.cat([wider(x), skip], 1))
            return torch.sigmoid(self.head(x).float())

    return UNet().eval().to(memory_format=torch.channels_last)


def torch_eager(model: keras.Model) -> Run | None:
    network = torch_network(model)
    return None if network is None else _torch_run(network)


def torch_compile(model: keras.Model) -> Run | None:
    network = torch_network(model)
    if network is None:
        return None
    import torch

    return _torch_run(torch.compile(network))


def _torch_run(network: Any) -> Run:
    import torch

    def run(images: np.ndarray) -> np.ndarray:
        inputs = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            outputs = network(inputs.contiguous(memory_format=torch.channels_last))
        return np.asarray(outputs[:, 0])

    return run


def openvino(model: keras.Model, threads: int, streams: int = 2, batch: int = 2) -> Run | None:
    """OpenVINO, None where it is not installed. Batches are multiples of streams × batch."""
    try:
        import openvino as ov
    except ImportError:
        return None
    with tempfile.TemporaryDirectory() as folder:
        model.export(folder, format="tf_saved_model", verbose=False)
        graph = ov.convert_model(folder)
    graph.reshape([batch, *model.input_shape[1:]])
    hints = {"INFERENCE_PRECISION_HINT": "bf16", "INFERENCE_NUM_THREADS": threads}
    compiled = ov.Core().compile_model(graph, "CPU", hints | {"NUM_STREAMS": streams})
    requests = [compiled.create_infer_request() for _ in range(streams)]

    def run(images: np.ndarray) -> np.ndarray:
        inputs, outputs = images.astype(np.float32) / 255, []
        for start in range(0, len(inputs), batch * streams):
            for index, request in enumerate(requests):
                first = start + index * batch
                request.start_async({0: inputs[first : first + batch]})
            for request in requests:
                request.wait()
                outputs.append(request.get_output_tensor(0).data[..., 0].copy())
        return np.concatenate(outputs)

    return run
