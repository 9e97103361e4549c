"""Which tables a project names, with which columns, and which columns should share ids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recprism.data.events import columns_of as event_columns
from recprism.data.items import written_columns
from recprism.data.offers import columns_of as offer_columns
from recprism.project.schema import Audience, Kind, ProjectFile, Source, Window

Place = tuple[str, str]
"""A section's name and a column of its table."""


@dataclass(frozen=True)
class SectionSource:
    """A section that reads a table: its name in reports, the source, the columns it names."""

    name: str
    source: Source
    columns: list[str]


@dataclass(frozen=True)
class Join:
    """Ids of one column that should be among those of some others; `what` names them."""

    what: str
    left: Place
    right: list[Place]


def sections_of(spec: ProjectFile) -> Iterator[SectionSource]:
    """Every section that reads a table, in the order of the project file."""
    users = spec.users
    if users is not None:
        language = [users.language] if users.language else []
        named = [users.id, *users.traits, *users.text, *language, *users.missing]
        yield _section("users", users, named)
    for name, kind in spec.items.items():
        used = [*offer_columns(kind), *written_columns(kind), *kind.missing]
        yield _section(f"items.{name}", kind, used)
        yield from _audience_sections(f"items.{name}", kind)
    for n, events in enumerate(spec.events):
        columns = [*event_columns(events).values(), *events.missing]
        yield _section(f"events[{n}]", events, columns)
    for name, links in spec.links.items():
        yield _section(f"links.{name}", links, [links.from_.column, links.to.column])


def _section(name: str, source: Source, columns: list[str | None] | list[str]) -> SectionSource:
    named = [column for column in columns if column is not None]
    return SectionSource(name, source, list(dict.fromkeys(named)))


def _audience_sections(name: str, kind: Kind) -> Iterator[SectionSource]:
    audience, window = kind.audience, kind.window
    if window is not None and window.source is not None:
        offer = window.offer or kind.offer or kind.id
        yield _section(f"{name}.window", Source(source=window.source), _bounds(window, offer))
    if audience is not None:
        pair: list[str | None] = [audience.user, audience.offer]
        yield _section(f"{name}.audience", Source(source=audience.source), pair)
        if audience.window is not None:
            source = Source(source=audience.window.source or audience.source)
            columns = _bounds(audience.window, audience.window.offer or audience.offer)
            yield _section(f"{name}.audience.window", source, columns)


def _bounds(window: Window, offer: str) -> list[str | None]:
    return [offer, window.from_, window.until, *window.labels.values()]


def time_columns(spec: ProjectFile) -> Iterator[Place]:
    """Every column that must hold times."""
    for name, kind in spec.items.items():
        windows: list[tuple[str, Window | None]] = [
            (
                f"items.{name}" + (".window" if kind.window and kind.window.source else ""),
                kind.window,
            ),
            (f"items.{name}.audience.window", kind.audience.window if kind.audience else None),
        ]
        for section, window in windows:
            for column in (window.from_, window.until) if window is not None else ():
                if column is not None:
                    yield section, column
    for n, events in enumerate(spec.events):
        yield f"events[{n}]", events.time


def joins_of(spec: ProjectFile) -> Iterator[Join]:
    """Every pair of columns that should share ids."""
    for n, events in enumerate(spec.events):
        section, kind = f"events[{n}]", spec.items[events.kind]
        if spec.users is not None:
            yield Join("users", (section, events.user), [("users", spec.users.id)])
        yield Join("items", (section, events.item), [(f"items.{events.kind}", kind.id)])
        if events.offer is not None and kind.offer is not None:
            offers = [(f"items.{events.kind}", kind.offer)]
            yield Join("offers", (section, events.offer), offers)
    for name, kind in spec.items.items():
        for link in kind.links.values():
            target = [(f"items.{link.kind}", spec.items[link.kind].id)]
            yield Join("links", (f"items.{name}", link.column), target)
        if kind.audience is not None:
            yield from _audience_joins(spec, f"items.{name}", kind, kind.audience)
        if kind.window is not None and kind.window.source is not None:
            offer = kind.window.offer or kind.offer or kind.id
            own = [(f"items.{name}", kind.offer or kind.id)]
            yield Join("offers", (f"items.{name}.window", offer), own)
    for name, table in spec.links.items():
        for end in (table.from_, table.to):
            target = [(f"items.{end.kind}", spec.items[end.kind].id)]
            yield Join("links", (f"links.{name}", end.column), target)


def _audience_joins(
    spec: ProjectFile, section: str, kind: Kind, audience: Audience
) -> Iterator[Join]:
    known = [("users", spec.users.id)] if spec.users is not None else []
    known += [(f"events[{n}]", events.user) for n, events in enumerate(spec.events)]
    own = [(section, kind.offer or kind.id)]
    if known:
        yield Join("users", (f"{section}.audience", audience.user), known)
    yield Join("offers", (f"{section}.audience", audience.offer), own)
    if audience.window is not None and audience.window.source is not None:
        offer = audience.window.offer or audience.offer
        yield Join("offers", (f"{section}.audience.window", offer), own)
