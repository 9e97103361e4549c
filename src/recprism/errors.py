"""Every error RecPrism raises on purpose.

Each one says what was found, what was expected and how to fix it, in that order. The classes hold
the data and write the sentence themselves, so that callers can read fields instead of parsing text.
`RecPrismError` is a user's mistake (exit code 2); anything else that escapes is our own fault (1).
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to `name`, or None when nothing is close."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


class RecPrismError(Exception):
    """A mistake that the user can mend; its text is one clear message."""

    def __reduce__(self) -> tuple[object, ...]:
        """How worker processes hand an error back: by its text and fields, not by `__init__`."""
        return _restore, (type(self), str(self), self.__dict__)


def _restore(kind: type[RecPrismError], text: str, fields: dict[str, object]) -> RecPrismError:
    error = kind.__new__(kind, text)
    error.__dict__.update(fields)
    return error


class ProjectError(RecPrismError):
    """The project file, at a line, holds something it should not.

    `line` is counted from 1; None when the problem has no single place.
    """

    def __init__(self, path: Path | str, line: int | None, problem: str, hint: str = "") -> None:
        self.path, self.line, self.problem, self.hint = Path(path), line, problem, hint
        place = f"{path}:{line}" if line is not None else f"{path}"
        super().__init__(f"{place}: {problem}" + (f" {hint}" if hint else ""))


class DataError(RecPrismError):
    """A source table, perhaps at a row or column, holds something it should not.

    `row` is the data row counted from 1 (the header, where there is one, is not counted).
    """

    def __init__(
        self,
        source: Path | str,
        problem: str,
        hint: str = "",
        *,
        row: int | None = None,
        column: str | None = None,
    ) -> None:
        self.source, self.problem, self.hint = str(source), problem, hint
        self.row, self.column = row, column
        place = str(source) + (f", row {row}" if row is not None else "")
        place += f", column `{column}`" if column is not None else ""
        super().__init__(f"{place}: {problem}" + (f" {hint}" if hint else ""))


class UnknownName(RecPrismError):
    """A name (task, kind, signal, template ...) that nobody knows, with the nearest known one."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        self.nearest = nearest(name, self.known)
        listed = ", ".join(f"`{k}`" for k in self.known) or "none"
        hint = f" Did you mean `{self.nearest}`?" if self.nearest else ""
        super().__init__(f"There is no {kind} `{name}`; known: {listed}.{hint}")


class UsageError(RecPrismError):
    """A call or command line that cannot be meant as written."""


class UnknownItem(UsageError):
    """An id that no item of a kind has."""

    def __init__(self, kind: str, item: str, n_items: int) -> None:
        self.kind, self.item = kind, item
        super().__init__(
            f"`{kind}` has no item `{item}` among its {n_items:,}. "
            "Ids are text, written exactly as in the source."
        )


class NotTrained(RecPrismError):
    """A project without a usable artifact was asked for lists."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        super().__init__(
            f"`{path}` has no trained artifact, one is needed to recommend. "
            f"Run `recprism train {path}` first."
        )


class MissingExtra(RecPrismError):
    """An optional part of RecPrism is not installed."""

    def __init__(self, extra: str, package: str, purpose: str) -> None:
        self.extra, self.package = extra, package
        super().__init__(
            f"{purpose} needs the package `{package}`, which is not installed. "
            f"Run `pip install 'recprism[{extra}]'`."
        )


class ArtifactError(RecPrismError):
    """An artifact folder is missing, damaged, or written by a newer version."""


class StoreError(RecPrismError):
    """The store of live events cannot be read or written."""


class ServiceError(RecPrismError):
    """A service answered with an error, or not at all (`status` is 0 then).

    `code` is short and stable, `field` the part of the request at fault, `retry_after_s` when to
    try again, where the service says so.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str | None = None,
        hint: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        self.status, self.code, self.message = status, code, message
        self.field, self.hint, self.request_id = field, hint, request_id
        self.retry_after_s = retry_after_s
        place = f" (`{field}`)" if field else ""
        super().__init__(f"{code}{place}: {message}" + (f" {hint}" if hint else ""))


class LLMUnavailable(RecPrismError):
    """A language model cannot answer: absent, unreachable, or not able to do what was asked."""


class DiskFull(RecPrismError):
    """The disk filled while something was written; what was there before is untouched."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        super().__init__(
            f"The disk filled while writing `{path}`; the artifact that was serving is untouched. "
            "Free some space and run the command again."
        )


_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_SAID = ("no space left on device", "quota exceeded", "storagefull", "disk is full")


def is_disk_full(error: BaseException) -> bool:
    """Whether `error` means a full disk; libraries without an errno are read by their words."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _FULL
    said = str(error).lower()
    return any(words in said for words in _FULL_SAID)


@contextmanager
def watch_disk(path: Path | str) -> Iterator[None]:
    """Turn whatever a full disk raises inside the block into `DiskFull(path)`."""
    try:
        yield
    except RecPrismError:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise DiskFull(path) from error
        raise
