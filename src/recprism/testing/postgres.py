"""A real PostgreSQL for tests: a private server from the binaries on this machine.

```python
with running_postgres() as server:
    store = open_store(server.fresh_url(), Path("unused"))
```

The server lives in a temporary folder, listens on a free port of the loopback with a password, and
is gone at the end. As root it runs as another user, because PostgreSQL refuses root.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

WAIT_S: Final = 60
_OTHERS: Final = ("postgres", "nobody")
"""Who runs the server when we are root."""
_SETTINGS: Final = {
    "fsync": "off",  # the machine does not fail in a test, and a killed server loses nothing
    "max_connections": "100",
    "listen_addresses": "127.0.0.1",
}


class NoPostgres(Exception):
    """Why no server can be started here; tests skip with it."""


@dataclass(frozen=True)
class PostgresServer:
    """A server that runs; `url` leads to its database, in which every test takes a schema."""

    folder: Path
    binaries: Path
    port: int
    password: str
    user: str | None

    @property
    def url(self) -> str:
        """The address of the database, with its password."""
        return f"postgresql://recprism:{self.password}@127.0.0.1:{self.port}/postgres"

    def fresh_url(self) -> str:
        """The address of a schema in which nothing is."""
        name = f"t{secrets.token_hex(6)}"
        self.run_sql(f"CREATE SCHEMA {name}")
        return f"{self.url}?options={quote(f'-csearch_path={name}')}"

    def run_sql(self, statement: str) -> list[Any]:
        """Run a statement for itself; the rows it gives."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = " ".join(f"-c {name}={value}" for name, value in _SETTINGS.items())
        options = f"{settings} -p {self.port} -k {self.folder}"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-w", "-t", str(WAIT_S), "-l", log, "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop the server; `immediate` is how it dies when the power fails."""
        self._run("pg_ctl", "-w", "-t", str(WAIT_S), "-m", mode, "stop")

    def initialize(self) -> None:
        """Make the folder of the data, with one user and a password."""
        secret = self.folder / "password"
        secret.write_text(self.password, encoding="utf-8")
        if self.user is not None:
            shutil.chown(self.folder, self.user)
            shutil.chown(secret, self.user)
        access = ["--username=recprism", f"--pwfile={secret}", "--auth=scram-sha-256"]
        self._run("initdb", *access, "--encoding=UTF8", "--no-locale", "--no-sync")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.binaries / program), "-D", str(self.folder / "data"), *arguments]
        ids: dict[str, Any] = {}
        if self.user is not None:
            ids = {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid, "extra_groups": []}
        with (self.folder / f"{program}.out").open("w+b") as said:
            # Into a file: the server would hold a pipe open for as long as it runs.
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=self.folder,
                timeout=2 * WAIT_S,
                check=False,
                **ids,
            )
            said.seek(0)
            if done.returncode:
                lines = said.read().decode(errors="replace").strip().splitlines()
                raise NoPostgres(f"`{program}` failed: {lines[-1] if lines else done.returncode}")


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """A server for the time of the block. Raises `NoPostgres` where none can be started."""
    binaries, user = _find_binaries(), _find_user()
    folder = Path(tempfile.mkdtemp(prefix="recprism-pg-"))
    server = PostgresServer(folder, binaries, _free_port(), secrets.token_hex(12), user)
    try:
        server.initialize()
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _find_binaries() -> Path:
    found = [Path(path).resolve().parent for path in [shutil.which("pg_ctl")] if path is not None]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in found:
        if all((folder / name).exists() for name in ("pg_ctl", "initdb", "postgres")):
            return folder
    raise NoPostgres("no PostgreSQL server is installed (`pg_ctl`, `initdb` and `postgres`)")


def _find_user() -> str | None:
    """Whom to run the server as; None is oneself."""
    if os.geteuid() != 0:
        return None
    for name in _OTHERS:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise NoPostgres("PostgreSQL does not run as root, and there is no other user")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
