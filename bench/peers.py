"""The programs dinoscope is measured against, each as `name -> callable that runs one forward pass`.

All of them run DINOv3ViTModel of transformers with random weights, batch 1.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import transformers

Forward = Callable[[], object]

# dinoscope's name: sizes as published (transformers' configuration of the same checkpoint).
MODELS = {
    "vits16": dict(hidden_size=384, intermediate_size=1536, num_hidden_layers=12, num_attention_heads=6),
    "vitb16": dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12),
    "vitl16": dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16),
}


def build(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    config = transformers.DINOv3ViTConfig(num_register_tokens=4, attn_implementation="sdpa", **MODELS[name])
    return transformers.DINOv3ViTModel(config).eval()


def pixels(size: int) -> torch.Tensor:
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))


class Tokens(torch.nn.Module):
    """One tensor in, one tensor out: what ONNX wants."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        return self.model(pixel_values).last_hidden_state


def onnx_file(name: str, size: int, folder: Path) -> Path:
    """Exports the model once per size: fixed shapes give the peers their best."""
    path = folder / f"{name}-{size}.onnx"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        logging.info("exporting %s", path)
        partial = path.with_suffix(".partial.onnx")
        with torch.no_grad():
            torch.onnx.export(Tokens(build(name)), (pixels(size),), partial, dynamo=False, opset_version=17)
        partial.rename(path)
    return path


def openvino(path: Path, size: int, dtype: str, threads: int) -> Forward:
    import openvino as ov

    options = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": dtype,
    }
    core = ov.Core()
    request = core.compile_model(core.read_model(path), "CPU", options).create_infer_request()
    x = pixels(size).numpy()
    return lambda: request.infer({0: x})


def onnxruntime(path: Path, size: int, threads: int) -> Forward:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    x = {session.get_inputs()[0].name: pixels(size).numpy()}
    return lambda: session.run(None, x)


def pytorch(name: str, size: int, dtype: torch.dtype, threads: int) -> Forward:
    torch.set_num_threads(threads)
    model = build(name).to(dtype)
    x = pixels(size).to(dtype)

    @torch.inference_mode()
    def forward() -> object:
        return model(x).last_hidden_state

    return forward


def peers(name: str, size: int, threads: int, folder: Path) -> dict[str, Callable[[], Forward]]:
    """What can be measured, each built when it is asked for."""
    path = onnx_file(name, size, folder)
    return {
        "OpenVINO f32": lambda: openvino(path, size, "f32", threads),
        "OpenVINO bf16": lambda: openvino(path, size, "bf16", threads),
        "ONNX Runtime f32": lambda: onnxruntime(path, size, threads),
        "PyTorch f32": lambda: pytorch(name, size, torch.float32, threads),
        "PyTorch bf16": lambda: pytorch(name, size, torch.bfloat16, threads),
    }


def check_same_numbers(name: str, size: int, folder: Path) -> None:
    """The exported file computes what PyTorch computes, so that equal work is compared."""
    path = onnx_file(name, size, folder)
    expected = pytorch(name, size, torch.float32, 1)().numpy()
    for other in (onnxruntime(path, size, 1)()[0], openvino(path, size, "f32", 1)()[0]):
        error = np.linalg.norm(other - expected) / np.linalg.norm(expected)
        assert error < 1e-3, f"{path.name} differs from PyTorch by {error}"
