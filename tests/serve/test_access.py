"""Keys open what their role allows; without one only this machine's programs are let in."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from tests.serve.conftest import Make, error_of

from recprism.serve import access
from recprism.serve.access import find_foreign
from recprism.serve.addresses import is_loopback, name_of
from recprism.serve.keys import digest_of, make_key, opens, split_key
from recprism.serve.logs import JsonLines, mask
from recprism.serve.rates import Rates
from recprism.store import MemoryStore, Role
from recprism.testing.shops import MILK

KeyOf = Callable[[Role], dict[str, str]]
EVENT = {"user": "u05", "kind": "products", "item": MILK, "action": "purchase"}
ROUTES = [
    ("POST", "/v1/lists", {}, "reader"),
    ("POST", "/v1/ask", {"query": "milk"}, "reader"),
    ("POST", "/v1/classify", {"kind": "products", "text": "milk"}, "reader"),
    ("GET", "/v1/users", None, "reader"),
    ("GET", "/v1/users/u05/profile", None, "reader"),
    ("GET", "/v1/items/products", None, "reader"),
    ("GET", f"/v1/items/products/{MILK}/similar", None, "reader"),
    ("GET", "/v1/tasks", None, "reader"),
    ("GET", "/v1/outcomes", None, "reader"),
    ("POST", "/v1/events", EVENT, "writer"),
    ("PATCH", "/v1/tasks/products", {"size": 4}, "admin"),
    ("GET", "/v1/artifacts", None, "admin"),
    ("GET", "/v1/keys", None, "admin"),
    ("POST", "/v1/keys", {"role": "reader"}, "admin"),
]
RANK = {"reader": 0, "writer": 1, "admin": 2}


@pytest.mark.parametrize("role", ["reader", "writer", "admin"])
def test_each_role_opens_its_routes_and_no_others(
    make_client: Make, shop_copy: Path, key_of: KeyOf, role: Role
) -> None:
    client, key = make_client(shop_copy, is_local=False), key_of(role)
    for method, path, body, needed in ROUTES:
        response = client.request(method, path, json=body, headers=key)
        if RANK[role] >= RANK[needed]:
            assert response.is_success, (path, response.text)
        else:
            assert response.status_code == 403, path
            assert f"role `{needed}` is needed" in error_of(response)["message"]


def test_every_route_under_v1_asks_who_is_there(make_client: Make) -> None:
    client = make_client(is_local=False)
    paths = client.get("/openapi.json").json()["paths"]
    asked = [(m, p) for p, operations in paths.items() if p[:4] == "/v1/" for m in operations]
    assert len(asked) >= len(ROUTES)
    for method, path in asked:
        response = client.request(method, path.replace("{", "").replace("}", ""))
        assert response.status_code == 401, (method, path)
        assert response.headers["www-authenticate"] == "Bearer"
        assert error_of(response)["code"] == "unauthorized"


def test_what_a_balancer_asks_is_open_and_numbers_are_not(make_client: Make, key_of: KeyOf) -> None:
    client = make_client(is_local=False)
    for path in ("/livez", "/readyz", "/docs", "/openapi.json"):
        assert client.get(path).status_code == 200, path
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers=key_of("reader")).status_code == 200
    assert make_client().get("/metrics").status_code == 200


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "Bearer",
        "Bearer x",
        "Basic cnA6cnA=",
        "Bearer rp_0123456789ab_" + "0" * 48,
        "Bearer rp_0123456789ab_" + "ü" * 48,
        "Bearer " + "x" * 10_000,
    ],
)
def test_a_wrong_key_opens_nothing_even_on_this_machine(client: TestClient, shown: str) -> None:
    headers = {b"Authorization": shown.encode("utf-8")}
    response = client.post("/v1/lists", json={}, headers=headers)
    assert (response.status_code, error_of(response)["code"]) == (401, "unauthorized")
    assert shown[7:] not in response.text or not shown[7:]


def test_a_key_made_over_http_is_shown_once_and_ends_when_revoked(
    make_client: Make, key_of: KeyOf
) -> None:
    client, admin = make_client(), key_of("admin")
    made = client.post("/v1/keys", json={"role": "reader", "name": "till"}, headers=admin)
    assert made.status_code == 201
    key, key_id = made.json()["key"], made.json()["id"]
    shown = {"Authorization": f"Bearer {key}"}
    assert client.get("/v1/tasks", headers=shown).status_code == 200
    listed = client.get("/v1/keys", headers=admin)
    assert [row["name"] for row in listed.json()["keys"] if row["id"] == key_id] == ["till"]
    assert key.rpartition("_")[2] not in listed.text
    assert digest_of(key.rpartition("_")[2]) not in listed.text
    assert client.delete(f"/v1/keys/{key_id}", headers=admin).status_code == 200
    assert client.get("/v1/tasks", headers=shown).status_code == 401
    again = client.delete(f"/v1/keys/{key_id}", headers=admin)
    assert (again.status_code, error_of(again)["code"]) == (404, "unknown-key")


def test_the_last_use_of_a_key_is_noted_now_and_then(
    client: TestClient, key_of: KeyOf, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[datetime] = []
    touch = MemoryStore.touch_key

    def note(self: MemoryStore, key_id: str, now: datetime) -> None:
        noted.append(now)
        touch(self, key_id, now)

    monkeypatch.setattr(MemoryStore, "touch_key", note)
    key = key_of("reader")
    for _ in range(5):
        assert client.get("/v1/tasks", headers=key).status_code == 200
    client.app.state.service._keeping.shutdown()  # type: ignore[attr-defined]
    assert len(noted) == 1
    assert store.keys()[0].last_used == noted[0]


def test_a_revoked_key_is_out_after_a_second(
    client: TestClient, store: MemoryStore, key_of: KeyOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process revokes it: this one may believe what it read for a moment."""
    key = key_of("reader")
    assert client.get("/v1/tasks", headers=key).status_code == 200
    store.revoke_key(store.keys()[0].id, datetime(2026, 1, 1))
    monkeypatch.setattr(access, "KNOWN_FOR_S", 0.0)
    assert client.get("/v1/tasks", headers=key).status_code == 401


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Host": "shop.example"}, "`Host`"),
        ({"Host": "127.0.0.1.shop.example"}, "`Host`"),
        ({"Host": ""}, "`Host`"),
        ({"Forwarded": "for=10.0.0.1"}, "`forwarded`"),
        ({"X-Forwarded-For": "127.0.0.1"}, "`x-forwarded-for`"),
        ({"X-Forwarded-Proto": "https"}, "`x-forwarded-proto`"),
        ({"X-Real-IP": "127.0.0.1"}, "`x-real-ip`"),
        ({"Origin": "https://shop.example"}, "`Origin`"),
        ({"Origin": "null"}, "`Origin`"),
        ({"Origin": "http://127.0.0.1:9999"}, "`Origin`"),
    ],
)
def test_a_stranger_who_looks_local_is_told_apart(
    client: TestClient, headers: dict[str, str], said: str
) -> None:
    response = client.post("/v1/lists", json={}, headers=headers)
    assert response.status_code == 401
    assert said in error_of(response)["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost:8000"},
        {"Host": "[::1]:8000"},
        {"Host": "LOCALHOST"},
        {"Origin": "http://127.0.0.1"},
        {"Content-Type": "application/json; charset=utf-8"},
    ],
)
def test_programs_on_this_machine_may_read_and_write(
    client: TestClient, headers: dict[str, str]
) -> None:
    sent = {"Content-Type": "application/json", **headers}
    assert client.post("/v1/lists", content=b"{}", headers=sent).status_code == 200
    assert client.post("/v1/events", json=EVENT, headers=headers).status_code == 202
    admin = client.get("/v1/keys", headers=headers)
    assert (admin.status_code, error_of(admin)["code"]) == (403, "forbidden")


def test_a_form_of_another_page_is_no_json(client: TestClient) -> None:
    form = {"Content-Type": "text/plain"}
    assert client.post("/v1/events", content=b"{}", headers=form).status_code == 415


def test_without_a_key_nobody_is_let_in_where_that_is_switched_off(make_client: Make) -> None:
    response = make_client(keyless=False).post("/v1/lists", json={})
    assert (response.status_code, "needs a key" in error_of(response)["message"]) == (401, True)


@pytest.mark.parametrize(
    ("client_address", "is_local"),
    [
        (("127.0.0.1", 1), True),
        (("127.9.9.9", 1), True),
        (("::1", 1), True),
        (("::ffff:127.0.0.1", 1), True),
        (("10.0.0.1", 1), False),
        (("::ffff:10.0.0.1", 1), False),
        (("", 1), False),
        (None, False),
    ],
)
def test_who_is_asked_from_counts(client_address: Any, is_local: bool) -> None:
    scope = {"client": client_address, "headers": [(b"host", b"localhost")], "scheme": "http"}
    assert (find_foreign(scope) is None) is is_local


def test_two_hosts_are_one_too_many() -> None:
    headers = [(b"host", b"localhost"), (b"host", b"shop.example")]
    assert find_foreign({"client": ("::1", 1), "headers": headers}) is not None


@given(st.text(max_size=30))
def test_a_name_is_loopback_only_by_its_own_right(text: str) -> None:
    assert not is_loopback(name_of(text + ".example"))


def test_a_flood_is_answered_with_when_to_come_back(make_client: Make, key_of: KeyOf) -> None:
    client, one, other = make_client(rate_per_s=0.001, burst=3), key_of("reader"), key_of("reader")
    answers = [client.get("/v1/tasks", headers=one) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert error_of(answers[-1])["code"] == "too-many-requests"
    assert int(answers[-1].headers["retry-after"]) > 900
    assert client.get("/v1/tasks", headers=other).status_code == 200
    assert client.get("/livez").status_code == 200


def test_a_bucket_fills_again_and_never_over() -> None:
    now = [0.0]
    rates = Rates(2.0, 2, lambda: now[0])
    assert [rates.wait_s("k") for _ in range(3)] == [0.0, 0.0, 0.5]
    now[0] = 0.5
    assert [rates.wait_s("k") for _ in range(2)] == [0.0, 0.5]
    now[0] = 1000.0
    assert [rates.wait_s("k") > 0 for _ in range(3)] == [False, False, True]
    assert Rates(None, 1).wait_s("k") == 0.0


def test_a_key_opens_with_its_secret_alone() -> None:
    written, stored = make_key("reader")
    parts = split_key(written)
    assert parts is not None
    assert parts[0] == stored.id
    assert parts[1] not in repr(stored)
    assert opens(stored, parts[1])
    assert not opens(stored, "0" * 48)
    assert not opens(None, parts[1])
    assert split_key(written + "0") is None


def test_no_secret_reaches_the_log() -> None:
    written, _ = make_key("admin")
    line = JsonLines().format(
        logging.makeLogRecord(
            {
                "msg": "failed with %s",
                "args": (written,),
                "url": "postgresql://app:hunter2@db/x",
                "header": "Authorization: Bearer abcdef",
            }
        )
    )
    assert written not in line
    assert written[:16] in line
    assert "hunter2" not in line
    assert "abcdef" not in line
    assert mask("nothing to hide") == "nothing to hide"


def test_no_secret_leaves_in_logs_errors_or_numbers(
    make_client: Make, key_of: KeyOf, caplog: pytest.LogCaptureFixture
) -> None:
    client, key = make_client(), key_of("writer")
    secret = key["Authorization"].rpartition("_")[2]
    with caplog.at_level(logging.DEBUG, logger="recprism"):
        texts = [
            client.post("/v1/lists", json={"tasks": ["x"]}, headers=key).text,
            client.get("/v1/keys", headers=key).text,
            client.get("/v1/nothing", headers=key).text,
            client.get("/metrics", headers=key).text,
        ]
    logged = [JsonLines().format(record) for record in caplog.records]
    assert logged
    assert not any(secret in text for text in [*texts, *logged])
