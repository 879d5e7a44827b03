"""The course of training, the settings and the network's graph as TensorBoard event files.

Written with the message types and the checksum of tensorboardX, but neither with its writer nor with that of
torch: both hand the events to a thread, where a full disk is noticed late or never. Here every call has
written its record when it returns.
"""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lstm_forecast.errors import ResourceError
from lstm_forecast.model.beside import NOTHING, Beside
from lstm_forecast.model.reglstm import RegLSTM
from lstm_forecast.runs.storage import FILE_MODE, make_directory, storage_errors
from lstm_forecast.training.course import Epoch


class BoardWriter:
    """One event file of TensorBoard; it grows with every call, and no call leaves it open.

    A viewer may read along. TensorBoard keeps numbers as float32.

    Attributes:
        file: the event file.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._last_epoch = 0

    def epoch(self, epoch: Epoch) -> None:
        """Adds the numbers of a finished epoch, at the step of its number; what is None is left out.

        The tags are the fields of :class:`Epoch`; the norm of a layer's gradient is ``grad_norm/layers.0``.

        Raises:
            StorageError: the file cannot be written.
        """
        numbers = {
            "train_loss": epoch.train_loss,
            "val_loss": epoch.val_loss,
            "val_score": epoch.val_score,
            "lr": epoch.lr,
            "grad_norm": epoch.grad_norm,
            **{f"grad_norm/{layer}": norm for layer, norm in epoch.layer_norms.items()},
        }
        self._last_epoch = epoch.epoch
        self._scalars({tag: number for tag, number in numbers.items() if number is not None})

    def graph(self, model: RegLSTM, example: Tensor, beside: Beside = NOTHING) -> None:
        """Adds the network's graph: a box per layer, and one per tensor operation between the layers.

        The model computes the example once, as in evaluation; its weights and its mode stay.

        Args:
            model: on the device of the example.
            example: ``[1, L, F]`` whatever the model's ``batch_first`` is; its values do not matter.
            beside: what the model is given beside it.

        Raises:
            StorageError: the file cannot be written.
        """
        from tensorboardX.proto.graph_pb2 import GraphDef

        graph = GraphDef(node=[_message(box) for box in boxes_of(model, example, beside)])
        self._append({"graph_def": graph.SerializeToString()})

    def finish(self, settings: Mapping[str, str | float | bool | int], metrics: Mapping[str, float]) -> None:
        """Adds the settings as hyper-parameters, with the final metrics to compare runs by.

        Args:
            settings: resolved configuration, dotted key -> value.
            metrics: name -> value; the tag is ``final/NAME``, the step the last epoch's.

        Raises:
            StorageError: the file cannot be written.
        """
        from tensorboardX.summary import hparams

        final = {f"final/{name}": number for name, number in metrics.items()}
        for summary in hparams(dict(settings), final):
            self._append({"summary": summary})
        self._scalars(final)

    def _scalars(self, numbers: Mapping[str, float]) -> None:
        """Adds these numbers at the last epoch, all in one record."""
        from tensorboardX.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=tag, simple_value=number) for tag, number in numbers.items()]
        self._append({"step": self._last_epoch, "summary": Summary(value=values)})

    def _append(self, fields: Mapping[str, Any]) -> None:
        """Adds one event and waits until the disk has it, for some file systems tell of errors only then."""
        from tensorboardX.proto.event_pb2 import Event

        record = _record(Event(wall_time=time.time(), **fields).SerializeToString())
        with storage_errors(self.file):
            descriptor = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, FILE_MODE)
            with os.fdopen(descriptor, "ab") as file:
                file.write(record)
                file.flush()
                os.fsync(file.fileno())


def open_board(folder: Path) -> BoardWriter:
    """A new event file in the folder, which is made where it is missing.

    Raises:
        ResourceError: tensorboardX is not installed; nothing was written.
        StorageError: the folder or the file cannot be written.
    """
    require_writer()
    make_directory(folder)
    # TensorBoard knows its files by this infix and reads them in the order of their names. The host's name,
    # which other writers add, would go with every copy of the run.
    board = BoardWriter(folder / f"events.out.tfevents.{time.time_ns()}")
    board._append({"file_version": "brain.Event:2"})
    return board


def require_writer() -> None:
    """Makes sure that event files can be written.

    Raises:
        ResourceError: tensorboardX is not installed.
    """
    try:
        import tensorboardX  # noqa: F401
    except ImportError as error:
        raise ResourceError(
            "resource.extra",
            "training.tensorboard needs the package tensorboardX, which cannot be imported",
            details=[f"reason: {error}"],
            hint="pip install 'lstm-forecast[tensorboard]'",
        ) from error


@dataclass(frozen=True)
class Box:
    """One node of a network's graph.

    Attributes:
        name: unique; a layer's is its name in the model, the head's layers are grouped as ``head/0``.
        kind: the class of a layer, or the name of a tensor operation.
        inputs: names of the boxes whose tensors come in.
        shapes: of the tensors that come out.
        detail: a layer's arguments.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    detail: str


def boxes_of(model: RegLSTM, example: Tensor, beside: Beside = NOTHING) -> list[Box]:
    """The layers and operations that lead from an example ``[1, L, F]`` to the forecast, in order.

    Watched while the model computes: 2 to 27 ms, measured. The graphs of torch itself were put aside:
    ``torch.jit.trace`` is deprecated and gives a warning per check of a shape, ``torch.export`` takes 2.4 s,
    assigns to attributes of the layers, and draws 2,210 nodes for two peephole layers over 60 steps.
    """
    was_training = model.training
    watch = _Watch(example)
    model.eval()
    try:
        with torch.no_grad(), watch, watch.layers_of(model):
            answer = model.final(example if model.batch_first else example.transpose(0, 1), beside=beside)
    finally:
        model.train(was_training)
    watch.add("output", "output", given=[answer], made=[answer], detail="")
    return watch.boxes


class _Watch(TorchFunctionMode):
    """Notes each layer and each tensor operation outside of them, and where their tensors come from."""

    def __init__(self, example: Tensor) -> None:
        super().__init__()
        self.boxes: list[Box] = []
        self._origin: dict[Tensor, str] = {}  # tensors as keys go by identity, not by value
        self._within_layer = False
        self.add("input", "input", given=[], made=[example], detail="")

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Computes as if nobody watched."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        given, made = list(_tensors([args, list(kwargs.values())])), list(_tensors(result))
        if made and not self._within_layer:
            kind = func.__name__.strip("_")
            self.add(self._free(kind), kind, given=given, made=made, detail="")
        return result

    @contextmanager
    def layers_of(self, model: nn.Module) -> Iterator[None]:
        """While the block runs, each module without parts of its own is one box, whatever it does inside."""
        handles = []
        for name, layer in model.named_modules():
            if not any(True for _ in layer.children()):
                name_of_box = name.replace("head.", "head/")
                handles += [
                    layer.register_forward_pre_hook(self._enter),
                    layer.register_forward_hook(self._leaver(name_of_box)),
                ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def add(self, name: str, kind: str, *, given: list[Tensor], made: list[Tensor], detail: str) -> None:
        """One more box; tensors that no box made, such as weights, are not drawn."""
        origins = [self._origin[tensor] for tensor in given if tensor in self._origin]
        shapes = tuple(tuple(tensor.shape) for tensor in made)
        self.boxes.append(Box(name, kind, tuple(dict.fromkeys(origins)), shapes, detail))
        self._origin |= dict.fromkeys(made, name)

    def _enter(self, _layer: nn.Module, _given: Any) -> None:
        self._within_layer = True

    def _leaver(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        def leave(layer: nn.Module, given: Any, made: Any) -> None:
            self._within_layer = False
            self.add(
                name,
                type(layer).__name__,
                given=list(_tensors(given)),
                made=list(_tensors(made)),
                detail=str(layer),
            )

        return leave

    def _free(self, kind: str) -> str:
        """A name that no box has yet: transpose, then transpose_1."""
        count = sum(box.kind == kind for box in self.boxes)
        return f"{kind}_{count}" if count else kind


def _tensors(value: Any) -> Iterator[Tensor]:
    """The tensors in a value, those in nested tuples and lists included."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)


def _message(box: Box) -> Any:
    """A box as TensorBoard's NodeDef; the keys of its attributes are those of torch's own writer."""
    from tensorboardX.proto.attr_value_pb2 import AttrValue
    from tensorboardX.proto.node_def_pb2 import NodeDef
    from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto

    shapes = [
        TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in shape]) for shape in box.shapes
    ]
    attributes = {"_output_shapes": AttrValue(list=AttrValue.ListValue(shape=shapes))}
    if box.detail:
        attributes["attr"] = AttrValue(s=box.detail.encode())
    return NodeDef(name=box.name, op=box.kind, input=box.inputs, attr=attributes)


def _record(data: bytes) -> bytes:
    """A TFRecord: the length as uint64 and its checksum, the data and theirs, all little-endian."""
    from tensorboardX.record_writer import masked_crc32c

    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))
