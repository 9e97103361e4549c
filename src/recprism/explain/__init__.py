"""Why an item stands in a list. In come evidence and facts, out go sentences that are true."""

from recprism.explain.guard import check
from recprism.explain.messages import catalogue, languages
from recprism.explain.names import readable
from recprism.explain.reasons import compose
from recprism.explain.rewording import Draft, Saying, rephrase, reworded, saying_of
from recprism.explain.sentences import ItemFacts
from recprism.explain.shares import normalize_shares
from recprism.explain.shortness import Funnel, short_because

__all__ = [
    "Draft",
    "Funnel",
    "ItemFacts",
    "Saying",
    "catalogue",
    "check",
    "compose",
    "languages",
    "normalize_shares",
    "readable",
    "rephrase",
    "reworded",
    "saying_of",
    "short_because",
]
