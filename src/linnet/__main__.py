"""`python -m linnet` is the `linnet` command."""

import sys

from linnet.cli import main


def leave() -> None:
    """Part from other processes of a training: one that ends without a word is torn down with an error."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    code = main()
    leave()
    sys.exit(code)
