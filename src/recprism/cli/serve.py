"""`recprism serve`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recprism.cli.options import AsJson, Directory
from recprism.cli.output import note, write_json

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
    as_json: AsJson = False,
) -> None:
    """Answer over HTTP: the API under /v1, its documentation at /docs.

    Without a key only programs on this machine are served. The JSON document is written at the
    start.
    """
    from recprism.serve.addresses import is_loopback
    from recprism.serve.running import serve as run

    shown = f"[{host}]" if ":" in host else host
    url, is_local = f"http://{shown}:{port}", is_loopback(host)
    who = "programs on this machine need no key" if is_local else "a key is needed"

    def announce() -> None:
        if as_json:
            write_json({"url": url, "documentation": f"{url}/docs", "workers": workers})
        else:
            note(f"Serving `{directory}` at {url}, documented at /docs; {who}.")

    run(directory, host, port, workers, announce)
