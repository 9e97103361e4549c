"""Tables of every kind, and one clear sentence for each that is broken."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from recprism.data import damage
from recprism.data.sources import check_table, open_table, scan
from recprism.errors import DataError
from recprism.project.schema import Source


def read(folder: Path, name: str) -> pl.DataFrame:
    table = open_table(Source(source=name), folder)
    check_table(table)
    return table.read()


def test_csv_cells_stay_the_text_they_are(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(
        b"\xef\xbb\xbfid,n\n0012,1.50\n" + '"Zoë ""the 🦊"", Jr.",x\n"two\nlines",\n'.encode()
    )
    frame = read(tmp_path, "t.csv")
    assert frame.columns == ["id", "n"]
    assert frame["id"].to_list() == ["0012", 'Zoë "the 🦊", Jr.', "two\nlines"]
    assert frame["n"].to_list() == ["1.50", "x", None]


def test_jsonl_keeps_types_and_joins_lists_of_texts(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(
        '{"id": 1, "tags": ["a", "b"]}\n\n{"id": 2, "tags": null, "more": true}\n'
    )
    frame = read(tmp_path, "t.jsonl")
    assert frame["id"].to_list() == [1, 2]
    assert frame["tags"].to_list() == ["a, b", None]
    assert frame["more"].to_list() == [None, True]


def test_a_folder_is_one_table_in_the_order_of_file_names(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    pl.DataFrame({"id": [3], "x": ["c"]}).write_parquet(folder / "2.parquet")
    (folder / "1.csv").write_text("x,id\na,1\nb,0002\n")
    (folder / "readme.txt").write_text("not a table")
    frame = read(tmp_path, "parts")
    assert frame["id"].to_list() == ["1", "0002", "3"]
    assert frame["x"].to_list() == ["a", "b", "c"]


def test_scan_gives_only_the_columns_named(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1], "b": [2]}).write_parquet(tmp_path / "t.parquet")
    assert scan(Source(source="t.parquet"), tmp_path, ["b"]).collect().to_dicts() == [{"b": 2}]
    assert scan(Source(source="t.parquet"), tmp_path).collect().width == 2
    with pytest.raises(DataError, match="has no column `c`; found: `a`, `b`"):
        scan(Source(source="t.parquet"), tmp_path, ["c"])


BROKEN: list[tuple[str, bytes, str]] = [
    ("t.csv", b"", r"t\.csv: is empty"),
    ("t.csv", b"a,b\n", r"t\.csv: has no rows"),
    ("t.jsonl", b"", r"t\.jsonl: (is empty|has no rows)"),
    ("t.csv", b"a,b,c\n1,2,3\n4,5\n6,7,8\n", r"t\.csv, row 2: has 2 fields, the header names 3"),
    ("t.csv", b"a,b\n1,2\n3,4\n5,6,7\n", r"t\.csv, row 3: has 3 fields, the header names 2"),
    ("t.tsv", b"a\tb\n1\t2\n3\t4\t5\n", r"t\.tsv, row 2: has 3 fields, the header names 2"),
    ("t.csv", b'a,b\n1,x\n2,"never closed\n3,y\n', r"t\.csv, row 2: the quoting is broken"),
    ("t.csv", b"a,b\n1,x\n2,caf\xe9\n", r"t\.csv, row 2: is not written in UTF-8"),
    ("t.jsonl", b'{"a": 1}\n{"a": \n{"a": 3}\n', r"t\.jsonl, row 2: is no JSON"),
    ("t.jsonl", b'{"a": 1}\n[1]\n', r"t\.jsonl, row 2: holds a JSON list, an object is expected"),
    ("t.parquet", b"PAR1 is not enough", r"t\.parquet: cannot be read: .*write it again"),
    ("t.xlsx", b"x", r"t\.xlsx: ends in `\.xlsx`, files of these kinds can be read: `\.csv`"),
]


@pytest.mark.parametrize(("name", "content", "message"), BROKEN)
def test_a_broken_table_gives_one_sentence_with_the_row(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, name)
    assert "\n" not in str(caught.value)


def test_a_parquet_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": range(1000)}).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"t\.parquet: cannot be read: .* damaged or cut short"):
        read(tmp_path, "t.parquet")


def test_a_missing_file_is_named_with_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no\.csv: there is no such file \(looked for `.*no\.csv`"):
        read(tmp_path, "no.csv")


def test_a_file_that_the_system_refuses_is_named_with_its_reason(tmp_path: Path) -> None:
    place = tmp_path / "t.csv"
    place.mkdir()
    found = damage.find_damage("data/t.csv", [place], OSError("no"))
    assert str(found) == "data/t.csv: cannot be read: Is a directory. Check the file."


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    with pytest.raises(DataError, match=r"parts: the folder holds no table; .* `\.parquet`"):
        read(tmp_path, "parts")


def test_files_of_a_folder_need_the_same_columns(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "parts" / "2.csv").write_text("a,c\n1,2\n")
    with pytest.raises(DataError, match=r"parts/2\.csv, column `b`: has no column `b`; found: `a`"):
        read(tmp_path, "parts")


@pytest.mark.parametrize(
    ("name", "content", "row"),
    [
        ("t.csv", "a,b\n1,x\n2," + "y" * 3000 + "\n3,z\n", 2),
        ("t.csv", "a,b\n1,x\n2," + "y" * 3000, 2),
        ("t.csv", 'a,b\n1,x\n2,x\n3,"' + "y\n" * 1500 + '"\n', 3),
        ("t.jsonl", '{"a": 1}\n{"a": "' + "y" * 3000 + '"}\n', 2),
    ],
)
def test_a_field_over_the_limit_is_refused_with_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: str, row: int
) -> None:
    monkeypatch.setattr(damage, "MAX_FIELD_BYTES", 2048)
    monkeypatch.setattr(damage, "_CHUNK", 512)
    (tmp_path / name).write_text(content)
    expected = rf"row {row}: a field holds more than 2048 bytes, the most that is read"
    with pytest.raises(DataError, match=expected):
        read(tmp_path, name)


def test_the_limit_leaves_long_lines_of_short_fields_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(damage, "MAX_FIELD_BYTES", 2048)
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{n},{'x' * 1900}\n" for n in range(9)))
    assert read(tmp_path, "t.csv").height == 9


def test_nested_values_are_refused_where_they_are_used(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a": 1, "b": {"c": 2}}\n')
    table = open_table(Source(source="t.jsonl"), tmp_path)
    assert table.read(["a"]).height == 1
    with pytest.raises(DataError, match=r"column `b`: holds values of the type `Struct"):
        table.read(["b"])


def test_a_missing_column_comes_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("product_id,name\n1,x\n")
    table = open_table(Source(source="t.csv"), tmp_path)
    message = r"has no column `product_ld`; found: `product_id`, `name`\. Did you mean `product_id`"
    with pytest.raises(DataError, match=message):
        table.need(["product_ld"])
    with pytest.raises(DataError, match=r"found: `product_id`, `name`\. Name one of these"):
        table.need(["zzz"])
