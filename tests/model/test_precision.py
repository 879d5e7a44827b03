"""bfloat16 in the layers: other digits, the same weights' type, and an error where the device cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from lstm_forecast.errors import ResourceError
from lstm_forecast.model.first_weights import initialise
from lstm_forecast.model.precision import Precision, computing_in, require_precision
from lstm_forecast.model.reglstm import RegLSTM
from tests.training.small import CPU, RECIPE, H, fitted


def peephole(
    *, layers: int = 1, segment: int = 1, skip_steps: int = 0, ahead_size: int = 0, static: bool = False
) -> RegLSTM:
    """A network that every CPU computes in bfloat16: torch's own LSTM takes one with instructions for it."""
    model = RegLSTM(
        2,
        8,
        layers,
        output_size=3,
        cell="lstm_peephole",
        segment=segment,
        skip_steps=skip_steps,
        ahead_size=ahead_size,
        static_sizes=(3, 0) if static else (),
        dropout=0.2,
    )
    initialise(model, torch.Generator().manual_seed(1))
    return model


def rounded(numbers: torch.Tensor) -> NDArray[np.float64]:
    """To the 8 bits that bfloat16 keeps, to even, in NumPy: half of the last bit is added, the rest cut."""
    bits = numbers.detach().numpy().astype(np.float32).view(np.uint32).astype(np.uint64)
    up = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return up.astype(np.uint32).view(np.float32).astype(np.float64)


def test_products_take_rounded_numbers_and_float32_takes_them_as_they_are() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(6, 4, bias=False), torch.randn(5, 6)
    with computing_in("bfloat16", CPU):
        found = layer(x)
    product = rounded(x) @ rounded(layer.weight).T
    assert found.dtype == torch.bfloat16
    np.testing.assert_allclose(found.float().detach().numpy(), product, rtol=2**-7, atol=2**-9)
    with computing_in("float32", CPU):
        assert layer(x).equal(torch.nn.functional.linear(x, layer.weight))


def test_an_answer_has_other_digits_and_nearly_the_same_value() -> None:
    model, x = peephole(layers=2).eval(), torch.randn(4, 12, 2, generator=torch.Generator().manual_seed(0))
    exact = model.final(x)
    with computing_in("bfloat16", CPU):
        rough = model.final(x).float()
    assert not rough.equal(exact)
    torch.testing.assert_close(rough, exact, rtol=0.05, atol=0.02)


@pytest.mark.parametrize(
    "arguments", [{}, {"layers": 2}, {"segment": 3, "skip_steps": 12}, {"ahead_size": 2, "static": True}]
)
def test_the_look_beforehand_leaves_everything_as_it_was(arguments: dict[str, Any]) -> None:
    model = peephole(**arguments).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    generator = torch.get_rng_state()
    require_precision(model, "bfloat16", lookback=12)
    require_precision(model, "float32", lookback=12)
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.get_rng_state().equal(generator)
    assert not model.training


def test_a_device_that_cannot_is_told_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("could not create a primitive descriptor\nsecond line")

    model = RegLSTM(1, 4)
    monkeypatch.setattr(nn.LSTM, "forward", refuse)
    with pytest.raises(ResourceError) as caught:
        require_precision(model, "bfloat16", lookback=6)
    error = caught.value
    assert (error.id, error.code, error.where) == ("resource.precision", 16, "training.precision")
    assert error.message == "cpu cannot train cell lstm in bfloat16: could not create a primitive descriptor"
    assert "training.precision=float32" in error.hint
    require_precision(model, "float32", lookback=6)  # asks nothing of the device


def test_a_training_ends_near_the_other_one_with_weights_of_the_same_type() -> None:
    found = {}
    precisions: tuple[Precision, ...] = ("float32", "bfloat16")
    for precision in precisions:
        model = RegLSTM(1, 4, output_size=H, cell="lstm_peephole", zero_head=True)
        initialise(model, torch.Generator().manual_seed(0))
        history = fitted(model, replace(RECIPE, precision=precision)).history
        found[precision] = min(epoch.val_score for epoch in history if epoch.val_score is not None)
        assert {value.dtype for value in model.state_dict().values()} == {torch.float32}
    assert found["bfloat16"] != found["float32"]
    assert found["bfloat16"] == pytest.approx(found["float32"], rel=0.02)
