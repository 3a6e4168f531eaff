"""A predictor turns photos into chains, with whatever kind of scorer there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from linnet.errors import LinnetError
from linnet.evaluate.fingerprint import VOLATILE
from linnet.evaluate.session import hide
from linnet.models.base import LeafScorer, Scorer
from linnet.predict import descent
from linnet.predict.asking import Asker
from linnet.predict.chains import Chains, of_leaf_logprob
from linnet.taxonomy.tree import Taxonomy

GROUP = 26  # options of a question: one letter each
ASK = ("tree", "leaves")


@dataclass(eq=False)
class Predictor:
    """A scorer on a taxonomy.

    Scorers of leaves (classifiers, dual encoders) score all of them at once and are summed up the tree; all
    others are asked down the tree with `beam` open paths, or with `ask` = 'leaves' about all leaves, with at
    most `group` options in a question.
    """

    scorer: Scorer
    taxonomy: Taxonomy
    beam: int = 3
    group: int = GROUP
    ask: str = ASK[0]
    report: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.by_leaves = isinstance(self.scorer, LeafScorer)
        self.asker = Asker(self.taxonomy, self.scorer, self.group)
        if len(self.taxonomy.leaves) < 2:
            only = self.taxonomy.names[self.taxonomy.leaves[0]]
            raise LinnetError(
                f"taxonomy '{self.taxonomy.name}' has one leaf ('{only}'), so "
                "there is nothing to tell apart; give one with at least two"
            )
        if not self.scorer.needs_image:
            raise LinnetError(
                "this model sees no photos; give a classifier, dual encoder or chat model that does"
            )

    @property
    def about(self) -> dict[str, Any]:
        """What decides the chains: the model as it describes itself, the taxonomy, the way it is asked."""
        model = {key: value for key, value in self.scorer.describe().items() if key not in VOLATILE}
        return {"model": hide(model), "taxonomy": self.taxonomy.fingerprint, "asked": self._way()}

    def _way(self) -> Any:
        if self.by_leaves:
            return "leaves"
        if self.ask == "leaves":
            return {"leaves in groups of": self.group}
        return {"beam": self.beam, "group": self.group}

    def prepare(self) -> dict[str, Any]:
        """Get the scorer ready for the taxonomy; returns its report."""
        scorer: Any = self.scorer
        if self.by_leaves:
            self.report = scorer.prepare_leaves(self.taxonomy)
        else:
            self.report = self.asker.prepare(self.ask == "leaves")
        return self.report

    def load(self, image: Image.Image) -> Any:
        """What the scorer makes of one upright RGB picture; runs in worker threads."""
        return self.scorer.load(image)

    def chains(self, items: list[Any]) -> Chains:
        """Chains of loaded pictures."""
        scorer: Any = self.scorer
        if self.by_leaves:
            return of_leaf_logprob(self.taxonomy, scorer.leaf_logprob(items))
        if self.ask == "leaves":
            return descent.at_once(self.asker, items, self.group)
        return descent.descend(self.asker, items, self.beam, self.group)
