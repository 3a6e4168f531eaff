"""A run whose rewards are all alike learns nothing, and says so once."""

from __future__ import annotations

import logging

from torch import Tensor

log = logging.getLogger(__name__)
STEPS, SPREAD = 50, 0.01  # so many steps in which rewards differ by less than that
LOW = (
    "no answer earns more than another: give partial credit (rft.reward=tree-distance), judge among the "
    "options only (rft.over=options), or begin with supervised training"
)
HIGH = "all answers are right: stop here, or ask harder questions (data.policy=sibling or similar)"


class Flat:
    """Counts steps in a row whose rewards hardly differ."""

    def __init__(self, steps: int = STEPS) -> None:
        self.steps, self.seen = steps, 0

    def note(self, parts: dict[str, Tensor]) -> None:
        """Take a step's `reward` and `reward_std`; warns when there were `steps` flat ones in a row."""
        self.seen = self.seen + 1 if float(parts["reward_std"]) < SPREAD else 0
        if self.seen == self.steps:
            reward = float(parts["reward"])
            why = HIGH if reward > 0.5 else LOW
            log.warning("rewards were flat for %d steps (mean %.2f); %s", self.steps, reward, why)
