"""Cases in Meta's own layout, run by the code of facebookresearch/dinov3."""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from common import Case, Outputs, check_sensitivity, pixels, randomise, relative_error, split_tokens

# As `dinov3/hub/backbones.py` builds the published ViTs.
PUBLISHED = dict(
    pos_embed_rope_rescale_coords=2,
    pos_embed_rope_dtype="fp32",
    layerscale_init=1e-5,
    norm_layer="layernormbf16",
    n_storage_tokens=4,
    mask_k_bias=True,
)
UNUSED = ("mask_token", "qkv.bias[k]", "local_cls_norm.weight", "local_cls_norm.bias")


def start(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parses a script's arguments, a checkout of the reference among them, from which is imported; the same bytes come each time."""
    parser.add_argument("--dinov3", type=Path, required=True, help="a checkout of facebookresearch/dinov3")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    sys.path.insert(0, str(options.dinov3))
    return options


def vit(seed: int, **arguments) -> torch.nn.Module:
    from dinov3.models.vision_transformer import DinoVisionTransformer

    model = DinoVisionTransformer(**(PUBLISHED | arguments))
    model.init_weights()  # sets bias_mask and the RoPE periods
    return randomise(model, seed)


def convnext(seed: int, **arguments) -> torch.nn.Module:
    from dinov3.models.convnext import ConvNeXt

    return randomise(ConvNeXt(**arguments), seed)


@torch.no_grad()
def run_vit(model: torch.nn.Module, x: torch.Tensor) -> Outputs:
    rows, cols = x.shape[-2] // model.patch_size, x.shape[-1] // model.patch_size
    final = model.forward_features(x)
    tokens = torch.cat([final["x_norm_clstoken"][:, None], final["x_storage_tokens"], final["x_norm_patchtokens"]], 1)
    outputs = split_tokens(tokens, model.n_storage_tokens, rows, cols)
    layers = model.get_intermediate_layers(
        x, n=range(model.n_blocks), return_class_token=True, return_extra_tokens=True, norm=True
    )
    for i, (patch, cls, registers) in enumerate(layers):
        tokens = torch.cat([cls[:, None], registers, patch], 1)
        outputs |= split_tokens(tokens, model.n_storage_tokens, rows, cols, f"layer_{i}.")
    return outputs


@torch.no_grad()
def run_convnext(model: torch.nn.Module, x: torch.Tensor) -> Outputs:
    rows, cols = x.shape[-2] // 32, x.shape[-1] // 32
    final = model.forward_features(x)
    outputs = {
        "cls": final["x_norm_clstoken"][0],
        "patch": final["x_norm_patchtokens"][0].reshape(rows, cols, -1),
    }
    layers = model.get_intermediate_layers(x, n=range(4), reshape=True, return_class_token=True, norm=True)
    for i, (patch, cls) in enumerate(layers):
        outputs |= {f"layer_{i}.cls": cls[0], f"layer_{i}.patch": patch[0].permute(1, 2, 0)}
    return outputs


@torch.no_grad()
def check_numbers_matter(case: str, model: torch.nn.Module, run: Callable[[], Outputs]) -> None:
    """Epsilon, the exact GELU and the K mask must show in the outputs, else a wrong one would pass."""
    expected = run()["patch"]

    def require_effect(what: str, least: float) -> None:
        effect = relative_error(run()["patch"], expected)
        assert effect > least, f"{case}: {what} changes the outputs by no more than {effect}"
        print(f"{case}: {what}: {effect:.1e}")

    norms = [m for m in model.modules() if hasattr(m, "eps")]
    published = norms[0].eps
    for norm in norms:
        norm.eps = {1e-5: 1e-6, 1e-6: 1e-5}[published]
    require_effect("the other epsilon", 1e-3)
    for norm in norms:
        norm.eps = published
    activations = [m for m in model.modules() if isinstance(m, torch.nn.GELU)]
    for gelu in activations:
        gelu.approximate = "tanh"
    if activations:
        require_effect("the tanh GELU", 1.2e-4)
    for gelu in activations:
        gelu.approximate = "none"
    masks = [m.bias_mask for m in model.modules() if hasattr(m, "bias_mask")]
    saved = [mask.clone() for mask in masks]
    for mask in masks:
        mask.fill_(1)
    if masks:
        require_effect("the K bias without its mask", 1e-3)
    for mask, value in zip(masks, saved):
        mask.copy_(value)
    assert relative_error(run()["patch"], expected) == 0


def reload(model: torch.nn.Module, state: dict[str, torch.Tensor]) -> torch.nn.Module:
    """What the reference computes in f32 from rounded weights."""
    model.load_state_dict({name: value.float() for name, value in state.items()}, strict=True)
    return model


def strided(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same values where every matrix is a transposed view into a larger storage, as training code may save them."""

    def view(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dim() != 2:
            return tensor
        rows, cols = tensor.shape
        storage = torch.zeros(rows * cols + 3)
        storage[3:] = tensor.t().flatten()
        return storage[3:].view(cols, rows).t()

    return {name: view(tensor) for name, tensor in state.items()}


def meta_vit(case: str, seed: int, grid: tuple[int, int], *, wrap=lambda state: state, **arguments) -> Case:
    model = vit(seed, **arguments)
    x = pixels(*grid, model.patch_size, seed + 1000)
    check_sensitivity(case, model, lambda: run_vit(model, x), UNUSED)
    check_numbers_matter(case, model, lambda: run_vit(model, x))
    state = wrap(model.state_dict())
    if any(value.dtype != torch.float32 for value in state.values()):
        reload(model, state)
    return Case(case, x, run_vit(model, x), lambda folder: torch.save(state, folder / "backbone.pth"))


def teacher(case: str, seed: int, grid: tuple[int, int]) -> Case:
    """A training checkpoint: the backbone inside of {"teacher": ...} beside heads that are none of our business."""
    model = vit(seed, embed_dim=64, num_heads=2, depth=2, ffn_ratio=2)
    x = pixels(*grid, model.patch_size, seed + 1000)
    check_sensitivity(case, model, lambda: run_vit(model, x), UNUSED)
    state = {f"backbone.{name}": value for name, value in strided(model.state_dict()).items()}
    state["dino_head.mlp.0.weight"] = torch.ones(8, 64)
    state["ibot_head.last_layer.weight"] = torch.ones(8, 8)
    checkpoint = {"teacher": state}
    return Case(case, x, run_vit(model, x), lambda folder: torch.save(checkpoint, folder / "teacher_checkpoint.pth"))


def meta_convnext(case: str, seed: int, grid: tuple[int, int], **arguments) -> Case:
    model = convnext(seed, **arguments)
    x = pixels(*grid, 32, seed + 1000)
    check_sensitivity(case, model, lambda: run_convnext(model, x), ())
    check_numbers_matter(case, model, lambda: run_convnext(model, x))
    return Case(case, x, run_convnext(model, x), lambda folder: torch.save(model.state_dict(), folder / "backbone.pth"))


def half_but_periods(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value if "periods" in name else value.half() for name, value in state.items()}


def bfloat16_but_periods(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value if "periods" in name else value.bfloat16() for name, value in state.items()}


def bfloat16(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Everything, as `model.to(torch.bfloat16)` does: the rounded RoPE periods are what the reference then uses."""
    return {name: value.bfloat16() for name, value in state.items()}


def cases() -> Iterator[Case]:
    small = dict(embed_dim=64, num_heads=1, depth=2)
    yield meta_vit("meta-vit-mlp", 1, (5, 2), embed_dim=128, num_heads=2, depth=2, ffn_ratio=1.5)
    yield meta_vit("meta-vit-swiglu", 2, (3, 4), ffn_layer="swiglu", ffn_ratio=2, embed_dim=64, num_heads=2, depth=2)
    yield meta_vit(
        "meta-vit-7b",
        3,
        (7, 9),
        wrap=bfloat16_but_periods,
        embed_dim=256,
        num_heads=2,
        depth=1,
        ffn_ratio=0.3,
        ffn_layer="swiglu64",
        qkv_bias=False,
        untie_global_and_local_cls_norm=True,
    )
    untied = dict(untie_cls_and_patch_norms=True, embed_dim=64, num_heads=1, depth=1, ffn_ratio=2)
    yield meta_vit("meta-vit-untied-norms", 4, (4, 3), **untied)
    yield meta_vit("meta-vit-f16", 5, (3, 4), wrap=half_but_periods, ffn_ratio=4, **small)
    yield meta_vit("meta-vit-bf16", 6, (2, 5), wrap=bfloat16, ffn_ratio=4, **small)
    yield teacher("meta-vit-teacher", 7, (3, 5))
    yield meta_convnext("meta-convnext", 8, (3, 4), depths=[1, 1, 2, 1], dims=[16, 32, 48, 64])
