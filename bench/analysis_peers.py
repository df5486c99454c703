"""Times the PCA of dinoscope and of scikit-learn (three components, whitened, fitted and applied) on the same size of grid."""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import sklearn
from sklearn.decomposition import PCA
from threadpoolctl import threadpool_limits

from common import dinoscope_bench, machine, table

# Patches along a side, numbers per patch, and the model and size whose features are that many.
GRIDS = [(64, 384, "vits16", 1024), (128, 1024, "vitl16", 2048)]


def scikit_learn(patches: int, dim: int, rounds: int) -> float:
    """Median milliseconds. Features have a falling spectrum, as those of a picture."""
    rng = np.random.default_rng(0)
    spectrum = (1 / np.sqrt(1 + np.arange(dim))).astype(np.float32)
    features = rng.standard_normal((patches, dim), dtype=np.float32) * spectrum
    times = []
    for _ in range(1 + rounds):
        start = time.perf_counter()
        PCA(n_components=3, whiten=True, random_state=0).fit_transform(features)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dinoscope", type=Path, default=Path("target/release/dinoscope"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{machine()} at the start; {options.threads} threads; scikit-learn {sklearn.__version__}.\n", flush=True)
    rows = []
    for side, dim, model, size in GRIDS:
        shared = ["--threads", options.threads, "--iters", options.rounds]
        ours = dinoscope_bench(options.dinoscope, "pca", "--model", model, "--size", size, *shared)
        with threadpool_limits(options.threads):
            theirs = scikit_learn(side * side, dim, options.rounds)
        rows.append([f"{side}×{side}×{dim}", f"{ours:.1f}", f"{theirs:.1f}", f"{ours / theirs:.2f}"])
    print(table(["grid", "dinoscope ms", "scikit-learn ms", "ratio"], rows))


if __name__ == "__main__":
    main()
