"""Wishes in words to intents: what is wanted, what is not, and within which bounds."""

from recprism.wishes.asking import Read, read_wish
from recprism.wishes.intent import Bound, Intent, Label, Vocabulary
from recprism.wishes.rules import is_negated, read_by_rules

__all__ = [
    "Bound",
    "Intent",
    "Label",
    "Read",
    "Vocabulary",
    "is_negated",
    "read_by_rules",
    "read_wish",
]
