"""`linnet serve`: a page on this machine to drop a photo on and see its lineage."""

from __future__ import annotations

import argparse
import sys

from linnet.cli import _predict
from linnet.errors import UsageError

HELP = "a local page to drop a photo on and see its lineage and where the answer stops"
EXAMPLES = """\
examples:
  linnet serve --model MODEL --taxonomy birds.csv
  linnet serve --model MODEL --taxonomy birds.csv --calibration birds.json --risk 0.1 --port 8100

The page is reachable from this machine only, unless --host says otherwise; it has no password.
Photos are scored in memory and not kept.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to serve, what to refuse, and the same options as `predict` for the rest."""
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to bind (default: 127.0.0.1, this machine only)")
    add("--port", type=int, default=8011, help="port; 0 for any free one (default: 8011)")
    add("--max-megabytes", type=float, default=20, metavar="N", help="largest upload (default: 20)")
    add("--max-megapixels", type=float, default=50, metavar="N", help="largest picture (default: 50)")
    _predict.stop_arguments(parser)
    _predict.predictor_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from linnet.predict.server import Page
    from linnet.taxonomy import files

    _predict.check_stop(args)
    for name in ("max_megabytes", "max_megapixels"):
        if getattr(args, name) <= 0:
            raise UsageError(f"--{name.replace('_', '-')} is {getattr(args, name):g}; give a number above 0")
    if not 0 <= args.port < 1 << 16:
        raise UsageError(f"--port is {args.port}; give a number from 0 to 65535")
    taxonomy = _predict.chosen_part(args, files.read(args.taxonomy))
    predictor = _predict.predictor_of(args, taxonomy)
    stop = _predict.stop_of(args, predictor)
    predictor.prepare()
    most_bytes, most_pixels = int(args.max_megabytes * (1 << 20)), int(args.max_megapixels * 1e6)
    page = Page((args.host, args.port), predictor, stop, most_bytes, most_pixels)
    if not page.local:
        print(f"other machines can reach this page at {args.host}; it has no password", file=sys.stderr)
    host = f"[{args.host}]" if ":" in args.host else args.host
    print(f"http://{host}:{page.server_address[1]}/  (Ctrl-C ends it)", flush=True)
    try:
        page.serve_forever()
    except KeyboardInterrupt:
        print("ended", file=sys.stderr)
    finally:
        page.server_close()
    return 0
