"""What every golden case shares: random weights in which each tensor matters, outputs by name, and the proof that they matter."""

import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

# A relative error of 1e-4 is what the tests allow: every tensor must move the outputs by ten times as much.
SENSITIVITY = 1e-3

Outputs = dict[str, torch.Tensor]


@dataclass
class Case:
    """A checkpoint, a picture and what the model says about it."""

    name: str
    pixels: torch.Tensor  # [1, 3, height, width], normalised
    outputs: Outputs  # cls [D], registers [R, D], patch [rows, cols, D], layer_0.cls, ...
    save_checkpoint: Callable[[Path], None]  # into a folder

    def write(self, out: Path) -> None:
        folder = out / self.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.save_checkpoint(folder)
        tensors = {"pixels": self.pixels[0]} | self.outputs
        assert all(torch.isfinite(value).all() for value in tensors.values())
        save_file({k: v.float().clone(memory_format=torch.contiguous_format) for k, v in tensors.items()}, folder / "expected.safetensors")


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pixels(rows: int, cols: int, stride: int, seed: int) -> torch.Tensor:
    """Normalised pixels [1, 3, rows * stride, cols * stride]: smooth shapes and noise."""
    g = generator(seed)
    coarse = torch.randn(1, 3, rows + 1, cols + 1, generator=g)
    smooth = torch.nn.functional.interpolate(coarse, (rows * stride, cols * stride), mode="bilinear")
    return smooth + 0.5 * torch.randn(smooth.shape, generator=g)


@torch.no_grad()
def randomise(model: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Fills every parameter. The tokens that enter the first norm are small, so that its epsilon shows in the outputs."""
    g = generator(seed)
    for name, p in model.named_parameters():
        if any(part in name for part in ("gamma", "lambda1")):
            p.copy_(torch.rand(p.shape, generator=g) * 0.7 + 0.3)
        elif name.endswith("token") or name.endswith("tokens"):
            p.copy_(torch.randn(p.shape, generator=g) * 0.03)
        elif p.dim() == 1 and name.endswith("weight"):
            p.copy_(torch.rand(p.shape, generator=g) + 0.5)
        elif p.dim() == 1:
            p.copy_(torch.randn(p.shape, generator=g) * (0.02 if enters_first_norm(name) else 0.3))
        else:
            scale = 0.03 if enters_first_norm(name) else 1.2
            p.copy_(torch.randn(p.shape, generator=g) * scale / math.sqrt(p[0].numel()))
    return model.eval()


def enters_first_norm(name: str) -> bool:
    stems = ("patch_embed", "downsample_layers.0.0.", "stages.0.downsample_layers.0.", "stem.0.")
    return any(stem in name for stem in stems) and not name.startswith(("downsample_layers.1", "stages.1"))


def relative_error(got: torch.Tensor, expected: torch.Tensor) -> float:
    return ((got.double() - expected.double()).norm() / expected.double().norm()).item()


def largest_error(got: Outputs, expected: Outputs) -> float:
    """Over all outputs that hold numbers (ConvNeXt has no registers)."""
    assert got.keys() == expected.keys()
    return max(relative_error(got[k], expected[k]) for k in expected if expected[k].numel())


def split_tokens(tokens: torch.Tensor, registers: int, rows: int, cols: int, prefix: str = "") -> Outputs:
    """[1, 1 + registers + rows * cols, D] to cls [D], registers [registers, D], patch [rows, cols, D]."""
    tokens = tokens[0]
    return {
        f"{prefix}cls": tokens[0],
        f"{prefix}registers": tokens[1 : 1 + registers],
        f"{prefix}patch": tokens[1 + registers :].reshape(rows, cols, -1),
    }


@contextmanager
def changed(tensor: torch.Tensor, value: torch.Tensor) -> Iterator[None]:
    before = tensor.clone()
    tensor.copy_(value)
    try:
        yield
    finally:
        tensor.copy_(before)


@torch.no_grad()
def check_sensitivity(case: str, model: torch.nn.Module, run: Callable[[], Outputs], unused: tuple[str, ...]) -> None:
    """Shifts each tensor by one element: the outputs must change, and must not for tensors that inference never reads."""
    expected = run()
    final = {name: value for name, value in expected.items() if not name.startswith("layer_")}
    smallest = math.inf, ""
    seen = set()
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() in seen:
            continue
        seen.add(tensor.data_ptr())
        parts = {name: tensor}
        if name.endswith("qkv.bias"):
            q, k, v = tensor.chunk(3)
            parts = {f"{name}[q]": q, f"{name}[k]": k, f"{name}[v]": v}
        if name.endswith("bias_mask"):
            continue
        for part, view in parts.items():
            with changed(view, view.flatten().roll(1).reshape(view.shape)):
                got = run()
            effect = largest_error({k: got[k] for k in final}, final)
            if any(part.endswith(suffix) for suffix in unused):
                assert effect == 0, f"{case}: {part} changes the outputs by {effect}"
            else:
                assert effect > SENSITIVITY, f"{case}: {part} changes the outputs by no more than {effect}"
                smallest = min(smallest, (effect, part))
    assert largest_error(run(), expected) == 0
    print(f"{case}: every tensor matters; least {smallest[1]}: {smallest[0]:.1e}")
