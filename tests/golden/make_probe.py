"""Writes tests/golden/probe/*.npy: what scikit-learn says about probes of small random features.

Run: python tests/golden/make_probe.py (needs numpy, scipy and scikit-learn). The seed is fixed: the files come out the same.
"""

import warnings
from pathlib import Path

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, precision_recall_curve
from sklearn.neighbors import NearestNeighbors

OUT = Path(__file__).parent / "probe"
PICTURES, PATCHES, DIM = 4, 60, 16
CS = np.logspace(-4, 2, 4)
KS, TEMPERATURE = (5, 20, 1000), 0.07


def regression(c):
    # Far beyond its usual tolerance: what is compared is the minimum, not where somebody stopped.
    return LogisticRegression(C=c, tol=1e-12, max_iter=100_000)


def labelled(rng, classes):
    """Features of which some numbers are large, and classes that overlap: [PICTURES * PATCHES, DIM] and their labels."""
    count = PICTURES * PATCHES
    labels = rng.integers(classes, size=count)
    centres = rng.normal(scale=0.7, size=(classes, DIM))
    scales = np.geomspace(0.2, 8.0, DIM)
    return ((rng.normal(size=(count, DIM)) + centres[labels]) * scales + 0.5).astype(np.float32), labels.astype(np.int64)


def main():
    warnings.simplefilter("error")
    rng = np.random.default_rng(11)
    OUT.mkdir(exist_ok=True)
    save = lambda name, array: np.save(OUT / f"{name}.npy", array)
    save("cs", CS)

    for name, classes in ("two", 2), ("four", 4):
        x, y = labelled(rng, classes)
        save(f"{name}_features", x)
        save(f"{name}_labels", y)
        fitted = [regression(c).fit(x.astype(np.float64), y) for c in CS]
        save(f"{name}_weights", np.stack([it.coef_ for it in fitted]))
        save(f"{name}_intercepts", np.stack([it.intercept_ for it in fitted]))
        save(f"{name}_probabilities", np.stack([it.predict_proba(x.astype(np.float64)) for it in fitted]))
        # It must show whether the intercept is penalised and whether C is taken for its inverse.
        assert np.abs(fitted[0].coef_ - fitted[1].coef_).max() > 0.05

    x, y = np.load(OUT / "two_features.npy"), np.load(OUT / "two_labels.npy")
    pictures = np.repeat(np.arange(PICTURES), PATCHES)
    precisions = np.zeros((PICTURES, len(CS)))
    for picture in range(PICTURES):
        train, held_out = pictures != picture, pictures == picture
        for j, c in enumerate(CS):
            scores = regression(c).fit(x[train].astype(np.float64), y[train]).predict_proba(x[held_out].astype(np.float64))[:, 1]
            precisions[picture, j] = average_precision_score(y[held_out], scores)
    save("average_precision", precisions)
    assert np.diff(np.sort(precisions.mean(axis=0)))[-1] > 1e-3, "one C must be the best by far"

    # Scores with ties.
    scores = (rng.integers(12, size=80) / 12).astype(np.float32)
    answers = rng.random(80) < scores
    precision, recall, thresholds = precision_recall_curve(answers, scores, drop_intermediate=False)
    for name, array in ("scores", scores), ("answers", answers), ("precision", precision), ("recall", recall), ("thresholds", thresholds):
        save(f"curve_{name}", array)
    save("curve_average", np.array([average_precision_score(answers, scores)]))

    x, y = np.load(OUT / "four_features.npy"), np.load(OUT / "four_labels.npy")
    train, queries = x[:180], x[180:]
    unit = lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True)
    index = NearestNeighbors(n_neighbors=180, metric="cosine").fit(unit(train))
    distances, neighbours = index.kneighbors(unit(queries))
    ks = sorted({min(k, len(train)) for k in KS})
    votes = softmax((1 - distances[:, : max(ks)]) / TEMPERATURE, axis=1)
    one_hot = np.eye(4)[y[neighbours[:, : max(ks)]]]
    save("neighbour_votes", np.stack([(one_hot * votes[..., None])[:, :k].sum(axis=1) for k in ks]))


main()
