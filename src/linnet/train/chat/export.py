"""What a training of a chat model leaves: the adapter, and merged weights as an ordinary folder."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from linnet.models.chat.load import Chat
from linnet.models.files import ModelFolder
from linnet.train.export import copy_settings


def adapter(peft: Any, folder: Path) -> None:
    """The adapters alone, as PEFT loads them onto the model they come from."""
    peft.save_pretrained(folder, save_embedding_layers=False)


def merged(chat: Chat, peft: Any, source: ModelFolder, folder: Path) -> None:
    """Weights with the adapters added in, beside the source's processor, tokenizer and template.

    Written beside and moved into place. The model's scores stay what they were.
    """
    model = chat.model if peft is None else peft.merge_and_unload()
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    copy_settings(source.path, part)
    model.save_pretrained(part)
    shutil.rmtree(folder, ignore_errors=True)
    part.rename(folder)
