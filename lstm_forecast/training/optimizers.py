"""Adam, AdamW and SGD around torch's own functions, which need nothing of its compiler.

The classes of ``torch.optim`` import ``torch._dynamo`` when the first of them is made, which takes nearly as
long as torch itself and serves nothing here. The functions under them are the same, and so are, to the last
bit, the weights after any number of steps and what a checkpoint keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

Rule = Literal["adam", "adamw", "sgd"]
Memory = dict[int, dict[str, Tensor]]
BETAS, EPSILON = (0.9, 0.999), 1e-8  # Kingma & Ba 2015, algorithm 1


class Optimizer:
    """One rule for all parameters, with the part of ``torch.optim.Optimizer`` that a training needs.

    A parameter without a gradient keeps its value.

    Attributes:
        param_groups: one group; its ``lr`` is that of the next step.
    """

    def __init__(self, parameters: Iterable[Tensor], rule: Rule, *, lr: float, weight_decay: float) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": list(parameters), "lr": lr}]
        self._rule, self._weight_decay = rule, weight_decay
        self._memory: Memory = {}
        # Fused where the device has it: one kernel instead of some ten for each parameter.
        self._fused = self.param_groups[0]["params"][0].device.type in ("cpu", "cuda")

    @torch.no_grad()  # type: ignore[untyped-decorator,unused-ignore]
    def step(self) -> None:
        """One step against the gradients."""
        (group,) = self.param_groups
        learning = [number for number, one in enumerate(group["params"]) if one.grad is not None]
        parameters = [group["params"][number] for number in learning]
        gradients = [one.grad for one in parameters]
        if self._rule == "sgd":
            sgd(
                parameters,
                gradients,
                [None] * len(parameters),
                fused=self._fused,
                lr=group["lr"],
                weight_decay=self._weight_decay,
                momentum=0.0,
                dampening=0.0,
                nesterov=False,
                maximize=False,
            )
            return
        memories = [self._of(number) for number in learning]
        adam(
            parameters,
            gradients,
            [memory["exp_avg"] for memory in memories],
            [memory["exp_avg_sq"] for memory in memories],
            [],
            [memory["step"] for memory in memories],
            fused=self._fused,
            decoupled_weight_decay=self._rule == "adamw",
            lr=group["lr"],
            weight_decay=self._weight_decay,
            beta1=BETAS[0],
            beta2=BETAS[1],
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """As torch's: ``state`` is what is remembered of each parameter, by its number."""
        (group,) = self.param_groups
        numbers = list(range(len(group["params"])))
        return {"state": self._memory, "param_groups": [{**group, "params": numbers}]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a copy of such a state."""
        (group,) = self.param_groups
        group["lr"] = state["param_groups"][0]["lr"]
        self._memory = {
            number: {name: self._placed(number, name, value).clone() for name, value in memory.items()}
            for number, memory in state["state"].items()
        }

    def _of(self, number: int) -> dict[str, Tensor]:
        """What Adam remembers of a parameter, which is nothing before its first step."""
        if number not in self._memory:
            parameter = self.param_groups[0]["params"][number]
            self._memory[number] = {
                "step": torch.zeros((), device=self._step_device(number)),
                "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
                "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            }
        return self._memory[number]

    def _placed(self, number: int, name: str, value: Tensor) -> Tensor:
        parameter = self.param_groups[0]["params"][number]
        if name == "step":
            return value.to(self._step_device(number), torch.float32)
        return value.to(parameter.device, parameter.dtype)

    def _step_device(self, number: int) -> torch.device:
        """A fused kernel counts steps beside the parameter, the others on the CPU."""
        device: torch.device = self.param_groups[0]["params"][number].device
        return device if self._fused else torch.device("cpu")
