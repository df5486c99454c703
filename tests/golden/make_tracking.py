"""Writes tests/golden/tracking/: what torch makes of a mask that moves through small random features, and pycocotools of the result.

Run: python tests/golden/make_tracking.py (needs torch, numpy and pycocotools). The seed is fixed: the files come out the same.
The method is that of facebookresearch/dinov3, notebooks/segmentation_tracking.ipynb, with its dense matrix of similarities.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from pycocotools import mask as coco

OUT = Path(__file__).parent / "tracking"
FRAMES, ROWS, COLS, DIM = 12, 9, 13, 8
HEIGHT, WIDTH = 37, 53
CONTEXT, RADIUS, TOPK, TEMPERATURE = 7, 3.0, 5, 0.2


def clip(g: torch.Generator) -> torch.Tensor:
    """Features of length 1 that wander to the right and change: [frames, rows, cols, dim]."""
    scene = torch.randn(ROWS, COLS + FRAMES, DIM, generator=g)
    scene = F.avg_pool2d(scene.permute(2, 0, 1), 3, 1, 1).permute(1, 2, 0)
    frames = [scene[:, t // 2 : t // 2 + COLS] + 0.1 * torch.randn(ROWS, COLS, DIM, generator=g) for t in range(FRAMES)]
    return F.normalize(torch.stack(frames), dim=-1)


def first_mask() -> torch.Tensor:
    """Objects 1, 2 and 5; there are no 3 and 4."""
    mask = torch.zeros(HEIGHT, WIDTH, dtype=torch.uint8)
    mask[5:21, 8:25] = 1
    mask[15:33, 20:34] = 2
    mask[2:11, 36:49] = 5
    return mask


def is_near() -> torch.Tensor:
    """[patches, patches]"""
    places = torch.cartesian_prod(torch.arange(ROWS), torch.arange(COLS)).float()
    return torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist") <= RADIUS


def propagate(target: torch.Tensor, context: list[torch.Tensor], probabilities: list[torch.Tensor]) -> torch.Tensor:
    """[patches, dim], as many of [patches, dim] and of [patches, classes] to [patches, classes]."""
    cosines = target @ torch.cat(context).T
    cosines = cosines.masked_fill(~is_near().repeat(1, len(context)), -torch.inf)
    least = cosines.topk(TOPK, dim=1).values[:, -1:]
    weights = (cosines.masked_fill(cosines < least, -torch.inf) / TEMPERATURE).softmax(dim=1)
    mixed = weights @ torch.cat(probabilities)
    return mixed / mixed.sum(dim=1, keepdim=True)


def on_screen(probabilities: torch.Tensor) -> torch.Tensor:
    """[patches, classes] to the id of every pixel."""
    maps = probabilities.T.reshape(1, -1, ROWS, COLS)
    maps = F.interpolate(maps, size=(HEIGHT, WIDTH), mode="nearest")[0]
    low, high = maps.amin(dim=(1, 2), keepdim=True), maps.amax(dim=(1, 2), keepdim=True)
    return ((maps - low) / (high - low)).nan_to_num(0).argmax(dim=0).to(torch.uint8)


def track(features: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities [frames, patches, classes] and labels [frames, height, width]; the first frame's are the mask's."""
    features = features.reshape(FRAMES, ROWS * COLS, DIM)
    patches = F.interpolate(mask[None, None].float(), size=(ROWS, COLS), mode="nearest-exact").flatten().long()
    probabilities = [F.one_hot(patches, int(mask.max()) + 1).float()]
    labels = [mask]
    for frame in range(1, FRAMES):
        recent = range(max(1, frame - CONTEXT), frame)
        context = [0, *recent]
        moved = propagate(features[frame], [features[t] for t in context], [probabilities[t] for t in context])
        probabilities.append(moved)
        labels.append(on_screen(moved))
    return torch.stack(probabilities), torch.stack(labels)


def sampling() -> list[dict]:
    """How often torch reads each source when it fills `count` places, for sizes at which rounding shows."""
    sizes = [(60, 720), (80, 1280), (13, 53), (9, 37), (7, 100), (49, 343), (3, 1000), (61, 977), (5, 3), (720, 60), (1001, 77)]
    cases = []
    for sources, count in sizes:
        values = torch.arange(sources).float()[None, None]
        read = lambda mode: F.interpolate(values, size=count, mode=mode)[0, 0].int()
        times = {mode: torch.bincount(read(mode), minlength=sources).tolist() for mode in ("nearest", "nearest-exact")}
        cases.append({"sources": sources, "count": count} | times)
    return cases


def regions(labels: torch.Tensor) -> list[dict]:
    """Every object of every frame, as pycocotools packs and measures it."""
    found = []
    for frame, ids in enumerate(labels.numpy()):
        for object_id in np.unique(ids[ids > 0]):
            packed = coco.encode(np.asfortranarray(ids == object_id))
            found.append({
                "frame": frame,
                "object": int(object_id),
                "counts": packed["counts"].decode(),
                "area": int(coco.area(packed)),
                "bbox": [int(v) for v in coco.toBbox(packed)],
            })
    return found


def main() -> None:
    torch.set_num_threads(1)
    OUT.mkdir(exist_ok=True)
    features, mask = clip(torch.Generator().manual_seed(3)), first_mask()
    probabilities, labels = track(features, mask)
    # A file that could not tell a wrong queue or neighbourhood from a right one would be worth nothing.
    for name, other in [("CONTEXT", 6), ("CONTEXT", 8), ("RADIUS", 2.9), ("TOPK", 4), ("TOPK", 6), ("TEMPERATURE", 0.3)]:
        kept = globals()[name]
        globals()[name] = other
        assert (track(features, mask)[0] - probabilities).abs().max() > 1e-3, name
        globals()[name] = kept
    np.save(OUT / "features.npy", features.numpy())
    np.save(OUT / "probabilities.npy", probabilities[-1].numpy())
    np.save(OUT / "labels.npy", labels.numpy())
    text = json.dumps({"sampling": sampling(), "regions": regions(labels)}, separators=(",", ":"))
    (OUT / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
