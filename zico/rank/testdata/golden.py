"""Writes scipy.json, the expected values of rank's tests: python3 golden.py > scipy.json (a scipy.py would hide the package)

Made with scipy 1.14.1, numpy 2.2.6, scikit-learn 1.5.2 (written into the file). NaN scores are given to kendalltau and
spearmanr as a value below all others, and weightedtau treats them so itself; pearsonr is given the finite pairs.
"""
import json
import math
import sys
import warnings

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn.metrics import ndcg_score

warnings.simplefilter("ignore")
rng = np.random.default_rng(20230131)


def normal(n, rho):
    x = rng.standard_normal(n)
    return np.round(x, 3), np.round(rho * x + math.sqrt(1 - rho * rho) * rng.standard_normal(n), 3)


inf, nan = math.inf, math.nan
cases = [
    ("two pairs, same order", [1, 2], [10, 20]),
    ("two pairs, opposite order", [1, 2], [20, 10]),
    ("two pairs, tied score", [1, 1], [20, 10]),
    ("three pairs", [1, 2, 3], [1, 3, 2]),
    ("three pairs, tied score", [1, 1, 3], [1, 3, 2]),
    ("three pairs, tied both", [1, 1, 3], [2, 2, 1]),
    ("one pair", [1], [2]),
    ("constant score", [5, 5, 5, 5], [1, 2, 3, 4]),
    ("constant truth", [1, 2, 3, 4], [.1, .1, .1, .1]),
    ("both constant", [.1, .1, .1], [.3, .3, .3]),
    ("SciPy's example of weightedtau", [12, 2, 1, 12, 2], [1, 4, 7, 1, 0]),
    ("identity", list(range(20)), list(range(20))),
    ("reversal", list(range(20)), list(range(20, 0, -1))),
    ("infinite scores", [inf, 3, -inf, inf, 1, 2, -inf], [9, 5, 1, 8, 2, 4, 3]),
    ("infinite truth", [5, 3, 1, 4, 2], [inf, 5, -inf, inf, 2]),
    ("no score for some", [nan, 3, -inf, nan, 1, 2, 7], [9, 5, 1, 8, 2, 4, 3]),
    ("zeros of both signs", [0., -0., 1, 2], [4, 3, 2, 1]),
    ("large and small values", [1e300, 2e300, -1e300, 1e-300], [1e-300, 3e-300, 2e-300, -1e-300]),
    ("weak correlation", *normal(100, .2)),
    ("strong correlation", *normal(500, .9)),
    ("negative correlation", *normal(100, -.7)),
    ("ties", *np.round(np.multiply(normal(200, .6), 4))),
    ("heavy ties", rng.integers(0, 3, 300), rng.integers(0, 4, 300)),
    ("ties in score alone", rng.integers(0, 10, 200), np.round(rng.standard_normal(200), 3)),
    ("two levels", rng.integers(0, 2, 50), rng.integers(0, 2, 50)),
]


def number(v):
    v = float(v)
    return v if math.isfinite(v) else {inf: "+Inf", -inf: "-Inf"}.get(v, "NaN")


def pearson(x, y):
    # pearsonr has a special case for two pairs, which forgets that equal values have no correlation.
    return stats.pearsonr(x, y).statistic if len(x) > 1 and np.ptp(x) > 0 and np.ptp(y) > 0 else nan


def case(name, x, y):
    x, y = np.asarray(x, float), np.asarray(y, float)
    ranks = np.unique(np.nan_to_num(x, nan=-inf, posinf=1e308, neginf=-1e308), return_inverse=True)[1]
    ok = np.isfinite(x) & np.isfinite(y)
    many = len(x) > 1
    out = {
        "name": name,
        "score": [number(v) for v in x],
        "truth": [number(v) for v in y],
        "kendall": number(stats.kendalltau(ranks, y, variant="b").statistic if many else nan),
        "spearman": number(stats.spearmanr(ranks, y).statistic if many else nan),
        "pearson": number(pearson(x[ok], y[ok])),
        "weighted": number(stats.weightedtau(x, y).statistic if many else nan),
    }
    if ok.all() and many and y.min() < y.max():
        gain = (y - y.min()) / (y.max() - y.min())
        ks = [k for k in (1, 3, 10, len(x)) if k <= len(x)]
        # Ranks instead of scores: the order is the same, and ndcg_score rounds large values.
        out["ndcg"] = {str(k): number(ndcg_score([gain], [ranks.astype(float)], k=k)) for k in ks}
    return out


def large():
    """As many pairs as NAS-Bench-101 has, by a formula. Spearman's rho in integers: float sums of so many products round."""
    i = np.arange(423624)
    x, y = (i * 7919) % 1000003 // 3, (i * 7919) % 1000003 // 4000 + (i * i * 31) % 1009
    a, b = ([int(v) for v in 2 * stats.rankdata(v) - (len(v) + 1)] for v in (x, y))
    ab, aa, bb = (sum(p * q for p, q in zip(u, v)) for u, v in ((a, b), (a, a), (b, b)))
    return {
        "kendall": stats.kendalltau(x, y).statistic,
        "spearman": ab / math.sqrt(aa * bb),
        "pearson": stats.pearsonr(x, y).statistic,
        "weighted": stats.weightedtau(x, y).statistic,
    }


json.dump({
    "made_with": f"scipy {scipy.__version__}, numpy {np.__version__}, scikit-learn {sklearn.__version__}",
    "large": large(),
    "cases": [case(*c) for c in cases],
}, sys.stdout)
print()
