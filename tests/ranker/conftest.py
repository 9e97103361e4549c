"""One shop for all tests of the ranker, and one thread for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sklearn.cluster  # noqa: F401  its threads must be there to be limited
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recprism.ranker.features import FeatureSpec
from recprism.testing.signals import SignalShop, open_signal_shop


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def shop() -> SignalShop:
    """The small shop with all its events; `shop.snapshot` knows those before `CUT`."""
    return open_signal_shop()


@pytest.fixture(scope="session")
def spec(shop: SignalShop) -> FeatureSpec:
    """What the rankers of the shop see."""
    ground = shop.ground
    return FeatureSpec.build(ground)
