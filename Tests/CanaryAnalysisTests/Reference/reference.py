#!/usr/bin/env python3
"""Computes with NumPy and SciPy, from the definitions and sharing no code, what the tests expect of CanaryAnalysis.

  Tests/CanaryAnalysisTests/Reference/reference.py           writes reference.json anew
  Tests/CanaryAnalysisTests/Reference/reference.py --check   says whether it still holds

Where they are missing: python3 -m venv /tmp/v && /tmp/v/bin/pip install numpy scipy
"""

import json
import math
import pathlib
import sys

import numpy as np
from scipy.optimize import brentq
from scipy.special import betaln, logsumexp
from scipy.stats import binom

OCTAVES = np.cumsum([1 / 6] * 12 + [1 / 3] * 9 + [2 / 3] * 6)
WIDTHS = np.array([1 / 6] * 12 + [1 / 3] * 9 + [2 / 3] * 6)
PRIOR = WIDTHS / (OCTAVES + 0.83) / np.sum(WIDTHS / (OCTAVES + 0.83))
RATIOS = 2.0**OCTAVES


def stakes(factors):
    """Wealth after each look, by the definition: every stake is followed by itself.

    factors[i][k] is what look i multiplies a stake on alternative k by.
    """
    share = lambda m: 0.5 if m == 0 else 0.5 * 3 / ((m + 2) * (m + 3))
    placed = [[PRIOR[k] * share(0)] for k in range(len(PRIOR))]
    spent = [PRIOR[k] * share(0) for k in range(len(PRIOR))]
    wealth = []
    for look in factors:
        for k, factor in enumerate(look):
            following = PRIOR[k] * share(len(placed[k]))
            if sum(placed[k]) < following:
                placed[k].append(following)
                spent[k] += following
            placed[k] = [stake * factor for stake in placed[k]]
        wealth.append(math.log(sum(map(sum, placed)) + 1 - sum(spent)))
    return wealth


def comparison(looks, tolerated, mean_clump=1.0):
    """Looks are ((canary requests, bad), (stable requests, bad))."""
    factors = []
    for (n, e), (m, f) in looks:
        odds = lambda theta: theta * n / (n * theta + m)
        null = odds(tolerated)
        row = []
        for r in RATIOS:
            change = binom.logpmf(e, e + f, odds(tolerated * r)) - binom.logpmf(e, e + f, null)
            if mean_clump > 1:
                a, b = math.log(odds(tolerated * r) / null), math.log((1 - null) / (1 - odds(tolerated * r)))
                # The c for which a clump of an exponential size c, in units of the divisor, is fair.
                fair = lambda c: null / (1 - c * a) + (1 - null) / (1 + c * b) - 1
                c = brentq(fair, 1e-9, 0.999999 / a)
                change /= 1 + (mean_clump - 1) / c
            row.append(math.exp(change))
        factors.append(row)
    return stakes(factors)


def broken(looks, limit):
    odds = RATIOS * limit / (1 - limit)
    rates = odds / (1 + odds)
    return stakes([[math.exp(binom.logpmf(e, n, p) - binom.logpmf(e, n, limit)) for p in rates] for n, e in looks])


def kept(n, e, limit):
    prior = np.array([1 / (k + 5) for k in range(1, 41)])
    prior /= prior.sum()
    odds = limit / (1 - limit) * 2.0 ** (-np.arange(1, 41) / 6)
    rates = odds / (1 + odds)
    return logsumexp(np.log(prior) + binom.logpmf(e, n, rates) - binom.logpmf(e, n, limit))


def rates(n, e, risk):
    """Robbins' beta mixture."""
    bound = lambda p: betaln(0.5 + e, 0.5 + n - e) - betaln(0.5, 0.5) - e * math.log(p) - (n - e) * math.log1p(-p)
    inside = lambda p: bound(p) + math.log(risk)
    observed = min(max(e / n, 1e-9), 1 - 1e-9)
    low = 0.0 if e == 0 else brentq(inside, 1e-12, observed, xtol=1e-14)
    high = 1.0 if e == n else brentq(inside, observed, 1 - 1e-12, xtol=1e-14)
    return [low, high]


def mean(values, low, high, claimed):
    """Betting against "the mean is at least claimed" by the plug-in rule."""
    seen, squares, wealth, out = [0.5], [0.25], 1.0, []
    scale = lambda v: (v - low) / (high - low)
    m = scale(claimed)
    for value in values:
        guess, spread = np.mean(seen), np.mean(squares)
        bet = np.clip((m - guess) / (spread + (m - guess) ** 2), 0, 0.5 / (1 - m))
        wealth *= 1 + bet * (m - scale(value))
        out.append(math.log(wealth))
        seen.append(scale(value))
        squares.append((scale(value) - np.mean(seen)) ** 2)
    return out


def distribution(looks, tolerated):
    """The wealth of a bettor on the label given the bucket; isotonic regression by the min-max formula."""
    size = len(looks[0][0])
    seen = [np.zeros(size), np.zeros(size)]
    wealth, out = 0.0, []
    for canary, stable in looks:
        own = np.zeros(size)
        for j, count in enumerate(canary):
            own[max(0, j - tolerated)] += count
        base = np.array(stable, float)
        pooled = seen[0] + seen[1]
        pulled = 20 * (pooled + 0.5) / np.sum(pooled + 0.5)
        top, both = seen[0] + pulled, pooled + 2 * pulled
        share = [
            max(min(top[i:k + 1].sum() / both[i:k + 1].sum() for k in range(j, size)) for i in range(j + 1))
            for j in range(size)]
        q = np.array(share)
        theta = q / (1 - q) * (seen[1].sum() + 20) / (seen[0].sum() + 20)
        w = own.sum() / (own.sum() + base.sum())
        wealth += np.sum(own * np.log(theta) - (own + base) * np.log(1 - w + w * theta))
        out.append(wealth)
        seen = [seen[0] + own, seen[1] + base]
    return out


def quantile(counts, boundaries, p, risk):
    """Boundaries between which the quantile lies, by the beta mixture against its share."""
    n, below = sum(counts), np.cumsum(counts)[:-1]
    mixture = lambda e: betaln(0.5 + e, 0.5 + n - e) - betaln(0.5, 0.5) - e * math.log(p) - (n - e) * math.log(1 - p)
    out = [e for e in below if mixture(e) >= math.log(1 / risk)]
    low = [b for b, e in zip(boundaries, below) if e in out and e < p * n]
    high = [b for b, e in zip(boundaries, below) if e in out and e > p * n]
    return [max(low, default=0.0), min(high, default=-1.0)]


def reference():
    looks = [[[100, 3], [900, 9]], [[100, 6], [900, 8]], [[250, 9], [750, 11]], [[500, 14], [500, 5]]]
    # Sixty good looks, then a canary ten times as bad: stakes are placed again and again.
    late = [[[100, i % 2], [900, 9]] for i in range(60)] + [[[100, 10], [900, 9]] for _ in range(4)]
    limits = [[100, 3], [100, 0], [200, 9], [100, 4]]
    # Of both tracks, the answers in each bucket: alike at first, then slower.
    shapes = [[[30, 40, 20, 7, 2, 1], [290, 410, 200, 70, 20, 10]], [[28, 41, 22, 6, 2, 1], [300, 400, 190, 80, 20, 10]]]
    shapes += [[[20, 30, 25, 15, 6, 4 + i], [300, 400, 200, 70, 20, 10]] for i in range(4)]
    return {
        "looks": looks,
        "comparison": [
            {"tolerated": t, "clump": b, "logEValues": comparison(looks, t, b)} for t, b in ((1, 1), (1.5, 1), (1, 3), (2, 10))],
        "late": {"looks": late, "logEValues": comparison(late, 1)},
        "limit": {
            "limit": 0.01, "looks": limits, "logBroken": broken(limits, 0.01),
            "logKept": [kept(n, e, 0.01) for n, e in ((1000, 2), (400, 0), (1000, 30))]},
        "means": [
            {"values": v, "bounds": [low, high], "mean": m, "logEValues": mean(v, low, high, m)}
            for v, low, high, m in (
                ([18.0, 22, 17, 15, 19, 16, 14, 18, 17, 15] * 4, 0.0, 100.0, 40.0),
                ([-0.1, 0.2, -0.3, -0.2, -0.4, 0.1, -0.3, -0.2] * 5, -1.0, 1.0, 0.0))],
        "distributions": [
            {"looks": shapes, "tolerated": t, "logEValues": distribution(shapes, t)} for t in (0, 1)],
        "quantiles": [
            {"counts": c, "quantile": p, "risk": r, "interval": quantile(c, [50, 100, 250, 500, 1000], p, r)}
            for c, p, r in (
                ([900, 60, 20, 15, 4, 1], 0.99, 0.05), ([9, 6, 2, 1, 0, 0], 0.5, 0.05),
                ([100, 0, 0, 0, 0, 900], 0.5, 0.01))],
        "rates": [{"requests": n, "bad": e, "risk": r, "interval": rates(n, e, r)}
                  for n, e, r in ((2080, 52, 0.05), (20100, 61, 0.05), (400, 0, 0.05), (10, 10, 0.01))],
    }


def differ(left, right, path=""):
    if isinstance(left, dict):
        return [d for key in left.keys() | right.keys() for d in differ(left.get(key), right.get(key), f"{path}.{key}")]
    if isinstance(left, list):
        if len(left) != len(right or []):
            return [path]
        return [d for i, (a, b) in enumerate(zip(left, right)) for d in differ(a, b, f"{path}[{i}]")]
    same = right is not None and abs(left - right) <= 1e-9 * max(1, abs(right))
    return [] if same else [f"{path}: {left} computed, {right} committed"]


def main():
    place = pathlib.Path(__file__).with_name("reference.json")
    computed = json.loads(json.dumps(reference(), default=float))
    if sys.argv[1:] == ["--check"]:
        problems = differ(computed, json.loads(place.read_text()))
        print("\n".join(problems) or "reference.json holds")
        return 1 if problems else 0
    place.write_text(json.dumps(computed, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
