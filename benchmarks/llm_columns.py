"""How often a project inferred from tables with odd names of columns gives each part to the right
column: by the rules alone, and with a language model.

    python -m benchmarks.llm_columns [--model NAME] [--part choose|test] [--json]

The projects are made up: tables of events, items and users whose columns are named in German,
Chinese and other languages, or in shorthand. What a column holds is how it is made, so the right
answer is known. `share` is that of the parts (user, item, time, value, visit, place and action of
events; id, title and label of items; id of users) which the inferred file gives to the right
column; a project that cannot be inferred gets none. How the model is asked was chosen on the
projects of part `choose`; those of part `test` are reported.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl
from ruamel.yaml import YAML

from recprism.data.infer import infer_project
from recprism.errors import DataError
from recprism.llm import Door, open_door
from recprism.project.llm_section import Llm

ROWS, USERS, ITEMS = 600, 60, 80
WORDS = ("stone", "silver", "river", "paper", "garden", "window", "copper", "winter", "orange")
BEGIN = datetime(2024, 1, 1)
LOG_PARTS = ("user", "item", "time", "value", "session", "place", "action")
Rng = np.random.Generator
Columns = Mapping[str, str]
"""What each column holds, by its name: a key of `MAKERS`."""


@dataclass(frozen=True)
class Tables:
    """A project to infer: a table of events, one of items, perhaps one of users."""

    name: str
    part: str
    events: tuple[str, Columns]
    items: tuple[str, Columns]
    users: tuple[str, Columns] | None = None


def _numbers(low: int, high: int) -> Callable[[int, Rng], list[Any]]:
    return lambda n, rng: rng.integers(low, high, n).tolist()


def _of(values: Sequence[str]) -> Callable[[int, Rng], list[Any]]:
    return lambda n, rng: [values[k] for k in rng.integers(0, len(values), n)]


def _words(n_words: int) -> Callable[[int, Rng], list[Any]]:
    def made(n: int, rng: Rng) -> list[Any]:
        drawn = rng.integers(0, len(WORDS), (n, n_words))
        return [" ".join([*(WORDS[k] for k in row), str(at)]) for at, row in enumerate(drawn)]

    return made


def _days(_: int, rng: Rng) -> list[Any]:
    seconds = np.sort(rng.integers(0, 200 * 86_400, ROWS))
    return [(BEGIN + timedelta(seconds=int(s))).isoformat(" ") for s in seconds]


def _epochs(_: int, rng: Rng) -> list[Any]:
    return list(np.sort(rng.integers(1_704_067_200, 1_720_000_000, ROWS)).tolist())


MAKERS: Mapping[str, Callable[[int, Rng], list[Any]]] = {
    "user": lambda n, rng: (rng.permutation(ROWS) % USERS + 5_000).tolist()[:n],
    "item": lambda n, rng: [f"p{k:03d}" for k in rng.permutation(ROWS) % ITEMS][:n],
    "user id": lambda n, _: list(range(5_000, 5_000 + n)),
    "item id": lambda n, _: [f"p{k:03d}" for k in range(n)],
    "row": lambda n, _: list(range(1, n + 1)),
    "time": _days,
    "epoch": _epochs,
    "value": lambda n, rng: (rng.integers(50, 9_000, n) / 100).tolist(),
    "count": _numbers(1, 9),
    "session": lambda n, _: [70_000 + k // 2 for k in range(n)],
    "place": _numbers(1, 7),
    "action": _of(("view", "buy", "return")),
    "flag": _numbers(0, 2),
    "percent": _numbers(0, 30),
    "title": _words(2),
    "text": _words(9),
    "label": _of(("garden", "kitchen", "office", "sport", "toys")),
    "age": _numbers(18, 80),
    "code": lambda n, rng: [f"z{k}" for k in rng.integers(0, 20, n)],
}

PROJECTS = (
    Tables(
        "German shop", "choose",
        ("verkauf", {"beleg": "session", "artikel": "item", "kunde": "user", "filiale": "place",
                     "menge": "count", "zeitpunkt": "epoch"}),
        ("artikel", {"artikel": "item id", "bezeichnung": "title", "beschreibung": "text",
                     "warengruppe": "label"}),
        ("kunden", {"kunde": "user id", "alter": "age"}),
    ),
    Tables(
        "Chinese shop", "choose",
        ("订单明细", {"订单号": "session", "商品编号": "item", "用户编号": "user", "门店": "place",
                  "金额": "value", "下单时间": "time", "备注码": "code"}),
        ("商品表", {"商品编号": "item id", "商品名称": "title", "商品描述": "text",
                 "类别": "label"}),
    ),
    Tables(
        "SAP", "choose",
        ("VBAP", {"VBELN": "session", "MATNR": "item", "KUNNR": "user", "WERKS": "place",
                  "KWMENG": "count", "NETWR": "value", "ERDAT": "time"}),
        ("MARA", {"MATNR": "item id", "MAKTX": "title", "MATKL": "label"}),
        ("KNA1", {"KUNNR": "user id", "LAND1": "code"}),
    ),
    Tables(
        "shorthand", "choose",
        ("log", {"n": "row", "usr": "user", "prd": "item", "qty_sold": "count", "tstamp": "epoch",
                 "sess": "session", "evt": "action", "ok": "flag"}),
        ("prd", {"prd": "item id", "ttl": "title", "descr": "text", "cat": "label"}),
    ),
    Tables(
        "Spanish library", "choose",
        ("prestamos", {"libro": "item", "socio": "user", "sucursal": "place", "fecha": "time",
                       "renovado": "flag"}),
        ("libros", {"libro": "item id", "titulo": "title", "resumen": "text", "genero": "label"}),
    ),
    Tables(
        "French shop", "test",
        ("ventes", {"ticket": "session", "produit": "item", "acheteur": "user",
                    "magasin": "place", "prix": "value", "horodatage": "epoch"}),
        ("produits", {"produit": "item id", "intitule": "title", "descriptif": "text",
                      "rayon": "label"}),
        ("acheteurs", {"acheteur": "user id", "age": "age"}),
    ),
    Tables(
        "Chinese films", "test",
        ("观看记录", {"影片": "item", "观众": "user", "评分": "count", "观看日期": "time",
                  "设备": "code"}),
        ("影片", {"影片": "item id", "片名": "title", "剧情": "text", "类型": "label"}),
    ),
    Tables(
        "German media", "test",
        ("abrufe", {"sendung": "item", "hoerer": "user", "geraet": "code", "abgerufen": "epoch",
                    "sitzung": "session", "vorgang": "action"}),
        ("sendungen", {"sendung": "item id", "titel": "title", "inhalt": "text",
                       "sparte": "label"}),
    ),
    Tables(
        "warehouse", "test",
        ("fct_sls", {"sk": "row", "itm_no": "item", "cst_no": "user", "str_no": "place",
                     "net_amt": "value", "dsc_pct": "percent", "trx_dt": "time",
                     "trx_no": "session"}),
        ("dim_itm", {"itm_no": "item id", "itm_nm": "title", "itm_dsc": "text", "grp_nm": "label"}),
        ("dim_cst", {"cst_no": "user id", "birth_yr": "age"}),
    ),
    Tables(
        "Portuguese courses", "test",
        ("matriculas", {"curso": "item", "aluno": "user", "nota": "count", "momento": "epoch",
                        "unidade": "place"}),
        ("cursos", {"curso": "item id", "nome": "title", "ementa": "text", "area": "label"}),
        ("alunos", {"aluno": "user id", "idade": "age"}),
    ),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    door = None
    folder = Path(tempfile.mkdtemp(prefix="recprism-columns-"))
    if options.model:
        llm = Llm(backend="embedded", model=options.model)
        door = open_door(llm, folder)
    rows = [measure(one, folder, door) for one in PROJECTS if one.part == options.part]
    if door is not None:
        door.close()
    result = {"model": options.model, "part": options.part, "projects": rows, **totals(rows)}
    sys.stdout.write((json.dumps(result, indent=2) if options.json else as_text(result)) + "\n")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.llm_columns",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", help="weights of `recprism llm weights`, or a GGUF file")
    parser.add_argument("--part", choices=("choose", "test"), default="test", help="which projects")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    return parser.parse_args(arguments)


def measure(project: Tables, folder: Path, door: Door | None) -> dict[str, Any]:
    """The parts of a project and how many are right, by the rules and with the model."""
    data = write(project, folder)
    truth = truth_of(project)
    started = perf_counter()
    ways = {"rules": given(data, None)} | ({} if door is None else {"model": given(data, door)})
    return {
        "name": project.name,
        "parts": len(truth),
        **{way: len(truth & found) for way, found in ways.items()},
        "missing": {way: sorted(map(list, truth - found)) for way, found in ways.items()},
        "took_s": round(perf_counter() - started, 1),
    }


def totals(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The share of all parts that are right, by way."""
    parts = sum(row["parts"] for row in rows)
    ways = [way for way in ("rules", "model") if all(way in row for row in rows)]
    return {"share": {way: round(sum(row[way] for row in rows) / parts, 4) for way in ways}}


def as_text(result: Mapping[str, Any]) -> str:
    """A line per project with the parts that nobody found, then the shares."""
    lines = []
    for row in result["projects"]:
        counts = ", ".join(f"{way} {row[way]}" for way in ("rules", "model") if way in row)
        lines.append(f"{row['name']}: {row['parts']} parts, {counts} right ({row['took_s']} s)")
        for way, missing in row["missing"].items():
            lines.append(f"  {way} lacks {', '.join(' '.join(pair) for pair in missing) or '-'}")
    return "\n".join([*lines, f"share: {json.dumps(result['share'])}"])


def write(project: Tables, folder: Path, seed: int = 0) -> Path:
    """The project's tables as CSV files; returns their folder."""
    data = folder / project.name.replace(" ", "-")
    data.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    sizes = {"events": ROWS, "items": ITEMS, "users": USERS}
    for section, n in sizes.items():
        found = getattr(project, section)
        if found is not None:
            name, columns = found
            made = {column: MAKERS[how](n, rng) for column, how in columns.items()}
            pl.DataFrame(made).write_csv(data / f"{name}.csv")
    return data


def truth_of(project: Tables) -> set[tuple[str, str]]:
    """The right parts, as (part, column)."""
    found = set()
    as_part = {"epoch": "time", "count": "value"}
    values = [how for how in project.events[1].values() if how in ("value", "count")]
    for column, how in project.events[1].items():
        part = as_part.get(how, how)
        if how == "count" and "value" in values:
            continue  # the sum is the better value of the two
        if part in LOG_PARTS:
            found.add((part, column))
    wanted = {"item id": "items.id", "title": "items.title", "label": "items.label"}
    found |= {(wanted[how], column) for column, how in project.items[1].items() if how in wanted}
    people = project.users[1] if project.users is not None else {}
    return found | {("users.id", column) for column, how in people.items() if how == "user id"}


def given(data: Path, door: Door | None) -> set[tuple[str, str]]:
    """The parts that the inferred file gives to columns; none where none could be inferred."""
    try:
        text = infer_project([data], "odd", door=door).yaml
    except DataError:
        return set()
    return set(_given(YAML(typ="safe").load(text)))


def _given(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for log in spec.get("events", []):
        yield from ((part, log[part]) for part in LOG_PARTS if part in log and part != "action")
        yield from (("action", log[key]) for key in ("action_column",) if key in log)
        yield from (("place", column) for column in log.get("context", {}).values())
    for kind in spec.get("items", {}).values():
        yield "items.id", kind["id"]
        yield from (("items.title", column) for column in kind.get("text", [])[:1])
        yield from (("items.label", column) for column in kind.get("labels", {}).values())
    if "users" in spec:
        yield "users.id", spec["users"]["id"]


if __name__ == "__main__":
    sys.exit(main())
