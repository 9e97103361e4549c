"""A real server on this machine: it is asked, killed, stopped, and given another artifact."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil
import pytest
from benchmarks.server import Server, copy_project, free_port, second_artifact, serving
from benchmarks.serving import count_keys
from typer.testing import CliRunner

from recprism.artifact import ArtifactShelf
from recprism.cli.app import app
from recprism.project.edits import FILE
from recprism.testing.shops import MILK, MILK_BUYER

EVENT = {"user": "a new one", "kind": "products", "item": "p57", "action": "purchase"}
PATIENCE_S = 90.0


@pytest.fixture(scope="module")
def server(trained_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers that tests only ask and send events to."""
    folder = copy_project(trained_shop, tmp_path_factory.mktemp("served") / "shop")
    with serving(folder, workers=2) as server:
        yield server


@pytest.fixture
def own_shop(trained_shop: Path, tmp_path: Path) -> Path:
    return copy_project(trained_shop, tmp_path / "shop")


def send(server: Server, head: str, body: str = "") -> tuple[int, dict[str, Any]]:
    """A request written by hand."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        rest = f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        connection.sendall((head + rest).encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    head_back, _, content = answer.partition(b"\r\n\r\n")
    return int(head_back.split()[1]), json.loads(content)


def post(server: Server, path: str, document: object, headers: str = "") -> tuple[int, Any]:
    host = "" if "Host:" in headers else "Host: localhost\r\n"
    head = f"POST {path} HTTP/1.1\r\n{host}Content-Type: application/json\r\n{headers}"
    return send(server, head, json.dumps(document))


def wait_for(found: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def test_an_event_moves_the_next_list_whatever_worker_answers(server: Server) -> None:
    asked = {"user": EVENT["user"], "tasks": ["products"]}
    before = post(server, "/v1/lists", asked)[1]
    assert before["cold"]
    assert post(server, "/v1/events", EVENT) == (
        202,
        {"accepted": 1, "duplicates": 0, "rejected": []},
    )
    after = [post(server, "/v1/lists", asked)[1] for _ in range(10)]
    assert not any(answer["cold"] for answer in after)
    lists = [[i["id"] for i in a["lists"]["products"]["items"]] for a in (before, *after)]
    assert all(one != lists[0] and "p57" in one for one in lists[1:])


def test_dots_are_no_ids_and_slashes_may_be_in_one(server: Server) -> None:
    for written, status in ((".", 422), ("..", 422), ("%2E%2E", 422), ("a%2Fb", 200)):
        head = f"GET /v1/users/{written}/profile HTTP/1.1\r\nHost: localhost\r\n"
        found, document = send(server, head)
        assert found == status, document
    assert document["user"] == "a/b"


@pytest.mark.parametrize(
    "headers",
    ["Host: evil.example\r\n", "X-Forwarded-For: 10.0.0.9\r\n", "Origin: https://evil.example\r\n"],
)
def test_a_proxy_or_a_foreign_page_is_not_taken_for_a_local_program(
    server: Server, headers: str
) -> None:
    status, document = post(server, "/v1/lists", {"user": MILK_BUYER}, headers)
    assert (status, document["error"]["code"]) == (401, "unauthorized")


def test_a_body_in_pieces_over_the_limit_is_refused_and_the_server_goes_on(server: Server) -> None:
    head = (
        "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE_S) as connection:
        connection.sendall(head.encode())
        for _ in range(64):
            connection.sendall(piece)
        connection.sendall(piece + b"0\r\n\r\n")
        assert connection.recv(100).split()[1] == b"413"
    assert server.get("/livez")[0] == 200


def test_numbers_of_all_workers_are_on_one_page(server: Server) -> None:
    for _ in range(20):
        post(server, "/v1/lists", {"user": MILK_BUYER})
    page = server.get("/metrics")[1].decode()
    counted = [line for line in page.splitlines() if 'route="/v1/lists"' in line]
    total = [line for line in counted if line.startswith("recprism_requests_total")]
    assert sum(float(line.split()[-1]) for line in total if 'status="200"' in line) >= 20
    for name in ("stage_seconds_count", "candidates_count", "artifact_created_timestamp"):
        assert f"recprism_{name}" in page
    assert MILK_BUYER not in page
    assert "a new one" not in page


@pytest.mark.skipif(shutil.which("curl") is None, reason="the example is written for curl")
def test_the_example_shows_a_list_that_moves(server: Server) -> None:
    script = Path(__file__).parents[2] / "examples" / "ask.sh"
    url = f"http://127.0.0.1:{server.port}"
    result = subprocess.run(
        ["bash", str(script), "u07"],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
        env={**os.environ, "URL": url},
    )
    before, _, after = result.stdout.partition("{")
    first = before.splitlines()[1].split()[0]
    assert f"after {first} was dismissed:" in after
    assert first not in after.partition("dismissed:")[2]


def test_the_documentation_needs_no_network(server: Server) -> None:
    page = server.get("/docs")[1].decode()
    assert "http://" not in page
    assert "https://" not in page
    for asset in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"/docs/assets/{asset}" in page
        status, content = server.get(f"/docs/assets/{asset}")
        assert (status, len(content) > 1000) == (200, True)
    assert server.get("/docs/assets/core.py")[0] == 404


def test_what_is_logged_is_json_and_names_no_user(server: Server) -> None:
    post(server, "/v1/lists", {"user": "somebody-private"})
    text = (server.directory / "serve.log").read_text("utf-8")
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert {"request_id", "route", "status", "took_ms"} <= set(lines[-1])
    assert "somebody-private" not in text


def test_a_kill_loses_nothing_that_was_acknowledged(own_shop: Path) -> None:
    acknowledged = []
    for number in range(2):
        server = Server(own_shop)
        for i in range(40):
            key = f"{number}-{i}"
            assert post(server, "/v1/events", {**EVENT, "idempotency_key": key})[0] == 202
            acknowledged.append(key)
        server.kill()
    found = count_keys(own_shop)
    assert {key: found[key] for key in acknowledged} == dict.fromkeys(acknowledged, 1)
    with serving(own_shop) as server:
        assert not post(server, "/v1/lists", {"user": EVENT["user"]})[1]["cold"]


def test_another_artifact_is_taken_up_without_a_dropped_request(own_shop: Path) -> None:
    other = second_artifact(own_shop)
    shelf = ArtifactShelf(own_shop / ".recprism" / "artifacts")
    answered: list[tuple[int, str]] = []
    stop = threading.Event()
    with serving(own_shop, workers=2) as server:

        def ask() -> None:
            while not stop.is_set():
                status, document = post(server, "/v1/lists", {"user": MILK_BUYER, "size": 2})
                answered.append((status, document.get("artifact", "")))

        clients = [threading.Thread(target=ask) for _ in range(3)]
        for client in clients:
            client.start()
        wait_for(lambda: len(answered) > 10)
        for wanted in (lambda: shelf.use(other), shelf.unpin):
            wanted()
            wait_for(lambda: {one for _, one in answered[-12:]} == {shelf.current().name})
        stop.set()
        for client in clients:
            client.join()
        assert {status for status, _ in answered} == {200}
        assert {artifact for _, artifact in answered} == {other, shelf.current().name}


def test_a_dead_worker_and_a_damaged_artifact_do_not_end_the_server(own_shop: Path) -> None:
    shelf = ArtifactShelf(own_shop / ".recprism" / "artifacts")
    with serving(own_shop) as server:

        def ready() -> int:
            try:
                return server.get("/readyz")[0]
            except (OSError, HTTPException):
                return 0

        (worker,) = server.workers()
        worker.kill()
        wait_for(lambda: ready() == 200 and server.workers()[0].pid != worker.pid)
        largest = max(shelf.current().iterdir(), key=lambda path: path.stat().st_size)
        content = largest.read_bytes()
        largest.write_bytes(content[:100])
        server.workers()[0].kill()
        wait_for(lambda: ready() == 503)
        status, document = post(server, "/v1/lists", {})
        assert (status, document["error"]["code"]) == (503, "not-trained")
        largest.write_bytes(content)
        wait_for(lambda: ready() == 200)


def test_workers_do_not_outlive_their_supervisor(own_shop: Path) -> None:
    server = Server(own_shop)
    (worker,) = server.workers()
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    wait_for(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    server.kill()


def test_a_worker_that_cannot_start_ends_the_server(own_shop: Path) -> None:
    (own_shop / FILE).write_text("{")
    command = [sys.executable, "-m", "recprism", "serve", str(own_shop)]
    command += ["--port", str(free_port())]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=2 * PATIENCE_S, check=False
    )
    assert ended.returncode == 2, ended.stderr
    *_, line, last = ended.stderr.splitlines()
    assert "tasks.json: it is no JSON" in json.loads(line)["message"]
    assert last == "A worker could not start; the lines above say why."


def test_a_request_at_work_is_answered_when_the_server_is_stopped(own_shop: Path) -> None:
    server = Server(own_shop)
    statuses: list[int] = []
    body = {"query": "something to drink", "size": 60}
    client = threading.Thread(target=lambda: statuses.append(post(server, "/v1/lists", body)[0]))
    with socket.create_connection(("127.0.0.1", server.port)):
        client.start()
        # The first wish loads the encoder, which takes long enough to be seen.
        wait_for(lambda: bool(statuses) or b"recprism_queue 1.0" in server.get("/metrics")[1])
        assert server.stop() == 0
    client.join()
    assert statuses == [200]


def run(*words: object) -> Any:
    return CliRunner().invoke(app, list(map(str, words)))


def test_nobody_else_can_reach_a_server_without_a_key(own_shop: Path) -> None:
    result = run("serve", own_shop, "--host", "0.0.0.0", "--port", free_port())
    assert result.exit_code == 2
    (sentence,) = result.stderr.splitlines()
    assert "Others can reach `0.0.0.0`, and there is no key yet" in sentence


def test_a_port_that_is_taken_is_named(own_shop: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("serve", own_shop, "--port", port)
    assert result.exit_code == 2
    assert f"`127.0.0.1:{port}` cannot be listened at" in result.stderr


def test_keys_are_made_listed_and_revoked(own_shop: Path) -> None:
    made = json.loads(run("keys", "create", own_shop, "--role", "admin", "--json").stdout)
    shown = run("keys", "create", own_shop, "--role", "reader", "--name", "web shop")
    assert shown.stdout.startswith("rp_")
    assert "only a hash of it is stored" in shown.stderr
    listed = run("keys", "list", own_shop).stdout
    assert made["id"] in listed
    assert "web shop" in listed
    assert made["key"].rpartition("_")[2] not in listed
    assert run("keys", "revoke", own_shop, made["id"]).exit_code == 0
    again = run("keys", "revoke", own_shop, made["id"])
    assert (again.exit_code, "no key" in again.stderr) == (2, True)
    store = own_shop / ".recprism" / "store.sqlite"
    assert made["key"].rpartition("_")[2].encode() not in store.read_bytes()


def test_a_server_for_others_asks_for_a_key(own_shop: Path) -> None:
    """Bound to all addresses, but asked from here: even this machine needs a key then."""
    key = run("keys", "create", own_shop, "--role", "reader").stdout.strip()
    port = free_port()
    command = [sys.executable, "-m", "recprism", "serve", str(own_shop)]
    command += ["--host", "0.0.0.0", "--port", str(port)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait_for(lambda: _answers(port))
        found = Server.__new__(Server)
        found.port = port
        body = {"user": MILK, "size": 1}
        assert post(found, "/v1/lists", body)[0] == 401
        assert post(found, "/v1/lists", body, f"Authorization: Bearer {key}\r\n")[0] == 200
        assert found.get("/metrics")[0] == 401
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int) -> bool:
    try:
        found = Server.__new__(Server)
        found.port = port
        return found.get("/readyz")[0] == 200
    except (OSError, HTTPException):
        return False


def test_a_store_that_is_of_no_use_is_refused_before_anything_starts(own_shop: Path) -> None:
    (own_shop / ".recprism" / "store.sqlite").write_bytes(b"no database" * 1000)
    result = run("serve", own_shop, "--port", free_port())
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "store.sqlite" in result.stderr
