"""Times one forward pass of dinoscope and of its peers on the CPU, in turns, and prints medians and ratios as Markdown."""

import argparse
import importlib.metadata
import json
import logging
import statistics
import tempfile
import time
from pathlib import Path

import peers
from common import dinoscope_bench, machine, table

OURS = {"dinoscope f32": "f32", "dinoscope bf16": "bf16"}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dinoscope", type=Path, default=Path("target/release/dinoscope"))
    parser.add_argument("--models", nargs="+", default=["vits16", "vitb16"], choices=peers.MODELS)
    parser.add_argument("--sizes", nargs="+", type=int, default=[512, 768], help="sides of a square, multiples of 16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5, help="every program has one turn in a round")
    parser.add_argument("--passes", type=int, default=3, help="timed forward passes in a turn, after one that is not")
    parser.add_argument("--skip", nargs="+", default=[], help="programs whose name starts with one of these")
    parser.add_argument("--onnx", type=Path, default=Path(tempfile.gettempdir()) / "dinoscope-onnx", help="cache of exports")
    parser.add_argument("--json", type=Path, help="also write every single time, in milliseconds, to this file")
    return parser.parse_args()


def time_peer(forward: peers.Forward, passes: int) -> list[float]:
    forward()
    times = []
    for _ in range(passes):
        start = time.perf_counter()
        forward()
        times.append(1000 * (time.perf_counter() - start))
    return times


def time_dinoscope(options: argparse.Namespace, model: str, size: int, dtype: str) -> list[float]:
    """One process a turn; it warms up by itself and reports its median."""
    arguments = ["--model", model, "--size", size, "--dtype", dtype]
    arguments += ["--threads", options.threads, "--iters", options.passes]
    return [dinoscope_bench(options.dinoscope, "backbone", *arguments)]


def measure(options: argparse.Namespace, model: str, size: int) -> dict[str, list[float]]:
    def wanted(name: str) -> bool:
        return not any(name.startswith(skipped) for skipped in options.skip)

    contenders = {
        name: lambda dtype=dtype: time_dinoscope(options, model, size, dtype) for name, dtype in OURS.items() if wanted(name)
    }
    for name, build in peers.peers(model, size, options.threads, options.onnx).items():
        if wanted(name):
            forward = build()
            contenders[name] = lambda forward=forward: time_peer(forward, options.passes)
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for round_ in range(options.rounds):
        for name, run in contenders.items():
            times[name] += run()
            logging.info("%s %d, round %d: %s %.0f ms", model, size, round_ + 1, name, times[name][-1])
    return times


def report(results: dict[tuple[str, int], dict[str, list[float]]]) -> str:
    names = list(next(iter(results.values())))
    medians = {case: {name: statistics.median(t) for name, t in times.items()} for case, times in results.items()}
    case_name = "{} {}²".format
    rows = [[case_name(*case), *(f"{m[name]:.0f}" for name in names)] for case, m in medians.items()]
    text = ["Median milliseconds of one forward pass, batch 1:", "", table(["model, size", *names], rows)]
    for ours in (name for name in names if name in OURS):
        others = [name for name in names if name not in OURS]
        rows = [[case_name(*case), *(f"{m[ours] / m[name]:.2f}" for name in others)] for case, m in medians.items()]
        text += ["", f"{ours} / peer (below 1: dinoscope is faster):", "", table(["model, size", *others], rows)]
    return "\n".join(text)


def main() -> None:
    options = arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    versions = [f"{p} {importlib.metadata.version(p)}" for p in ("openvino", "onnxruntime", "torch", "transformers")]
    print(f"{machine()} at the start; {options.threads} threads, {options.rounds} rounds of {options.passes} passes;")
    print(f"{', '.join(versions)}.\n", flush=True)
    results: dict[tuple[str, int], dict[str, list[float]]] = {}
    try:
        for model in options.models:
            for size in options.sizes:
                results[model, size] = measure(options, model, size)
    finally:  # what is finished counts when the rest is interrupted
        if results:
            print(report(results))
        if options.json:
            options.json.write_text(json.dumps({f"{model}-{size}": times for (model, size), times in results.items()}))


if __name__ == "__main__":
    main()
