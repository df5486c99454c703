"""Times one forward pass of dinoscope through wgpu and of PyTorch on the same GPU, in turns, and dinoscope's two largest
kernels beside what the device does at most; prints Markdown. Every pass starts with pixels in the host's memory and ends
with features there."""

import argparse
import logging
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import peers
import torch
from common import dinoscope_json, machine, table

OURS = ("f32", "f16")
THEIRS = ("f32 eager", "f32 compiled", "bf16 eager", "bf16 compiled")
# What is compared with what: by the type of the weights.
RATIOS = {"f32": ("f32 eager", "f32 compiled"), "f16": ("bf16 eager", "bf16 compiled")}

NO_GPU = """PyTorch finds no GPU here, so there is nothing to compare with: nothing was measured.
`--dry` runs one tiny case on the processor (dinoscope on software Vulkan), which shows that the script works; its numbers
say nothing about any GPU."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dinoscope", type=Path, default=Path("target/release/dinoscope"))
    parser.add_argument("--device", default="wgpu", help="as dinoscope takes it: wgpu:NAME where there are several GPUs")
    parser.add_argument("--models", nargs="+", default=["vits16", "vitb16", "vitl16"], choices=peers.MODELS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[512, 1024], help="sides of a square, multiples of 16")
    parser.add_argument("--rounds", type=int, default=5, help="every program has one turn in a round")
    parser.add_argument("--passes", type=int, default=20, help="timed forward passes in a turn, after some that are not")
    parser.add_argument("--skip-compiled", action="store_true", help="leave out torch.compile")
    parser.add_argument("--dry", action="store_true", help="one tiny case without a GPU")
    return parser.parse_args()


def accelerator() -> torch.device | None:
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps") if torch.backends.mps.is_available() else None


def synchronise(device: torch.device) -> None:
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


def pytorch(name: str, size: int, variant: str, device: torch.device) -> peers.Forward:
    dtype, kind = variant.split()
    torch_type = {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
    model = peers.build(name).to(device, torch_type)
    if kind == "compiled":
        model = torch.compile(model, mode="max-autotune")
    x = peers.pixels(size)

    @torch.inference_mode()
    def forward() -> object:
        return model(x.to(device, torch_type)).last_hidden_state.float().cpu()

    return forward


def milliseconds(run: Callable[[], object], passes: int, device: torch.device) -> float:
    """Median of so many runs, each waited for."""
    times = []
    for i in range(3 + passes):
        synchronise(device)
        start = time.perf_counter()
        run()
        synchronise(device)
        if i >= 3:
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def measure(options: argparse.Namespace, model: str, size: int, device: torch.device) -> dict[str, float]:
    """Medians over all rounds, by program."""

    def ours(dtype: str) -> float:
        common = ["--model", model, "--size", size, "--device", options.device, "--iters", options.passes]
        return dinoscope_json(options.dinoscope, "backbone", *common, "--dtype", dtype)["backbone"]["median_ms"]

    turns = {f"dinoscope {dtype}": lambda dtype=dtype: ours(dtype) for dtype in OURS}
    for variant in THEIRS:
        if not (options.skip_compiled and variant.endswith("compiled")):
            forward = pytorch(model, size, variant, device)
            turns[f"PyTorch {variant}"] = lambda forward=forward: milliseconds(forward, options.passes, device)
    times: dict[str, list[float]] = {name: [] for name in turns}
    for round_ in range(options.rounds):
        for name, turn in turns.items():
            times[name].append(turn())
            logging.info("%s %d, round %d: %s %.2f ms", model, size, round_ + 1, name, times[name][-1])
    return {name: statistics.median(values) for name, values in times.items()}


def peak_gflops(dtype: torch.dtype, device: torch.device, side: int, passes: int) -> float:
    """Of PyTorch's product of two large squares: what the device does at most in that type."""
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    return 2 * side**3 / 1e6 / milliseconds(lambda: a @ b, passes, device)


def shares(options: argparse.Namespace, device: torch.device, side: int) -> list[list[str]]:
    """Of the two largest kernels of each model: GFLOP/s, and the share of the peak in that type."""
    peaks = {
        "f32": peak_gflops(torch.float32, device, side, options.passes),
        "f16": peak_gflops(torch.float16, device, side, options.passes),
    }
    rows = []
    for model in options.models:
        for size in options.sizes:
            for dtype in OURS:
                common = ["--model", model, "--size", size, "--device", options.device, "--dtype", dtype]
                found = dinoscope_json(options.dinoscope, "kernels", *common)
                for part in ("gemm", "attention"):
                    kernel = found["kernels"][part]
                    speed, peak = kernel["gflops"], peaks[dtype]
                    fused = found["kernels"]["peak"]["gflops"]
                    rows.append(
                        [f"{part} {kernel['shape']}, {dtype}", found["method"] if part == "gemm" else "", f"{speed:.0f}"]
                        + [f"{speed / peak:.0%} of {peak:.0f}", f"{speed / fused:.0%} of {fused:.0f}"]
                    )
    return rows


def report(results: dict[tuple[str, int], dict[str, float]]) -> str:
    names = list(next(iter(results.values())))
    rows = [[f"{model} {size}²", *(f"{times[name]:.2f}" for name in names)] for (model, size), times in results.items()]
    lines = ["Median milliseconds of one forward pass, batch 1:", "", table(["model, size", *names], rows)]
    header = ["model, size", *(f"{ours} / {theirs}" for ours, others in RATIOS.items() for theirs in others)]
    rows = []
    for (model, size), times in results.items():
        row = [f"{model} {size}²"]
        for ours, others in RATIOS.items():
            for other in others:
                theirs = times.get(f"PyTorch {other}")
                row.append(f"{theirs / times[f'dinoscope {ours}']:.0%}" if theirs else "")
        rows.append(row)
    return "\n".join([*lines, "", "Speed of dinoscope over that of PyTorch:", "", table(header, rows)])


def main() -> None:
    options = arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    # "f32" means f32: products in TF32 have 10 bits.
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    device, side = accelerator(), 8192
    if options.dry:
        device, side = torch.device("cpu"), 256
        options.models, options.sizes, options.rounds, options.passes = ["vits16"], [64], 1, 2
    elif device is None:
        sys.exit(NO_GPU)
    gpu = torch.cuda.get_device_name() if device.type == "cuda" else device.type
    print(f"{gpu}; {machine()}; PyTorch {torch.__version__}, SDPA, no TF32; {options.rounds} rounds of {options.passes}.\n")
    results: dict[tuple[str, int], dict[str, float]] = {}
    try:
        for model in options.models:
            for size in options.sizes:
                results[model, size] = measure(options, model, size, device)
    finally:  # what is finished counts when the rest is interrupted
        if results:
            print(report(results), flush=True)
    header = ["kernel", "tile", "GFLOP/s", "of PyTorch's largest product", "of fused multiply-adds"]
    print("\nKernels alone:\n")
    print(table(header, shares(options, device, side)))
    if options.dry:
        print("\nA dry run: these numbers say nothing about any GPU.")


if __name__ == "__main__":
    main()
