"""The engine: an open artifact and its store, asked for lists.

`recommend` reads the user's state, folds in events since training, scores, ranks, cuts, merges and
explains. Nothing here imports torch.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Container, Mapping, Sequence
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import numpy as np

from recprism.data.dataset import UNKNOWN, Ids, KindTable
from recprism.data.times import from_micros
from recprism.engine.arms import Part, in_arms_order, parts_of, with_arms
from recprism.engine.evidence import Asked, Explainer
from recprism.engine.explanation import Explanation, formula_of, what_changes
from recprism.engine.exploring import Explorer, Tallies
from recprism.engine.labeling import Labeling
from recprism.engine.later import FromStore, LaterEvents
from recprism.engine.newcomers import ItemLog, View, Views, takes_newcomers
from recprism.engine.putting import ItemSaid, Putting
from recprism.engine.ranking import Ranked, main_numbers, rank
from recprism.engine.recommend import (
    Shown,
    choose,
    own_text,
    reasons_of,
    unexplained,
    words_of_context,
    write_list,
)
from recprism.engine.shows import Shows
from recprism.engine.similar import nearest_items
from recprism.engine.standing import Standings
from recprism.engine.states import States
from recprism.engine.watch import StopWatch, Watch
from recprism.engine.wishing import Applied, wished_first
from recprism.errors import UnknownItem, UnknownName, UsageError
from recprism.llm import Door, State, most_telling
from recprism.model import Model, open_model
from recprism.profiles.habits import LabelTable
from recprism.profiles.profile import Profile, ProfileSetting, build_profile
from recprism.profiles.retelling import retell
from recprism.profiles.state import UserState
from recprism.project.schema import Experiment, ProjectFile, exploration_of
from recprism.records import Answer, Event, RankedList, Reason
from recprism.signals.plan import TaskPlan, compile_tasks
from recprism.signals.shortlist import Binder, make_shortlist
from recprism.store import AddResult, Erasures, MemoryStore, Store, StoredItem
from recprism.wishes import Read

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
Recorder = Callable[[Answer, datetime], None]
"""Takes an answer that was shown, and when, on the real clock (UTC)."""
EMPTY_QUERY = "A query needs words; found only blanks."


class Engine:
    """Lists, profiles and explanations from one artifact.

    `model` is an opened artifact (see `open_engine`) or one fitted in memory; without `store`,
    observed events live as long as the engine. `later` are further sources of events after
    training. `door` leads to the language model; None where no role of it is on. The engine owns
    it and closes it. Whoever `erasures` know is a stranger with nothing but what they did since.
    Safe to share between threads as far as the store is.

    `started` is when the clock of the data began to run (of `time.monotonic`), for processes that
    shall agree on it. `recorder` takes answers that are to be recorded, the store itself unless
    somebody else is put there; shows that a cap counts go to the store before the answer.
    `tallies` are what exploration knows of earlier shows; a server counts them from its store.
    `experiments` split users, `others` are the engines of their artifacts.
    """

    def __init__(
        self,
        model: Model | Any,
        store: Store | None = None,
        *,
        later: Sequence[LaterEvents] = (),
        artifact_id: str = "in-memory",
        door: Door | None = None,
        erasures: Erasures | None = None,
        started: float | None = None,
    ) -> None:
        if not isinstance(model, Model):  # a published artifact, as `train` returns it
            artifact_id, model = model.id, open_model(model.path)
        self.model, self.artifact_id, self.door = model, artifact_id, door
        self.store = store if store is not None else MemoryStore()
        self.trained_project = model.project
        self.recorder: Recorder = self.store.record_impressions
        self.watch: Watch | None = None
        self.tallies: Tallies = {}
        self.experiments: Mapping[str, Experiment] = {}
        self.others: Mapping[str, Engine] = {}
        standings = Standings(model, self.store, erasures)
        self._states = States(model, standings, later, FromStore(model, self.store), started)
        self._labeling = Labeling(model, door)
        self._putting = Putting(model, self._states, self._labeling)
        self._views = Views(model, ItemLog(self.store), self._states, door)

    def recommend(
        self,
        user: str | None = None,
        tasks: Sequence[str] | None = None,
        *,
        size: int | None = None,
        query: str | None = None,
        context: Mapping[str, Any] | None = None,
        at: datetime | str | None = None,
        events: Sequence[Event] = (),
        record: bool = False,
        explain: bool = True,
    ) -> Answer:
        """One answer with a list for each of `tasks` (default: all of the project).

        `user` None or unknown gives the cold-start lists. `size` replaces the sizes of the project
        file. `query` is a wish in any language; `context` names the store and the like, and
        `viewing` an item. `at` asks as of another moment (naive on the clock of the sources).
        `events` are supposed: they count for this answer as if `user` had done them, whatever user
        they name, and are not kept. With `record`, and without such events, what is shown is
        remembered, at the real time in UTC. A list shorter than asked
        says why. With the role `compose` on, the language model puts the lists in order by its
        deadline. `llm` of the answer is the most telling state of all that was asked of the model
        for it (`recprism.llm.most_telling`).

        Raises `UnknownName` for a task or context, or for a kind or action of `events`, and
        `UsageError` for a size, time, query or supposed item that cannot be meant.
        """
        record = record and not events
        # A wish says what to show; nothing is tried out then, nor where nobody will know.
        parts = parts_of(self.experiments, user) if record and query is None else []
        other = self._other(parts)
        if other is not None:
            return other.recommend(
                user, tasks, size=size, context=context, at=at, record=True, explain=explain
            )
        began, stop_watch = time.perf_counter(), StopWatch(self.watch)
        view = self._views.now()
        model, plans = view.model, with_arms(view.plans_of(tasks), self.experiments, parts)
        if size is not None and size < 1:
            raise UsageError(f"`size` is {size}, at least 1 is needed.")
        read, applied = self._wish_of(view, query, user)
        if read is not None:
            plans = wished_first(plans, read.intent, chosen=tasks is not None)
        stop_watch.end("wish")
        asked: dict[str, Any] = {"context": context, "events": events}
        asked |= {"wish": applied.vector, "barred": applied.barred}
        state = self._state(view, user, at, **asked)
        now, request_id = datetime.now(UTC).replace(tzinfo=None), new_request_id()
        shows = None
        if record and user is not None:
            explorer = None if query else Explorer(model, self.tallies, request_id)
            shows = Shows(self.store, plans, user, now, view.catalog, explorer)
        binder = Binder(model.snapshot, state)
        stop_watch.end("state")
        wanted = sum(plan.spec.size if size is None else size for plan in plans)
        wanted += 0 if shows is None else shows.n_full
        ranked = _ranked(model, binder, plans, wanted, stop_watch)
        explainer = _explainer(view, binder, None if read is None else read.intent.text)
        composed = view.composer.compose(ranked, size, explainer, user, with_reasons=explain)
        stop_watch.end("compose")
        ordered = [in_arms_order(model, one, parts) for one in composed.ranked]
        if shows is None:
            shown = choose(model, ordered, size)
        else:
            shown = shows.choose(model, ordered, size, request_id, self.artifact_id)
        stop_watch.end("choose")
        reasons, states = unexplained(shown), list[State]()
        if explain:
            reasons, states = reasons_of(shown, explainer, self.door, user, composed.said)
        lists = _write(view, shown, state, reasons, read)
        stop_watch.end("explain")
        heard = [*([] if read is None else [read.llm]), *composed.states, *states]
        answer = Answer(
            request_id=request_id,
            user=user,
            at=from_micros(state.at),
            cold=state.is_cold,
            artifact=self.artifact_id,
            took_ms=(time.perf_counter() - began) * 1000.0,
            lists=lists,
            wish=None if read is None else read.intent.to_dict(),
            llm=most_telling(heard),
        )
        if shows is not None:
            self._record(answer, shows.tasks, now)
        return answer

    def _record(self, answer: Answer, recorded: Container[str], now: datetime) -> None:
        """Hand over what is shown in the lists that are not `recorded` yet."""
        left = {name: one for name, one in answer.lists.items() if name not in recorded}
        if left:
            self.recorder(replace(answer, lists=left), now)

    def _wish_of(
        self, view: View, query: str | None, user: str | None
    ) -> tuple[Read | None, Applied]:
        """How a wish is read, None without one, and what it comes to."""
        if query is None:
            return None, Applied(None, None)
        if not query.strip():
            raise UsageError(EMPTY_QUERY)
        read = view.wishing.read(query, self.door, user)
        return read, view.wishing.apply(read.intent)

    @property
    def explores(self) -> bool:
        """Whether some list is explored, of all users or of those in an arm."""
        arms = [arm for one in self.experiments.values() for arm in one.arms.values()]
        settings = [task.explore for task in self.model.project.tasks.values()]
        return any(exploration_of(one) for one in [*settings, *(arm.explore for arm in arms)])

    def close(self) -> None:
        """Let go of the language model and the store; calling it twice is fine."""
        if self.door is not None:
            self.door.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def training(self) -> Mapping[str, Any]:
        """How the training of the model went."""
        return self.model.training

    def read_wish(self, text: str, user: str | None = None) -> Read:
        """How a wish is understood: its intent, and what the language model had to do with it.

        Raises `UsageError` for a wish of blanks.
        """
        if not text.strip():
            raise UsageError(EMPTY_QUERY)
        return self._views.last().wishing.read(text, self.door, user)

    def observe(self, event: Event) -> AddResult:
        """Keep an event; the next answer knows it. Faulty events are rejected in the result."""
        return self.store.add_events([event], self._states.now())

    def profile(self, user: str, at: datetime | str | None = None) -> Profile:
        """The profile of a user; an unknown one has an empty profile that says `cold`.

        With the role `profile` on, its summary is in the language model's words where those say no
        more than the facts; asking takes up to the role's deadline.
        """
        view = self._views.now()
        model, state = self.model, self._state(view, user, at)
        taste = model.snapshot.taste.fold_in(state.item, state.time, state.at)
        setting = ProfileSetting(
            catalog=model.catalog,
            labels=LabelTable(model.labels.codes, model.labels.values),
            segments=model.snapshot.segments,
            timezone=model.project.timezone,
            language=model.project.language,
            history=model.project.profiles.history,
            title_of=view.titles.of,
        )
        profile = build_profile(user, state, taste, setting)
        return profile if self.door is None else retell(self.door, profile, model.project)

    def explain(
        self, user: str | None, task: str, item: str, at: datetime | str | None = None
    ) -> Explanation:
        """Why an item stands where it does for a user, and what would change it.

        Raises `UnknownName` for a task or item.
        """
        view = self._views.now()
        plan, titles = view.plans_of([task])[0], view.titles
        item_idx = view.item(plan.kind, item)
        state = self._state(view, user, at)
        binder = Binder(view.model.snapshot, state)
        ranked = rank(view.model, binder, plan)
        position = ranked.position(item_idx)
        if position < 0:
            note = "not on the shortlist: not eligible now, or no signal puts it among its best"
            return Explanation(
                user=user,
                task=task,
                item=item,
                title=titles.of(item_idx),
                rank=None,
                score=None,
                reason=None,
                note=note,
                changes=(),
            )
        changes = what_changes(view.model, titles, state, plan, ranked, item_idx)
        return Explanation(
            user=user,
            task=task,
            item=item,
            title=titles.of(item_idx, int(ranked.candidates.offer_row[position])),
            rank=position + 1,
            score=float(ranked.score[position]),
            reason=_explainer(view, binder, None).reasons(ranked, [position])[0],
            note=None,
            changes=tuple(changes),
            formula=formula_of(ranked, position),
        )

    def similar(self, kind: str, item: str, n: int = 10) -> list[dict[str, Any]]:
        """The `n` nearest items of the same kind: `id`, `title`, `score`, `behavior`, `content`.

        The score is the mean of two cosines: of item factors and of content vectors (see `Near`).
        Raises `UnknownName` for a kind, `UsageError` for an item.
        """
        view, table = self._views.now(), self._kind(kind)
        more = 0 if view.hidden is None else int(view.hidden.sum())
        found = nearest_items(self.model, table, self._trained(table, item), n + more)
        found = [near for near in found if not view.is_hidden(near.item)][:n]
        return [
            {
                "id": table.ids[near.item - table.start],
                "title": view.titles.of(near.item),
                "score": round(near.score, 6),
                "behavior": near.behavior,
                "content": near.content,
            }
            for near in found
        ]

    def classify(self, kind: str, text: str | None = None) -> dict[str, Any]:
        """Labels with confidence and source, for `text`, or for the items that lack a label.

        The labels are those that items of the kind carry; `unknown` below the project's
        `content.unknown_below`. Without `text` there is also a `review`: what a person should look
        at. Raises `UnknownName`, and `UsageError` when there are no labels.
        """
        table = self._kind(kind)
        if text is None:
            return self._labeling.items(table)
        if not text.strip():
            raise UsageError("A text needs words; found only blanks.")
        return self._labeling.text(table, text)

    def propose_labels(self, kind: str, n: int) -> dict[str, Any]:
        """At most `n` labels for the items of a kind, from their own words.

        Raises `UnknownName`, and `UsageError` where fewer than two labels are asked for or the
        items have no texts.
        """
        return self._labeling.propose(self._kind(kind), n)

    def signal_lists(
        self, user: str, task: str, *, size: int, at: datetime | str | None = None
    ) -> dict[str, list[str]]:
        """Item ids by the main number of each signal alone, best first, to compare in tables."""
        view = self._views.now()
        plan, model = view.plans_of([task])[0], view.model
        state = self._state(view, user, at)
        shortlist = make_shortlist(
            Binder(model.snapshot, state), plan, model.project.ranker.shortlist
        )
        found: dict[str, list[str]] = {}
        for name, number in main_numbers(model.snapshot, shortlist.columns).items():
            items = shortlist.candidates.item[np.argsort(-number, kind="stable")]
            once = list(dict.fromkeys(items.tolist()))[:size]
            found[name] = [model.catalog.item_id(item) for item in once]
        return found

    def rank_all(self, user: str | None, task: str, at: datetime | str | None = None) -> Ranked:
        """All ranked candidates of one task, for tools that look behind a list."""
        view = self._views.now()
        plan, state = view.plans_of([task])[0], self._state(view, user, at)
        return rank(view.model, Binder(view.model.snapshot, state), plan)

    def state(self, user: str | None, at: datetime | str | None = None) -> UserState:
        """What is known of a user at a moment, for tools that look behind a list."""
        return self._state(self._views.now(), user, at)

    def ids(self, kind: str) -> Ids:
        """The ids of a kind's items as they were trained. Raises `UnknownName`."""
        return self._kind(kind).ids

    def new_ids(self, kind: str) -> list[str]:
        """The ids of items that came after training, sorted. Raises `UnknownName`."""
        newcomers = self._views.now().catalog.newcomers.get(self._kind(kind).name)
        return [] if newcomers is None else newcomers.ids.in_order

    def is_deleted(self, kind: str, item: str) -> bool:
        """Whether a trained item is hidden since, as of the last request."""
        view = self._views.last()
        number = view.catalog.index(kind, item)
        return number != UNKNOWN and view.is_hidden(number)

    def title(self, kind: str, item: str) -> str:
        """The title of an item. Raises `UnknownName` for a kind, `UnknownItem` for an item."""
        view = self._views.last()
        return view.titles.of(view.item(self._kind(kind), item))

    def labels(self, kind: str, item: str) -> dict[str, str]:
        """The labels of an item. Raises `UnknownName` for a kind, `UnknownItem` for an item."""
        view = self._views.last()
        return view.titles.labels_of(view.item(self._kind(kind), item))

    def new_item(self, kind: str, item: str, said: ItemSaid) -> StoredItem:
        """An item with its vector and labels, ready for `Store.put_item`.

        The next answer of every engine over that store may show it. Raises `UnknownName` for a
        kind, label or number, `UsageError` for a text of blanks.
        """
        now = datetime.now(UTC).replace(tzinfo=None)
        return self._putting.item(self._kind(kind), item, said, now)

    def put_item(self, kind: str, item: str, said: ItemSaid) -> StoredItem:
        """Keep an item; the next answer may show it. Raises as `new_item`."""
        made = self.new_item(kind, item, said)
        self.store.put_item(made)
        return made

    def delete_item(self, kind: str, item: str) -> None:
        """Show an item to nobody any more. Raises `UnknownName` for a kind, `UnknownItem` for an
        item that was neither trained nor put."""
        table = self._kind(kind)
        if table.ids.index(item) == UNKNOWN and self.store.item(kind, item) is None:
            raise UnknownItem(kind, item, len(table))
        self.store.delete_item(kind, item, datetime.now(UTC).replace(tzinfo=None))

    def is_recommendable(self, kind: str, item: str) -> bool:
        """Whether an item that was put may be shown before the next training; not a new one of a
        kind with offers. Raises `UnknownName` for a kind."""
        table = self._kind(kind)
        return takes_newcomers(table) or table.ids.index(item) != UNKNOWN

    def now(self) -> datetime:
        """The present on the clock of the sources."""
        return self._states.now()

    def with_tasks(self, project: ProjectFile) -> Engine:
        """This engine with the tasks of another project file, of the same names and kinds.

        Everything else is shared, what was learned too. Raises `UnknownName` for a label that the
        items do not have.
        """
        other = copy(self)
        changed = self.model.project.model_copy(update={"tasks": project.tasks})
        other.model = replace(self.model, project=changed)
        compile_tasks(changed, self.model.catalog)
        other._views = self._views.of(other.model)
        return other

    def _state(
        self, view: View, user: str | None, at: datetime | str | None, **asked: Any
    ) -> UserState:
        """The state of a user at a moment, None being now."""
        moment = self._states.moment(at)
        asked |= {"catalog": view.catalog, "hidden": view.hidden}
        return self._states.of(user, moment, is_now=at is None, **asked)

    def _other(self, parts: Sequence[Part]) -> Engine | None:
        """The engine of the artifact of an arm; None where this one answers."""
        names = [part.setting.artifact or "" for part in parts]
        return next((self.others[name] for name in names if name in self.others), None)

    def _kind(self, name: str) -> KindTable:
        if name not in self.model.catalog.kinds:
            raise UnknownName("kind", name, self.model.catalog.kinds)
        return self.model.catalog.kinds[name]

    def _trained(self, kind: KindTable, item: str) -> int:
        number = kind.ids.index(item)
        if number == UNKNOWN:
            raise UnknownItem(kind.name, item, len(kind))
        return kind.start + number


def _ranked(
    model: Model, binder: Binder, plans: Sequence[TaskPlan], wanted: int, watch: StopWatch
) -> list[Ranked]:
    """The candidates of each task, best first, at least `wanted` where there are so many."""
    ranked = [rank(model, binder, plan, wanted) for plan in plans]
    for one in ranked:
        watch.ranked(one.plan.name, len(one))
    watch.end("rank")
    return ranked


def _write(
    view: View,
    shown: Sequence[Shown],
    state: UserState,
    reasons: Sequence[Sequence[Reason]],
    read: Read | None,
) -> dict[str, RankedList]:
    """The lists as they leave, to a wish that was `read`."""
    conditions = () if read is None else read.intent.conditions()
    return {
        one.ranked.plan.name: write_list(view.model, view.titles, one, state, told, conditions)
        for one, told in zip(shown, reasons, strict=True)
    }


def _explainer(view: View, binder: Binder, query: str | None) -> Explainer:
    user: UserState = binder.user
    asked = Asked(
        query or None,
        own_text(view.model, user.user_idx),
        words_of_context(view.model, user.context),
    )
    return Explainer(view.model, view.titles, binder, asked)


def new_request_id() -> str:
    """A ULID: 48 bits of milliseconds and 80 random ones, 26 characters of Crockford base 32."""
    number = (time.time_ns() // 1_000_000 << 80) | secrets.randbits(80)
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(125, -1, -5))
