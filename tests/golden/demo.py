"""The bundled demo model on scikit-image's astronaut (512x512, bundled too), run by the code of facebookresearch/dinov3."""

from pathlib import Path

import numpy as np
import skimage.data
import torch
from safetensors.torch import load_file, save_file
from torchvision.transforms import v2

import meta
from common import Outputs

ASSETS = Path(__file__).parents[2] / "assets"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Neither square nor of the picture's aspect ratio, smaller in both directions: antialiasing matters.
RESIZED = (224, 320)  # height, width


def demo_model() -> torch.nn.Module:
    model = meta.vit(0, embed_dim=192, depth=12, num_heads=3)
    weights = load_file(ASSETS / "dinoscope-demo-vitt16.safetensors")
    missing, unexpected = model.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
    assert not unexpected and set(missing) <= {"mask_token"}, (missing, unexpected)
    return model


def astronaut() -> np.ndarray:
    """[512, 512, 3] u8"""
    return skimage.data.astronaut()


def features(model: torch.nn.Module, image: torch.Tensor) -> Outputs:
    """`image`: [3, height, width], 0 to 1"""
    outputs = meta.run_vit(model, v2.functional.normalize(image, MEAN, STD)[None])
    return {k: v.contiguous().clone() for k, v in outputs.items() if not k.startswith("layer_")}


def write(out: Path) -> None:
    model = demo_model()
    image = v2.functional.to_dtype(v2.functional.to_image(astronaut()), torch.float32, scale=True)
    save_file(features(model, image), out / "demo-astronaut-512.safetensors")
    # On floats, as the image processor of transformers; on 8 bits the reference's README rounds in between.
    resized = v2.functional.resize(image, RESIZED, interpolation=v2.InterpolationMode.BILINEAR, antialias=True)
    save_file(features(model, resized), out / "demo-astronaut-320x224.safetensors")
