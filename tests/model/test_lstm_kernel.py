"""The compiled LSTM kernel: torch's numbers and gradients, one thread's bits, nothing that it cannot read."""

from __future__ import annotations

import gc
import platform
import shutil
import sysconfig
import weakref
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lstm_forecast.model import lstm_kernel, lstm_stack
from lstm_forecast.model.lstm_kernel import kernel
from lstm_forecast.model.lstm_layer import LSTM, compiled, stacked
from lstm_forecast.model.reglstm import RegLSTM
from lstm_forecast.training.workers import Workers

COMPILER = (sysconfig.get_config_var("CC") or "cc").split()[0]
AVX2 = torch.backends.cpu.get_cpu_capability().startswith("AVX")
X86 = platform.machine() in ("x86_64", "AMD64")
needs_kernel = pytest.mark.skipif(kernel().library is None, reason=kernel().about)


@pytest.mark.skipif(shutil.which(COMPILER) is None, reason="no C compiler")
@pytest.mark.skipif(X86 and not AVX2, reason="no AVX2")
def test_where_a_compiler_was_there_the_kernel_is_used() -> None:
    assert (kernel().name, kernel().about) == ("compiled", "an LSTM of our own, compiled at installation")


@pytest.fixture
def asked_again() -> Iterator[None]:
    """The kernel is looked for anew, in this test and after it."""
    kernel.cache_clear()
    yield
    kernel.cache_clear()


def test_without_the_file_it_is_torch(
    asked_again: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lstm_kernel, "_has_avx2", lambda: True)
    monkeypatch.setattr(lstm_kernel, "_FILE", tmp_path / "none.so")
    assert kernel().name == "torch"
    assert (
        kernel().about
        == "torch's LSTM: ours was not compiled; install gcc or clang, then lstm-forecast again"
    )


@needs_kernel
def test_a_kernel_of_another_version_is_not_called(
    asked_again: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lstm_kernel, "VERSION", lstm_kernel.VERSION + 1)
    assert kernel().name == "torch"
    assert "another version, install again" in kernel().about


@pytest.mark.skipif(not X86, reason="AVX2 is x86's")
def test_without_avx2_it_is_torch(asked_again: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    assert kernel().name == "torch"
    assert "needs AVX2, and the processor or ATEN_CPU_CAPABILITY has none" in kernel().about


def pair(*arguments: int, bias: bool = True, bidirectional: bool = False) -> tuple[LSTM, nn.LSTM]:
    """Our layer, and torch's in float64 with the same weights."""
    torch.manual_seed(sum(arguments))
    ours = LSTM(*arguments, bias=bias, bidirectional=bidirectional)
    theirs = nn.LSTM(*arguments, bias=bias, bidirectional=bidirectional)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs.double()


def gradients(answers: list[Tensor], inputs: list[Tensor]) -> list[Tensor]:
    """Of a sum in which every number of the answers has another weight."""
    total = sum(
        (answer * torch.cos(torch.arange(answer.numel()) + 1.0).view(answer.shape)).sum()
        for answer in answers
    )
    assert isinstance(total, Tensor)
    return list(torch.autograd.grad(total, inputs))


def close(mine: Tensor, theirs: Tensor, what: object) -> None:
    """Alike to 3e-6 of the largest number: some units in the last place of a float32 sum."""
    assert mine.dtype == torch.float32
    error = (mine.double() - theirs).abs().max() / theirs.abs().max().clamp(min=1e-30)
    assert error < 3e-6, (what, float(error))


SIZES = [  # steps, rows, features, size
    (1, 1, 1, 1),
    (2, 3, 2, 3),
    (7, 4, 1, 7),
    (5, 5, 3, 8),
    (6, 2, 4, 9),
    (60, 16, 1, 50),
    (24, 17, 5, 20),
    (9, 33, 130, 31),
    (3, 7, 300, 24),
    (11, 6, 9, 65),
    (4, 5, 2, 130),
    (3, 300, 2, 6),
    (270, 2, 3, 5),
]


@needs_kernel
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("states", [False, True], ids=["zeros", "states"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one way", "both ways"])
def test_a_layer_is_torchs_in_all_it_gives_and_all_its_gradients(
    sizes: tuple[int, int, int, int], states: bool, bidirectional: bool
) -> None:
    steps, rows, features, size = sizes
    ours, theirs = pair(features, size, bidirectional=bidirectional)
    x = torch.randn(steps, rows, features)
    start = [torch.randn(2 if bidirectional else 1, rows, size) for _ in range(2 if states else 0)]
    found = []
    for layer in (ours, theirs):
        inputs = [one.to(layer.weight_hh_l0.dtype).requires_grad_() for one in (x, *start)]
        hidden, (h, c) = layer(inputs[0], tuple(inputs[1:]) if states else None)
        answers = [hidden, h, c]
        found.append([*answers, *gradients(answers, [*inputs, *layer.parameters()])])
    assert type(found[0][0].grad_fn).__name__ != type(found[1][0].grad_fn).__name__ or bidirectional
    for number, (mine, expected) in enumerate(zip(*found, strict=True)):
        close(mine, expected, number)


@needs_kernel
def test_a_layer_without_biases() -> None:
    ours, theirs = pair(3, 10, bias=False)
    x = torch.randn(5, 4, 3)
    mine, expected = ours(x)[0], theirs(x.double())[0]
    close(mine, expected, "out")
    of_mine, of_theirs = (
        gradients([out], list(one.parameters())) for out, one in ((mine, ours), (expected, theirs))
    )
    for one, other in zip(of_mine, of_theirs, strict=True):
        close(one, other, one.shape)


@needs_kernel
@pytest.mark.parametrize("answer", ["hidden", "h", "c"])
def test_any_of_the_answers_alone_can_be_what_is_derived(answer: str) -> None:
    ours, theirs = pair(3, 10)
    x = torch.randn(5, 4, 3)
    found = []
    for layer, given in ((ours, x), (theirs, x.double())):
        hidden, (h, c) = layer(given)
        found.append(gradients([{"hidden": hidden, "h": h, "c": c}[answer]], list(layer.parameters())))
    for mine, expected in zip(*found, strict=True):
        close(mine, expected, mine.shape)


@needs_kernel
def test_a_gradient_that_is_a_view_with_gaps_is_read_as_what_it_is() -> None:
    ours, theirs = pair(2, 9)
    x = torch.randn(6, 5, 2)
    found = []
    for layer, given in ((ours, x), (theirs, x.double())):
        hidden, _ = layer(given)
        found.append(gradients([hidden[:, ::2].transpose(0, 2)], list(layer.parameters())))
    for mine, expected in zip(*found, strict=True):
        close(mine, expected, mine.shape)


@needs_kernel
def test_both_biases_have_gradients_of_their_own() -> None:
    """Shards are scaled in place: one tensor for two parameters would be scaled twice."""
    ours, _ = pair(2, 9)
    ih, hh = gradients([ours(torch.randn(4, 3, 2))[0]], [ours.bias_ih_l0, ours.bias_hh_l0])
    assert torch.equal(ih, hh)
    assert ih.data_ptr() != hh.data_ptr()


def stack(threads: int | None, *, whole: bool = True, masked: bool = True) -> list[list[Tensor]]:
    """What three layers of unlike widths give, and all gradients: ours, and torch's in float64."""
    torch.manual_seed(5)
    widths, rows, steps = (9, 16, 5), 11, 8
    layers = nn.ModuleList(LSTM(before, width) for before, width in zip((3, 9, 16), widths, strict=True))
    drawn = [(torch.rand(2 * rows, steps, width) > 0.3).float()[:rows] * 1.5 for width in widths]
    masks = [
        mask.transpose(0, 1) if masked else None for mask in drawn
    ]  # rows of a batch's masks, time-major
    x = torch.randn(rows, steps, 3).transpose(0, 1)
    starts = [None, (torch.randn(1, rows, 16), torch.randn(1, rows, 16)), None]
    with Workers(threads or 1) as workers:
        mine = x.clone().requires_grad_()
        hidden, (h, c) = stacked(
            layers, mine, starts, masks, whole=whole, threads=None if threads is None else workers
        )
        answers = [*([hidden] if whole else []), h, c]
        found = [[*answers, *gradients(answers, [mine, *layers.parameters()])]]
    theirs, sequence = deepcopy(layers).double(), x.double().requires_grad_()
    given = sequence
    for layer, start, mask in zip(theirs, starts, masks, strict=True):
        state = None if start is None else (start[0].double(), start[1].double())
        out, (h, c) = nn.LSTM.forward(layer, sequence, state)  # type: ignore[arg-type]
        sequence = out if mask is None else out * mask.double()
    answers = [*([out] if whole else []), h, c]
    return [*found, [*answers, *gradients(answers, [given, *theirs.parameters()])]]


@needs_kernel
@pytest.mark.parametrize("threads", [None, 1, 2, 3, 20])
@pytest.mark.parametrize("masked", [True, False], ids=["dropout", "no dropout"])
def test_a_stack_is_torchs_layers_with_dropout_between_them(threads: int | None, masked: bool) -> None:
    mine, theirs = stack(threads, masked=masked)
    for number, (one, expected) in enumerate(zip(mine, theirs, strict=True)):
        close(one, expected, number)


@needs_kernel
def test_where_only_the_end_is_wanted_the_rest_is_left_out() -> None:
    mine, theirs = stack(2, whole=False)
    for number, (one, expected) in enumerate(zip(mine, theirs, strict=True)):
        close(one, expected, number)


@needs_kernel
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_ten_passes_have_the_same_bits_whatever_lies_in_the_workspace(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lstm_stack, "_spare", [])
    first, _ = stack(threads)
    for value in (float("nan"), float("inf"), 0.0, 1e30, -7.0, 3.0, float("nan"), 1.0, 2.0):
        for room in lstm_stack._spare:
            room.fill_(value)
        again, _ = stack(threads)
        assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


@needs_kernel
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_nothing_is_written_behind_a_workspace(
    sizes: tuple[int, int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, rows, features, size = sizes
    taken = []

    def take(floats: int) -> Tensor:
        taken.append(torch.full((floats + 64,), 7.0))
        return taken[-1][:floats]

    monkeypatch.setattr(lstm_stack, "_take", take)
    layers = nn.ModuleList([LSTM(features, size), LSTM(size, size)])
    masks: list[Tensor | None] = [torch.rand(steps, rows, size), None]
    state = (torch.randn(1, rows, size), torch.randn(1, rows, size))
    for threads in (1, 2):
        with Workers(threads) as workers:
            x = torch.randn(steps, rows, features, requires_grad=True)
            hidden, (h, c) = stacked(layers, x, [state, None], masks, whole=True, threads=workers)
            gradients([hidden, h, c], [x, *layers.parameters()])
            with torch.no_grad():
                stacked(layers, x, [None, state], [None, None], whole=False, threads=workers)
    assert len(taken) == (6 if rows > 1 else 4)
    assert all(torch.equal(room[-64:], torch.full((64,), 7.0)) for room in taken)


@needs_kernel
@pytest.mark.parametrize("back", [True, False], ids=["with a way back", "without"])
def test_a_pass_is_forgotten_with_its_answers(back: bool) -> None:
    """Not by a search for cycles, which comes long after memory has run out."""
    layers, threads = nn.ModuleList([LSTM(2, 9), LSTM(9, 9)]), Workers(1)
    seen = weakref.ref(threads)  # held by the pass alone, from here on
    gc.disable()
    try:
        answers = stacked(
            layers, torch.randn(6, 7, 2), [None, None], [None, None], whole=True, threads=threads
        )
        del threads
        if back:
            torch.autograd.grad(answers[0].sum(), list(layers.parameters()))
        assert seen() is not None
        del answers
        assert seen() is None
    finally:
        gc.enable()


@needs_kernel
def test_workspaces_are_used_again_and_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    spare: list[Tensor] = []
    monkeypatch.setattr(lstm_stack, "_spare", spare)
    stack(3)
    begun = sorted(room.data_ptr() for room in spare)
    assert len(begun) == 3
    for _ in range(5):
        stack(3)
    assert sorted(room.data_ptr() for room in spare) == begun
    spare[:] = [torch.empty(1)] * 3  # too small ones are replaced
    stack(3)
    assert [len(room) > 1 for room in spare] == [True] * 3
    spare[:] = [torch.empty(1)] * 100
    stack(1)
    assert len(spare) == 99  # nothing is given back where there are more than enough


@needs_kernel
def test_a_workspace_of_a_forecast_is_any_other_to_the_training_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, _ = stack(1)
    spare: list[Tensor] = []
    monkeypatch.setattr(lstm_stack, "_spare", spare)
    with torch.inference_mode():
        RegLSTM(2, 40, 3)(torch.randn(7, 60, 2))  # more room than the stack needs, which takes it
    begun = [room.data_ptr() for room in spare]
    assert begun
    assert not any(room.is_inference() for room in spare)
    again, _ = stack(1)
    assert [room.data_ptr() for room in spare] == begun
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


@needs_kernel
def test_a_forecast_has_the_bits_of_training_without_dropout() -> None:
    model = RegLSTM(2, 9, 3, output_size=2)
    x = torch.randn(7, 6, 2)
    with torch.no_grad():
        forecast, final = model(x), model.final(x)
    assert torch.equal(forecast, model(x))
    assert torch.equal(final, model.final(x))
    torch.testing.assert_close(final, forecast[:, -1])


@needs_kernel
def test_torchs_default_type_is_not_the_kernels() -> None:
    before, _ = stack(2)
    torch.set_default_dtype(torch.float64)
    try:
        lstm_stack._spare.clear()
        ours, _ = pair(3, 10)
        ours, x = ours.float(), torch.randn(5, 4, 3, dtype=torch.float32)
        out = ours(x)[0]
        found = torch.autograd.grad(out.sum(), list(ours.parameters()))
        theirs = nn.LSTM(3, 10)
        theirs.load_state_dict(ours.state_dict())
        expected = torch.autograd.grad(theirs(x.double())[0].sum(), list(theirs.parameters()))
    finally:
        torch.set_default_dtype(torch.float32)
    for mine, other in zip(found, expected, strict=True):
        close(mine, other, mine.shape)
    assert all(torch.equal(one, other) for one, other in zip(before, stack(2)[0], strict=True))


@needs_kernel
def test_a_forecast_needs_no_room_for_the_way_back() -> None:
    widths, masked = (1, 50, 50, 50, 50), (False,) * 4
    forecast, training = (
        lstm_stack._places(60, 100, widths, masked, keep=keep).needed for keep in (False, True)
    )
    assert forecast < 0.4 * training


@needs_kernel
def test_dropout_without_gradients_is_that_of_training() -> None:
    model = RegLSTM(2, 9, 2, dropout=0.4).train()
    x = torch.randn(7, 6, 2)
    draws = model.draw(7, 6)
    with torch.no_grad():
        without = model(x, draws=draws)
    assert torch.equal(without, model(x, draws=draws))
    assert not torch.equal(without, model.eval()(x))


@needs_kernel
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 0.3, 1.0, 4.0, 30.0, 1e4, 1e30])
def test_small_and_large_inputs_are_torchs(scale: float) -> None:
    """Through the gates of one unit with weights of 1: their nonlinearities over their whole range."""
    ours, theirs = pair(1, 1)
    for layer in (ours, theirs):
        for weight in layer.parameters():
            nn.init.ones_(weight)
    x = torch.from_numpy(np.linspace(-scale, scale, 4001, dtype=np.float32)).view(1, -1, 1)
    for mine, expected in zip(
        (ours(x)[0], *ours(x)[1]), (theirs(x.double())[0], *theirs(x.double())[1]), strict=True
    ):
        assert mine.isfinite().all()
        torch.testing.assert_close(mine.double(), expected, rtol=2e-6, atol=1e-30 if scale < 20 else 1e-12)


@needs_kernel
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", ["weight_ih_l0", "weight_hh_l0", "bias_hh_l0"])
def test_what_is_not_a_number_stays_none(bad: float, name: str) -> None:
    """A training that diverges has to see it: infinity times zero, and infinity less infinity, are NaN."""
    ours, theirs = pair(2, 9)
    for layer in (ours, theirs):
        with torch.no_grad():
            layer.get_parameter(name).fill_(bad)
    x = torch.zeros(3, 4, 2)
    # zeros before the first step are not multiplied by anything
    first = 1 if name == "weight_hh_l0" else 0
    assert torch.equal(ours(x)[0][first:].isnan(), theirs(x.double())[0][first:].isnan())


@needs_kernel
def test_a_second_way_back_is_refused() -> None:
    ours, _ = pair(2, 9)
    total = ours(torch.randn(3, 4, 2))[0].sum()
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="a second way back through LSTM layers"):
        total.backward()


@needs_kernel
def test_a_weight_changed_before_the_way_back_is_refused() -> None:
    ours, _ = pair(2, 9)
    total = ours(torch.randn(3, 4, 2))[0].sum()
    with torch.no_grad():
        ours.weight_hh_l0.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()


def test_what_the_kernel_cannot_read_is_torchs_errors_and_all() -> None:
    ours = LSTM(2, 9)
    with pytest.raises((RuntimeError, ValueError), match=r"dtype|double|[fF]loat"):
        ours(torch.randn(3, 4, 2).double())
    with pytest.raises((RuntimeError, ValueError), match=r"input.size\(-1\)|must be equal|Expected 2, got 5"):
        ours(torch.randn(3, 4, 5))
    with pytest.raises(RuntimeError, match="Expected hidden"):
        ours(torch.randn(3, 4, 2), (torch.zeros(1, 3, 9), torch.zeros(1, 3, 9)))
    assert ours.double()(torch.randn(3, 4, 2).double())[0].dtype == torch.float64


@needs_kernel
def test_float64_autocast_and_watched_layers_are_not_for_the_kernel() -> None:
    model = RegLSTM(2, 9, 2)
    assert model.compiled
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not compiled(model.layers)
    handle = model.layers[1].register_forward_hook(lambda *_: None)
    assert not model.compiled
    handle.remove()
    assert model.compiled
    assert not deepcopy(model).double().compiled
    for option in ("layer_norm", "bidirectional"):
        assert not RegLSTM(2, 9, 2, **{option: True}).compiled  # type: ignore[arg-type]
    assert not RegLSTM(2, 9, 2, cell="gru").compiled


@needs_kernel
def test_masks_and_states_of_another_type_go_to_torch() -> None:
    model = RegLSTM(2, 9, 2, dropout=0.5).train()
    draws = model.draw(4, 3)
    wide = type(draws)(tuple(mask.double() for mask in draws.masks))
    with pytest.raises((RuntimeError, ValueError), match=r"dtype \(torch.float64\)|Double"):
        model(torch.randn(4, 3, 2), draws=wide)


def test_no_rows_at_all_are_torchs() -> None:
    model = RegLSTM(2, 9, 2)
    with torch.no_grad():
        assert model(torch.randn(0, 3, 2)).shape == (0, 3, 1)


@pytest.mark.parametrize("lstm_by", ["compiled", "torch"], indirect=True)
@pytest.mark.parametrize("readout", ["hidden", "cell", "both"])
def test_the_last_mask_may_have_one_step_where_only_the_end_is_read(lstm_by: str, readout: str) -> None:
    model = RegLSTM(2, 9, 2, dropout=0.5, readout=readout).train()  # type: ignore[arg-type]
    x, whole = torch.randn(4, 3, 2), model.draw(4, 3)
    short = type(whole)((whole.masks[0], whole.masks[1][:, -1:]))
    assert torch.equal(model.final(x, draws=whole), model.final(x, draws=short))
    drawn = model.draw(4, 3, whole=False)
    assert [tuple(mask.shape) for mask in drawn.masks] == [(4, 3, 9), (4, 1, 9)]
    if readout == "hidden":
        with pytest.raises(ValueError, match="got masks of shapes"):
            model(x, draws=short)
