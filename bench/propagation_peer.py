"""Times one step of label propagation in dinoscope and in PyTorch, which holds the dense matrix of similarities, and weighs their memory.

Both take a frame and its context of eight frames with random features of length 1; `dinoscope bench --what propagate` is the
one, the method of facebookresearch/dinov3 (notebooks/segmentation_tracking.ipynb) the other. They take turns.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch

from common import dinoscope_json, machine, table

CONTEXT, CLASSES, RADIUS, TOPK, TEMPERATURE = 8, 4, 12.0, 5, 0.2

# Patch rows and columns, numbers per patch, and the model and size whose features are that many.
GRIDS = [(60, 80, 384, "vits16", "1280x960"), (60, 80, 1024, "vitl16", "1280x960")]


class Dense:
    """The inputs of one step; the neighbourhood is made once, as in the notebook."""

    def __init__(self, rows: int, cols: int, dim: int) -> None:
        unit = lambda *shape: torch.nn.functional.normalize(torch.randn(*shape, dim), dim=-1)
        self.target, self.context = unit(rows, cols), unit(CONTEXT, rows, cols)
        stripes = (torch.arange(cols) * CLASSES // cols).expand(CONTEXT, rows, cols)
        self.probabilities = torch.nn.functional.one_hot(stripes, CLASSES).float()
        places = torch.cartesian_prod(torch.arange(rows), torch.arange(cols)).float()
        self.is_near = (torch.cdist(places, places) <= RADIUS).view(rows, cols, rows, cols)

    def __call__(self) -> torch.Tensor:
        cosines = torch.einsum("ijd, tuvd -> ijtuv", self.target, self.context)
        cosines = torch.where(self.is_near[:, :, None], cosines, -torch.inf).flatten(2).flatten(0, 1)
        least = torch.topk(cosines, dim=1, k=TOPK).values[:, -1:]
        cosines = torch.where(cosines >= least, cosines, -torch.inf)
        weights = torch.softmax(cosines / TEMPERATURE, dim=1)
        mixed = weights @ self.probabilities.flatten(0, 2)
        return mixed / mixed.sum(dim=1, keepdim=True)


def memory_mb(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(key)).split()[1]) * 1024 / 1e6


def timed(step: Dense) -> tuple[float, float]:
    """Milliseconds, and megabytes beyond what was in use before."""
    Path("/proc/self/clear_refs").write_text("5")
    before = memory_mb("VmRSS")
    start = time.perf_counter()
    step()
    return 1000 * (time.perf_counter() - start), memory_mb("VmHWM") - before


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dinoscope", type=Path, default=Path("target/release/dinoscope"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iters", type=int, default=5, help="of dinoscope in a round; PyTorch has one")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{machine()} at the start; {options.threads} threads; PyTorch {torch.__version__}.\n", flush=True)
    rows = []
    for grid_rows, grid_cols, dim, model, size in GRIDS:
        step = Dense(grid_rows, grid_cols, dim)
        ours, theirs, our_memory, their_memory = [], [], [], []
        for _ in range(options.rounds):
            shared = ["--model", model, "--size", size, "--threads", options.threads, "--iters", options.iters]
            part = dinoscope_json(options.dinoscope, "propagate", "--device", "cpu", *shared)["propagate"]
            ours.append(part["median_ms"])
            our_memory.append(part["extra_memory_mb"])
            elapsed, extra = timed(step)
            theirs.append(elapsed)
            their_memory.append(extra)
        our_time, their_time = statistics.median(ours), statistics.median(theirs)
        # Memory that was freed may stay with the process: the first call is the one that counts.
        our_extra, their_extra = max(our_memory), their_memory[0]
        rows.append([
            f"{grid_rows}×{grid_cols}×{dim}",
            f"{our_time:.0f}", f"{their_time:.0f}", f"{our_time / their_time:.3f}",
            f"{our_extra:.0f}", f"{their_extra:.0f}", f"{our_extra / their_extra:.3f}",
        ])
    header = ["grid", "dinoscope ms", "PyTorch ms", "ratio", "dinoscope MB", "PyTorch MB", "ratio"]
    print(table(header, rows))


if __name__ == "__main__":
    main()
