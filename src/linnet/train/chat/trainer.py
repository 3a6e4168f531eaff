"""transformers' Trainer on packed questions, with any loss of what a policy says of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from transformers import Trainer

from linnet.bank.bank import Bank
from linnet.errors import LinnetError
from linnet.train.chat.batch import Batch
from linnet.train.chat.measure import quick
from linnet.train.chat.policy import Policy, Want
from linnet.train.chat.setup import Setup
from linnet.train.moving import Moving
from linnet.train.photos import Unreadable
from linnet.train.trainer import Epochs, Finite, Watched

Loss = Callable[[nn.Module, Batch], tuple[Tensor, dict[str, Tensor]]]


class Measured(Trainer):
    """A Trainer that validates a policy on the questions of `val`, in the way `linnet evaluate` does."""

    policy: Policy
    recipe: Any
    val: Bank | None
    unreadable: Unreadable

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Raises LinnetError where no process would have whole weights to measure and to save."""
        plugin = getattr(self.accelerator.state, "deepspeed_plugin", None)
        if self.is_fsdp_enabled or (plugin is not None and plugin.zero_stage == 3):
            raise LinnetError(
                f"{'FSDP' if self.is_fsdp_enabled else 'DeepSpeed ZeRO-3'} keeps weights in pieces, and a "
                "chat model is measured and saved whole; launch several processes without it, or with "
                "DeepSpeed at zero_stage: 2"
            )
        return super().train(*args, **kwargs)

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Figures of the validation questions."""
        assert self.val is not None
        self.policy.eval()
        ask, size = self.recipe.ask, self.recipe.train.eval_batch_size
        found = quick(self.policy.chat, self.val, ask, size, self.unreadable)
        figures = {f"{metric_key_prefix}_{name}": value for name, value in found.items()}
        self.log(figures)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, figures)
        return figures


class ChatTrainer(Measured, Watched):
    """Trains a policy on lessons.

    loss: of the model as the Trainer wraps it and a batch, to the total and its terms. model: what is
    wrapped, where it is more than the policy.
    """

    def __init__(
        self,
        setup: Setup,
        loss: Loss,
        unreadable: Unreadable,
        model: Moving | None = None,
    ) -> None:
        self.policy, self.student = setup.policy, model or setup.policy
        self.photos, self.loss, self.recipe = setup.lessons, loss, setup.recipe
        self.val, self.shown, self.unreadable = setup.sets.val, setup.shown, unreadable
        self.rows, self.parts = [], []
        super().__init__(
            model=self.student,
            args=setup.arguments,
            data_collator=setup.lessons.collate,
            train_dataset=setup.lessons,
            eval_dataset=None if self.val is None else setup.lessons,
            callbacks=[Epochs(self), Finite(self)],
        )

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The loss of a batch; questions about a photo that could not be read count for nothing."""
        batch: Batch = inputs["batch"]
        self._note(self.photos, batch.row, batch.readable)
        with self.accelerator.autocast():
            total, parts = self.loss(model, batch)
        self._keep(batch.row, total, parts)
        return (total, {"loss": total}) if return_outputs else total


def says(said_to_loss: Callable[..., tuple[Tensor, dict[str, Tensor]]], want: Want | None = None) -> Loss:
    """A Trainer's loss from one of what a policy says and of the batch."""
    return lambda model, batch: said_to_loss(model(batch, want), batch)


def steps_of(trainer: Trainer) -> dict[str, int]:
    """How many updates a Trainer made, and which were the best."""
    return {"steps": trainer.state.global_step, "best_step": trainer.state.best_global_step or 0}
