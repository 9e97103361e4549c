"""One shop for all tests of signals, and one thread for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sklearn.cluster  # noqa: F401  its threads must be there to be limited
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recprism.testing.signals import SignalShop, open_signal_shop


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session")
def shop() -> SignalShop:
    """The small shop with all its events; `shop.snapshot` knows those before `CUT`."""
    return open_signal_shop()
