"""Keys to the service: `rp_<id>_<secret>`, shown once, of which a store keeps only a hash.

A fast hash is enough: a secret has 192 random bits, so that nobody can try them all.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime
from typing import Any

from recprism.store import ApiKey, Role

_KEY = re.compile(r"rp_([0-9a-f]{12})_([0-9a-f]{48})")
_NOBODY = "0" * 64


def make_key(role: Role, name: str = "", now: datetime | None = None) -> tuple[str, ApiKey]:
    """A fresh key as its owner writes it, and as it is stored."""
    key_id, secret = secrets.token_hex(6), secrets.token_hex(24)
    created = now or datetime.now(UTC).replace(tzinfo=None)
    stored = ApiKey(id=key_id, role=role, digest=digest_of(secret), name=name, created=created)
    return f"rp_{key_id}_{secret}", stored


def split_key(written: str) -> tuple[str, str] | None:
    """Id and secret of a key, None for what is none."""
    found = _KEY.fullmatch(written)
    return None if found is None else (found[1], found[2])


def opens(stored: ApiKey | None, secret: str) -> bool:
    """Whether `secret` is that of a key that is not revoked; takes as long whatever the answer."""
    expected = _NOBODY if stored is None else stored.digest
    is_right = hmac.compare_digest(digest_of(secret), expected)
    return is_right and stored is not None and stored.revoked is None


def digest_of(secret: str) -> str:
    """SHA-256 as hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def row_of(key: ApiKey) -> dict[str, Any]:
    """A key as it is listed; the hash stays inside."""
    return {
        "id": key.id,
        "role": key.role,
        "name": key.name,
        "created": key.created.isoformat(timespec="seconds"),
        "last_used": None if key.last_used is None else key.last_used.isoformat(timespec="seconds"),
        "revoked": None if key.revoked is None else key.revoked.isoformat(timespec="seconds"),
    }
