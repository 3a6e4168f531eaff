"""A dual encoder scores taxa by the cosine of a photo and of the words for each taxon."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from tqdm import tqdm

from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.models import files, reading, text_features, text_store
from linnet.models.base import Scored, pick_options
from linnet.models.texts import taxon_texts
from linnet.models.torchbits import chunks, device_of, dtype_of, forward, versions
from linnet.models.towers import OPEN_CLIP, OpenClipTowers, Towers, TransformersTowers, has_two_towers
from linnet.taxonomy.tree import Taxonomy

TEXT_BATCH = 64
IMAGE_BATCH = 32
SHOWN = 20  # names that a report lists


def matches(folder: Path) -> bool:
    """Whether the folder holds two towers, as open_clip or as transformers saves them."""
    return has_two_towers(folder)


def open(
    model: str,
    *,
    template: str | Sequence[str] = "rank",
    backend: str = "pil",
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
    scores: str | None = None,
    temperature: float | None = None,
) -> DualEncoder:
    """The dual encoder in a local folder or a hub repository.

    template: how a taxon is put into words, as in `texts.taxon_texts`; several templates are averaged.
    backend: 'pil' or 'torchvision' resizing, for models of transformers. scores, temperature: how answers are
    read off the scores of taxa, as in `reading.Reading`; by default as the folder's linnet.json says.
    """
    folder = files.resolve(model, revision, trust_remote_code)
    folder.need_safetensors()
    place, kind = device_of(device), dtype_of(dtype)
    read = reading.of_folder(folder.path, scores=scores, temperature=temperature)
    if (folder.path / OPEN_CLIP).is_file():
        return DualEncoder(folder, OpenClipTowers(folder, place, kind), template, read)
    towers = TransformersTowers(folder, place, kind, backend, trust_remote_code)
    return DualEncoder(folder, towers, template, read)


class DualEncoder:
    """Scorer of a dual encoder: every level's full vocabulary from one encoding of the photo."""

    needs_image = True

    def __init__(
        self,
        folder: files.ModelFolder,
        towers: Towers,
        template: str | Sequence[str],
        read: reading.Reading | None = None,
    ) -> None:
        self.folder, self.towers, self.read = folder, towers, read or reading.Reading()
        self.template = template if isinstance(template, str) else list(template)
        self._words: tuple[str, torch.Tensor, dict[str, Any]] | None = None
        self._leaf_words: text_store.Store | None = None

    def describe(self) -> dict[str, Any]:
        """What decides the scores; `versions` is only for the record."""
        return {
            "kind": "dual",
            "model": self.folder.name,
            "revision": self.folder.revision,
            "dtype": str(self.towers.dtype).removeprefix("torch."),
            "template": self.template,
            "logit_scale": round(self.towers.scale, 4),
            "scores": self.read.scores,
            "temperature": self.read.temperature,
            "backend": self.towers.backend,
            "versions": versions(self.towers.device, "torch", self.towers.library),
        }

    # ---- words ----

    def words(self, taxonomy: Taxonomy) -> tuple[torch.Tensor, dict[str, Any]]:
        """(n_taxa, d) unit vectors of the taxa in words, and a report; kept for the last taxonomy."""
        if self._words is None or self._words[0] != taxonomy.fingerprint:
            self._words = (taxonomy.fingerprint, *self._encode_words(taxonomy))
        return self._words[1:]

    def _encode_words(self, taxonomy: Taxonomy) -> tuple[torch.Tensor, dict[str, Any]]:
        lists = taxon_texts(taxonomy, self.template)
        flat = [text for texts in lists for text in texts]
        vectors, cut = text_features.features(flat, self._encode_texts, self._identity)
        mean = vectors.reshape(len(lists), len(taxonomy), -1).mean(axis=0)
        mean /= np.linalg.norm(mean, axis=1, keepdims=True)
        too_long = sorted({text for text, is_cut in zip(flat, cut, strict=True) if is_cut})
        report = {
            "templates": [self.template] if isinstance(self.template, str) else self.template,
            "example": lists[0][-1],
            "n_texts": len(set(flat)),
            "n_same_words": len(taxonomy) - _distinct_per_level(taxonomy, lists),
            "n_cut_texts": len(too_long),
            "cut_texts": too_long[:SHOWN],
        }
        return torch.from_numpy(mean).to(self.towers.device), report

    def _encode_texts(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """(m, d) float32 unit vectors and (m,) bool: cut off."""
        vectors, cut = [], []
        bar = tqdm(total=len(texts), desc="texts", unit="text", disable=len(texts) < 2 * TEXT_BATCH)
        with torch.inference_mode(), bar:
            for batch in chunks(texts, TEXT_BATCH):
                features, too_long = self.towers.text(batch)
                vectors.append(torch.nn.functional.normalize(features.float(), dim=-1).cpu().numpy())
                cut += too_long
                bar.update(len(batch))
        return np.concatenate(vectors), np.array(cut)

    def prepare_leaves(self, taxonomy: Taxonomy) -> dict[str, Any]:
        """Encode the words for the leaves, a part at a time, onto disk: see `text_store.Store`."""
        lists = taxon_texts(taxonomy, self.template)
        texts = [tuple(words[leaf] for words in lists) for leaf in taxonomy.leaves.tolist()]
        self._leaf_words = text_store.store(texts, self._encode_texts, self._identity)
        return {"example": texts[-1][0], "n_texts": len(texts), "kept_in": str(self._leaf_words.folder)}

    @property
    def _identity(self) -> str:
        """What decides the features of a text."""
        return f"{self.folder.revision} {self.towers.library} {self.towers.dtype}"

    # ---- photos ----

    def load(self, image: Image.Image) -> Any:
        """One RGB picture resized for the model."""
        return self.towers.preprocess.load(image)

    def image_features(self, items: Sequence[Any]) -> torch.Tensor:
        """(b, d) unit vectors of loaded pictures, on the model's device."""
        return torch.cat(forward(self._image_features, items, self.towers.device))

    def _image_features(self, items: Sequence[Any]) -> torch.Tensor:
        inputs = self.towers.preprocess.collate(items, self.towers.device, self.towers.dtype)
        return torch.nn.functional.normalize(self.towers.image(inputs).float(), dim=-1)

    def prepare(self, bank: Bank) -> dict[str, Any]:
        """Encode the words for the bank's taxa."""
        self.bank = bank
        return {"texts": self.words(bank.taxonomy)[1], "preprocess": self.towers.preprocess.name}

    def score(self, items: list[Any], rows: np.ndarray) -> Scored:
        """Scores over every taxon and over the options of the rows' questions."""
        words = self.words(self.bank.taxonomy)[0]
        cosine = (self.image_features(items) @ words.T).cpu().numpy()
        node = self.read(self.bank.taxonomy, self.towers.scale * cosine)
        return Scored(pick_options(self.bank, rows, node), node)

    def leaf_logprob(self, items: list[Any]) -> np.ndarray:
        """(b, n_leaves) log-probabilities of the prepared leaves for loaded pictures, summing to one.

        Memory: three times the result's 4 b n_leaves bytes, and one part of the words.
        """
        assert self._leaf_words is not None, "prepare the leaves first"
        features = self.image_features(items)
        scores = np.empty((len(items), len(self._leaf_words)), np.float32)
        for start, part in self._leaf_words.parts():
            words = torch.from_numpy(part).to(features)
            scores[:, start : start + len(part)] = (features @ words.T).cpu().numpy()
        scores *= self.towers.scale / self.read.temperature
        scores -= scores.max(axis=1, keepdims=True)
        return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

    def similarity(self, images: Sequence[Path], taxonomy: Taxonomy) -> np.ndarray:
        """(n, n_taxa) float32 cosines of photos and taxa; raises LinnetError for an unreadable photo."""
        words, parts = self.words(taxonomy)[0], []
        bar = tqdm(total=len(images), desc="photos", unit="photo", leave=False)
        with ThreadPoolExecutor(2) as pool, bar:
            for batch in chunks(images, IMAGE_BATCH):
                features = self.image_features(list(pool.map(self._read, batch)))
                parts.append((features @ words.T).cpu().numpy())
                bar.update(len(batch))
        return np.concatenate([np.empty((0, len(taxonomy)), np.float32), *parts])

    def _read(self, path: Path) -> Any:
        try:
            with Image.open(path) as image:
                return self.load(ImageOps.exif_transpose(image).convert("RGB"))
        except OSError as error:
            raise LinnetError(f"image {path} cannot be read ({error}); mend it or leave it out") from error


def _distinct_per_level(taxonomy: Taxonomy, lists: list[list[str]]) -> int:
    """Number of different (level, words) pairs; taxa with the same words on a level cannot be told apart."""
    return len(set(zip(taxonomy.level.tolist(), *lists, strict=True)))
