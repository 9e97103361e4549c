"""A data set on disk: tables as Arrow IPC, arrays as `.npy` files that are mapped, the rest JSON.

In comes a `Dataset`, out goes a folder, and back. The one decision worth knowing: arrays are
mapped into memory read-only and never copied, so a catalog with 20.9 million offer rows opens in
milliseconds and is shared by all processes that serve it. Polars copies Arrow files when it reads
them, which is why only tables are Arrow. Nothing is ever pickled.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from recprism.data.dataset import (
    Catalog,
    Dataset,
    EventLog,
    Grouped,
    Ids,
    KindTable,
    Links,
    Offers,
    UserTable,
)
from recprism.errors import ArtifactError, DiskFull

_EVENT_COLUMNS = ("user", "item", "action", "time", "value", "session", "offer", "offsets")


def save_dataset(dataset: Dataset, folder: Path) -> None:
    """Write catalog, events and report into `folder`, which is made if needed.

    Raises `DiskFull` when there is no room; other failures to write are `OSError`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    catalog = dataset.catalog
    _write_users(catalog.users, folder)
    kinds = [_write_kind(kind, folder) for kind in catalog.kinds.values()]
    _write_json(
        folder / "catalog.json",
        {
            "actions": list(catalog.actions),
            "contexts": {name: list(values) for name, values in catalog.contexts.items()},
            "kinds": kinds,
        },
    )
    events = dataset.events
    for name in _EVENT_COLUMNS:
        _write_array(folder / f"events.{name}.npy", getattr(events, name))
    for place, codes in enumerate(events.context.values()):
        _write_array(folder / f"events.context-{place}.npy", codes)
    _write_json(folder / "events.json", {"contexts": list(events.context), "count": len(events)})
    _write_json(folder / "report.json", [dict(row) for row in dataset.report])


def open_catalog(folder: Path) -> Catalog:
    """The catalog that `save_dataset` wrote; raises `ArtifactError` where files lack or break."""
    about = _read_json(folder / "catalog.json")
    try:
        kinds = {entry["name"]: _read_kind(entry, folder) for entry in about["kinds"]}
        return Catalog(_read_users(folder), kinds, tuple(about["actions"]), about["contexts"])
    except KeyError as missing:
        raise ArtifactError(
            f"`{folder / 'catalog.json'}` lacks {missing}, the file is damaged. Train again."
        ) from missing


def open_events(folder: Path) -> EventLog:
    """The events that `save_dataset` wrote, mapped; raises `ArtifactError` as `open_catalog`."""
    about = _read_json(folder / "events.json")
    columns = {name: _read_array(folder / f"events.{name}.npy") for name in _EVENT_COLUMNS}
    context = {
        name: _read_array(folder / f"events.context-{place}.npy")
        for place, name in enumerate(about.get("contexts", []))
    }
    return EventLog(**columns, context=context)


def open_report(folder: Path) -> list[dict[str, Any]]:
    """The rows of the cleaning report; raises `ArtifactError` as `open_catalog`."""
    rows: list[dict[str, Any]] = _read_json(folder / "report.json")
    return rows


def _write_users(users: UserTable, folder: Path) -> None:
    columns = [users.ids.values.alias("id")]
    columns += [users.traits[name].alias(f"trait:{name}") for name in users.traits.columns]
    if users.text is not None:
        columns.append(users.text.alias("text"))
    if users.language is not None:
        columns.append(users.language.alias("language"))
    _write_frame(folder / "users.arrow", pl.DataFrame(columns))


def _read_users(folder: Path) -> UserTable:
    frame = _read_frame(folder / "users.arrow")
    traits = [name for name in frame.columns if name.startswith("trait:")]
    return UserTable(
        Ids(frame["id"]),
        frame.select(pl.col(name).alias(name.removeprefix("trait:")) for name in traits),
        frame["text"] if "text" in frame.columns else None,
        frame["language"] if "language" in frame.columns else None,
    )


def _write_kind(kind: KindTable, folder: Path) -> dict[str, Any]:
    stem = f"items.{kind.name}"
    frame = pl.DataFrame([kind.ids.values.alias("id"), *kind.table.get_columns()])
    _write_frame(folder / f"{stem}.arrow", frame)
    for link in kind.links.values():
        _write_grouped(folder, f"{stem}.link.{link.name}", link.targets)
    if kind.window is not None:
        _write_array(folder / f"{stem}.starts.npy", kind.window[0])
        _write_array(folder / f"{stem}.ends.npy", kind.window[1])
    return {
        "name": kind.name,
        "start": kind.start,
        "links": [
            {"name": link.name, "kind": link.kind, "by_offer": link.by_offer}
            for link in kind.links.values()
        ],
        "offers": None if kind.offers is None else _write_offers(kind.offers, folder, stem),
        "window": kind.window is not None,
    }


def _read_kind(entry: Mapping[str, Any], folder: Path) -> KindTable:
    stem = f"items.{entry['name']}"
    frame = _read_frame(folder / f"{stem}.arrow")
    links = {
        link["name"]: Links(
            link["name"],
            link["kind"],
            _read_grouped(folder, f"{stem}.link.{link['name']}"),
            link["by_offer"],
        )
        for link in entry["links"]
    }
    window = None
    if entry["window"]:
        starts = _read_array(folder / f"{stem}.starts.npy")
        window = (starts, _read_array(folder / f"{stem}.ends.npy"))
    return KindTable(
        name=entry["name"],
        ids=Ids(frame["id"]),
        start=entry["start"],
        table=frame.drop("id"),
        links=links,
        offers=None if entry["offers"] is None else _read_offers(entry["offers"], folder, stem),
        window=window,
    )


def _write_offers(offers: Offers, folder: Path, stem: str) -> dict[str, Any]:
    groups = [offers.names.alias("name")]
    if offers.labels is not None:
        groups += offers.labels.get_columns()
    _write_frame(folder / f"{stem}.groups.arrow", pl.DataFrame(groups))
    for name in ("offsets", "item", "starts", "ends"):
        _write_array(folder / f"{stem}.offers.{name}.npy", getattr(offers, name))
    for place, codes in enumerate(offers.context.values()):
        _write_array(folder / f"{stem}.offers.context-{place}.npy", codes)
    if offers.placement is not None:
        _write_array(folder / f"{stem}.offers.placement.npy", offers.placement)
    if offers.audience is not None:
        _write_grouped(folder, f"{stem}.audience", offers.audience)
    return {
        "context": list(offers.context),
        "placement": offers.placement is not None,
        "placement_values": {name: list(v) for name, v in offers.placement_values.items()},
        "audience": offers.audience is not None,
        "labels": offers.labels is not None,
    }


def _read_offers(entry: Mapping[str, Any], folder: Path, stem: str) -> Offers:
    groups = _read_frame(folder / f"{stem}.groups.arrow")
    arrays = {
        name: _read_array(folder / f"{stem}.offers.{name}.npy")
        for name in ("offsets", "item", "starts", "ends")
    }
    placement = _read_array(folder / f"{stem}.offers.placement.npy") if entry["placement"] else None
    return Offers(
        names=groups["name"],
        **arrays,
        context={
            name: _read_array(folder / f"{stem}.offers.context-{place}.npy")
            for place, name in enumerate(entry["context"])
        },
        audience=_read_grouped(folder, f"{stem}.audience") if entry["audience"] else None,
        placement=placement,
        placement_values={n: tuple(v) for n, v in entry["placement_values"].items()},
        labels=groups.drop("name") if entry["labels"] else None,
    )


def _write_grouped(folder: Path, stem: str, grouped: Grouped) -> None:
    _write_array(folder / f"{stem}.offsets.npy", grouped.offsets)
    _write_array(folder / f"{stem}.values.npy", grouped.values)


def _read_grouped(folder: Path, stem: str) -> Grouped:
    offsets = _read_array(folder / f"{stem}.offsets.npy")
    return Grouped(offsets, _read_array(folder / f"{stem}.values.npy"))


def _write_array(path: Path, array: np.ndarray[Any, Any]) -> None:
    """The `.npy` format by hand: `np.save` hides the reason when a disk is full."""
    array = np.ascontiguousarray(array)
    try:
        with path.open("wb") as file:
            header = np.lib.format.header_data_from_array_1_0(array)
            np.lib.format.write_array_header_1_0(file, header)
            file.write(array.data.cast("B") if array.size else b"")
    except OSError as failure:
        if failure.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(path) from failure
        raise


def _read_array(path: Path) -> Any:
    """A read-only array over the file's own pages; an empty one, which has none, is read."""
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, _, _ = np.lib.format.read_array_header_1_0(file)
        if 0 not in shape:
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as failure:
        raise _damaged(path, failure) from failure
    array.flags.writeable = False
    return array


def _write_frame(path: Path, frame: pl.DataFrame) -> None:
    # The newer layout of texts would carry along bytes of rows that were filtered out.
    plain = pl.CompatLevel.oldest()
    buffer = frame.rechunk().write_ipc(None, compression="uncompressed", compat_level=plain)
    _write_bytes(path, buffer.getvalue())


def _read_frame(path: Path) -> pl.DataFrame:
    try:
        return pl.read_ipc(path)
    except (OSError, pl.exceptions.PolarsError) as failure:
        raise _damaged(path, failure) from failure


def _write_json(path: Path, content: object) -> None:
    _write_bytes(path, json.dumps(content, ensure_ascii=False).encode())


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as failure:
        raise _damaged(path, failure) from failure


def _write_bytes(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as failure:
        if failure.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(path) from failure
        raise


def _damaged(path: Path, failure: Exception) -> ArtifactError:
    said = str(failure).splitlines()[0] if str(failure) else type(failure).__name__
    return ArtifactError(
        f"`{path}` cannot be read ({said}), a saved data set is expected. Train again."
    )
