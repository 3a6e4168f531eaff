"""How much memory a training step takes, from what autograd keeps for a few photos and texts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from linnet.train.lora import counts
from linnet.train.student import Student

FEW = 8  # texts that are tried
MIXED = 0.6  # share of the float32 activations that stay in mixed precision, roughly


def estimate(student: Student, inputs: dict[str, Tensor], batch_size: int, precision: str) -> dict[str, int]:
    """Bytes for weights, for gradients with Adam's two moments, and for activations of a batch.

    inputs: model inputs of a few photos. Activations are counted, not guessed: what autograd keeps for
    these photos and for a few texts, times the batch and the texts. What kernels use on the way is not in it.
    """
    found = counts(student)
    share = 1.0 if precision == "fp32" else MIXED
    photos = _photos(student, inputs) * batch_size
    texts = _texts(student) if student.text.moves else 0
    parts = {
        "weights": 4 * found["total"],
        "gradients_and_moments": 12 * found["trainable"],
        "photo_activations": int(share * photos),
        "text_activations": int(share * texts),
    }
    return parts | {"total": sum(parts.values())}


def _photos(student: Student, inputs: dict[str, Tensor]) -> float:
    encoded = "features" in inputs

    def run() -> Any:
        seen = inputs["features"] if encoded else student.vision.encode(inputs)
        return student.vision.project(seen)

    return kept(run, student) / len(next(iter(inputs.values())))


def _texts(student: Student) -> float:
    n = student.n_templates * student.n_taxa
    few = {key: value[:FEW] for key, value in student.tokens.items()}
    return kept(lambda: student.text.project(student.text.encode(few)), student) / min(FEW, n) * n


def kept(run: Callable[[], Any], model: torch.nn.Module) -> int:
    """Bytes that autograd keeps for the backward pass of `run`, parameters aside."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    seen: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        held = run()
    del held
    return sum(seen.values())
