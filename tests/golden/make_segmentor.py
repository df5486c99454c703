"""Makes tests/golden/segmentor: see README.md beside this script.

    venv/bin/pip install torchmetrics omegaconf termcolor
    venv/bin/python tests/golden/make_segmentor.py --dinov3 dinov3
"""

import argparse
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import torch
import torchvision.transforms as T
from safetensors.torch import save_file
from torch import nn

import meta
from common import Outputs, check_sensitivity, randomise, relative_error
from make_text import picture

OUT = Path(__file__).parent / "segmentor"
# Dim of the backbone, width of the decoders, queries; classes as many as ADE20K has.
DIM, HIDDEN, QUERIES, CLASSES = 32, 64, 9, 150
# Of the small segmentor: the picture's short side, windows and their stride, the square that the whole picture becomes.
SIDE, STRIDE, WHOLE = 64, 40, 96
PICTURE = (75, 42)
# Scores of all classes are too many for a small file.
KEPT = range(0, CLASSES, 37)


class Head(nn.Module):
    """What the published file holds: the adapter without its backbone, and the decoders."""

    def __init__(self, adapter: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.level_embed = adapter.level_embed
        for name in ("spm", "interactions", "up", "norm1", "norm2", "norm3", "norm4"):
            self.add_module(name, getattr(adapter, name))
        self.decoder = decoder


def build() -> tuple[nn.Module, nn.Module, Head]:
    from dinov3.eval.segmentation.models.backbone.dinov3_adapter import DINOv3_Adapter
    from dinov3.eval.segmentation.models.heads.mask2former_head import Mask2FormerHead
    from dinov3.eval.segmentation.models.heads.mask2former_transformer_decoder import MultiScaleMaskedTransformerDecoder
    from dinov3.eval.segmentation.models.heads.pixel_decoder import MSDeformAttnPixelDecoder

    backbone = meta.vit(21, embed_dim=DIM, num_heads=1, depth=4, ffn_ratio=1.5)
    adapter = DINOv3_Adapter(backbone, interaction_indexes=[0, 1, 2, 3], conv_inplane=8, deform_num_heads=4)
    shapes = {str(level): [DIM, 16, 16, 4] for level in range(1, 5)}
    decoder = Mask2FormerHead(input_shape=shapes, hidden_dim=HIDDEN, num_classes=CLASSES, ignore_value=255)
    # As the head builds them, with fewer and smaller layers.
    decoder.pixel_decoder = MSDeformAttnPixelDecoder(
        input_shape=shapes, transformer_dropout=0.0, transformer_nheads=4, transformer_dim_feedforward=96,
        transformer_enc_layers=2, conv_dim=HIDDEN, mask_dim=HIDDEN, norm="GN", transformer_in_features=["1", "2", "3", "4"],
        common_stride=4,
    )  # fmt: skip
    decoder.predictor = MultiScaleMaskedTransformerDecoder(
        in_channels=HIDDEN, mask_classification=True, num_classes=CLASSES, hidden_dim=HIDDEN, num_queries=QUERIES, nheads=16,
        dim_feedforward=96, dec_layers=4, pre_norm=False, mask_dim=HIDDEN, enforce_input_project=False,
    )  # fmt: skip
    head = randomise(Head(adapter, decoder), 50)
    g = torch.Generator().manual_seed(23)
    for module in head.modules():
        if isinstance(module, nn.SyncBatchNorm):
            module.running_mean.copy_(torch.randn(module.running_mean.shape, generator=g) * 0.3)
            module.running_var.copy_(torch.rand(module.running_var.shape, generator=g) + 0.5)
    # Queries stay apart, and are sure of their class.
    for name, p in decoder.predictor.named_parameters():
        if name.startswith("transformer_") and (".norm" not in name or name.endswith("bias")):
            p.mul_(0.4)
    decoder.predictor.query_feat.weight.mul_(6)
    decoder.predictor.class_embed.weight.mul_(3)
    return adapter.eval(), decoder.eval(), head


def published_names(adapter: nn.Module, decoder: nn.Module) -> dict[str, torch.Tensor]:
    """The file's tensors, without the backbone, as a `FeatureDecoder` names them."""
    parts = {"segmentation_model.0": adapter, "segmentation_model.1": decoder}
    state = {f"{prefix}.{name}": value for prefix, part in parts.items() for name, value in part.state_dict().items()}
    return {name: value for name, value in state.items() if ".backbone." not in name}


def round_to_half(adapter: nn.Module, decoder: nn.Module) -> dict[str, torch.Tensor]:
    """What is stored; the modules go on with the rounded numbers."""
    state = published_names(adapter, decoder)
    stored = {name: value.half() if value.is_floating_point() else value for name, value in state.items()}
    for name, value in state.items():
        value.copy_(stored[name])
    return stored


def run(adapter: nn.Module, decoder: nn.Module, pixels: torch.Tensor) -> Outputs:
    """Every stage. Tokens are `[rows * cols, dim]`, maps `[channels, rows, cols]`."""
    c1, *coarser = adapter.spm(pixels)
    maps = adapter(pixels)
    mask_features, _, levels = decoder.pixel_decoder.forward_features(maps)
    predictions = decoder.predictor(levels, mask_features)
    layers = [*predictions["aux_outputs"], predictions]
    outputs = {"prior.0": c1[0]} | {f"prior.{i + 1}": tokens[0] for i, tokens in enumerate(coarser)}
    outputs |= {f"adapter.{name}": maps[name][0] for name in "1234"}
    outputs |= {"pixel.masks": mask_features[0]} | {f"pixel.{i}": level[0] for i, level in enumerate(levels)}
    for i, layer in enumerate(layers):
        outputs |= {f"decoder.{i}.classes": layer["pred_logits"][0], f"decoder.{i}.masks": layer["pred_masks"][0]}
    return outputs


@contextmanager
def replaced(owner: object, name: str, value: object) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def check_mistakes(adapter: nn.Module, decoder: nn.Module, run: Callable[[], Outputs]) -> None:
    """What is easily got wrong must show in the outputs by ten times what the tests allow."""
    expected = run()
    final = [name for name in expected if name.startswith("decoder.4.")]

    def require_effect(what: str, least: float = 1e-3) -> None:
        got = run()
        effect = max(relative_error(got[name], expected[name]) for name in final)
        assert effect > least or math.isnan(effect), f"{what} changes the outputs by no more than {effect}"
        print(f"{what}: {effect:.1e}")

    activations = [m for m in adapter.interactions.modules() if isinstance(m, nn.GELU)]
    for gelu in activations:
        gelu.approximate = "tanh"
    require_effect("the tanh GELU", 1.2e-4)
    for gelu in activations:
        gelu.approximate = "none"
    for group in (m for m in decoder.modules() if isinstance(m, nn.GroupNorm)):
        with replaced(group, "num_groups", 16):
            require_effect("16 groups in one norm")
    predictor = decoder.predictor
    attentions = [layer.multihead_attn for layer in predictor.transformer_cross_attention_layers]
    for attention in attentions:
        forward = attention.forward
        attention.forward = lambda *args, forward=forward, **named: forward(*args, **named | {"attn_mask": None})
    require_effect("attention to the whole picture")
    for attention in attentions:
        del attention.forward
    usual = torch.where
    with replaced(torch, "where", lambda *args: usual(*args) if len(args) > 1 else (torch.zeros(0, dtype=torch.long),) * 2):
        require_effect("queries without a mask that see nothing")
    with ExitStack() as stack:
        for module in (m for m in predictor.modules() if isinstance(m, nn.MultiheadAttention)):
            stack.enter_context(replaced(module, "num_heads", 8))
            stack.enter_context(replaced(module, "head_dim", HIDDEN // 8))
        stack.enter_context(replaced(predictor, "num_heads", 8))
        require_effect("8 heads")
    with replaced(predictor.pe_layer, "normalize", False):
        require_effect("positions in pixels")
    interactions = adapter.interaction_indexes
    with replaced(adapter, "interaction_indexes", [1, 1, 2, 3]), replaced(adapter.backbone, "get_intermediate_layers", earlier_layers(adapter)):
        require_effect("another layer of the backbone")
    assert adapter.interaction_indexes == interactions
    assert all(torch.equal(value, expected[name]) for name, value in run().items())


def earlier_layers(adapter: nn.Module) -> Callable:
    usual = adapter.backbone.get_intermediate_layers
    return lambda x, n, **named: [usual(x, n=[layer], **named)[0] for layer in n]


def check_margins(outputs: Outputs) -> None:
    """A query looks where its mask is not negative: no number may be so close to 0 that another order of sums turns it."""
    levels = [outputs[f"pixel.{i}"].shape[-2:] for i in range(3)]
    nearest = math.inf
    blind = 0
    for layer in range(4):
        masks = outputs[f"decoder.{layer}.masks"][None]
        masks = nn.functional.interpolate(masks, size=levels[layer % 3], mode="bilinear", align_corners=False)
        nearest = min(nearest, (masks.abs().min() / masks.abs().mean()).item())
        blind += (masks < 0).flatten(2).all(-1).sum().item()
    assert nearest > 1e-4, f"a mask of {nearest} of the mean"
    assert blind > 0, "no query has an empty mask"
    print(f"nearest to 0: {nearest:.1e} of the mean; {blind} empty masks")


def predictions(adapter: nn.Module, decoder: nn.Module, checkout: Path) -> Outputs:
    """A picture's scores as the reference's inference gives them, before the softmax of its output, and the classes."""
    # The reference rounds to bfloat16 on the way; everything here is f32.
    code = (checkout / "dinov3" / "eval" / "segmentation" / "inference.py").read_text().replace("torch.bfloat16", "torch.float")
    scope: dict = {}
    exec(code, scope)

    class Segmentor(nn.Module):
        def predict(self, inputs: torch.Tensor, rescale_to: tuple[int, int]) -> Outputs:
            return decoder.predict(adapter(inputs), rescale_to=rescale_to)

    image = picture(*PICTURE, seed=31)
    # As `make_segmentation_eval_transforms` prepares it.
    width, height = PICTURE
    resized = T.Resize((SIDE, int(SIDE * width / height + 0.5)), interpolation=T.InterpolationMode.BILINEAR)(image)
    pixels = T.Compose([T.ToTensor(), T.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])])(resized)[None]
    interpolate = torch.nn.functional.interpolate
    outputs = {"rgb": torch.from_numpy(np.asarray(image).astype(np.float32)), "picture": pixels[0]}
    for mode in ("slide", "whole"):
        # The whole picture becomes a square of 512 pixels in the reference.
        smaller = lambda x, size, **named: interpolate(x, size=(WHOLE, WHOLE) if size == (512, 512) else size, **named)
        with replaced(torch.nn.functional, "interpolate", smaller):
            scores = scope["make_inference"](
                pixels, Segmentor(), inference_mode=mode, decoder_head_type="m2f", rescale_to=(height, width),
                n_output_channels=CLASSES, crop_size=(SIDE, SIDE), stride=(STRIDE, STRIDE),
            )[0]  # fmt: skip
        first, second = scores.topk(2, dim=0).values
        labels = scores.argmax(dim=0).float()
        labels[first - second < 1e-3 * first] = CLASSES  # too close to tell
        outputs |= {f"{mode}.scores": scores[KEPT], f"{mode}.labels": labels}
        told = (labels < CLASSES).float().mean()
        found = len(labels[labels < CLASSES].unique())
        print(f"{mode}: {found} classes, {told:.1%} of the pixels are told apart")
        assert told > 0.9 and found > 2
    outputs["slide.resized"] = scope["slide_inference"](
        pixels, Segmentor(), "m2f", n_output_channels=CLASSES, crop_size=(SIDE, SIDE), stride=(STRIDE, STRIDE)
    )[0, KEPT]  # fmt: skip
    return outputs


@torch.no_grad()
def main() -> None:
    options = meta.start(argparse.ArgumentParser(description=__doc__))

    adapter, decoder, head = build()
    pixels = meta.pixels(4, 6, 16, seed=24)
    stored = round_to_half(adapter, decoder)
    check_sensitivity("segmentor", head, lambda: run(adapter, decoder, pixels), ("num_batches_tracked",))
    outputs = run(adapter, decoder, pixels)
    check_margins(outputs)
    check_mistakes(adapter, decoder, lambda: run(adapter, decoder, pixels))

    OUT.mkdir(exist_ok=True)
    backbone = {name: value for name, value in adapter.backbone.state_dict().items()}
    torch.save(backbone, OUT / "backbone.pth")
    torch.save(stored, OUT / "head.pth")
    tensors = {"pixels": pixels[0]} | outputs | predictions(adapter, decoder, options.dinov3)
    assert all(torch.isfinite(value).all() for value in tensors.values())
    save_file({name: value.float().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}, OUT / "stages.safetensors")
    (OUT / "stages.safetensors").chmod(0o644)


if __name__ == "__main__":
    main()
