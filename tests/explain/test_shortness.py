from __future__ import annotations

import pytest

from recprism.errors import UnknownName
from recprism.explain import Funnel, short_because


@pytest.mark.parametrize(
    ("funnel", "expected"),
    [
        (Funnel(981, 4, 4, 4, 4, 4), "only 4 coupons are valid for this user at this time"),
        (Funnel(981, 1, 1, 1, 1, 1), "only 1 of the coupons is valid for this user at this time"),
        (Funnel(981, 0, 0, 0, 0, 0), "none of the coupons is valid for this user at this time"),
        (Funnel(3, 3, 3, 3, 3, 3), "there are only 3 coupons"),
        (Funnel(3, 0, 0, 0, 0, 0), "none of the coupons is valid for this user at this time"),
        (Funnel(4, 3, 3, 3, 3, 0), "the coupons for this user stand in other lists of this answer"),
        (
            Funnel(9, 8, 2, 2, 2, 2),
            "the rules of the task leave only 2 of the coupons for this user",
        ),
        (
            Funnel(9, 8, 7, 7, 0, 0),
            "all of the coupons were shown to this user as often as the cap",
        ),
        (Funnel(9, 8, 7, 7, 6, 1), "only 1 of the coupons for this user stands in no other list"),
    ],
)
def test_the_step_that_left_so_few_is_the_reason(funnel: Funnel, expected: str) -> None:
    assert str(short_because("coupons", funnel, 5)).startswith(expected)


def test_a_full_list_needs_no_reason() -> None:
    assert short_because("coupons", Funnel(9, 8, 7, 7, 6, 5), 5) is None


def test_a_kind_without_wording_keeps_its_name() -> None:
    funnel = Funnel(9, 4, 4, 4, 4, 4)
    assert short_because("recipes", funnel, 5) == (
        "only 4 recipes are valid for this user at this time"
    )
    assert short_because("coupons", funnel, 5, "zh") == "目前只有4项优惠券对该用户有效"


def test_shortness_in_an_unknown_language_names_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="no language `de`; known: `en`, `zh`"):
        short_because("coupons", Funnel(9, 4, 4, 4, 4, 4), 5, "de")
