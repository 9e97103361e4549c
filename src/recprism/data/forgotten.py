"""People who were erased: their rows stay in the sources, and are not read from there again.

In come ids from a source, out goes which of them may be read. The one decision worth knowing: an
erased id is kept nowhere. What is kept is its HMAC under a key of the project (RFC 2104, SHA-256),
with the moment of the erasure: what somebody does after it is theirs again.
"""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from recprism.errors import UsageError, watch_disk

KEY_FILE: Final = Path(".recprism") / "erasure.key"
KEY_VARIABLE: Final = "RECPRISM_ERASURE_KEY"
_KEY_BYTES: Final = 32


@dataclass(frozen=True)
class Forgotten:
    """Who was erased, and when.

    `moments` maps the digest of an id to the moment of its erasure, in microseconds on the clock of
    the sources. Nobody is forgotten without one.
    """

    key: bytes = b""
    moments: Mapping[str, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.moments)

    def digest(self, user: str) -> str:
        """What is kept of an id: HMAC-SHA-256 in hexadecimal."""
        return digest_of(self.key, user)

    def moment(self, user: str) -> int | None:
        """When a person was erased, None for everybody else."""
        return self.moments.get(self.digest(user)) if self.moments else None

    def left_out(self, users: Sequence[str]) -> dict[str, int]:
        """The erased ones among ids, each with the moment (see `recprism.data.reading.LeftOut`)."""
        found = {user: self.moment(user) for user in users} if self.moments else {}
        return {user: moment for user, moment in found.items() if moment is not None}


NOBODY: Final = Forgotten()
"""Where nobody was erased."""


def digest_of(key: bytes, user: str) -> str:
    """What is kept of an erased id: HMAC-SHA-256 in hexadecimal."""
    return hmac.new(key, user.encode(), "sha256").hexdigest()


def erasure_key(project: Path, *, make: bool = False) -> bytes:
    """The key of a project's digests; empty where there is none yet and `make` is False.

    It lies in `.recprism/erasure.key`, readable by its owner alone. Machines that share a store
    share the key through the variable `RECPRISM_ERASURE_KEY` (64 hexadecimal digits). Raises
    `UsageError` for a key of another form.
    """
    told = os.environ.get(KEY_VARIABLE)
    file = project / KEY_FILE
    if told is None:
        if not file.exists() and make:
            _write_key(file)
        told = file.read_text(encoding="ascii") if file.exists() else ""
    try:
        key = bytes.fromhex(told.strip())
    except ValueError:
        key = b"?"
    if len(key) not in (0, _KEY_BYTES):
        raise UsageError(
            f"The key of erasures in `{KEY_VARIABLE}` or `{file}` must be {2 * _KEY_BYTES} "
            "hexadecimal digits. Restore it from a backup: without it, erased people are unknown."
        )
    return key


def _write_key(file: Path) -> None:
    """A fresh key; whoever comes first makes it."""
    with watch_disk(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{file.name}-{secrets.token_hex(4)}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as out:
                out.write(secrets.token_hex(_KEY_BYTES) + "\n")
                out.flush()
                os.fsync(out.fileno())
            os.link(fresh, file)
        except FileExistsError:
            return
        finally:
            fresh.unlink(missing_ok=True)
