"""What a teacher says of the photos and taxa that a chat model is asked about, ready by row."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.train.chat.batch import Batch
from linnet.train.teacher_features import Features, features
from linnet.train.teachers import Teacher, open_teacher, without_words


@dataclass(frozen=True, eq=False)
class Teaching:
    """A teacher on the samples of a bank.

    seen: features of the photos, None where none are wanted or the teacher sees nothing; words: (n_taxa, e)
    vectors of the taxa, None where none are wanted; truth: (n, L) and options: (n, L, O) taxa.
    """

    teacher: Teacher
    seen: Features | None
    words: Tensor | None
    truth: Tensor
    options: Tensor
    known: dict[str, Any]

    def patches(self, batch: Batch) -> list[Tensor | None]:
        """Per sample (g, g', d), None for a photo that the teacher or the chat model cannot read."""
        assert self.seen is not None
        rows, readable = batch.row.tolist(), batch.readable.tolist()
        return [one if ok else None for one, ok in zip(self.seen.seen(rows), readable, strict=True)]

    def asked(self, batch: Batch) -> Tensor:
        """(b, L, e) vectors of the true taxa, 0 where there is none."""
        return self._of(self.truth[batch.row.cpu()])

    def offered(self, batch: Batch) -> Tensor:
        """(b, L, O, e) vectors of the options."""
        return self._of(self.options[batch.row.cpu()])

    def _of(self, taxa: Tensor) -> Tensor:
        assert self.words is not None
        found = self.words[taxa.clamp(min=0).to(self.words.device)]
        return found * (taxa >= 0)[..., None].to(found)


def open_for(settings: dict[str, Any], bank: Bank, device: str) -> Teacher:
    """The teacher of a recipe; raises LinnetError where the recipe has none."""
    if not settings:
        raise LinnetError(
            "alignment needs a teacher; write for example teacher={kind: dual, model: imageomics/bioclip-2}"
        )
    return open_teacher(settings, bank, device)


def teach(teacher: Teacher, bank: Bank, visual: bool, label: bool) -> Teaching:
    """What `visual` and `label` losses need; photos are looked at once and kept on disk.

    Taxa without a vector and photos that cannot be read are counted, listed and told.
    """
    seen = features(teacher, bank) if visual and teacher.sees else None
    words = teacher.words(bank.taxonomy).detach() if label else None
    known: dict[str, Any] = {"teacher": teacher.describe()}
    if words is not None:
        known["words"] = without_words(words, bank.taxonomy)
        _tell(known["words"]["n_without"], known["words"]["without"], "taxa have no vector of the teacher's")
    if seen is not None:
        lost = [str(bank.image[row]) for row in (~seen.readable).nonzero()[0]]
        known["unreadable"] = {"n": len(lost), "first": lost[:8]}
        _tell(len(lost), lost, "photos could not be read by the teacher")
    truth, options = (torch.from_numpy(table).long() for table in (bank.lineage, bank.options))
    return Teaching(teacher, seen, words, truth, options, known)


def _tell(n: int, names: list[str], what: str) -> None:
    if n:
        print(f"{n:,} {what} and count nothing: {', '.join(names[:8])}", file=sys.stderr)
