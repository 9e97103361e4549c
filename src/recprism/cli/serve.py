"""`recprism serve`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recprism.cli.options import Directory
from recprism.cli.output import note

Host = Annotated[str, typer.Option(metavar="H", help="The address to listen at.")]
Port = Annotated[int, typer.Option(min=1, max=65535, metavar="P", help="The port to listen at.")]
Workers = Annotated[
    int, typer.Option(min=1, max=256, metavar="N", help="How many processes answer.")
]


def serve(
    directory: Directory = Path(),
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Workers = 1,
) -> None:
    """Answer over HTTP: the API under /v1, its documentation at /docs.

    Without a key only programs on this machine are served.
    """
    from recprism.serve.addresses import is_loopback
    from recprism.serve.running import serve as run

    shown = f"[{host}]" if ":" in host else host
    who = "programs on this machine need no key" if is_loopback(host) else "a key is needed"
    note(f"Serving `{directory}` at http://{shown}:{port}, documented at /docs; {who}.")
    run(directory, host, port, workers)
