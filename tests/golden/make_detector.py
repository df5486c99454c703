"""Makes tests/golden/detector: see README.md beside this script.

    venv/bin/pip install torch==2.9.1 torchvision==0.24.1 safetensors==0.8.0
    venv/bin/python tests/golden/make_detector.py --dinov3 dinov3
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision.transforms.v2.functional as TVF
from safetensors.torch import save_file
from torch import nn

import meta
from common import Outputs, changed, check_sensitivity, generator, largest_error, randomise, relative_error

HERE = Path(__file__).parent
OUT = HERE / "detector"

HIDDEN, HEADS, FFN, RPE_HIDDEN, LAYERS, QUERIES, TOP = 64, 4, 96, 32, [0, 1], 20, 40
# Of the projection to the largest proposals.
LARGEST = [f"enc_output_proj.3.{part}" for part in ("0.weight", "0.bias", "1.ln.weight", "1.ln.bias", "3.weight", "3.bias")]
# Name: windows along a side, width and height of the picture, of the model's input, size of the smallest proposals,
# tensors that do not matter: in the second case the largest proposals are wider than the picture.
CASES = {
    "three": (3, (150, 117), (144, 112), 12, []),
    "two": (2, (89, 80), (96, 80), 12, LARGEST),
}


def build(windows: int, proposal_size: int):
    """As `dinov3/hub/detectors.py` builds the published model, but smaller."""
    from dinov3.eval.detection.config import DetectionHeadConfig
    from dinov3.eval.detection.models.detr import PostProcess, build_model
    from dinov3.eval.detection.models.position_encoding import PositionEncoding
    from dinov3.eval.detection.models.transformer_encoder import TransformerEncoder, TransformerEncoderLayer
    from dinov3.hub.detectors import DetectorWithProcessor

    backbone = meta.vit(0, ffn_layer="swiglu", ffn_ratio=2, embed_dim=64, num_heads=2, depth=2)
    backbone.load_state_dict(torch.load(HERE / "meta-vit-swiglu" / "backbone.pth"))
    config = DetectionHeadConfig(
        num_queries_one2one=QUERIES,
        num_queries_one2many=QUERIES,
        position_embedding=PositionEncoding.SINE,
        dec_layers=2,
        dim_feedforward=FFN,
        hidden_dim=HIDDEN,
        nheads=HEADS,
        proposal_min_size=proposal_size,
        decoder_rpe_hidden_dim=RPE_HIDDEN,
        num_encoder_layers=2,
        layers_to_use=LAYERS,
        n_windows_sqrt=windows,
        proposal_in_stride=16,
        proposal_tgt_strides=[8, 16, 32, 64],
        topk=TOP,
    )
    detector = build_model(backbone, config)
    # The reference has no argument for this width.
    detector.transformer.encoder = TransformerEncoder(TransformerEncoderLayer(HIDDEN, HEADS, FFN, 0.0), 2)
    detector.num_queries = detector.num_queries_one2one
    detector.transformer.two_stage_num_proposals = detector.num_queries
    return DetectorWithProcessor(detector, PostProcess(config.topk, config.reparam)).eval()


class Head(nn.Module):
    """What Meta's file holds; the bias of k moves all scores of a query alike, which softmax does not see."""

    def __init__(self, detector) -> None:
        super().__init__()
        for name in ("transformer", "class_embed", "bbox_embed", "input_proj", "query_embed"):
            setattr(self, name, getattr(detector, name))

    def state_dict(self) -> dict[str, torch.Tensor]:
        state = super().state_dict()
        return {name: value for name, value in state.items() if not name.endswith("cross_attn.k.bias")}


@torch.no_grad()
def fill(detector, seed: int) -> None:
    """Random weights that f16 holds exactly."""
    head = randomise(Head(detector), seed)
    for name, parameter in head.named_parameters():
        if ".cpb_mlp" in name and name.endswith("0.weight"):
            parameter.mul_(0.02)  # it reads distances in pixels
        if ".bbox_embed" in f".{name}" and ".layers.2." in name:
            parameter.mul_(0.3)
        parameter.copy_(parameter.half().float())


def checkpoint(detector) -> dict:
    """Tensors that have two names have one storage, as in a file that torch saved."""
    halves = {}
    state = {}
    for name, value in detector.state_dict().items():
        if not name.startswith("backbone."):
            state[name] = halves.setdefault(value.data_ptr(), value.half())
    return {"model": state}


def picture(size: tuple[int, int], seed: int) -> torch.Tensor:
    """[height, width, 3] in 0..=255: smooth shapes and noise."""
    g = generator(seed)
    width, height = size
    coarse = torch.rand(1, 3, 4, 5, generator=g)
    smooth = F.interpolate(coarse, (height, width), mode="bilinear") * 230 + 25 * torch.rand(1, 3, height, width, generator=g)
    return smooth[0].permute(1, 2, 0).floor()


def prepared(rgb: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Resized and normalised, [3, height, width]."""
    pixels = TVF.resize(rgb.permute(2, 0, 1) / 255, size[::-1])
    return TVF.normalize(pixels, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])


@torch.no_grad()
def run(model, rgb: torch.Tensor, size: tuple[int, int]) -> Outputs:
    """Every stage. Boxes of stages are centres and sizes in pixels of the input, the final ones corners in pixels of
    the picture."""
    detector = model.detector
    stages = {}

    def keep(name: str):
        return lambda module, inputs, output: stages.update({name: output})

    hooks = [
        detector.input_proj[0].register_forward_hook(keep("projected")),
        detector.transformer.encoder.register_forward_hook(keep("memory")),
    ]
    pixels = prepared(rgb, size)
    out = detector([pixels])
    for hook in hooks:
        hook.remove()
    outputs = {
        "projected": stages["projected"][0].permute(1, 2, 0),
        "memory": stages["memory"][0],
    }
    rows, cols = size[1] // 16, size[0] // 16
    levels = [4 * rows * cols, rows * cols, (rows // 2) * (cols // 2), (rows // 4) * (cols // 4)]
    for level, logits in enumerate(out["enc_outputs"]["pred_logits"][0, :, 0].split(levels)):
        outputs[f"objectness_{level}"] = logits
    layers = [*out["aux_outputs"], out]
    outputs["proposals"] = layers[0]["pred_boxes_old"][0]
    for index, layer in enumerate(layers):
        outputs |= {f"decoder_{index}.logits": layer["pred_logits"][0], f"decoder_{index}.boxes": layer["pred_boxes"][0]}
    (found,) = model([pixels])
    scale = torch.tensor([rgb.shape[1] / size[0], rgb.shape[0] / size[1]]).repeat(2)
    outputs |= {"boxes": found["boxes"] * scale, "scores": found["scores"], "labels": found["labels"].float()}
    return outputs


def numbers(outputs: Outputs) -> Outputs:
    """Without what jumps."""
    return {name: value for name, value in outputs.items() if name != "labels"}


def is_clear(outputs: Outputs) -> bool:
    """No two numbers that are sorted are so near each other that rounding might swap them."""
    objectness = torch.cat([outputs[f"objectness_{level}"] for level in range(4)])
    best = objectness.unique().sort(descending=True).values[: QUERIES + 1]
    candidates = outputs["decoder_1.logits"].flatten().sort(descending=True).values[: TOP + 1]
    return min((-best.diff()).min().item(), (-candidates.diff()).min().item()) > 3e-4


@torch.no_grad()
def check_mistakes(case: str, model, run: Callable[[], Outputs], unused: list[str]) -> None:
    """What is easily got wrong must show in the outputs by ten times what the tests allow."""
    expected = numbers(run())
    detector = model.detector

    def require_effect(what: str, output: str, least: float = 1e-3) -> None:
        effect = relative_error(run()[output], expected[output])
        assert effect > least, f"{case}: {what} changes {output} by no more than {effect}"
        print(f"{case}: {what}: {effect:.1e}")

    resize = TVF.resize

    def without_antialias(image, size, **arguments):
        return resize(image, size, antialias=False)

    import dinov3.eval.detection.models.windows as windows

    windows.v2.functional.resize = without_antialias
    require_effect("no antialiasing in the view of the whole", "projected")
    windows.v2.functional.resize = resize
    weight = detector.input_proj[0][0].weight
    with changed(weight, weight.roll(weight.shape[1] // 2, 1)):
        require_effect("windows before the whole", "projected")
    for layer in detector.transformer.encoder.layers:
        layer.normalize_before = True
    require_effect("an encoder that normalises before", "memory")
    for layer in detector.transformer.encoder.layers:
        layer.normalize_before = False
    norms = {
        "projected": [m for m in detector.modules() if isinstance(m, nn.GroupNorm)],
        "memory": [m for m in detector.transformer.encoder.modules() if isinstance(m, nn.LayerNorm)],
    }
    for output, modules in norms.items():
        for module in modules:
            module.eps = 1e-2
        require_effect("another epsilon", output)
        for module in modules:
            module.eps = 1e-5
    activations = [m for m in detector.transformer.modules() if isinstance(m, nn.GELU)]
    for gelu in activations:
        gelu.approximate = "tanh"
    if not unused:
        require_effect("the tanh GELU", "objectness_3", 1.2e-4)
    for gelu in activations:
        gelu.approximate = "none"
    for layer in detector.transformer.decoder.layers:
        layer.norm_type = "post_norm"
    require_effect("a decoder that normalises after", "decoder_1.logits")
    for layer in detector.transformer.decoder.layers:
        layer.norm_type = "pre_norm"
    for layer in detector.transformer.decoder.layers:
        layer.cross_attn.feature_stride = 8
    require_effect("positions in another stride", "decoder_0.logits")
    for layer in detector.transformer.decoder.layers:
        layer.cross_attn.feature_stride = 16
    assert largest_error(numbers(run()), expected) == 0


@torch.no_grad()
def main() -> None:
    meta.start(argparse.ArgumentParser(description=__doc__))
    OUT.mkdir(exist_ok=True)

    models = {name: build(case[0], case[3]) for name, case in CASES.items()}
    pictures = {name: picture(case[1], seed) for seed, (name, case) in enumerate(CASES.items())}

    def outputs(name: str) -> Outputs:
        return run(models[name], pictures[name], CASES[name][2])

    for seed in range(1, 1000):
        for model in models.values():
            fill(model.detector, seed)
        if all(is_clear(outputs(name)) for name in CASES):
            print(f"seed {seed}")
            break
    tensors, cases = {}, []
    for name, (windows, _, size, proposal_size, unused) in CASES.items():
        model = models[name]
        check_sensitivity(f"detector {name}", Head(model.detector), lambda: numbers(outputs(name)), tuple(unused))
        check_mistakes(f"detector {name}", model, lambda: outputs(name), unused)
        tensors |= {f"{name}.{key}": value for key, value in outputs(name).items()} | {f"{name}.rgb": pictures[name]}
        cases.append({"name": name, "windows": windows, "size": list(size), "proposal_size": proposal_size})
    torch.save(checkpoint(models["three"].detector), OUT / "head.pth")
    save_file({name: value.float().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}, OUT / "expected.safetensors")
    (OUT / "expected.safetensors").chmod(0o644)
    (OUT / "cases.json").write_text(json.dumps({"layers": LAYERS, "top": TOP, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
