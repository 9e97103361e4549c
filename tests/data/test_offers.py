"""Offers and links: two styles, each beside its plain twin."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.small_project import counts, spec, write_project
from tests.reference import plain_offers

from recprism.data.build import load_dataset
from recprism.data.dataset import Catalog, Dataset, Offers
from recprism.data.report import balance
from recprism.data.times import OPEN_END, OPEN_START, from_micros, to_micros
from recprism.errors import DataError

GOODS = spec()["items"]["goods"]
FIRST = datetime(2024, 10, 21)
ADS = {
    "source": "ads.csv",
    "id": "sku",
    "rows": "offers",
    "links": {"promotes": {"kind": "goods", "column": "sku"}},
    "available": {
        "store": "store",
        "period": {
            "column": "week",
            "first": str(FIRST),
            "every": "7d",
            "timezone": "Europe/Paris",
        },
    },
    "placement": ["display"],
}
COUPONS = {
    "source": "coupons.csv",
    "id": "coupon",
    "rows": "links",
    "offer": "campaign",
    "links": {"covers": {"kind": "goods", "column": "sku"}},
    "audience": {
        "source": "mailed.csv",
        "user": "user",
        "offer": "campaign",
        "window": {
            "source": "campaigns.csv",
            "offer": "campaign",
            "from": "start",
            "until": "stop",
            "inclusive": True,
            "labels": {"type": "type"},
        },
    },
}
CAMPAIGNS = (
    "campaign,start,stop,type\nspring,2024-03-01,2024-03-31,A\nfall,2024-09-01,2024-09-30,\n"
)
MAILED = "user,campaign\nann,spring\nbob,spring\nann,fall\nann,spring\nzoe,fall\nann,lost\n"


def as_csv(header: str, rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows([header.split(","), *rows])
    return out.getvalue()


def load(folder: Path, files: dict[str, str], **kinds: Any) -> Dataset:
    section = {**spec()["events"][0], "context": {}}
    items = {"goods": GOODS, **kinds}
    return load_dataset(write_project(folder, files, items=items, events=[section]))


def offers_of(catalog: Catalog, kind: str) -> Offers:
    offers = catalog.kinds[kind].offers
    assert offers is not None
    return offers


def groups_of_rows(offers: Offers) -> Any:
    return np.repeat(np.arange(offers.n_groups), np.diff(offers.offsets))


word = st.sampled_from(["", "milk", "bread", "0012", "gone"])
promotion = st.tuples(
    word,
    st.sampled_from(["", "10", "9", "2"]),
    st.sampled_from(["", "1", "2", "3", "x"]),
    st.sampled_from(["", "0", "A", "1"]),
)


@settings(deadline=None, max_examples=25)
@given(st.lists(promotion, min_size=1))
def test_promotions_agree_with_a_plain_loop(rows: list[tuple[str, str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = {"ads.csv": as_csv("sku,store,week,display", rows)}
        dataset = load(Path(folder), files, ads=ADS)
    kind, offers = dataset.catalog.kinds["ads"], offers_of(dataset.catalog, "ads")
    expected, unusable = plain_offers.promotions(rows, FIRST, "Europe/Paris")
    assert offers.placement is not None
    group = groups_of_rows(offers)
    found = {
        (
            kind.ids[offers.item[row]],
            dataset.catalog.contexts["store"][offers.context["store"][group[row]]],
            from_micros(offers.starts[group[row]]),
            from_micros(offers.ends[group[row]]),
            (offers.placement_values["display"][offers.placement[row, 0]],),
        )
        for row in range(len(offers.item))
    }
    assert found == expected
    assert len(offers.item) == len(expected)
    dropped = len(rows) - len(expected) - unusable
    assert sum(counts(dataset.report, "exact-duplicate").values()) == dropped
    assert balance(dataset.report)["items.ads: ads.csv"] == 0


def test_a_week_of_promotions_follows_the_local_clock(tmp_path: Path) -> None:
    rows = [("milk", "1", "1", "0"), ("milk", "1", "2", "0")]
    dataset = load(tmp_path, {"ads.csv": as_csv("sku,store,week,display", rows)}, ads=ADS)
    offers = offers_of(dataset.catalog, "ads")
    # The last Sunday of October 2024 has 25 hours in Paris.
    assert [from_micros(t) for t in offers.starts] == [
        datetime(2024, 10, 20, 22),
        datetime(2024, 10, 27, 23),
    ]
    assert offers.names.null_count() == 2
    assert offers.audience is None


def test_an_ad_is_linked_once_to_what_it_promotes(tmp_path: Path) -> None:
    rows = [("milk", "1", "1", "0"), ("milk", "2", "1", "0"), ("gone", "1", "1", "0")]
    dataset = load(tmp_path, {"ads.csv": as_csv("sku,store,week,display", rows)}, ads=ADS)
    kind = dataset.catalog.kinds["ads"]
    links = kind.links["promotes"]
    assert not links.by_offer
    assert len(links.targets) == len(kind) == 2
    milk = links.targets.of(kind.ids.index("milk"))
    assert [dataset.catalog.item_id(item) for item in milk] == ["milk"]
    assert links.targets.of(kind.ids.index("gone")).tolist() == []
    assert counts(dataset.report, "unknown-link") == {"items.ads: ads.csv:sku": 1}


coupon_row = st.tuples(
    st.sampled_from(["", "c1", "c2"]), st.sampled_from(["", "spring", "fall", "secret"]), word
)


@settings(deadline=None, max_examples=25)
@given(st.lists(coupon_row, min_size=1))
def test_coupons_agree_with_a_plain_loop(rows: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = {
            "coupons.csv": as_csv("coupon,campaign,sku", rows),
            "mailed.csv": MAILED,
            "campaigns.csv": CAMPAIGNS,
        }
        dataset = load(Path(folder), files, coupons=COUPONS)
    catalog = dataset.catalog
    kind, offers = catalog.kinds["coupons"], offers_of(catalog, "coupons")
    links = kind.links["covers"]
    assert links.by_offer
    group = groups_of_rows(offers)
    found = {
        (offers.names[int(group[row])], kind.ids[offers.item[row]]): {
            catalog.item_id(item) for item in links.targets.of(row)
        }
        for row in range(len(offers.item))
    }
    assert found == plain_offers.covers(rows, {"milk", "bread", "0012"})
    assert balance(dataset.report)["items.coupons: coupons.csv"] == 0


def coupon_shop(folder: Path, **changes: str) -> Dataset:
    rows = [("c1", "spring", "milk"), ("c1", "fall", "bread"), ("c2", "secret", "milk")]
    files = {
        "coupons.csv": as_csv("coupon,campaign,sku", rows),
        "mailed.csv": MAILED,
        "campaigns.csv": CAMPAIGNS,
        **changes,
    }
    return load(folder, files, coupons=COUPONS)


def test_a_campaign_brings_its_window_labels_and_audience(tmp_path: Path) -> None:
    dataset = coupon_shop(tmp_path)
    catalog, offers = dataset.catalog, offers_of(dataset.catalog, "coupons")
    assert offers.names.to_list() == ["fall", "secret", "spring"]
    spring = 2
    assert from_micros(offers.starts[spring]) == datetime(2024, 3, 1)
    assert from_micros(offers.ends[spring]) == datetime(2024, 4, 1)
    assert offers.starts[1] == offers.ends[1]
    assert offers.labels is not None
    assert offers.labels["label:type"].to_list() == [None, None, "A"]
    assert offers.audience is not None
    users = catalog.users.ids
    assert sorted(offers.audience.of(users.index("ann")).tolist()) == [0, 2]
    assert offers.audience.of(users.index("bob")).tolist() == [2]
    assert offers.audience.of(users.index("zoe")).tolist() == [0]
    label = "items.coupons.audience: mailed.csv"
    assert counts(dataset.report, "exact-duplicate")[label] == 1
    assert counts(dataset.report, "unknown-offer") == {label: 1}
    assert counts(dataset.report, "only-in-audience") == {"users": 1}
    assert counts(dataset.report, "offer-without-window") == {"items.coupons: coupons.csv": 1}


def test_an_event_names_its_campaign_by_group(tmp_path: Path) -> None:
    redeemed = "user,coupon,campaign,day\nann,c1,spring,2024-03-05\nann,c1,none,2024-03-06\n"
    events = {
        "source": "redeemed.csv",
        "user": "user",
        "kind": "coupons",
        "item": "coupon",
        "offer": "campaign",
        "action": "redeem",
        "time": "day",
    }
    rows = [("c1", "spring", "milk"), ("c1", "fall", "bread")]
    files = {
        "coupons.csv": as_csv("coupon,campaign,sku", rows),
        "mailed.csv": MAILED,
        "campaigns.csv": CAMPAIGNS,
        "redeemed.csv": redeemed,
    }
    project = write_project(
        tmp_path,
        files,
        items={"goods": GOODS, "coupons": COUPONS},
        events=[spec()["events"][0], events],
    )
    dataset = load_dataset(project)
    log = dataset.events
    redeems = log.action == dataset.catalog.actions.index("redeem")
    assert log.offer[redeems].tolist() == [1, -1]
    assert (log.offer[~redeems] == -1).all()
    assert counts(dataset.report, "unknown-offer")["events[1]: redeemed.csv:campaign"] == 1


@pytest.mark.parametrize(
    ("campaigns", "message"),
    [
        (CAMPAIGNS + "fall,2024-10-01,2024-10-09,B\n", "the offer `fall` has two windows"),
        ("campaign,start,type\nfall,2024-09-01,A\n", "has no column `stop`; found: `campaign`"),
    ],
)
def test_a_window_table_has_one_window_per_offer(
    tmp_path: Path, campaigns: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        coupon_shop(tmp_path, **{"campaigns.csv": campaigns})


def test_a_window_that_cannot_be_read_never_opens(tmp_path: Path) -> None:
    campaigns = "campaign,start,stop,type\nspring,someday,2024-03-31,A\n"
    dataset = coupon_shop(tmp_path, **{"campaigns.csv": campaigns})
    offers = offers_of(dataset.catalog, "coupons")
    assert offers.starts[2] == offers.ends[2]
    label = "items.coupons.audience.window: campaigns.csv:start"
    assert counts(dataset.report, "unreadable-window") == {label: 1}


def test_items_of_one_row_have_a_window_of_their_own(tmp_path: Path) -> None:
    items = "sku,name,shelf,from,to\na,Tea,x,2024-03-01,2024-03-05\nb,Milk,x,,\n"
    goods = {**GOODS, "window": {"from": "from", "until": "to", "inclusive": True}}
    kind = load(tmp_path, {"items.csv": items}, goods=goods).catalog.kinds["goods"]
    assert kind.offers is None
    assert kind.window is not None
    assert kind.window[0][:2].tolist() == [to_micros(datetime(2024, 3, 1)), OPEN_START]
    assert kind.window[1][:2].tolist() == [to_micros(datetime(2024, 3, 6)), OPEN_END]
    assert kind.window[0][2] == OPEN_START
    assert len(kind.window[0]) == len(kind)


def test_an_item_without_an_offer_is_kept_counted_and_never_shown(tmp_path: Path) -> None:
    items = "sku,name,shelf,deal\na,Tea,x,spring\nb,Milk,y,\n"
    window = {**COUPONS["audience"]["window"], "labels": {}}  # type: ignore[index]
    goods = {**GOODS, "offer": "deal", "window": window}
    dataset = load(tmp_path, {"items.csv": items, "campaigns.csv": CAMPAIGNS}, goods=goods)
    kind, offers = dataset.catalog.kinds["goods"], offers_of(dataset.catalog, "goods")
    assert kind.window is None
    assert offers.item.tolist() == [0]
    assert from_micros(offers.ends[0]) == datetime(2024, 4, 1)
    assert kind.ids.values.to_list()[:2] == ["a", "b"]
    assert counts(dataset.report, "never-shown") == {"items.goods: items.csv:deal": 1}
    assert balance(dataset.report)["items.goods: items.csv"] == 0


def test_rows_of_offers_may_have_windows_of_their_own(tmp_path: Path) -> None:
    ads = {
        "source": "ads.csv",
        "id": "sku",
        "rows": "offers",
        "window": {"from": "start", "until": "stop"},
    }
    rows = [("a", "2024-03-01", "2024-03-05"), ("b", "2024-03-01", ""), ("a", "junk", "")]
    offers = offers_of(
        load(tmp_path, {"ads.csv": as_csv("sku,start,stop", rows)}, ads=ads).catalog, "ads"
    )
    group = groups_of_rows(offers)
    spans = {
        (int(offers.item[r]), int(offers.starts[g]), int(offers.ends[g]))
        for r, g in enumerate(group)
    }
    first = to_micros(datetime(2024, 3, 1))
    assert spans == {
        (0, first, to_micros(datetime(2024, 3, 5))),
        (1, first, OPEN_END),
        (0, 0, 0),
    }


def test_links_of_a_table_of_edges_skip_unknown_ends(tmp_path: Path) -> None:
    edges = "a,b\nmilk,bread\nmilk,bread\nmilk,0012\ngone,milk\nmilk,gone\n,milk\n"
    links = {
        "pairs": {
            "source": "edges.csv",
            "from": {"kind": "goods", "column": "a"},
            "to": {"kind": "goods", "column": "b"},
        }
    }
    dataset = load_dataset(write_project(tmp_path, {"edges.csv": edges}, links=links))
    kind = dataset.catalog.kinds["goods"]
    milk = kind.links["pairs"].targets.of(kind.ids.index("milk"))
    assert [kind.ids[item] for item in milk] == ["bread", "0012"]
    label = "links.pairs: edges.csv"
    assert counts(dataset.report, "unknown-end") == {f"{label}:a": 1, f"{label}:b": 1}
    assert balance(dataset.report)[label] == 0


def test_more_than_256_placements_are_refused(tmp_path: Path) -> None:
    rows = [("milk", "1", "1", str(n)) for n in range(257)]
    with pytest.raises(DataError, match=r"column `display`: has 257 different placements"):
        load(tmp_path, {"ads.csv": as_csv("sku,store,week,display", rows)}, ads=ADS)


def test_labels_and_texts_of_links_are_the_first_that_an_id_has(tmp_path: Path) -> None:
    coupons = {
        "source": "coupons.csv",
        "id": "coupon",
        "rows": "links",
        "text": "note",
        "labels": {"type": "type"},
        "links": {"covers": {"kind": "goods", "column": "sku"}},
    }
    rows = [("c1", "milk", "", "A"), ("c1", "bread", "Two for one", "B"), ("c2", "milk", "x", "")]
    files = {"coupons.csv": as_csv("coupon,sku,note,type", rows)}
    kind = load(tmp_path, files, coupons=coupons).catalog.kinds["coupons"]
    assert kind.offers is None
    assert kind.table["text"].to_list() == ["Two for one", "x"]
    assert kind.table["label:type"].to_list() == ["A", None]
    assert [len(kind.links["covers"].targets.of(n)) for n in range(2)] == [2, 1]
