"""What a language model's opinion of items is worth to a list: off, on, and distilled.

    python -m benchmarks.llm_rank FILE [--items ITEMS.tsv] [--model NAME] [--users N] [--asked N]
        [--data DIR] [--json]

`FILE` and `ITEMS.tsv` are as for `benchmarks.sequences`: leave-last-out over all items, the default
signals. Beside everybody's whole past, lists are asked with the last one to three events of the
same people and with none, so that there are cold users to measure. `off` is the ranker without the
signal, `distilled` one that learned with the student's column, `on` the first ten of `off` ordered
by the sum of its logit and the model's own relevance, weighted per group as validation says. As a
model is slow, `on` is measured on N people per group whose item stands among those ten; all others'
NDCG@10 cannot change, and they count with their share. Differences are paired, with 95 % bootstrap
intervals over people.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from benchmarks.leave_out import TEST, VALID, write_project
from benchmarks.sequence_files import BadFile, SequenceFile, read_items, read_sequences
from benchmarks.sequences import sections
from numpy.typing import NDArray
from ruamel.yaml import YAML

from recprism.data.times import to_micros
from recprism.engine.ranking import Ranked, rank
from recprism.evaluate.bootstrap import mean_with_interval
from recprism.evaluate.machine import describe_machine
from recprism.llm.embedded import EmbeddedBackend
from recprism.llm.opening import open_door
from recprism.llm.requests import Score
from recprism.llm.weights import locate
from recprism.model import Model
from recprism.pipeline import Timer, Workspace, fit, prepare, validation_users
from recprism.profiles.state import UserState, state_from_log
from recprism.project import FILE_NAME, load_project
from recprism.project.schema import LlmSignal
from recprism.signals.shortlist import Binder
from recprism.signals.teacher import Teacher

TASK = "next"
GROUPS = ("0", "1-3", "4-10", "11+")
K = 10
WEIGHTS = (0.0, 0.1, 0.2, 0.4, 0.8)
USUAL_MODEL = "smollm2-135m"
"""Weights of the model's relevance beside the logit that validation chooses from."""
LISTS, PER_LIST = 3, 20

Numbers = NDArray[np.float64]


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    try:
        sequences = read_sequences(options.file)
        items = read_items(options.items, sequences)
    except BadFile as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, sequences, items, options.data or Path(folder))
    sys.stdout.write((json.dumps(result, indent=2) if options.json else as_text(result)) + "\n")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.llm_rank",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, help="one `user item item ...` line per user")
    parser.add_argument("--items", type=Path, help="titles and attributes of the items")
    parser.add_argument("--model", default=USUAL_MODEL, help="weights to use")
    parser.add_argument("--users", type=int, default=3000, help="people whose lists are asked")
    parser.add_argument("--asked", type=int, default=30, help="people per group for `on`")
    parser.add_argument("--teach", type=int, default=100, help="people to teach the student with")
    parser.add_argument("--data", type=Path, help="keep the project here, caches included")
    parser.add_argument("--seed", type=int, default=0, help="seed of all that is random")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    return parser.parse_args(arguments)


def rank_section(data: Path, model: str, *, quick: bool) -> dict[str, Any]:
    """The parts `rank` and `prefix` of `benchmarks.llm`, for the sequence file in `data`."""
    few = ["--users", "300", "--asked", "4", "--teach", "20"] if quick else []
    folder = data / "beauty"
    named = ["--items", str(folder / "items.tsv"), "--model", model]
    options = parse([str(folder / "Beauty.txt"), *named, *few])
    sequences = read_sequences(options.file)
    with tempfile.TemporaryDirectory() as place:
        found = measure(options, sequences, read_items(options.items, sequences), Path(place))
    return {"rank": {"beauty": found["test"]}, "prefix": found["prefix"]}


@dataclass(frozen=True)
class Case:
    """One list to ask: a person with some of their past, and the item that they took next."""

    user: UserState
    target: int
    group: str


def measure(
    options: argparse.Namespace, sequences: SequenceFile, items: pl.DataFrame, folder: Path
) -> dict[str, Any]:
    """Train without and with the signal, and ask for lists by length of the past."""
    timer = Timer()
    models: dict[str, Model] = {}
    if not (folder / FILE_NAME).is_file():
        write_project(folder, sequences.events(), items, told_sections(items, options))
    for arm in ("off", "distilled"):
        told(f"train: {arm}")
        space = prepared_arm(folder, options, with_llm=arm == "distilled")
        with timer.time(f"train {arm}"):
            models[arm] = fit(space, to_micros(TEST))
    held = validation_users(space, to_micros(TEST), TASK)
    cases = {
        "valid": cases_of(models["off"], space, sequences.last_but_one(held), VALID, options),
        "test": cases_of(models["off"], space, sequences.last(), TEST, options),
    }
    out: dict[str, Any] = {"valid": {}, "test": {}}
    weights: dict[str, float] = {}
    with opened_teacher(space) as teacher:
        for split, chosen in cases.items():
            told(f"lists: {split}")
            lists = {arm: [ranked(model, case) for case in chosen] for arm, model in models.items()}
            for group in GROUPS:
                rows = [i for i, case in enumerate(chosen) if case.group == group]
                asked = Reordered.ask(
                    teacher, [chosen[i] for i in rows], [lists["off"][i] for i in rows], options
                )
                if split == "valid":
                    weights[group] = asked.best_weight()
                gains = {
                    arm: np.array([gain(found[i], chosen[i]) for i in rows])
                    for arm, found in lists.items()
                }
                out[split][group] = row_of(gains, asked, weights[group], options.seed)
                told(f"  {group}: {out[split][group]}")
        prefix = asyncio.run(prefix_tokens(teacher, options))
    return {
        "model": options.model,
        **out,
        "student": dict(models["distilled"].training["signals"]["llm"]),
        "prefix": prefix,
        "seconds": dict(timer.seconds),
        "sizes": {**sequences.sizes(len(items)), "lists": {k: len(v) for k, v in cases.items()}},
        "seed": options.seed,
        "machine": describe_machine(),
    }


def told(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def told_sections(items: pl.DataFrame, options: argparse.Namespace) -> dict[str, Any]:
    """The project of `benchmarks.sequences` with the default signals, and a language model."""
    out = sections(items, options.seed)
    out["signals"] |= {"sequence": {"use": False}}
    out["llm"] = {"backend": "embedded", "fields": ["items.title"]}
    return out


def prepared_arm(folder: Path, options: argparse.Namespace, *, with_llm: bool) -> Workspace:
    """The project with the role on or off; the tables stay, so that texts are encoded once."""
    file, yaml = folder / FILE_NAME, YAML()
    written = yaml.load(file)
    written["llm"] |= {"model": options.model, "roles": {"rank": with_llm}}
    written["signals"]["llm"] = {"users": options.teach}
    yaml.dump(written, file)
    return prepare(load_project(folder))


@contextmanager
def opened_teacher(space: Workspace) -> Iterator[Teacher]:
    door = open_door(space.project.spec.llm, space.project.path)
    try:
        yield Teacher.of(space.project.spec, space.ground.catalog, door)
    finally:
        door.close()


def cases_of(
    model: Model,
    space: Workspace,
    wanted: Mapping[str, str],
    at: datetime,
    options: argparse.Namespace,
) -> list[Case]:
    """At most `--users` people drawn at random, each with the whole past, with one to three of its
    last events, and (a third of them) with none."""
    rng, catalog = np.random.default_rng(options.seed), model.catalog
    names = sorted(wanted)
    drawn = rng.permutation(len(names))[: options.users]
    kind, out = catalog.kinds["items"], list[Case]()
    for number, row in enumerate(drawn.tolist()):
        user_idx = catalog.users.ids.index(names[row])
        state = state_from_log(space.log, user_idx, to_micros(at))
        target = kind.start + kind.ids.index(wanted[names[row]])
        kept = [len(state.item), min(len(state.item), 1 + int(rng.integers(3)))]
        kept += [0] if number % 3 == 0 else []
        for n in dict.fromkeys(kept):
            if target not in state.item[len(state.item) - n :]:
                out.append(Case(last_events(state, n), target, group_of(n)))
    return out


def group_of(n: int) -> str:
    return GROUPS[int(np.searchsorted([0, 3, 10], n))]


def last_events(user: UserState, n: int) -> UserState:
    """The person with the last `n` events alone."""
    names = ("item", "action", "time", "value", "session")
    return replace(user, **{name: getattr(user, name)[len(user.item) - n :] for name in names})


def ranked(model: Model, case: Case) -> Ranked:
    return rank(model, Binder(model.snapshot, case.user), model.plans[TASK])


def gain(found: Ranked, case: Case) -> float:
    """NDCG@10 of the one item that counts."""
    place = found.position(case.target)
    return 1.0 / np.log2(2.0 + place) if 0 <= place < K else 0.0


@dataclass(frozen=True)
class Reordered:
    """What the model's own relevance makes of the first ten of some lists.

    `logit` and `told` [people, 10] are standardized within each list, `place` [people] is that of
    the item that counts. Everybody asked stands for `share` of the people.
    """

    logit: Numbers
    told: Numbers
    place: NDArray[np.int64]
    share: float

    @staticmethod
    def ask(
        teacher: Teacher,
        cases: Sequence[Case],
        lists: Sequence[Ranked],
        options: argparse.Namespace,
    ) -> Reordered:
        """Ask about some people whose item is among the first ten."""
        places = np.array([found.position(c.target) for c, found in zip(cases, lists, strict=True)])
        found = np.flatnonzero((places >= 0) & (places < K)).tolist()
        inside = [i for i in found if len(cases[i].user.item) and len(lists[i]) >= K]
        share = len(inside) / max(1, len(cases))
        drawn = np.random.default_rng(options.seed).permutation(len(inside))[: options.asked]
        logit, told, place = [], [], []
        for i in (inside[n] for n in drawn.tolist()):
            past = cases[i].user.item[-LlmSignal().history :]
            values = teacher.relevance(past.tolist(), lists[i].candidates.item[:K].tolist())
            if values is not None:
                chance = np.clip(lists[i].score[:K], 1e-9, 1 - 1e-9)
                logit.append(standard(np.log(chance / (1 - chance))))
                told.append(standard(values.astype(np.float64)))
                place.append(int(places[i]))
        return Reordered(
            np.reshape(logit, (-1, K)), np.reshape(told, (-1, K)), np.array(place, int), share
        )

    def differences(self, weight: float) -> Numbers:
        """How much NDCG@10 changes for each person asked."""
        score = self.logit + weight * self.told
        own = np.take_along_axis(score, self.place[:, None], axis=1)
        # Among equals the first stays first, as in the list before.
        before = np.arange(K) < self.place[:, None]
        place = ((score > own) | ((score == own) & before)).sum(axis=1)
        return gains_at(place) - gains_at(self.place)

    def best_weight(self) -> float:
        """The weight that is best for the people asked, the smaller of equals."""
        means = [self.differences(w).mean() if len(self.place) else 0.0 for w in WEIGHTS]
        return WEIGHTS[int(np.argmax(np.round(means, 12)))]


def gains_at(place: NDArray[np.int64]) -> Numbers:
    """NDCG@10 of items at these places among the first ten."""
    return np.asarray(1.0 / np.log2(2.0 + place), np.float64)


def standard(values: Numbers) -> Numbers:
    return np.asarray((values - values.mean()) / max(1e-9, float(values.std())), np.float64)


def row_of(
    gains: Mapping[str, Numbers], asked: Reordered, weight: float, seed: int
) -> dict[str, Any]:
    """NDCG@10 of each arm in one group, and paired differences to `off` with intervals."""
    off, distilled = gains["off"], gains["distilled"]
    on = asked.differences(weight)
    paired = mean_with_interval(distilled - off, np.arange(len(off)), seed=seed)
    reordered = mean_with_interval(on * asked.share, np.arange(len(on)), seed=seed)
    gained = reordered.value if len(on) else 0.0
    return {
        "lists": len(off),
        "off": round(float(off.mean()), 4) if len(off) else None,
        "on": round(float(off.mean() + gained), 4) if len(off) else None,
        "distilled": round(float(distilled.mean()), 4) if len(off) else None,
        "distilled_minus_off": interval(paired.to_dict()),
        "on_minus_off": interval(reordered.to_dict()),
        "on_asked": len(on),
        "on_weight": weight,
    }


def interval(found: Mapping[str, Any]) -> list[float | None]:
    """[value, low, high]."""
    return [None if found[k] is None else round(found[k], 4) for k in ("value", "low", "high")]


async def prefix_tokens(teacher: Teacher, options: argparse.Namespace) -> dict[str, int]:
    """Prompt tokens computed for three lists of twenty candidates of one person.

    `tokens_shared`: one prefix for all. `tokens_by_list`: computed anew for each list.
    `tokens_separate`: computed anew for each candidate.
    """
    told = [i for i, text in enumerate(teacher.texts) if text]
    rng = np.random.default_rng(options.seed)
    drawn = rng.choice(told, 4 + LISTS * PER_LIST, replace=False).tolist()
    prompt, rest = teacher.prompt(drawn[:4]), drawn[4:]
    lists = [
        Score(
            prompt=prompt,
            continuations=tuple(f" {teacher.texts[i]}" for i in rest[n::LISTS]),
        )
        for n in range(LISTS)
    ]
    path = locate(options.model)

    async def tokens(groups: Sequence[Sequence[Score]], *, shares_prefix: bool) -> int:
        read = 0
        for group in groups:
            backend = EmbeddedBackend(path, shares_prefix=shares_prefix)
            try:
                read += sum([(await backend.score(request)).tokens_in for request in group])
            finally:
                await backend.close()
        return read

    return {
        "tokens_shared": await tokens([lists], shares_prefix=True),
        "tokens_by_list": await tokens([[one] for one in lists], shares_prefix=True),
        "tokens_separate": await tokens([lists], shares_prefix=False),
    }


def as_text(result: Mapping[str, Any]) -> str:
    """A line per split and group, then what the student is worth and what sharing saves."""
    lines = [f"NDCG@10 with {result['model']}"]
    lines += [
        f"{'':<14}{'lists':>7}{'off':>9}{'on':>9}{'distilled':>11}  distilled - off, on - off"
    ]
    for split in ("valid", "test"):
        for group, row in result[split].items():
            shown = "".join(
                f"{'-' if row[arm] is None else format(row[arm], '.4f'):>{width}}"
                for arm, width in (("off", 9), ("on", 9), ("distilled", 11))
            )
            ends = f"{row['distilled_minus_off']} {row['on_minus_off']}"
            lines.append(
                f"{split + ' ' + group:<14}{row['lists']:>7}{shown}  {ends} "
                f"(weight {row['on_weight']}, {row['on_asked']} asked)"
            )
    for name in ("student", "prefix", "seconds", "machine"):
        lines.append(f"{name}: {', '.join(f'{k} {v}' for k, v in result[name].items())}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
