"""A training run on disk: plain arrays in one file, complete under its name or not there at all."""

import hashlib
import os
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from backend.errors import CheckpointDamaged, CheckpointNotWritten
from worker.trainer.optimizers import OptimizerState
from worker.trainer.state import Learned, Sums, TrainerState

FORMAT = 1
_LEARNED = ("weights", "mean", "square", "largest_square")


class SavedFile(NamedTuple):
    """A checkpoint as it was written."""

    size: int  # bytes
    sha256: str  # of the file


def state_hash(learned: Learned) -> str:
    """SHA-256 of weights and optimizer state: equal if and only if every bit of them is."""
    digest = hashlib.sha256()
    for name, array in sorted(_learned_arrays(learned).items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def save(path: Path, state: TrainerState) -> SavedFile:
    """Write a checkpoint. It has its name only once all of it is on the disk.

    Raises:
        CheckpointNotWritten: the disk is full, or the folder can't be written; nothing is left behind.
    """
    arrays = _learned_arrays(state.learned) | {
        "format": np.asarray(FORMAT),
        "epoch": np.asarray(state.epoch),
        "batch": np.asarray(state.batch),
        "seconds": np.asarray(state.seconds),
        "cost_sum": state.learned.sums.cost.numpy(),
        "correct": state.learned.sums.correct.numpy(),
    }
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
            file.flush()
            os.fsync(file.fileno())
        with part.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = part.stat().st_size
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise CheckpointNotWritten(f"The checkpoint {path} can't be written: {error.strerror or error}.") from error
    return SavedFile(size, sha256)


def load(path: Path, sha256: str, like: TrainerState) -> TrainerState:
    """The state in a checkpoint.

    Args:
        path: of the file.
        sha256: that the file must have.
        like: a state of the same run, for names, shapes and types.

    Raises:
        CheckpointDamaged: the file is gone, or is not the one that was written, or belongs to another network.
    """
    try:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise CheckpointDamaged(f"The checkpoint {path} is not as it was written: its checksum differs.")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise CheckpointDamaged(f"The checkpoint {path} can't be read: {error}.") from error
    _check(path, arrays, like)
    return _state_from(arrays)


def _learned_arrays(learned: Learned) -> dict[str, NDArray[np.generic]]:
    groups = (learned.weights, learned.optimizer.mean, learned.optimizer.square, learned.optimizer.largest_square)
    arrays = {
        f"{name}/{place}": tensor.numpy()
        for name, tensors in zip(_LEARNED, groups, strict=True)
        for place, tensor in enumerate(tensors)
    }
    return arrays | {"step": learned.optimizer.step.numpy()}


def _check(path: Path, arrays: dict[str, NDArray[np.generic]], like: TrainerState) -> None:
    if int(arrays.get("format", np.asarray(0))) != FORMAT:
        raise CheckpointDamaged(f"The checkpoint {path} has a format that this version can't read.")
    wanted = _learned_arrays(like.learned)
    held = {name for name in arrays if "/" in name or name == "step"}
    for name in sorted(held ^ set(wanted)):
        raise CheckpointDamaged(f"The checkpoint {path} is of another network or optimizer: {name} does not fit.")
    for name, array in wanted.items():
        if arrays[name].shape != array.shape or arrays[name].dtype != array.dtype:
            raise CheckpointDamaged(
                f"The checkpoint {path} is of another network: {name} is {arrays[name].shape}, not {array.shape}."
            )


def _state_from(arrays: dict[str, NDArray[np.generic]]) -> TrainerState:
    def group(name: str) -> tuple[tf.Tensor, ...]:
        number = sum(key.startswith(f"{name}/") for key in arrays)
        return tuple(tf.constant(arrays[f"{name}/{place}"]) for place in range(number))

    weights, mean, square, largest = (group(name) for name in _LEARNED)
    optimizer = OptimizerState(tf.constant(arrays["step"]), mean, square, largest)
    sums = Sums(tf.constant(arrays["cost_sum"]), tf.constant(arrays["correct"]))
    return TrainerState(
        Learned(weights, optimizer, sums), int(arrays["epoch"]), int(arrays["batch"]), float(arrays["seconds"])
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
