"""The numbers in ``lstm_kernel.c``: polynomials with the least largest relative error.

    python benchmarks/speed/kernel_fit.py

Lawson's iteration: weighted least squares, each point's weight multiplied by its error, until all extremes
are alike. A quotient is made linear by the denominator of the iteration before (Sanathanan & Koerner 1963).
"""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
POINTS, ITERATIONS = 4001, 600
FURTHEST = 8.0  # of tanh: beyond, float32 has 1 or the number before it


def main() -> int:
    """Prints the coefficients, from the constant on, and their errors."""
    error, p, q = tanh_quotient()
    print(f"tanh x = x P(x^2) / Q(x^2) for |x| <= {FURTHEST:g}: relative error {error:.2g}")
    print("P", *(f"{one:.9g}" for one in p.astype(np.float32)))
    print("Q", *(f"{one:.9g}" for one in q.astype(np.float32)))
    error, c = exponential_tail()
    print(f"e^r = 1 + r + r^2 P(r) for |r| <= ln 2 / 2: relative error {error:.2g}")
    print("P", *(f"{one:.9g}" for one in c.astype(np.float32)))
    x = np.geomspace(1e-6, FURTHEST, 2_000_001).astype(np.float32)
    z = x * x
    found = x * horner(p.astype(np.float32), z) / horner(q.astype(np.float32), z)
    worst = np.abs(found / np.tanh(x.astype(np.float64)) - 1).max()
    print(f"tanh in float32 without fused products: relative error {worst:.2g}, largest value {found.max()}")
    return 0


def horner(coefficients: NDArray[np.float32], z: NDArray[np.float32]) -> NDArray[np.float32]:
    """A polynomial in the precision of both."""
    value = np.full_like(z, coefficients[-1])
    for one in coefficients[-2::-1]:
        value = value * z + one
    return value


def chebyshev(low: float, high: float) -> Floats:
    """Points that crowd at both ends."""
    return np.asarray((low + high) / 2 + (high - low) / 2 * np.cos(np.linspace(0, np.pi, POINTS)))


def tanh_quotient() -> tuple[float, Floats, Floats]:
    """The error, and both polynomials of degree 4 in x²; Q begins with 1."""
    x = chebyshev(0, FURTHEST)
    x = x[x > 1e-4]
    square, value = FURTHEST**2, np.tanh(x) / x
    powers = np.vander(x * x / square, 5, increasing=True)
    weights, below = np.ones_like(x), np.ones_like(x)
    best: tuple[float, Floats, Floats] = (np.inf, below, below)
    for _ in range(ITERATIONS):
        columns = np.hstack([powers, -value[:, None] * powers[:, 1:]]) / (value * below)[:, None]
        root = np.sqrt(weights)
        found, *_ = np.linalg.lstsq(columns * root[:, None], root / below, rcond=None)
        p, q = found[:5], np.concatenate([[1.0], found[5:]])
        below = powers @ q
        errors = np.abs(powers @ p / below / value - 1)
        if errors.max() < best[0]:
            scale = square ** np.arange(5)
            best = (float(errors.max()), p / scale, q / scale)
        weights *= errors / errors.max() + 1e-3
        weights /= weights.mean()
    return best


def exponential_tail() -> tuple[float, Floats]:
    """The error, and the polynomial of degree 4."""
    end = np.log(2) / 2 * 1.0005
    r = chebyshev(-end, end)
    r = r[np.abs(r) > 1e-4]
    columns = np.vander(r, 5, increasing=True) * (r**2 / np.exp(r))[:, None]
    wanted, weights = (np.exp(r) - 1 - r) / np.exp(r), np.ones_like(r)
    best: tuple[float, Floats] = (np.inf, r)
    for _ in range(ITERATIONS):
        root = np.sqrt(weights)
        found, *_ = np.linalg.lstsq(columns * root[:, None], wanted * root, rcond=None)
        errors = np.abs(columns @ found - wanted)
        if errors.max() < best[0]:
            best = (float(errors.max()), np.asarray(found, dtype=np.float64))
        weights *= errors / errors.max() + 1e-3
        weights /= weights.mean()
    return best


if __name__ == "__main__":
    sys.exit(main())
