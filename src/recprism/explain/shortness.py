"""Why a list has fewer items than asked for, in one sentence."""

from __future__ import annotations

from dataclasses import dataclass

from recprism.explain.messages import catalogue


@dataclass(frozen=True, slots=True)
class Funnel:
    """How many different items of a kind were left after each step, in the order of the steps.

    `catalog`: the kind has so many; `eligible`: valid for this user, time and context; `allowed`:
    after excluded labels and the repeat policy; `wished`: fits what the wish rules out or demands;
    `capped`: after frequency caps; `merged`: not shown
    in another list of the answer.
    """

    catalog: int
    eligible: int
    allowed: int
    wished: int
    capped: int
    merged: int


def short_because(
    kind: str, funnel: Funnel, wanted: int, language: str = "en", *, wish: str = ""
) -> str | None:
    """The step that left as few items as there are, in words; None when they are as `wanted`.

    `wish` are the conditions of the wish, in signs.
    Such as "only 4 coupons are valid for this user at this time". Raises `UnknownName` for a
    language without catalogue.
    """
    words = catalogue(language)
    for step in ("catalog", "eligible", "allowed", "wished", "capped", "merged"):
        left = int(getattr(funnel, step))
        if left < wanted and left <= funnel.merged:
            return words.counted(
                words.messages["short"][step], left, kind=words.kind(kind), wish=wish
            )
    return None
