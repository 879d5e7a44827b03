"""What a network is given beside its window: features of the steps to come, and what its series is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lstm_forecast.model.architecture import embedding_width, step_width


@dataclass(frozen=True)
class Beside:
    """Inputs of B windows that are no part of them; the batch always comes first.

    Attributes:
        ahead: features known ahead of the H steps after a window, [B, H, P]; for ``forward`` of the H steps
            after each of its T outputs, [B, T, H, P]. None where the network has none.
        static: of the window's series, [B, K]: a number, or the code of a category from 1 on, 0 for one that
            training has not seen. None where the network has none.
    """

    ahead: Tensor | None = None
    static: Tensor | None = None

    def ahead_of(self, *shape: int) -> Tensor:
        """The features known ahead, of this shape.

        Raises:
            ValueError: they are of another, or not there.
        """
        return _of_shape("ahead", self.ahead, shape)

    def static_of(self, *shape: int) -> Tensor:
        """What the series are, of this shape.

        Raises:
            ValueError: it is of another, or not there.
        """
        return _of_shape("static", self.static, shape)


def _of_shape(name: str, found: Tensor | None, shape: tuple[int, ...]) -> Tensor:
    if found is None or tuple(found.shape) != shape:
        got = "nothing" if found is None else f"shape {tuple(found.shape)}"
        raise ValueError(f"beside.{name}: got {got}, expected shape {shape}")
    return found


NOTHING = Beside()


class StepHead(nn.Module):
    """State and features of each step ahead → what they add to that step's numbers.

    One small network for all steps, out(relu(A state + B features)); it starts at zero.

    Args:
        state_size: W, width of the state that the head reads.
        ahead_size: P, features per step ahead.
        numbers: Q per step.
    """

    def __init__(self, state_size: int, ahead_size: int, numbers: int) -> None:
        super().__init__()
        width = step_width(state_size)
        self.of_state = nn.Linear(state_size, width)
        self.of_ahead = nn.Linear(ahead_size, width, bias=False)
        self.out = nn.Linear(width, numbers)

    def forward(self, state: Tensor, ahead: Tensor) -> Tensor:
        """[..., W] and [..., H, P] → [..., H · Q]."""
        hidden = torch.relu(self.of_state(state)[..., None, :] + self.of_ahead(ahead))
        added: Tensor = self.out(hidden)
        return added.flatten(-2)


class StaticInputs(nn.Module):
    """What a series is, as numbers for every recurrent step: categories by embeddings, numbers as they are.

    A category that training has not seen gets the mean of those it has.

    Args:
        sizes: of each static column its number of categories, 0 for a number.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.embeddings = nn.ModuleList(nn.Embedding(size, embedding_width(size)) for size in sizes if size)

    @property
    def width(self) -> int:
        """E, how many numbers a series becomes."""
        return sum(embedding_width(size) if size else 1 for size in self.sizes)

    def forward(self, static: Tensor) -> Tensor:
        """[B, K] → [B, E]."""
        tables, parts = iter(self.embeddings), []
        for column, size in zip(static.unbind(-1), self.sizes, strict=True):
            if not size:
                parts.append(column[:, None])
                continue
            table = next(tables)
            assert isinstance(table, nn.Embedding)
            known = table.weight
            whole = torch.cat([known.mean(dim=0, keepdim=True), known])
            parts.append(whole[column.long()])
        return torch.cat(parts, dim=-1)
