"""A drawn world: a random taxonomy whose species look alike the closer they are related."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from linnet.data.critters import names, scene, traits, tree
from linnet.data.critters.draw import render
from linnet.errors import LinnetError
from linnet.taxonomy.tree import ROOT, Taxonomy

DECLINE = 0.75  # variance of shape steps from one rank to the next
CHUNK = 16  # pictures at a time: their planes stay in the second-level cache


@dataclass(frozen=True)
class World:
    """Everything follows from these parameters; equal parameters draw equal pictures.

    ranks, sizes: name and number of taxa per rank, coarsest first. evenness: how alike the numbers
    of children are (Dirichlet concentration). shape_variance, coat_variance: of the traits' steps into
    each rank, scaled to sum to 1; None lets body plans diverge early and coats at every rank alike.
    individual: standard deviation of traits within a species. held_out_species, held_out_genera:
    how many taxa of the last and of the last but one rank are novel. size: picture side in pixels.
    """

    seed: int = 0
    ranks: tuple[str, ...] = ("class", "order", "family", "genus", "species")
    sizes: tuple[int, ...] = (4, 8, 16, 32, 96)
    size: int = 64
    evenness: float = 8.0
    shape_variance: tuple[float, ...] | None = None
    coat_variance: tuple[float, ...] | None = None
    individual: float = 0.2
    held_out_species: int = 12
    held_out_genera: int = 4

    def __post_init__(self) -> None:
        for name in ("sizes", "shape_variance", "coat_variance"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.ranks):
                raise LinnetError(
                    f"{name} has {len(values)} values for {len(self.ranks)} ranks; give one per rank"
                )

    def _rng(self, what: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, what])

    @cached_property
    def _parents(self) -> list[np.ndarray]:
        return tree.grow(self.sizes, self.evenness, self._rng(0))

    @cached_property
    def taxonomy(self) -> Taxonomy:
        """All taxa, held-out ones included; species are its leaves, in order."""
        named = names.name_all(self.ranks, self.sizes, self._parents, self._rng(1))
        offset = np.cumsum([0, *self.sizes])
        parent = [np.full(self.sizes[0], ROOT)]
        parent += [above + start for above, start in zip(self._parents, offset[:-2], strict=True)]
        level = np.repeat(np.arange(len(self.sizes), dtype=np.int16), self.sizes)
        flat = np.array([name for rank in named for name in rank], object)
        return Taxonomy(flat, np.concatenate(parent).astype(np.int32), level, self.ranks, "critters")

    @cached_property
    def traits(self) -> np.ndarray:
        """(n_taxa, n_traits) float64 traits of every taxon; a species' are its typical individual's."""
        return np.concatenate(traits.evolve(self._parents, self.sizes[0], self._variance, self._rng(2)))

    @property
    def _variance(self) -> np.ndarray:
        early = np.array(self.shape_variance or DECLINE ** np.arange(len(self.ranks)))
        steady = np.array(self.coat_variance or np.ones(len(self.ranks)))
        return np.where(traits.COAT, (steady / steady.sum())[:, None], (early / early.sum())[:, None])

    @cached_property
    def species_traits(self) -> np.ndarray:
        """(n_species, n_traits) float64."""
        return self.traits[self.taxonomy.leaves]

    @cached_property
    def _held_out(self) -> tuple[np.ndarray, np.ndarray]:
        return tree.hold_out(self._parents, self.held_out_species, self.held_out_genera, self._rng(3))

    @cached_property
    def held_out(self) -> np.ndarray:
        """(n_species,) bool: the species is novel, alone or with its whole genus."""
        return self._held_out[0] | self._held_out[1]

    @cached_property
    def deepest_known(self) -> np.ndarray:
        """(n_species,) int level of the finest taxon of each species that has known species."""
        alone, with_genus = self._held_out
        return len(self.sizes) - 1 - alone.astype(int) - 2 * with_genus

    def individuals(self, species: np.ndarray, seed: scene.Seed, start: int = 0) -> np.ndarray:
        """(n, n_traits) traits of single animals, `individual` away from their species'."""
        return self._sample(np.asarray(species), seed, start)[0]

    def draw(self, species: np.ndarray, seed: scene.Seed, start: int = 0) -> np.ndarray:
        """(n, size, size, 3) uint8 pictures, one per entry of `species` (0..n_species-1).

        Picture i follows from the world, the seed, start + i and species[i] alone, so a long series
        can be drawn in pieces.
        """
        species = np.asarray(species)
        out = np.empty((len(species), self.size, self.size, 3), np.uint8)
        for first in range(0, len(species), CHUNK):
            part = species[first : first + CHUNK]
            values, numbers = self._sample(part, seed, start + first)
            out[first : first + CHUNK] = render(traits.looks(values), scene.sample(numbers), self.size)
        return out

    def _sample(self, species: np.ndarray, seed: scene.Seed, start: int) -> tuple[np.ndarray, np.ndarray]:
        width = len(traits.NAMES) + len(traits.NAMES) % 2
        u = scene.uniforms(seed, start, len(species), width + scene.N_UNIFORM)
        noise = scene.normals(u[:, :width])[:, : len(traits.NAMES)]
        return self.species_traits[species] + self.individual * noise, u[:, width:]
