"""Writes tests/golden/analysis/*.npy: what numpy and scikit-learn say about small random features.

Run: python tests/golden/make_analysis.py (needs numpy and scikit-learn). The seed is fixed: the files come out the same.
"""

from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

OUT = Path(__file__).parent / "analysis"
ROWS, COLS, DIM = 6, 7, 12


def features(rng, rows, cols, dim):
    """Correlated, with a large mean, as patch features are: [rows * cols, dim]."""
    mixing = rng.normal(size=(dim, dim)) * np.geomspace(1.0, 0.1, dim)[:, None]
    return (rng.normal(size=(rows * cols, dim)) @ mixing + 3.0 * rng.normal(size=dim)).astype(np.float32)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def thin(points, distance):
    """Drops the point with most others within `distance` (the first of equals) until none has another near."""
    alive = list(range(len(points)))
    while alive:
        p = points[alive]
        near = (np.linalg.norm(p[:, None] - p[None], axis=-1) <= distance).sum(axis=1) - 1
        if near.max() == 0:
            break
        del alive[int(near.argmax())]
    return np.array(alive, dtype=np.int64)


def main():
    rng = np.random.default_rng(7)
    OUT.mkdir(exist_ok=True)
    save = lambda name, array: np.save(OUT / f"{name}.npy", array)

    left = features(rng, ROWS, COLS, DIM)
    right = left[rng.permutation(len(left))] + rng.normal(scale=0.5, size=left.shape).astype(np.float32)
    save("left", left.reshape(ROWS, COLS, DIM))
    save("right", right.reshape(ROWS, COLS, DIM))

    l64, r64 = unit(left.astype(np.float64)), unit(right.astype(np.float64))
    positive, negative = [3, 20], [11, 40]
    query = l64[positive].mean(axis=0)
    query /= np.linalg.norm(query)
    cosines = r64 @ query - (r64 @ l64[negative].T).mean(axis=1)
    save("similarity", cosines.reshape(ROWS, COLS).astype(np.float32))

    everything = PCA(n_components=5, whiten=True, svd_solver="full").fit(left.astype(np.float64))
    save("pca", everything.transform(left.astype(np.float64)).reshape(ROWS, COLS, 5))
    save("pca_ratio", everything.explained_variance_ratio_)
    # Fewer patches than dimensions: the first nine are foreground.
    few = PCA(n_components=3, whiten=True, svd_solver="full").fit(left[:9].astype(np.float64))
    save("pca_few", few.transform(left.astype(np.float64)).reshape(ROWS, COLS, 3))
    save("pca_few_ratio", few.explained_variance_ratio_)
    both = np.concatenate([left, right]).astype(np.float64)
    joint = PCA(n_components=3, whiten=True, svd_solver="full").fit(both)
    save("pca_joint", joint.transform(right.astype(np.float64)).reshape(ROWS, COLS, 3))

    table = l64 @ r64.T
    save("nearest", np.stack([table.argmax(axis=1), table.argmax(axis=0)]).astype(np.int64))

    points = np.concatenate([rng.uniform(0, 900, size=(150, 2)), (np.argwhere(np.ones((12, 12))) + 0.5) * 40])
    save("points", points)
    save("thinned", thin(points, 100.0))


if __name__ == "__main__":
    main()
