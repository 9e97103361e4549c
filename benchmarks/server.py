"""A server of a copy of a project, for benchmarks and tests that kill it or change its files."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil

READY_S = 60.0


class Server:
    """`recprism serve` in a process group of its own."""

    def __init__(self, directory: Path, *, workers: int = 1, log: Path | None = None) -> None:
        self.directory, self.port = directory, free_port()
        self._log = (log or directory / "serve.log").open("ab")
        command = [sys.executable, "-m", "recprism", "serve", str(directory)]
        command += ["--port", str(self.port), "--workers", str(workers)]
        started = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, start_new_session=True
        )
        try:
            self._await_ready()
        except BaseException:
            self.kill()
            raise
        self.ready_s = time.perf_counter() - started

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body. Raises `OSError` and `HTTPException` where nobody answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def workers(self) -> list[psutil.Process]:
        """The processes that answer."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in children if "resource_tracker" not in " ".join(_line(child))]

    def kill(self) -> None:
        """End supervisor and workers at once, as a power cut would."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._log.close()

    def stop(self, timeout_s: float = 30.0) -> int:
        """End it as an operator would; returns the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(timeout_s)
        finally:
            self.kill()

    def _await_ready(self) -> None:
        end = time.monotonic() + READY_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}")
            try:
                if self.get("/livez")[0] == 200 and self.get("/readyz")[0] == 200:
                    return
            except (OSError, HTTPException):
                pass
            time.sleep(0.02)
        raise RuntimeError(f"the server was not ready within {READY_S:.0f} s")


@contextmanager
def serving(directory: Path, *, workers: int = 1) -> Iterator[Server]:
    """A server for the duration of a block; the port has nobody behind it afterwards."""
    server = Server(directory, workers=workers)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def copy_project(source: Path, target: Path) -> Path:
    """A project of one's own with the artifacts of `source`, whose files are never written to."""
    target.mkdir(parents=True)
    for entry in source.iterdir():
        if entry.name == "recprism.yaml":
            shutil.copy(entry, target)
        elif entry.name != ".recprism":
            (target / entry.name).symlink_to(entry.resolve())
    shelf = Path(".recprism") / "artifacts"
    shutil.copytree(source / shelf, target / shelf)
    return target


def second_artifact(directory: Path) -> str:
    """Another artifact with the same content, to switch to; returns its id."""
    shelf = directory / ".recprism" / "artifacts"
    current = (shelf / "current").read_text("utf-8").strip()
    name = f"{current[:20]}-ffff"
    if not (shelf / name).exists():
        shutil.copytree(shelf / current, shelf / name, copy_function=os.link)
    return name


def free_port() -> int:
    """A port that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
