"""Looking for what is left of an erased id between the rows of a SQLite file.

`secure_delete` overwrites rows that are removed, but when SQLite divides a page it copies the rows
that stay and leaves the old copies where they were, in a part of the page that belongs to nothing.
Later they are overwritten, or not. So a file is searched, and written anew when something is found.

The search runs in a process of its own, because closing a file lets go of all locks that the
process has on it, SQLite's too.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from recprism.store.mentions import is_telling

_FOUND: Final = 3
_SEARCH: Final = """
import json, re, sys
patterns = [re.compile(p.encode("latin-1"), re.DOTALL) for p in json.load(sys.stdin)]
before = b""
with open(sys.argv[1], "rb") as file:
    while chunk := file.read(1 << 22):
        text = before + chunk
        if any(pattern.search(text) for pattern in patterns):
            sys.exit(3)
        before = text[-4096:]
"""


def holds(file: Path, user: str) -> bool:
    """Whether a file has a copy of an id anywhere: as such, or where it is a user's.

    A short id may be in many rows that are about nothing of the kind, so it is only looked for as
    the user of an event, and in the indexes by user.
    """
    written = json.dumps(user, ensure_ascii=False).encode()
    found = [written[1:-1], user.encode()] if is_telling(user) else [b'"user":' + written]
    patterns = [re.escape(text) for text in found]
    if not is_telling(user):
        patterns.append(_in_index(user.encode()))
    done = subprocess.run(
        # The id is not told on the command line, where everyone could read it.
        [sys.executable, "-I", "-S", "-c", _SEARCH, str(file)],
        input=json.dumps([pattern.decode("latin-1") for pattern in patterns]).encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode not in (0, _FOUND):
        raise OSError(done.stderr.decode(errors="replace").strip().splitlines()[-1])
    return done.returncode == _FOUND


def _in_index(user: bytes) -> bytes:
    """A pattern for the record (user, time, arrival, row) of an index in SQLite's file format.

    A header of its own length and a type for each value (text of n bytes is 13 + 2n, times are 6,
    which is eight bytes, arrivals and rows 1 to 9 by size), then the text.
    """
    size = 13 + 2 * len(user)
    kind = bytes([size]) if size < 128 else bytes([size >> 7 | 128, size & 127])
    header = bytes([4 + len(kind)]) + kind + b"\x06"
    return re.escape(header) + b"[\x01-\x09]{2}" + re.escape(user)
