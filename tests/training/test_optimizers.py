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


def trained(
    optimizer: Optimizer | torch.optim.Optimizer, steps: range, *, without: int | None = None
) -> list[Tensor]:
    """The parameters after steps with drawn gradients and a falling rate, one without any in even steps."""
    mine: list[torch.nn.Parameter] = optimizer.param_groups[0]["params"]
    for step in steps:
        for number, (parameter, gradient) in enumerate(zip(mine, drawn(step + 1), strict=True)):
            parameter.grad = None if number == without and step % 2 == 0 else gradient
        optimizer.param_groups[0]["lr"] = 0.1 / (step + 1)
        optimizer.step()
    return [one.detach().clone() for one in mine]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("rule", TORCHS)
@pytest.mark.parametrize("without", [None, 1])
def test_the_weights_are_those_of_torchs_class(rule: Rule, weight_decay: float, without: int | None) -> None:
    ours = Optimizer(parameters(), rule, lr=0.1, weight_decay=weight_decay)
    torchs = TORCHS[rule](parameters(), lr=0.1, weight_decay=weight_decay, fused=True)
    got, wanted = (trained(one, range(25), without=without) for one in (ours, torchs))
    assert same(got, wanted)
    assert not same(got, drawn(0))


@pytest.mark.parametrize("rule", TORCHS)
def test_the_memory_is_torchs_and_either_goes_on_from_it(rule: Rule) -> None:
    """A checkpoint that was written with torch's class is taken up, and the other way round."""
    straight = trained(Optimizer(parameters(), rule, lr=0.1, weight_decay=0.1), range(9))
    for first in (True, False):
        mine, torchs = parameters(), parameters()
        ours = Optimizer(mine, rule, lr=0.1, weight_decay=0.1)
        other = TORCHS[rule](torchs, lr=0.1, weight_decay=0.1, fused=True)
        begun, ended = (ours, other) if first else (other, ours)
        for parameter, value in zip(torchs if first else mine, trained(begun, range(4)), strict=True):
            parameter.data.copy_(value)
        groups = ended.state_dict()["param_groups"]
        ended.load_state_dict({"state": begun.state_dict()["state"], "param_groups": groups})
        assert same(trained(ended, range(4, 9)), straight)
    kinds = [
        {
            number: {name: (value.shape, value.dtype) for name, value in memory.items()}
            for number, memory in one.state_dict()["state"].items()
        }
        for one in (ours, other)
    ]
    assert kinds[0] == kinds[1]


def test_a_loaded_memory_is_a_copy() -> None:
    one, other = (Optimizer(parameters(), "adam", lr=0.1, weight_decay=0.0) for _ in range(2))
    trained(one, range(3))
    other.load_state_dict(one.state_dict())
    trained(other, range(3, 6))
    assert [float(memory["step"]) for memory in one.state_dict()["state"].values()] == [3.0] * 4
    assert [float(memory["step"]) for memory in other.state_dict()["state"].values()] == [6.0] * 4


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
