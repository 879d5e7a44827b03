"""Adam, AdamW and SGD around torch's own functions, which need nothing of its compiler.

The classes of ``torch.optim`` import ``torch._dynamo`` when the first of them is made, which takes nearly as
long as torch itself and serves nothing here. The functions under them are the same, and so are, to the last
bit, the weights after any number of steps and what a checkpoint keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

Rule = Literal["adam", "adamw", "sgd"]
Memory = dict[str, Tensor]  # step, exp_avg and exp_avg_sq of one parameter, as torch names them
BETAS, EPSILON = (0.9, 0.999), 1e-8  # Kingma & Ba 2015, algorithm 1


class Optimizer:
    """One rule for all parameters.

    Args:
        parameters: what it changes.
        rule: adam, adamw (Loshchilov & Hutter 2019) or sgd, the plain one without momentum.
        lr: the first learning rate.
        weight_decay: share of the weights; with adam and sgd it is added to the gradient instead.

    Attributes:
        lr: learning rate of the next step.
        memory: what Adam remembers of each parameter, by its number; nothing before its first gradient.
    """

    def __init__(self, parameters: Iterable[Tensor], rule: Rule, *, lr: float, weight_decay: float) -> None:
        self.lr = lr
        self.memory: dict[int, Memory] = {}
        self._parameters = list(parameters)
        self._rule, self._weight_decay = rule, weight_decay
        # Fused where the device has it: one kernel instead of some ten for each parameter.
        self._fused = self._parameters[0].device.type in ("cpu", "cuda")

    @torch.no_grad()  # type: ignore[untyped-decorator,unused-ignore]
    def step(self, gradients: Sequence[Tensor | None]) -> None:
        """One step against the gradients, one per parameter; a parameter without one keeps its value."""
        numbers = [number for number, one in enumerate(gradients) if one is not None]
        parameters = [self._parameters[number] for number in numbers]
        present = [one for one in gradients if one is not None]
        if self._rule == "sgd":
            self._descend(parameters, present)
        else:
            self._adapt(parameters, present, [self._of(number) for number in numbers])

    def take_up(self, memory: Mapping[int, Mapping[str, Tensor]]) -> None:
        """Goes on with a copy of what another one remembered."""
        self.memory = {
            number: {name: self._placed(number, name, value).clone() for name, value in of_one.items()}
            for number, of_one in memory.items()
        }

    def _descend(self, parameters: list[Tensor], gradients: list[Tensor]) -> None:
        sgd(
            parameters,
            gradients,
            [None] * len(parameters),
            fused=self._fused,
            lr=self.lr,
            weight_decay=self._weight_decay,
            momentum=0.0,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )

    def _adapt(self, parameters: list[Tensor], gradients: list[Tensor], memories: list[Memory]) -> None:
        adam(
            parameters,
            gradients,
            [memory["exp_avg"] for memory in memories],
            [memory["exp_avg_sq"] for memory in memories],
            [],
            [memory["step"] for memory in memories],
            fused=self._fused,
            decoupled_weight_decay=self._rule == "adamw",
            lr=self.lr,
            weight_decay=self._weight_decay,
            beta1=BETAS[0],
            beta2=BETAS[1],
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )

    def _of(self, number: int) -> Memory:
        if number not in self.memory:
            parameter = self._parameters[number]
            self.memory[number] = {
                "step": torch.zeros((), device=self._step_device(number)),
                "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
                "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            }
        return self.memory[number]

    def _placed(self, number: int, name: str, value: Tensor) -> Tensor:
        if name == "step":
            return value.to(self._step_device(number), torch.float32)
        return value.to(self._parameters[number].device, self._parameters[number].dtype)

    def _step_device(self, number: int) -> torch.device:
        """A fused kernel counts steps beside the parameter, the others on the CPU."""
        return self._parameters[number].device if self._fused else torch.device("cpu")
