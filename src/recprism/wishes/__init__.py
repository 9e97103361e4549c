"""Wishes in words to intents: what is wanted, what is not, and within which bounds."""

from recprism.wishes.intent import Bound, Intent, Label, Vocabulary
from recprism.wishes.rules import is_negated, read_by_rules

__all__ = ["Bound", "Intent", "Label", "Vocabulary", "is_negated", "read_by_rules"]
