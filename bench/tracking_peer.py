"""Tracks a clip with `dinoscope track` and with the method of facebookresearch/dinov3 (notebooks/segmentation_tracking.ipynb) in
PyTorch, both with the bundled checkpoint, and counts the pixels on which they agree.

The reference's own model code runs the checkpoint: `--reference` is a checkout of facebookresearch/dinov3.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

CONTEXT, RADIUS, TOPK, TEMPERATURE = 7, 12, 5, 0.2
PATCH = 16
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def demo(reference: Path, weights: Path) -> torch.nn.Module:
    sys.path.insert(0, str(reference))
    from dinov3.models.vision_transformer import DinoVisionTransformer

    model = DinoVisionTransformer(
        patch_size=PATCH, embed_dim=192, depth=12, num_heads=3, ffn_ratio=4,
        pos_embed_rope_rescale_coords=2, pos_embed_rope_dtype="fp32", layerscale_init=1e-5, norm_layer="layernormbf16",
        n_storage_tokens=4, mask_k_bias=True,
    )  # fmt: skip
    model.init_weights()
    stored = {name: tensor.float() for name, tensor in load_file(weights).items()}
    missing, unexpected = model.load_state_dict(stored, strict=False)
    assert not unexpected and all("mask" in name for name in missing), (missing, unexpected)
    return model.eval()


def features(model: torch.nn.Module, frame: Image.Image, short_side: int) -> torch.Tensor:
    """[rows, cols, dim], of length 1."""
    up = lambda side: math.ceil(side / PATCH) * PATCH
    width, height = frame.size
    if width > height:
        size = (up(width * up(short_side) / height), up(short_side))
    else:
        size = (up(short_side), up(height * up(short_side) / width))
    pixels = torch.from_numpy(np.asarray(frame.resize(size, Image.BICUBIC)).copy()).float() / 255
    pixels = ((pixels - MEAN) / STD).permute(2, 0, 1)[None]
    return F.normalize(model.get_intermediate_layers(pixels, n=1, reshape=True)[0][0].movedim(0, -1), dim=-1)


def propagate(current: torch.Tensor, context: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
    rows, cols, _ = current.shape
    places = torch.cartesian_prod(torch.arange(rows), torch.arange(cols)).float()
    is_near = (torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist") <= RADIUS)[:, None]
    cosines = torch.einsum("ijd, tuvd -> ijtuv", current, context).flatten(3).flatten(0, 1)
    cosines = torch.where(is_near, cosines, -torch.inf).flatten(1)
    least = torch.topk(cosines, TOPK, dim=1).values[:, -1:]
    weights = torch.softmax(torch.where(cosines >= least, cosines, -torch.inf) / TEMPERATURE, dim=1)
    mixed = weights @ probabilities.flatten(0, 2)
    return (mixed / mixed.sum(dim=1, keepdim=True)).unflatten(0, (rows, cols))


def labels(probabilities: torch.Tensor, height: int, width: int) -> np.ndarray:
    maps = F.interpolate(probabilities.movedim(-1, 0)[None], size=(height, width), mode="nearest")[0]
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    return torch.nan_to_num((maps - low) / (high - low), nan=0).argmax(0).numpy().astype(np.uint8)


@torch.inference_mode()
def track(model: torch.nn.Module, frames: list[Path], mask: np.ndarray, short_side: int) -> list[np.ndarray]:
    height, width = mask.shape
    first = features(model, Image.open(frames[0]).convert("RGB"), short_side)
    patches = F.interpolate(torch.from_numpy(mask)[None, None].float(), first.shape[:2], mode="nearest-exact")[0, 0]
    first_probabilities = F.one_hot(patches.long(), int(mask.max()) + 1).float()
    recent: list[tuple[torch.Tensor, torch.Tensor]] = []
    found = [mask]
    for path in frames[1:]:
        current = features(model, Image.open(path).convert("RGB"), short_side)
        context = torch.stack([first, *(known for known, _ in recent)])
        probabilities = torch.stack([first_probabilities, *(known for _, known in recent)])
        mixed = propagate(current, context, probabilities)
        recent = [*recent, (current, mixed)][-CONTEXT:]
        found.append(labels(mixed, height, width))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dinoscope", type=Path, default=Path("target/release/dinoscope"))
    parser.add_argument("--weights", type=Path, default=Path("assets/dinoscope-demo-vitt16.safetensors"))
    parser.add_argument("--reference", type=Path, required=True, help="a checkout of facebookresearch/dinov3")
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--mask", type=Path, required=True, help="the objects of the first frame, an indexed PNG")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--size", type=int, default=480, help="short side of the model's input")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip, masks = Path(folder) / "clip", Path(folder) / "masks"
        clip.mkdir()
        read = ["ffmpeg", "-v", "error", "-i", arguments.video, "-frames:v", str(arguments.frames), clip / "%05d.png"]
        subprocess.run(read, check=True)
        command = [arguments.dinoscope, "track", clip, "--mask", arguments.mask, "--masks", masks]
        command += ["--size", str(arguments.size), "--device", "cpu", "--dtype", "f32", "--json"]
        ours = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        mask = np.asarray(Image.open(arguments.mask)).copy()
        start = time.perf_counter()
        model = demo(arguments.reference, arguments.weights)
        expected = track(model, sorted(clip.iterdir()), mask, arguments.size)
        seconds = time.perf_counter() - start
        same = [
            float((np.asarray(Image.open(masks / f"{frame:05}.png")) == labels).mean())
            for frame, labels in enumerate(expected)
        ]
    print(f"{len(same)} frames at {arguments.size}: {100 * np.mean(same):.3f} % of all pixels agree, {100 * min(same):.3f} % in the worst frame")
    print(f"dinoscope {ours['seconds']:.1f} s, PyTorch {seconds:.1f} s")


if __name__ == "__main__":
    main()
