"""Text as the encoder should read it: one form, one space, no markup.

In comes a text column, out goes its normal form. Ids never pass through here.
"""

from __future__ import annotations

import polars as pl

# Tags, comments and entities of HTML; links, images and marks of Markdown. Each pattern keeps what
# a reader would see. A lone `<`, `*` or `_` between words is no markup and stays.
_MARKUP: tuple[tuple[str, str], ...] = (
    (r"(?s)<!--.*?-->", " "),
    (r"(?is)<(script|style)\b[^>]*>.*?</(script|style)\s*>", " "),
    (r"</?[A-Za-z][^<>]*>", " "),
    (r"!?\[([^\[\]]*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)", "$1"),
    (r"(?m)^\s{0,3}#{1,6}\s+", ""),
    (r"(?m)^\s{0,3}>\s+", ""),
    (r"(?m)^\s{0,3}(?:```|~~~).*$", " "),
    (r"`([^`]+)`", "$1"),
    (r"\*\*([^*\s](?:[^*]*[^*\s])?)\*\*", "$1"),
    (r"__([^_\s](?:[^_]*[^_\s])?)__", "$1"),
)
_ENTITIES: dict[str, str] = {
    "&nbsp;": " ",
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&#39;": "'",
    "&apos;": "'",
    "&amp;": "&",
}


def normalized(column: pl.Expr) -> pl.Expr:
    """The column after NFKC, without markup, whitespace collapsed; null where nothing is left."""
    text = column
    for pattern, replacement in _MARKUP:
        text = text.str.replace_all(pattern, replacement)
    for entity, character in _ENTITIES.items():
        text = text.str.replace_all(entity, character, literal=True)
    text = text.str.normalize("NFKC").str.replace_all(r"[\s\p{Cc}]+", " ").str.strip_chars()
    return pl.when(text != "").then(text)
