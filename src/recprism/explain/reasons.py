"""A ranked item and its evidence become a reason: one true sentence, and the evidence itself."""

from __future__ import annotations

from collections.abc import Sequence

from recprism.explain.messages import catalogue
from recprism.explain.sentences import ItemFacts, plain_sentence, sentence_for
from recprism.records import Evidence, Reason


def compose(evidence: Sequence[Evidence], item: ItemFacts, language: str = "en") -> Reason:
    """The reason for one item, from the evidence with the largest share that supports a sentence.

    Every number and name in the sentence stands in the facts of that evidence or in `item`; where
    no facts support a sentence it says only what kind of reason it is. The reason holds all
    evidence, largest share first. Raises `UnknownName` for a language without catalogue.
    """
    words = catalogue(language)
    ordered = sorted(evidence, key=lambda one: -one.share)
    for one in ordered:
        text = sentence_for(one, item, words)
        if text is not None:
            return Reason(text=text, language=language, evidence=tuple(ordered))
    text = plain_sentence(ordered[0], item, words) if ordered else words.sentence("plain", {})
    return Reason(text=text, language=language, evidence=tuple(ordered))
