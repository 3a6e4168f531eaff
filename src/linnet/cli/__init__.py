"""The command `linnet`: one thin module per verb, found by name in this folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from linnet import __version__, discover
from linnet.errors import LinnetError, UsageError


def parser() -> argparse.ArgumentParser:
    """The whole command line; verbs import what is heavy only when they run."""
    top = argparse.ArgumentParser(
        prog="linnet",
        description="Measure and mend how consistently a vision-language model names things at every rank.",
    )
    top.add_argument("--version", action="version", version=f"linnet {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name in discover.names("linnet.cli"):
        module = discover.load("linnet.cli", name, "verb")
        sub = verbs.add_parser(
            name,
            help=module.HELP,
            description=module.HELP,
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(sub)
        sub.set_defaults(run=module.run)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns 0, 1 where it failed, 2 where the command line is wrong."""
    args = parser().parse_args(argv)
    try:
        return args.run(args) or 0
    except LinnetError as error:
        print(f"linnet {args.verb}: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print(f"\nlinnet {args.verb}: interrupted; the same command continues", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stderr.close()
        return 0


if __name__ == "__main__":
    sys.exit(main())
