from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recprism.content.encoder import Encoder
from recprism.content.taxonomy import Taxonomy
from recprism.errors import UnknownName, UsageError

PARENTS = {"shampoo": "care", "soap": "care", "dry shampoo": "shampoo", "milk": "dairy"}


def test_terms_speak_for_the_nearest_label_above_them() -> None:
    found = Taxonomy(["care", "shampoo", "toys"], parents=PARENTS).terms()
    assert found == {
        "care": "care",
        "shampoo": "shampoo",
        "toys": "toys",
        "soap": "care",
        "dry shampoo": "shampoo",
    }  # nothing above milk may be given


def test_every_label_owns_a_term_and_the_first_is_its_name(encoder: Encoder) -> None:
    meanings = Taxonomy(["care", "dairy"], parents=PARENTS).encode(encoder, is_query=True)
    assert meanings.names == ("care", "dairy")
    assert meanings.owner.tolist() == [0, 1, 0, 0, 0, 1]
    assert meanings.of_labels().shape == (2, encoder.size)
    np.testing.assert_allclose(np.linalg.norm(meanings.of_labels(), axis=1), 1.0, rtol=1e-3)


@pytest.mark.parametrize(
    ("taxonomy", "error", "said"),
    [
        (Taxonomy(["a"]), UsageError, r"Found 1 label name\(s\) \['a'\]"),
        (
            Taxonomy(["a", "b"], parents={"c": "d", "d": "e", "e": "c"}),
            UsageError,
            "Found c > d > e > c, which runs in a circle",
        ),
        (Taxonomy(["milk", "bread"], descriptions={"mlk": "x"}), UnknownName, "no label `mlk`"),
    ],
)
def test_what_is_no_taxonomy_is_refused(
    taxonomy: Taxonomy, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        taxonomy.terms()


@given(st.lists(st.integers(0, 30), min_size=2, max_size=30))
def test_every_term_of_a_tree_below_a_root_label_is_taken(above: list[int]) -> None:
    """Term n lies below a term with a smaller number, or is a root."""
    parents = {f"t{n}": f"t{above[n] % n}" for n in range(1, len(above))}
    found = Taxonomy(["t0", "other"], parents=parents).terms()
    assert set(found) == {"t0", "other", *parents}
    assert set(found.values()) == {"t0", "other"}
