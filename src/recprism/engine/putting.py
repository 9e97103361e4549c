"""From what somebody says of an item to what the store keeps: read, embedded, labelled.

This is where the work is done that training does for the items of the sources, once, so that no
list has to wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import polars as pl

from recprism.data.dataset import KindTable
from recprism.data.text import normalized
from recprism.engine.labeling import Labeling
from recprism.engine.states import States
from recprism.errors import UnknownName, UsageError
from recprism.model import Model
from recprism.store import StoredItem


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSaid:
    """What is said of an item: a text, and by the names of the project file labels and numbers."""

    text: str
    title: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, float] = field(default_factory=dict)


class Putting:
    """Makes items for the store of one model."""

    def __init__(self, model: Model, states: States, labeling: Labeling) -> None:
        self._model, self._states, self._labeling = model, states, labeling

    def item(self, kind: KindTable, item: str, said: ItemSaid, now: datetime) -> StoredItem:
        """The item as it is kept: its text read as training reads it, its vector, and a guess for
        each label that it was not given.

        Raises `UnknownName` for a label or number that the kind does not have, `UsageError` for a
        text of blanks.
        """
        for what, names, known in (
            ("label", said.labels, kind.label_names),
            ("number", said.numbers, kind.number_names),
        ):
            for name in names:
                if name not in known:
                    raise UnknownName(f"{what} of `{kind.name}`", name, known)
        text = _read(said.text)
        if text is None:
            raise UsageError("The text of an item needs words; found only blanks or markup.")
        title = None if said.title is None or not said.title.strip() else said.title
        encoder = self._model.project.content.encoder
        vector, guesses = b"", {}
        if encoder != "none":
            raw = self._states.encode_items([text])
            vector = raw[0].astype(np.float16).tobytes()
            missing = [name for name in kind.label_names if name not in said.labels]
            guesses = self._labeling.item(kind, text, raw, missing)
        return StoredItem(
            kind=kind.name,
            id=item,
            title=title,
            text=text,
            labels=dict(said.labels),
            numbers=dict(said.numbers),
            guesses=guesses,
            encoder=encoder,
            vector=vector,
            changed=now,
        )


def _read(text: str) -> str | None:
    """A text as the encoder reads it; None where nothing is left."""
    read = pl.DataFrame({"text": [text]}, {"text": pl.String}).select(normalized(pl.col("text")))
    found = read.item()
    return None if found is None else str(found)
