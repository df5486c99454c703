"""Makes tests/golden/depth: see README.md beside this script.

    venv/bin/pip install torch==2.9.1 torchvision==0.24.1 safetensors==0.8.0 omegaconf matplotlib
    venv/bin/python tests/golden/make_depth.py --dinov3 dinov3
"""

import argparse
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.transforms import v2

import meta
from common import Outputs, check_sensitivity, generator, largest_error, randomise

OUT = Path(__file__).parent / "depth"
LAYERS = [0, 1, 2, 3]
BINS = 8
CLASSES = 7


def picture(width: int, height: int, seed: int) -> Tensor:
    """Smooth shapes and noise, [3, height, width] u8."""
    g = generator(seed)
    coarse = torch.rand(1, 3, 5, 6, generator=g)
    smooth = F.interpolate(coarse, (height, width), mode="bicubic")[0]
    return ((smooth + 0.15 * torch.randn(3, height, width, generator=g)).clamp(0, 1) * 255).round().to(torch.uint8)


def pil(image: Tensor) -> PIL.Image.Image:
    return PIL.Image.fromarray(image.permute(1, 2, 0).numpy())


def backbone() -> nn.Module:
    return meta.vit(31, embed_dim=32, num_heads=1, depth=4, ffn_ratio=2)


@torch.no_grad()
def randomise_head(head: nn.Module, seed: int) -> nn.Module:
    """Statistics of batch norms too, and the last layer such that bins differ."""
    randomise(head, seed)
    g = generator(seed + 1)
    for name, buffer in head.named_buffers():
        if name.endswith("running_mean"):
            buffer.copy_(torch.randn(buffer.shape, generator=g) * 0.5)
        if name.endswith("running_var"):
            buffer.copy_(torch.rand(buffer.shape, generator=g) + 0.3)
    for module in head.modules():
        if isinstance(module, nn.ConvTranspose2d):
            module.weight.mul_(math.sqrt(module.weight[0].numel() / module.in_channels))
    head.conv_depth.head[-1].weight.mul_(3)
    return head


def depther(config, seed: int) -> nn.Module:
    from dinov3.eval.depth.models import make_depther_from_config

    model = make_depther_from_config(backbone(), config)
    randomise_head(model.decoder, seed)
    return model.eval()


def synthmix() -> nn.Module:
    from dinov3.hub.depthers import _get_depther_config

    config = _get_depther_config("dinov3_vit7b16")
    kwargs = config.head_kwargs | dict(channels=12, post_process_channels=[12, 10, 16, 8], n_hidden_channels=6)
    return depther(replace(config, backbone_out_layers=LAYERS, n_output_channels=BINS, head_kwargs=kwargs), 41)


def chmv2() -> nn.Module:
    from dinov3.hub.depthers import _get_chmv2_config

    config = _get_chmv2_config()
    kwargs = config.head_kwargs | dict(channels=10, post_process_channels=[8, 12, 10, 14], n_hidden_channels=6)
    return depther(replace(config, backbone_out_layers=LAYERS, n_output_channels=BINS, head_kwargs=kwargs), 51)


def run(model: nn.Module, pixels: Tensor) -> Outputs:
    """Every stage, without the autocast of `Depther.forward`, which is bfloat16 on a processor."""
    layers = model.encoder(pixels[None])
    reassembled = model.decoder.reassemble_blocks(list(layers))
    fused = model.decoder.forward_features(list(layers))
    logits = model.decoder.conv_depth(fused)
    stages = {f"reassembled.{i}": stage[0] for i, stage in enumerate(reassembled)}
    return stages | {"fused": fused[0], "logits": logits[0], "depth": model.features_to_depth(logits)[0, 0]}


def on_picture(depth: Tensor, size: tuple[int, int], resized: tuple[int, int]) -> Tensor:
    """A map [rows, cols] of a padded picture at the (height, width) of the original one.

    The reference stretches the map over the picture, padding and all, which moves it by up to half a patch; here the
    padding is left out. Without padding the two are the same, as `main` checks."""
    padded = [math.ceil(side / 16) * 16 for side in resized]
    first = [(whole - side) // 2 for whole, side in zip(padded, resized)]

    def positions(axis: int) -> Tensor:
        centres = (torch.arange(size[axis], dtype=torch.float64) + 0.5) * resized[axis] / size[axis]
        return 2 * (first[axis] + centres) / padded[axis] - 1

    y, x = torch.meshgrid(positions(0), positions(1), indexing="ij")
    grid = torch.stack([x, y], -1)[None]
    return F.grid_sample(depth[None, None].double(), grid, mode="bilinear", padding_mode="border", align_corners=False)[0, 0].float()


@contextmanager
def patched(owner, name: str, value) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def check_mistakes(case: str, model: nn.Module, pixels: Tensor) -> None:
    """What one could get wrong must show in the outputs."""
    expected = run(model, pixels)
    head = model.decoder

    def require_effect(what: str, least: float = 1e-3) -> None:
        effect = largest_error(run(model, pixels), expected)
        assert effect > least, f"{case}: {what} changes the outputs by no more than {effect}"
        print(f"{case}: {what}: {effect:.1e}")

    interpolate = F.interpolate
    for block in head.fusion_blocks:
        block.align_corners = False
    require_effect("fusion without aligned corners")
    for block in head.fusion_blocks:
        block.align_corners = True
    with patched(head.conv_depth.head[1], "align_corners", False):
        require_effect("the last enlargement without aligned corners")
    aligned = lambda x, size=None, **options: interpolate(x, size=size, **(options | {"align_corners": True}))
    with patched(F, "interpolate", aligned):
        require_effect("every enlargement with aligned corners")
    for module in head.modules():
        if isinstance(module, nn.GELU):
            module.approximate = "tanh"
    if head.reassemble_blocks.readout_type == "project":
        require_effect("the tanh GELU", 1.2e-4)
    for module in head.modules():
        if isinstance(module, nn.GELU):
            module.approximate = "none"
    norms = [module for module in head.modules() if isinstance(module, nn.SyncBatchNorm)]
    for norm in norms:
        norm.eps = 1e-3
    if norms:
        require_effect("another epsilon")
    for norm in norms:
        norm.eps = 1e-5
    with patched(model.encoder, "final_norm", False):
        require_effect("layers without the final norm")
    to_depth = model.features_to_depth
    others = ("linear", "log", "chmv2_mixlog")
    for bins in (other for other in others if other != to_depth.bins_strategy):
        with patched(to_depth, "bins_strategy", bins):
            require_effect(f"{bins} bins")
    for norm in (other for other in ("linear", "softmax", "sigmoid", "chmv2_mixlog") if other != to_depth.norm_strategy):
        with patched(to_depth, "norm_strategy", norm):
            require_effect(f"{norm} weights of bins")
    adapter = model.encoder.patch_size_adapter
    with patched(adapter, "_get_pad", lambda size: (0, -size % 16)):
        require_effect("padding at the right and bottom alone")
    assert largest_error(run(model, pixels), expected) == 0


def web_pixels(image: Tensor, size) -> Tensor:
    """The reference's evaluation, without the flipped twin."""
    from dinov3.eval.depth.transforms import make_depth_eval_transforms

    label = PIL.Image.fromarray(np.ones(image.shape[1:], dtype=np.uint16))
    images, _ = make_depth_eval_transforms(img_size=size)(pil(image), label)
    return images[0]


def canopy_pixels(image: Tensor) -> Tensor:
    """As in `notebooks/chmv2_inference.ipynb`."""
    transform = v2.Compose(
        [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean=(0.420, 0.411, 0.296), std=(0.213, 0.156, 0.143))]
    )
    return transform(image)


def check(case: str, model: nn.Module, pixels: Tensor) -> None:
    check_sensitivity(case, model.decoder, lambda: run(model, pixels), ("num_batches_tracked",))
    check_mistakes(case, model, pixels)


def depth_case(case: str, model: nn.Module, image: Tensor, pixels: Tensor) -> Outputs:
    stages = run(model, pixels)
    on = on_picture(stages["depth"], image.shape[1:], pixels.shape[1:])
    outputs = stages | {"picture": on, "rgb": image.permute(1, 2, 0), "pixels": pixels}
    return {f"{case}.{name}": value for name, value in outputs.items()}


def classifier_pixels(image: Tensor, side: int) -> Tensor:
    """The reference's evaluation, resized by Pillow: torchvision resizes 8-bit tensors with weights of 16 bits, which is up to
    one step of 255 beside it, as is checked."""
    from dinov3.data.transforms import make_classification_eval_transform

    whole = make_classification_eval_transform(resize_size=side * 256 // 224, crop_size=side)
    to_image, resize, crop, normalise = whole.transforms
    pixels = normalise(to_image(crop(resize(pil(image)))))
    steps = (pixels - whole(pil(image))) * torch.tensor([0.229, 0.224, 0.225])[:, None, None] * 255
    assert steps.abs().max() < 1.01
    return pixels


def classifier_cases(model: nn.Module) -> tuple[Outputs, nn.Linear]:
    """Through the wrapper of `dinov3/hub/classifiers.py`."""
    from dinov3.hub.classifiers import _LinearClassifierWrapper

    head = randomise(nn.Linear(2 * 32, CLASSES), 61)
    whole = _LinearClassifierWrapper(backbone=model, linear_head=head)
    outputs = {}
    for side, (width, height) in {224: (90, 61), 112: (40, 77)}.items():
        image = picture(width, height, side)
        pixels = classifier_pixels(image, side)
        logits = whole(pixels[None])[0]
        named = {"rgb": image.permute(1, 2, 0), "logits": logits, "scores": logits.softmax(0)}
        outputs |= {f"classifier-{side}.{name}": value for name, value in named.items()}
    check_sensitivity("classifier", head, lambda: {"logits": whole(pixels[None])[0]}, ())
    return outputs, head


@torch.no_grad()
def main() -> None:
    meta.start(argparse.ArgumentParser(description=__doc__))
    OUT.mkdir(exist_ok=True)

    web, canopy = synthmix(), chmv2()
    rooms, forest = picture(96, 60, 1), picture(75, 44, 2)
    cases = {"synthmix": (web, rooms, web_pixels(rooms, 48)), "chmv2": (canopy, forest, canopy_pixels(forest))}
    outputs = {}
    for case, (model, image, pixels) in cases.items():
        check(case, model, pixels)
        outputs |= depth_case(case, model, image, pixels)
        torch.save(model.decoder.state_dict(), OUT / f"{case}.pth")

    # A square, as the example of the reference's README makes of any picture: nothing is padded.
    square = run(web, web_pixels(rooms, (64, 64)))["depth"]
    stretched = F.interpolate(square[None, None], rooms.shape[1:], mode="bilinear", align_corners=False)[0, 0]
    assert torch.allclose(on_picture(square, rooms.shape[1:], (64, 64)), stretched, rtol=1e-5)
    outputs["synthmix.square"] = stretched

    torch.save(web.encoder.backbone.state_dict(), OUT / "backbone.pth")
    classes, head = classifier_cases(web.encoder.backbone)
    torch.save(head.state_dict(), OUT / "classifier.pth")
    tensors = {name: value.float().clone(memory_format=torch.contiguous_format) for name, value in (outputs | classes).items()}
    assert all(torch.isfinite(value).all() for value in tensors.values())
    save_file(tensors, OUT / "expected.safetensors")
    (OUT / "expected.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
