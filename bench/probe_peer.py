"""Trains the reference notebook's probe with dinoscope and with scikit-learn on the same pictures, masks and features: average
precision of every fold, the C that is chosen, the final weights, and the time that training takes."""

import argparse
import json
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
from PIL import Image
from safetensors.numpy import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from threadpoolctl import threadpool_limits

from common import machine, table

CS = np.logspace(-7, 0, 8)


def labelled(features: Path, mask: Path, stride: int, least: float) -> tuple[np.ndarray, np.ndarray]:
    """The notebook's way: the mask resized as the picture was, each patch the mean of its pixels, kept where it is clear; above `least` it is foreground."""
    patch = load_file(features)["patch"]
    rows, cols, dim = patch.shape
    image = Image.fromarray((np.asarray(Image.open(mask)) > 0).astype(np.uint8) * 255)
    resized = np.asarray(image.resize((cols * stride, rows * stride), Image.Resampling.BILINEAR), dtype=np.float64) / 255
    shares = resized.reshape(rows, stride, cols, stride).mean(axis=(1, 3)).reshape(-1)
    kept = (shares < 0.01) | (shares > 0.99)
    return patch.reshape(-1, dim)[kept], (shares[kept] > least).astype(int)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dinoscope", type=Path, default=Path("target/release/dinoscope"))
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--size", default="768")
    parser.add_argument("--stride", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--notebook-labels", action="store_true", help="what a mask only touches is foreground, as in the notebook")
    parser.add_argument("model", nargs="*", help="options that choose the model, after --")
    options = parser.parse_args()
    print(f"{machine()} at the start; {options.threads} threads; scikit-learn {sklearn.__version__}.\n", flush=True)
    shared = ["--size", options.size, "--device", "cpu", "--threads", str(options.threads), *options.model]
    least = 0 if options.notebook_labels else 0.5
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.safetensors"
        command = [options.dinoscope, "probe", "train", "--images", options.images, "--masks", options.masks, "-o", probe]
        command += ["--cv", "leave-one-out", "--c", "1e-7:1:8", "--json", *shared]
        command += ["--notebook-labels"] if options.notebook_labels else []
        ours = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        pictures = [options.images / name for name in ours["pictures"]]
        subprocess.run([options.dinoscope, "features", *pictures, "-o", folder, "-q", *shared], check=True)
        pairs = [labelled(Path(folder) / f"{p.stem}.safetensors", options.masks / f"{p.stem}.png", options.stride, least) for p in pictures]
        weights = load_file(probe)

    of = np.repeat(np.arange(len(pairs)), [len(labels) for _, labels in pairs])
    xs, ys = np.concatenate([x for x, _ in pairs]), np.concatenate([y for _, y in pairs])
    assert len(ys) == ours["patches"], f"{len(ys)} patches are labelled here, {ours['patches']} there"
    theirs = np.zeros((len(pairs), len(CS)))
    start = time.perf_counter()
    with threadpool_limits(options.threads), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for picture in range(len(pairs)):
            train = of != picture
            for j, c in enumerate(CS):
                # As in the notebook.
                fitted = LogisticRegression(random_state=0, C=c, max_iter=10000).fit(xs[train], ys[train])
                theirs[picture, j] = average_precision_score(ys[~train], fitted.predict_proba(xs[~train])[:, 1])
        # Of equals the largest, as there.
        best = CS[::-1][theirs.mean(axis=0)[::-1].argmax()]
        LogisticRegression(random_state=0, C=best, max_iter=100000).fit(xs, ys)
        seconds = time.perf_counter() - start
    # To the minimum: the notebook's tolerance ends before it.
    def minimum(c: float, chosen: np.ndarray) -> LogisticRegression:
        return LogisticRegression(C=c, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(xs[chosen].astype(np.float64), ys[chosen])

    exact, everything = np.zeros_like(theirs), minimum(ours["c"], np.full(len(ys), True))
    for picture in range(len(pairs)):
        for j, c in enumerate(CS):
            scores = minimum(c, of != picture).predict_proba(xs[of == picture].astype(np.float64))[:, 1]
            exact[picture, j] = average_precision_score(ys[of == picture], scores)

    found = np.array([fold["average_precision"] for fold in ours["folds"]])
    coefficients = np.concatenate([weights["weights"][0], weights["intercept"]])
    expected = np.concatenate([everything.coef_[0], everything.intercept_])
    rows = [
        ["patches × numbers", f"{xs.shape[0]} × {xs.shape[1]}", "the same"],
        ["best C", f"{ours['c']:.0e}", f"{best:.0e}"],
        ["mean average precision there", f"{found.mean(axis=0).max():.4f}", f"{theirs.mean(axis=0).max():.4f}"],
        ["a fold's average precision, largest difference from the minimum's", f"{np.abs(found - exact).max():.1e}", f"{np.abs(theirs - exact).max():.1e}"],
        ["weights, largest difference from the minimum's, of the largest weight", f"{np.abs(coefficients - expected).max() / np.abs(expected).max():.1e}", ""],
        ["training, s", f"{ours['training_s']:.2f}", f"{seconds:.2f}"],
        ["ratio", f"{ours['training_s'] / seconds:.2f}", ""],
    ]
    print(table(["", "dinoscope", "scikit-learn"], rows))


if __name__ == "__main__":
    main()
