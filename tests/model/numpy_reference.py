"""Plain float64 loops of the gate equations, forward and backward through time: no torch, no autograd.

Weights come as a dict with torch's names and layouts (G gates stacked by rows): ``weight_ih [G*D, F]``,
``weight_hh [G*D, D]``, ``bias_ih [G*D]``, ``bias_hh [G*D]``, and ``peephole [3, D]`` for the peephole LSTM.
Sequences are time-major: ``x [L, B, F]``, outputs ``[L, B, D]``. States are ``[B, D]``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Weights = dict[str, Array]


@dataclass
class Gradients:
    """The derivatives of one scalar with respect to everything that went in."""

    weights: Weights
    x: Array
    h0: Array
    c0: Array | None = None


@dataclass
class Trace:
    """What a forward loop kept for the way back, one entry per step."""

    h: list[Array]
    c: list[Array] = field(default_factory=list)
    gates: list[tuple[Array, ...]] = field(default_factory=list)


def sigmoid(a: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-a)))


def zeros_like(weights: Weights) -> Weights:
    return {name: np.zeros_like(value) for name, value in weights.items()}


def lstm(x: Array, h0: Array, c0: Array, weights: Weights) -> tuple[Array, Trace]:
    """i, f, o = sigmoid(W [h, x] + b), g = tanh(W [h, x] + b), c = f c_ + i g, h = o tanh(c).

    With peepholes the input and forget gate also see ``p * c_``, the output gate ``p * c``.
    """
    D = h0.shape[1]
    peep = weights.get("peephole", np.zeros((3, D)))
    trace = Trace(h=[h0], c=[c0])
    for x_t in x:
        h_, c_ = trace.h[-1], trace.c[-1]
        a = (
            x_t @ weights["weight_ih"].T
            + weights["bias_ih"]
            + h_ @ weights["weight_hh"].T
            + weights["bias_hh"]
        )
        i = sigmoid(a[:, :D] + peep[0] * c_)
        f = sigmoid(a[:, D : 2 * D] + peep[1] * c_)
        g = np.tanh(a[:, 2 * D : 3 * D])
        c = f * c_ + i * g
        o = sigmoid(a[:, 3 * D :] + peep[2] * c)
        trace.c.append(c)
        trace.h.append(o * np.tanh(c))
        trace.gates.append((i, f, g, o))
    return np.stack(trace.h[1:]), trace


def lstm_backward(x: Array, d_out: Array, d_c_last: Array, weights: Weights, trace: Trace) -> Gradients:
    """Back through time, given the derivatives of the outputs and of the last cell state."""
    D = d_out.shape[2]
    peep = weights.get("peephole", np.zeros((3, D)))
    grad = zeros_like(weights)
    d_peep = np.zeros((3, D))
    d_x = np.zeros_like(x)
    d_h, d_c = np.zeros_like(d_out[0]), d_c_last.copy()
    for t in reversed(range(len(x))):
        i, f, g, o = trace.gates[t]
        h_, c_, c = trace.h[t], trace.c[t], trace.c[t + 1]
        d_h = d_h + d_out[t]
        a_o = d_h * np.tanh(c) * o * (1 - o)
        d_c = d_c + d_h * o * (1 - np.tanh(c) ** 2) + a_o * peep[2]
        a_i = d_c * g * i * (1 - i)
        a_f = d_c * c_ * f * (1 - f)
        a_g = d_c * i * (1 - g**2)
        d_peep += np.stack([(a_i * c_).sum(0), (a_f * c_).sum(0), (a_o * c).sum(0)])
        d_a = np.concatenate([a_i, a_f, a_g, a_o], axis=1)
        add_products(grad, d_a, d_a, x[t], h_)
        d_x[t] = d_a @ weights["weight_ih"]
        d_h = d_a @ weights["weight_hh"]
        d_c = d_c * f + a_i * peep[0] + a_f * peep[1]
    if "peephole" in weights:
        grad["peephole"] = d_peep
    return Gradients(grad, d_x, d_h, d_c)


def gru(x: Array, h0: Array, weights: Weights) -> tuple[Array, Trace]:
    """r, z = sigmoid(W [h, x] + b), n = tanh(W x + b + r (W h + b)), h = (1 - z) n + z h_."""
    D = h0.shape[1]
    trace = Trace(h=[h0])
    for x_t in x:
        h_ = trace.h[-1]
        from_x = x_t @ weights["weight_ih"].T + weights["bias_ih"]
        from_h = h_ @ weights["weight_hh"].T + weights["bias_hh"]
        r = sigmoid(from_x[:, :D] + from_h[:, :D])
        z = sigmoid(from_x[:, D : 2 * D] + from_h[:, D : 2 * D])
        n = np.tanh(from_x[:, 2 * D :] + r * from_h[:, 2 * D :])
        trace.h.append((1 - z) * n + z * h_)
        trace.gates.append((r, z, n, from_h[:, 2 * D :]))
    return np.stack(trace.h[1:]), trace


def gru_backward(x: Array, d_out: Array, weights: Weights, trace: Trace) -> Gradients:
    """Back through time, given the derivatives of the outputs."""
    grad = zeros_like(weights)
    d_x = np.zeros_like(x)
    d_h = np.zeros_like(d_out[0])
    for t in reversed(range(len(x))):
        r, z, n, n_from_h = trace.gates[t]
        h_ = trace.h[t]
        d_h = d_h + d_out[t]
        a_z = d_h * (h_ - n) * z * (1 - z)
        a_n = d_h * (1 - z) * (1 - n**2)
        a_r = a_n * n_from_h * r * (1 - r)
        d_from_x = np.concatenate([a_r, a_z, a_n], axis=1)
        d_from_h = np.concatenate([a_r, a_z, a_n * r], axis=1)
        add_products(grad, d_from_x, d_from_h, x[t], h_)
        d_x[t] = d_from_x @ weights["weight_ih"]
        d_h = d_h * z + d_from_h @ weights["weight_hh"]
    return Gradients(grad, d_x, d_h)


def rnn(x: Array, h0: Array, weights: Weights, *, nonlinearity: str) -> tuple[Array, Trace]:
    """h = tanh(W [h, x] + b), or max(0, W [h, x] + b)."""
    trace = Trace(h=[h0])
    for x_t in x:
        a = x_t @ weights["weight_ih"].T + weights["bias_ih"]
        a = a + trace.h[-1] @ weights["weight_hh"].T + weights["bias_hh"]
        trace.h.append(np.tanh(a) if nonlinearity == "tanh" else np.maximum(a, 0.0))
    return np.stack(trace.h[1:]), trace


def rnn_backward(x: Array, d_out: Array, weights: Weights, trace: Trace, *, nonlinearity: str) -> Gradients:
    """Back through time, given the derivatives of the outputs."""
    grad = zeros_like(weights)
    d_x = np.zeros_like(x)
    d_h = np.zeros_like(d_out[0])
    for t in reversed(range(len(x))):
        h = trace.h[t + 1]
        d_a = (d_h + d_out[t]) * (1 - h**2 if nonlinearity == "tanh" else h > 0)
        add_products(grad, d_a, d_a, x[t], trace.h[t])
        d_x[t] = d_a @ weights["weight_ih"]
        d_h = d_a @ weights["weight_hh"]
    return Gradients(grad, d_x, d_h)


def add_products(grad: Weights, d_from_x: Array, d_from_h: Array, x_t: Array, h_: Array) -> None:
    """What one step adds to the gradients of the two weight matrices and the two biases."""
    grad["weight_ih"] += d_from_x.T @ x_t
    grad["weight_hh"] += d_from_h.T @ h_
    grad["bias_ih"] += d_from_x.sum(axis=0)
    grad["bias_hh"] += d_from_h.sum(axis=0)
