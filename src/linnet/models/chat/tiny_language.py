"""Language models of any size with random weights, saved as ordinary folders, to stitch and to test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

from linnet.errors import LinnetError, unknown
from linnet.models.chat.shapes import SIZES
from linnet.models.chat.tiny import train_tokenizer

USED = ("hidden", "layers", "heads", "kv_heads", "mlp", "vocab", "context", "tie", "spread")


def save_language(
    folder: Path | str,
    tokenizer: PreTrainedTokenizerFast | None = None,
    kind: str = "qwen2",
    seed: int = 0,
    **sizes: Any,
) -> Path:
    """Write a causal language model of `kind` with random matrices, and its tokenizer.

    tokenizer: `train_tokenizer()` by default. kind: 'qwen2', 'llama', … sizes: those of `shapes.SIZES`
    that a language model has. Raises LinnetError for another size.
    """
    for name in sizes.keys() - set(USED):
        raise LinnetError(unknown("size", name, "save_language", USED))
    size = {**SIZES, **sizes}
    tokens = tokenizer if tokenizer is not None else train_tokenizer()
    config = AutoConfig.for_model(
        kind,
        vocab_size=max(size["vocab"], len(tokens)),
        hidden_size=size["hidden"],
        intermediate_size=size["mlp"],
        num_hidden_layers=size["layers"],
        num_attention_heads=size["heads"],
        num_key_value_heads=size["kv_heads"],
        max_position_embeddings=size["context"],
        tie_word_embeddings=size["tie"],
        bos_token_id=None,
        pad_token_id=tokens.pad_token_id,
        eos_token_id=tokens.eos_token_id,
    )
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter.normal_(std=size["spread"])
    model.save_pretrained(folder)
    tokens.save_pretrained(folder)
    return Path(folder)
