"""Makes tests/golden/resample/*.safetensors with torchvision: resized pictures, as floats and as 8-bit values.

Run with torch, torchvision, numpy and safetensors installed: python tests/golden/make_resample.py
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

OUT = Path(__file__).parent / "resample"
FILTERS = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
# Input (height, width): outputs (height, width); down, up, mixed, odd and extreme ratios.
CASES = {
    (23, 37): [(16, 16), (32, 48), (23, 37), (10, 64), (1, 2), (7, 37)],
    (1, 1): [(16, 16)],
    (2, 301): [(16, 16), (2, 3)],
    (200, 3): [(16, 16)],
}


def picture(height: int, width: int) -> torch.Tensor:
    """[3, H, W] u8: noise, a hard edge (the worst case of overshoot) and a ramp."""
    generator = torch.Generator().manual_seed(height * 1000 + width)
    pixels = torch.randint(0, 256, (3, height, width), generator=generator, dtype=torch.uint8)
    pixels[1] = (torch.arange(width) * 2 > width).to(torch.uint8) * 255
    pixels[2] = (torch.arange(height)[:, None] * 255 // max(height - 1, 1)).to(torch.uint8)
    return pixels


def main() -> None:
    OUT.mkdir(exist_ok=True)
    for (height, width), sizes in CASES.items():
        pixels = picture(height, width)
        tensors = {"input": pixels.permute(1, 2, 0).contiguous()}
        for new_height, new_width in sizes:
            for name, mode in FILTERS.items():
                size = [new_height, new_width]
                key = f"{name}.{new_width}x{new_height}"
                # transformers' DINOv3ViTImageProcessor: scaled to 0..1, then resized.
                tensors[f"{key}.f32"] = F.resize(pixels / 255, size, mode, antialias=True).contiguous()
                # The README's make_transform: resized as 8 bits.
                tensors[f"{key}.u8"] = F.resize(pixels, size, mode, antialias=True).clone(memory_format=torch.contiguous_format)
        save_file(tensors, OUT / f"{width}x{height}.safetensors")


if __name__ == "__main__":
    main()
