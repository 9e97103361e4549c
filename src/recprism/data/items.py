"""Tables whose rows are users or items: ids, traits, texts, labels.

In come tables, out go frames with one row per id in the columns of `KindTable.table`. Ids that only
events know get a row of nulls of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from recprism.data.clean import (
    ID,
    ROW,
    apply_missing,
    bad_ids,
    drop_duplicates,
    note_constants,
    note_near_duplicates,
    numbers,
)
from recprism.data.dataset import UNKNOWN, Ids, UserTable
from recprism.data.ids import as_text, encode
from recprism.data.reading import Note, Reading
from recprism.data.sources import Table
from recprism.data.text import normalized
from recprism.project.schema import Kind, Users


@dataclass(frozen=True)
class ItemFrame:
    """A table with one row per id: the rows as read, cleaned, with the id as text in `ID`."""

    table: Table
    note: Note
    frame: pl.DataFrame


def label_column(name: str) -> str:
    """The column that holds the label `name`."""
    return f"label:{name}"


def number_column(name: str) -> str:
    """The column that holds the number `name`."""
    return f"number:{name}"


def written_columns(kind: Kind) -> list[str]:
    """The columns of a kind that end up in its table: title, text, labels, numbers."""
    title = [kind.title] if kind.title is not None else []
    named = [*title, *kind.text, *kind.labels.values(), *kind.numbers.values()]
    return list(dict.fromkeys(named))


def read_rows(reading: Reading, name: str, section: Users | Kind, named: list[str]) -> ItemFrame:
    """Read a table with one row per id; `named` are the columns that the section uses.

    All columns are read, because repeats and near repeats are judged by all of them. Raises
    `DataError` for a missing column or an id with two contents.
    """
    table, note = reading.open(name, section)
    table.need([section.id, *named])
    frame = table.read().with_row_index(ROW, offset=1)
    if isinstance(section, Users):
        frame = reading.without_left_out(frame, section.id, note)
    stays = bad_ids(frame[section.id], section.id, note)
    frame = frame.with_columns(as_text(frame[section.id]).alias(ID)).filter(stays)
    frame = drop_duplicates(frame, table, section.id, note)
    if isinstance(section, Kind):
        note_near_duplicates(frame, section.id, note)
    note_constants(frame, named, note)
    frame = apply_missing(table, frame.lazy(), named, section.missing, note).collect()
    note[0].kept(note[1], frame.height)
    return ItemFrame(table, note, frame)


def describe(rows: ItemFrame, kind: Kind) -> pl.DataFrame:
    """`id`, `title`, `text`, `label:NAME` and `number:NAME` of rows with one row per id.

    Text is normalized. Raises `DataError` for a number that is none.
    """
    frame, note = rows.frame, rows.note
    title = kind.title or (kind.text[0] if kind.text else None)
    shown = pl.lit(None, pl.String) if title is None else pl.col(title).cast(pl.String)
    text = join_texts(frame, kind.text, note) if kind.text else pl.lit(None, pl.String)
    return frame.select(
        pl.col(ID).alias("id"),
        shown.alias("title"),
        text.alias("text"),
        *[
            label_text(frame[column]).alias(label_column(name))
            for name, column in kind.labels.items()
        ],
        *[
            numbers(frame[column], rows.table, column).alias(number_column(name))
            for name, column in kind.numbers.items()
        ],
    )


def label_text(values: pl.Series) -> pl.Series:
    """Labels as text: whole numbers as plain decimals, blank as null."""
    text = as_text(values)
    return text.set((text.str.strip_chars() == "").fill_null(False), None)


def join_texts(frame: pl.DataFrame, columns: list[str], note: Note) -> pl.Series:
    """One text per row: the columns normalized and joined by `, `, null where all are missing.

    Each distinct text is normalized once; texts that it changes are counted.
    """
    parts = []
    for column in dict.fromkeys(columns):
        values = frame[column].cast(pl.String)
        distinct = values.drop_nulls().value_counts(name="__count").rename({column: "raw"})
        table = distinct.with_columns(normalized(pl.col("raw")).alias("text"))
        changed = table.filter(pl.col("text").ne_missing(pl.col("raw"))).sort("raw")
        shown = changed.head(3).select("raw", "text").iter_rows()
        examples = [f"`{raw}` -> `{text}`" for raw, text in shown]
        count = int(changed["__count"].sum())
        note[0].add("text-normalized", note[1], count, examples, column=column)
        place = encode(values, Ids(table["raw"]))
        parts.append(table["text"].gather(pl.Series(place).replace(UNKNOWN, None)).alias(column))
    text = pl.concat_str(pl.all(), separator=", ", ignore_nulls=True)
    joined = pl.DataFrame(parts).select(text.alias("text"))["text"]
    return joined.set(joined == "", None)


def spread(described: pl.DataFrame, ids: Ids) -> pl.DataFrame:
    """`described` in the order of `ids`, rows of nulls for ids it does not know."""
    order = pl.DataFrame({"id": ids.values})
    return order.join(described, on="id", how="left", maintain_order="left").drop("id").rechunk()


def build_users(section: Users | None, rows: ItemFrame | None, ids: Ids) -> UserTable:
    """All users with their traits as text, their text and language, null where unknown."""
    if section is None or rows is None:
        return UserTable(ids, pl.DataFrame())
    frame = rows.frame
    traits = [label_text(frame[name]).alias(f"trait:{name}") for name in section.traits]
    text = [join_texts(frame, section.text, rows.note)] if section.text else []
    language = [pl.col(section.language).alias("language")] if section.language else []
    placed = spread(frame.select(pl.col(ID).alias("id"), *traits, *text, *language), ids)
    return UserTable(
        ids,
        placed.select(pl.col(f"trait:{name}").alias(name) for name in section.traits),
        placed["text"] if text else None,
        placed["language"] if language else None,
    )
