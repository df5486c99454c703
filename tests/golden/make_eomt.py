"""Makes tests/golden/eomt: see README.md beside this script.

    venv/bin/pip install transformers==5.23.0
    venv/bin/python tests/golden/make_eomt.py
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn
from transformers import EomtDinov3Config, EomtDinov3ForUniversalSegmentation
from transformers.image_transforms import get_size_with_aspect_ratio
from transformers.models.eomt.image_processing_pil_eomt import EomtImageProcessorPil

from common import Outputs, check_sensitivity, randomise, relative_error
from make_text import picture

OUT = Path(__file__).parent / "eomt"
CLASSES, QUERIES, SIDE = 12, 7, 64
# Whether masks steer the last blocks' attention; the published checkpoints have none left.
CASES = {
    "semantic": dict(seed=41, masks=[0.0, 0.0], picture=(75, 42), processor=dict(size={"shortest_edge": SIDE, "longest_edge": None}, do_split_image=True)),
    "panoptic": dict(
        seed=43, masks=[1.0, 0.0], picture=(47, 70),
        processor=dict(size={"shortest_edge": SIDE, "longest_edge": SIDE}, do_pad=True),
    ),
}  # fmt: skip


def build(seed: int, masks: list[float], **arguments) -> EomtDinov3ForUniversalSegmentation:
    config = EomtDinov3Config(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=48, image_size=SIDE, num_blocks=2,
        num_queries=QUERIES, id2label={i: f"thing {i}" for i in range(CLASSES)}, attn_implementation="eager", **arguments,
    )  # fmt: skip
    model = randomise(EomtDinov3ForUniversalSegmentation(config), seed)
    model.query.weight.mul_(6)
    model.class_predictor.weight.mul_(3)
    for p in model.parameters():
        p.copy_(p.half())
    model.attn_mask_probs.copy_(torch.tensor(masks))
    return model.eval()


def run(model: nn.Module, pixels: torch.Tensor) -> Outputs:
    output = model(pixels)
    return {"masks": output.masks_queries_logits[0], "classes": output.class_queries_logits[0]}


def check_mistakes(case: str, model: nn.Module, pixels: torch.Tensor) -> None:
    """What is easily got wrong must show in the outputs by ten times what the tests allow."""
    expected = run(model, pixels)

    def require_effect(what: str, least: float = 1e-3) -> None:
        effect = max(relative_error(value, expected[name]) for name, value in run(model, pixels).items())
        assert effect > least, f"{case}: {what} changes the outputs by no more than {effect}"
        print(f"{case}: {what}: {effect:.1e}")

    def tanh(x: torch.Tensor) -> torch.Tensor:
        return F.gelu(x, approximate="tanh")

    activations = [m for m in model.modules() if isinstance(getattr(m, "activation", None), nn.Module)]
    usual = [m.activation for m in activations]
    for module in activations:
        del module.activation
        module.activation = tanh
    require_effect("the tanh GELU behind the blocks", 1.2e-4)
    for module, activation in zip(activations, usual):
        module.activation = activation
    norms = [m for m in model.modules() if isinstance(m, nn.LayerNorm)]
    for norm in norms:
        norm.eps = 1e-5
    require_effect("the other epsilon")
    for norm in norms:
        norm.eps = 1e-6
    if model.attn_mask_probs[0]:
        for masks in ([0.0, 0.0], [1.0, 1.0]):
            model.attn_mask_probs.copy_(torch.tensor(masks))
            require_effect(f"masks {masks}")
        model.attn_mask_probs.copy_(torch.tensor([1.0, 0.0]))
        check_margin(model, pixels)
    assert all(torch.equal(value, expected[name]) for name, value in run(model, pixels).items())


def check_margin(model: nn.Module, pixels: torch.Tensor) -> None:
    """No number that decides where a query looks may be so close to 0 that another order of sums turns it."""
    seen = []
    usual = model.predict
    model.predict = lambda tokens: seen.append(usual(tokens)) or seen[-1]
    model(pixels)
    del model.predict
    masks = F.interpolate(seen[0][0], size=model.grid_size, mode="bilinear")
    nearest = (masks.abs().min() / masks.abs().mean()).item()
    assert nearest > 1e-4, nearest
    print(f"nearest to 0: {nearest:.1e} of the mean, {(masks > 0).float().mean():.0%} inside")


def semantic(model: nn.Module, image, processor: EomtImageProcessorPil) -> Outputs:
    """Scores of every class at the picture's size, by transformers' own steps."""
    target = (image.height, image.width)
    inputs = processor(images=[image], return_tensors="pt")
    output = model(inputs["pixel_values"], patch_offsets=inputs["patch_offsets"])
    if processor.do_split_image:
        processed = processor.post_process_semantic_segmentation(output, [target], return_segmentation_scores=True)[0]
        scores = processed.segmentation_scores
    else:
        # post_process_semantic_segmentation would stretch the padding over the picture: this is what it does, and the
        # step by which post_process_panoptic_segmentation cuts the padding off.
        masks = F.interpolate(output.masks_queries_logits, size=(SIDE, SIDE), mode="bilinear")
        classes = output.class_queries_logits.softmax(dim=-1)[..., :-1]
        scores = torch.einsum("bqc, bqhw -> bchw", classes, masks.sigmoid())
        scores = processor.unpad_image(scores, [target], processor.size)[0]
        size = get_size_with_aspect_ratio(target, SIDE, SIDE)
        assert size != (SIDE, SIDE)
    first, second = scores.topk(2, dim=0).values
    labels = scores.argmax(dim=0).float()
    labels[first - second < 1e-3 * first] = CLASSES  # too close to tell
    found = len(labels[labels < CLASSES].unique())
    told = (labels < CLASSES).float().mean()
    print(f"{len(inputs['pixel_values'])} windows, {found} classes, {told:.1%} of the pixels are told apart")
    assert told > 0.9 and found > 2
    return {"scores": scores, "labels": labels, "windows": inputs["pixel_values"]}


@torch.no_grad()
def main() -> None:
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for case, arguments in CASES.items():
        settings, size = arguments.pop("processor"), arguments.pop("picture")
        model = build(**arguments)
        processor = EomtImageProcessorPil(**settings)
        image = picture(*size, seed=43)
        result = semantic(model, image, processor)
        pixels = result["windows"][:1]
        unused = ("criterion.empty_weight",) + (() if model.attn_mask_probs[0] else ("attn_mask_probs",))
        check_sensitivity(case, model, lambda: run(model, pixels), unused)
        check_mistakes(case, model, pixels)

        folder = OUT / case
        (folder / "model").mkdir(parents=True, exist_ok=True)
        tensors = run(model, pixels) | result | {"rgb": torch.from_numpy(np.asarray(image).astype(np.float32))}
        assert all(torch.isfinite(value).all() for value in tensors.values())
        save_file({name: value.float().contiguous() for name, value in tensors.items()}, folder / "stages.safetensors")
        model.half().save_pretrained(folder / "model")
        processor.save_pretrained(folder / "model")
        for path in folder.rglob("*.safetensors"):
            path.chmod(0o644)


if __name__ == "__main__":
    main()
