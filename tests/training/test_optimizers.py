"""The optimisers beside the classes of torch, to the last bit, and what their import leaves out."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from lstm_forecast.training.optimizers import Optimizer, Rule
from tests.conftest import ROOT

TORCHS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
SHAPES = ((20, 5), (20,), (1, 5), ())


def drawn(seed: int) -> list[Tensor]:
    """A tensor of each shape."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in SHAPES]


def parameters() -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(one) for one in drawn(0)]


def gradients(step: int, *, without: int | None) -> list[Tensor | None]:
    """Drawn ones, in even steps none for one parameter."""
    return [
        None if number == without and step % 2 == 0 else one for number, one in enumerate(drawn(step + 1))
    ]


def trained(
    optimizer: Optimizer, mine: list[torch.nn.Parameter], steps: range, *, without: int | None = None
) -> list[Tensor]:
    """The parameters after steps with a falling rate."""
    for step in steps:
        optimizer.lr = 0.1 / (step + 1)
        optimizer.step(gradients(step, without=without))
    return [one.detach().clone() for one in mine]


def torch_trained(
    optimizer: torch.optim.Optimizer, steps: range, *, without: int | None = None
) -> list[Tensor]:
    """The same by torch's class."""
    group = optimizer.param_groups[0]
    for step in steps:
        for parameter, gradient in zip(group["params"], gradients(step, without=without), strict=True):
            parameter.grad = gradient
        group["lr"] = 0.1 / (step + 1)
        optimizer.step()
    return [one.detach().clone() for one in group["params"]]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("rule", TORCHS)
@pytest.mark.parametrize("without", [None, 1])
def test_the_weights_are_those_of_torchs_class(rule: Rule, weight_decay: float, without: int | None) -> None:
    mine = parameters()
    ours = Optimizer(mine, rule, lr=0.1, weight_decay=weight_decay)
    torchs = TORCHS[rule](parameters(), lr=0.1, weight_decay=weight_decay, fused=True)
    got = trained(ours, mine, range(25), without=without)
    assert same(got, torch_trained(torchs, range(25), without=without))
    assert not same(got, drawn(0))


@pytest.mark.parametrize("rule", TORCHS)
def test_ours_goes_on_from_the_memory_of_torchs_class(rule: Rule) -> None:
    """A checkpoint that was written with torch's class is taken up; and ours remembers the same."""
    torchs = TORCHS[rule](parameters(), lr=0.1, weight_decay=0.1, fused=True)
    mine = [torch.nn.Parameter(one) for one in torch_trained(torchs, range(4))]
    ours = Optimizer(mine, rule, lr=0.1, weight_decay=0.1)
    state = torchs.state_dict()["state"]
    ours.take_up({number: memory for number, memory in state.items() if rule != "sgd"})
    assert same(trained(ours, mine, range(4, 9)), torch_trained(torchs, range(4, 9)))
    assert list(ours.memory) == ([] if rule == "sgd" else [0, 1, 2, 3])
    for number, memory in ours.memory.items():
        wanted = torchs.state_dict()["state"][number]
        assert set(memory) == set(wanted)
        for name, value in memory.items():
            assert value.dtype == wanted[name].dtype
            assert torch.equal(value, wanted[name]), (number, name)


def test_what_is_taken_up_is_a_copy() -> None:
    mine, others = parameters(), parameters()
    one, other = (Optimizer(of, "adam", lr=0.1, weight_decay=0.0) for of in (mine, others))
    trained(one, mine, range(3))
    other.take_up(one.memory)
    trained(other, others, range(3, 6))
    assert [float(memory["step"]) for memory in one.memory.values()] == [3.0] * 4
    assert [float(memory["step"]) for memory in other.memory.values()] == [6.0] * 4


def test_a_training_imports_neither_torchs_compiler_nor_scikit_learn(tmp_path: object) -> None:
    text = (
        "import sys\n"
        "from lstm_forecast.cli.app import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit as left:\n"
        "    print(left.code, [n for n in ('torch', 'torch._dynamo', 'sklearn') if n in sys.modules])\n"
    )
    words = ["train", str(ROOT / "configs/classic.yaml"), "--quiet", "--runs-dir", str(tmp_path)]
    for key, value in (("training.epochs", 1), ("model.hidden_size", 2), ("window.stride", 50)):
        words += ["--set", f"{key}={value}"]
    done = subprocess.run([sys.executable, "-c", text, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "0 ['torch']", done.stderr
