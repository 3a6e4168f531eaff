"""The reference policy is the model before training: its adapters disabled, or a frozen copy."""

from __future__ import annotations

import torch
from torch import Tensor

from linnet.train.chat.adapters import frozen_copy
from linnet.train.chat.batch import Batch
from linnet.train.chat.policy import Policy


class Reference:
    """Log-probabilities of the policy as it was when this object was made.

    Where adapters are all that is trained they are disabled for a forward, and no second model is held.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        adapters_only = policy.peft and all("lora_" in name for name in policy.moving())
        self.copy = None if adapters_only else Policy(frozen_copy(policy.chat)).eval()

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Tensor:
        """(b, L, O) log-probabilities as `Said.logprob`, without gradient."""
        if self.copy is not None:
            return self.copy(batch).logprob
        with self.policy.without_adapter():
            return self.policy(batch).logprob
