"""Cases in the layouts of transformers and timm, with the same weights as a reference model that must agree with them."""

from collections.abc import Iterator
from pathlib import Path

import timm
import torch
import transformers

import meta
from common import Case, Outputs, check_sensitivity, largest_error, pixels, split_tokens

# Two programs sum in different orders; a hundredth of what the tests allow is room enough.
SAME = 1e-5


def renamed(state: dict[str, torch.Tensor], names: dict[str, str]) -> dict[str, torch.Tensor]:
    def new(name: str) -> str:
        for old, replacement in names.items():
            name = name.replace(old, replacement)
        return name

    return {new(name): value for name, value in state.items()}


def without_training_only(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    dropped = ("periods", "bias_mask", "norms.3.weight", "norms.3.bias")
    return {name: value for name, value in state.items() if not name.endswith(dropped)}


def transformers_vit_state(reference: torch.nn.Module) -> dict[str, torch.Tensor]:
    state = {}
    for name, value in without_training_only(reference.state_dict()).items():
        if ".attn.qkv." in name:
            q, k, v = value.chunk(3)
            state[name.replace("qkv", "q_proj")] = q
            state[name.replace("qkv", "v_proj")] = v
            if name.endswith("weight"):
                state[name.replace("qkv", "k_proj")] = k
        else:
            state[name] = value
    state["mask_token"] = state["mask_token"][None]
    names = {
        "cls_token": "embeddings.cls_token",
        "mask_token": "embeddings.mask_token",
        "storage_tokens": "embeddings.register_tokens",
        "patch_embed.proj": "embeddings.patch_embeddings",
        "blocks.": "model.layer.",
        "attn.proj.": "attention.o_proj.",
        "attn.": "attention.",
        "ls1.gamma": "layer_scale1.lambda1",
        "ls2.gamma": "layer_scale2.lambda1",
        "mlp.fc1": "mlp.up_proj",
        "mlp.fc2": "mlp.down_proj",
        "mlp.w1": "mlp.gate_proj",
        "mlp.w2": "mlp.up_proj",
        "mlp.w3": "mlp.down_proj",
    }
    return renamed(state, names)


def transformers_convnext_state(reference: torch.nn.Module) -> dict[str, torch.Tensor]:
    names = {"dwconv": "depthwise_conv", "pwconv": "pointwise_conv", "norm": "layer_norm"}
    state = {}
    for name, value in renamed(without_training_only(reference.state_dict()), names).items():
        parts = name.split(".")
        if parts[0] == "downsample_layers":
            name = f"model.stages.{parts[1]}.downsample_layers.{'.'.join(parts[2:])}"
        elif parts[0] == "stages":
            name = f"model.stages.{parts[1]}.layers.{'.'.join(parts[2:])}"
        state[name] = value
    return state


def timm_vit_state(reference: torch.nn.Module) -> dict[str, torch.Tensor]:
    state = {}
    for name, value in without_training_only(reference.state_dict()).items():
        if name.endswith("qkv.bias"):
            q, _, v = value.chunk(3)
            state[name.replace("qkv.bias", "q_bias")] = q
            state[name.replace("qkv.bias", "v_bias")] = v
        elif name != "mask_token":
            state[name] = value
    names = {
        "storage_tokens": "reg_token",
        "ls1.gamma": "gamma_1",
        "ls2.gamma": "gamma_2",
        "mlp.w1": "mlp.fc1_g",
        "mlp.w2": "mlp.fc1_x",
        "mlp.w3": "mlp.fc2",
    }
    return renamed(state, names)


def timm_convnext_state(reference: torch.nn.Module) -> dict[str, torch.Tensor]:
    state = {}
    names = {"dwconv": "conv_dw", "pwconv": "mlp.fc"}
    for name, value in renamed(without_training_only(reference.state_dict()), names).items():
        parts = name.split(".")
        if parts[:2] == ["downsample_layers", "0"]:
            name = f"stem.{'.'.join(parts[2:])}"
        elif parts[0] == "downsample_layers":
            name = f"stages.{parts[1]}.downsample.{'.'.join(parts[2:])}"
        elif parts[0] == "stages":
            name = f"stages.{parts[1]}.blocks.{'.'.join(parts[2:])}"
        elif parts[0] == "norm":
            name = f"head.{name}"
        state[name] = value
    return state


@torch.no_grad()
def run_transformers_vit(model: torch.nn.Module, x: torch.Tensor) -> Outputs:
    patch, registers = model.config.patch_size, model.config.num_register_tokens
    rows, cols = x.shape[-2] // patch, x.shape[-1] // patch
    states: list[torch.Tensor] = []
    hooks = [layer.register_forward_hook(lambda _m, _x, y: states.append(y)) for layer in model.model.layer]
    outputs = split_tokens(model(x).last_hidden_state, registers, rows, cols)
    for hook in hooks:
        hook.remove()
    for i, state in enumerate(states):
        outputs |= split_tokens(model.norm(state), registers, rows, cols, f"layer_{i}.")
    return outputs


@torch.no_grad()
def run_timm_vit(model: torch.nn.Module, x: torch.Tensor) -> Outputs:
    rows, cols = x.shape[-2] // 16, x.shape[-1] // 16
    registers = model.num_prefix_tokens - 1
    outputs = split_tokens(model.forward_features(x), registers, rows, cols)
    layers = model.forward_intermediates(
        x, norm=True, return_prefix_tokens=True, output_fmt="NLC", intermediates_only=True
    )
    for i, (patch, prefix) in enumerate(layers):
        outputs |= split_tokens(torch.cat([prefix, patch], 1), registers, rows, cols, f"layer_{i}.")
    return outputs


@torch.no_grad()
def run_convnext(model: torch.nn.Module, stages: torch.nn.ModuleList, norm, x: torch.Tensor) -> Outputs:
    """`norm`: the final norm over the last dimension."""
    maps: list[torch.Tensor] = []
    hooks = [stage.register_forward_hook(lambda _m, _x, y: maps.append(y)) for stage in stages]
    final = model(x)
    for hook in hooks:
        hook.remove()
    pooled = final if isinstance(final, torch.Tensor) else final.pooler_output
    patch = norm(maps[-1].permute(0, 2, 3, 1))[0]
    outputs = {"cls": pooled[0], "patch": patch}
    for i, features in enumerate(maps[:-1]):
        outputs |= {f"layer_{i}.cls": features.mean((2, 3))[0], f"layer_{i}.patch": features[0].permute(1, 2, 0)}
    return outputs | {"layer_3.cls": pooled[0], "layer_3.patch": patch}


def run_transformers_convnext(model: torch.nn.Module, x: torch.Tensor) -> Outputs:
    outputs = run_convnext(model, model.model.stages, model.layer_norm, x)
    with torch.no_grad():
        tokens = model(x).last_hidden_state[0, 1:]
    assert torch.equal(tokens, outputs["patch"].flatten(0, 1))
    return outputs


def run_timm_convnext(model: torch.nn.Module, x: torch.Tensor) -> Outputs:
    norm = model.head.norm
    return run_convnext(
        model, model.stages, lambda t: torch.nn.functional.layer_norm(t, t.shape[-1:], norm.weight, norm.bias, norm.eps), x
    )


def agreed(case: str, got: Outputs, reference: Outputs) -> Outputs:
    error = largest_error(got, reference)
    assert error < SAME, f"{case} differs from the reference by {error}"
    print(f"{case}: {error:.1e} from the reference")
    return got


def transformers_vit(case: str, seed: int, grid: tuple[int, int], *, shard_size="1GB", **arguments) -> Case:
    reference = meta.vit(seed, **arguments)
    gated = arguments.get("ffn_layer", "mlp") != "mlp"
    first = reference.blocks[0].mlp.w1 if gated else reference.blocks[0].mlp.fc1
    bias = arguments.get("qkv_bias", True)
    config = transformers.DINOv3ViTConfig(
        hidden_size=reference.embed_dim,
        intermediate_size=first.out_features,
        num_hidden_layers=reference.n_blocks,
        num_attention_heads=reference.num_heads,
        num_register_tokens=reference.n_storage_tokens,
        hidden_act="silu" if gated else "gelu",
        use_gated_mlp=gated,
        query_bias=bias,
        value_bias=bias,
    )
    model = transformers.DINOv3ViTModel(config).eval()
    model.load_state_dict(transformers_vit_state(reference), strict=True)
    x = pixels(*grid, 16, seed + 1000)
    check_sensitivity(case, model, lambda: run_transformers_vit(model, x), ("mask_token",))
    outputs = agreed(case, run_transformers_vit(model, x), meta.run_vit(reference, x))
    return Case(case, x, outputs, lambda folder: save_transformers(model, folder / "model", shard_size))


def transformers_convnext(case: str, seed: int, grid: tuple[int, int], *, depths: list[int], dims: list[int]) -> Case:
    reference = meta.convnext(seed, depths=depths, dims=dims)
    config = transformers.DINOv3ConvNextConfig(depths=depths, hidden_sizes=dims)
    model = transformers.DINOv3ConvNextModel(config).eval()
    model.load_state_dict(transformers_convnext_state(reference), strict=True)
    x = pixels(*grid, 32, seed + 1000)
    check_sensitivity(case, model, lambda: run_transformers_convnext(model, x), ())
    outputs = agreed(case, run_transformers_convnext(model, x), meta.run_convnext(reference, x))
    return Case(case, x, outputs, lambda folder: save_transformers(model, folder / "model", "1GB"))


def save_transformers(model: torch.nn.Module, folder: Path, shard_size: str) -> None:
    model.save_pretrained(folder, max_shard_size=shard_size)
    transformers.DINOv3ViTImageProcessor().save_pretrained(folder)


def timm_vit(case: str, seed: int, grid: tuple[int, int], name: str, **arguments) -> Case:
    reference = meta.vit(seed, qkv_bias=name.endswith("qkvb"), **arguments)
    sizes = dict(embed_dim=reference.embed_dim, depth=reference.n_blocks, num_heads=reference.num_heads)
    # timm gives the hidden size of its gated FFN directly, the reference two thirds of it.
    ratio = arguments["ffn_ratio"] * (2 / 3 if "ffn_layer" in arguments else 1)
    model = timm.create_model(f"{name}.lvd1689m", mlp_ratio=ratio, **sizes).eval()
    model.load_state_dict(timm_vit_state(reference), strict=True)
    x = pixels(*grid, 16, seed + 1000)
    check_sensitivity(case, model, lambda: run_timm_vit(model, x), ())
    outputs = agreed(case, run_timm_vit(model, x), meta.run_vit(reference, x))
    return Case(case, x, outputs, lambda folder: save_timm(model, folder / "model"))


def timm_convnext(case: str, seed: int, grid: tuple[int, int], *, depths: list[int], dims: list[int]) -> Case:
    reference = meta.convnext(seed, depths=depths, dims=dims)
    model = timm.create_model("convnext_tiny.dinov3_lvd1689m", depths=depths, dims=dims).eval()
    model.load_state_dict(timm_convnext_state(reference), strict=True)
    x = pixels(*grid, 32, seed + 1000)
    check_sensitivity(case, model, lambda: run_timm_convnext(model, x), ())
    outputs = agreed(case, run_timm_convnext(model, x), meta.run_convnext(reference, x))
    return Case(case, x, outputs, lambda folder: save_timm(model, folder / "model"))


def save_timm(model: torch.nn.Module, folder: Path) -> None:
    timm.models.save_for_hf(model, str(folder), safe_serialization=True)


def cases() -> Iterator[Case]:
    yield transformers_vit("transformers-vit-mlp", 11, (4, 3), embed_dim=64, num_heads=4, depth=2, ffn_ratio=2)
    gated = dict(ffn_layer="swiglu", ffn_ratio=2)
    yield transformers_vit("transformers-vit-swiglu", 12, (2, 5), embed_dim=64, num_heads=2, depth=2, **gated)
    yield transformers_vit(
        "transformers-vit-7b-sharded",
        13,
        (3, 5),
        shard_size="300KB",
        embed_dim=128,
        num_heads=1,
        depth=1,
        ffn_layer="swiglu64",
        ffn_ratio=0.7,
        qkv_bias=False,
    )
    sizes = dict(depths=[1, 2, 1, 1], dims=[16, 32, 48, 64])
    yield transformers_convnext("transformers-convnext", 14, (2, 3), **sizes)
    yield timm_vit("timm-vit-mlp", 15, (3, 4), "vit_small_patch16_dinov3", embed_dim=128, num_heads=2, depth=1, ffn_ratio=1.5)
    one_head = dict(embed_dim=64, num_heads=1, depth=2)
    yield timm_vit("timm-vit-mlp-qkvb", 16, (5, 2), "vit_small_patch16_dinov3_qkvb", ffn_ratio=2, **one_head)
    yield timm_vit("timm-vit-swiglu", 17, (4, 3), "vit_small_plus_patch16_dinov3", **gated, **one_head)
    yield timm_vit("timm-vit-swiglu-qkvb", 18, (2, 3), "vit_small_plus_patch16_dinov3_qkvb", **gated, **one_head)
    yield timm_convnext("timm-convnext", 19, (3, 2), **sizes)
