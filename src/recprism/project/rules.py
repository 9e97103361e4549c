"""Do the parts of a project fit together? Rules over a spec that is valid by itself.

Each rule walks the spec and yields a `Mistake` for every clash, with the path that the message
points at and the sections it consulted. The tables themselves are not opened here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from recprism.errors import nearest
from recprism.project.document import KeyPath
from recprism.project.experiment_rules import experiment_artifacts, experiment_tasks
from recprism.project.expression import names_of, parse_expression
from recprism.project.llm_rules import llm_backend, llm_fields, llm_label, llm_roles
from recprism.project.messages import Mistake
from recprism.project.schema import Kind, ProjectFile, Section, Source, Task, exploration_of

DATABASES = ("sqlite:///", "postgresql://", "postgres://")


def find_clashes(spec: ProjectFile) -> list[Mistake]:
    """Every place where two parts of the project contradict each other."""
    return [clash for rule in RULES for clash in rule(spec)]


def links_of(spec: ProjectFile, kind: str) -> dict[str, str]:
    """The links of a kind, by name, each with the kind that it leads to."""
    own = {name: link.kind for name, link in spec.items[kind].links.items()}
    return own | {n: t.to.kind for n, t in spec.links.items() if t.from_.kind == kind}


def reachable(spec: ProjectFile, kind: str) -> list[str]:
    """A kind and those that its links lead to, nearest first; unknown kinds are left out."""
    found = [kind] if kind in spec.items else []
    for near in found:
        found += [k for k in links_of(spec, near).values() if k in spec.items and k not in found]
    return found


def labels_of(spec: ProjectFile, kind: str) -> list[str]:
    """The labels of a kind: its own, those of its offers, those that flow to it along links."""
    names: dict[str, None] = {}
    for near in reachable(spec, kind):
        section = spec.items[near]
        names |= dict.fromkeys(section.labels)
        for window in (section.window, section.audience and section.audience.window):
            names |= dict.fromkeys(window.labels if window else ())
        if near == kind:
            names |= dict.fromkeys(section.placement)
    return list(names)


def _clash(path: KeyPath, problem: str, hint: str = "", *needs: KeyPath) -> Mistake:
    return Mistake(path, problem, hint, "clash", frozenset([path[:2], *needs]))


def _known(what: str, name: str, known: list[str]) -> str:
    """A hint that names the nearest known one, or all of them."""
    close = nearest(name, known)
    if close:
        return f"Did you mean `{close}`?"
    return f"Known {what}: {', '.join(f'`{k}`' for k in known)}." if known else f"It has no {what}."


def _needs(spec: ProjectFile, kind: str) -> list[KeyPath]:
    """The sections that decide what a kind has."""
    return [("items", near) for near in reachable(spec, kind)] + [("links",)]


def unknown_kinds(spec: ProjectFile) -> Iterator[Mistake]:
    """Every kind named anywhere is described under `items`."""
    named: list[tuple[KeyPath, str]] = []
    for kind, section in spec.items.items():
        for link, end in section.links.items():
            named.append((("items", kind, "links", link, "kind"), end.kind))
    for n, events in enumerate(spec.events):
        named.append((("events", n, "kind"), events.kind))
    for link, table in spec.links.items():
        named.append((("links", link, "from", "kind"), table.from_.kind))
        named.append((("links", link, "to", "kind"), table.to.kind))
    for name, task in spec.tasks.items():
        named.append((("tasks", name, "recommend"), task.recommend))
    for path, kind in named:
        if kind not in spec.items:
            hint = _known("kinds", kind, list(spec.items))
            yield _clash(path, f"there is no kind `{kind}` under `items`.", hint, ("items", kind))


def links_named_twice(spec: ProjectFile) -> Iterator[Mistake]:
    """A link's name is given once per kind."""
    for name, table in spec.links.items():
        kind = table.from_.kind
        if kind in spec.items and name in spec.items[kind].links:
            yield _clash(("links", name), f"`items.{kind}.links` has a link `{name}` too.")


def task_goals(spec: ProjectFile) -> Iterator[Mistake]:
    """A goal, like each action of its funnel, is an action that some events record, on the kind or
    on what `via` leads to."""
    for name, task in spec.tasks.items():
        if task.recommend not in spec.items:
            continue
        links = links_of(spec, task.recommend)
        kind = links.get(task.via, "") if task.via else task.recommend
        if task.via and task.via not in links:
            hint = _known("links", task.via, list(links))
            needs = _needs(spec, task.recommend)
            problem = f"`{task.recommend}` has no link `{task.via}`."
            yield _clash(("tasks", name, "via"), problem, hint, *needs)
        elif task.via and task.goal is None:
            problem = "without a `goal`, `via` means nothing."
            yield _clash(("tasks", name, "via"), problem, "Add `goal`, or remove `via`.")
        elif task.goal is not None:
            yield from _recorded(spec, ("tasks", name, "goal"), task.goal, kind)
            for n, action in enumerate(task.funnel):
                yield from _recorded(spec, ("tasks", name, "funnel", n), action, kind)


def task_funnels(spec: ProjectFile) -> Iterator[Mistake]:
    """A funnel leads to a goal, and names each action once."""
    for name, task in spec.tasks.items():
        path: KeyPath = ("tasks", name, "funnel")
        if task.funnel and task.goal is None:
            problem = "without a `goal`, there is nothing that a funnel leads to."
            yield _clash(path, problem, "Add `goal`, or remove `funnel`.")
        for n, action in enumerate(task.funnel):
            if action == task.goal:
                problem = f"`{action}` is the goal, to which the funnel leads."
                yield _clash((*path, n), problem, "Remove it from the funnel.")
            elif action in task.funnel[:n]:
                yield _clash((*path, n), f"`{action}` is in the funnel already.", "Remove one.")


def task_scores(spec: ProjectFile) -> Iterator[Mistake]:
    """A score names actions of its task and numbers of its items, and no name means both."""
    for name, task in spec.tasks.items():
        if task.score is None or task.recommend not in spec.items:
            continue
        path: KeyPath = ("tasks", name, "score")
        needs = _needs(spec, task.recommend)
        if task.goal is None:
            problem = "without a `goal` there is no probability to compute with."
            yield _clash(path, problem, "Add `goal`, or remove `score`.")
            continue
        actions, numbers = [*task.funnel, task.goal], numbers_of(spec, task)
        for used in dict.fromkeys(names_of(parse_expression(task.score))):
            if used in actions and used in numbers:
                problem = f"`{used}` is an action of the task and a number of its items."
                yield _clash(path, problem, "Give the number another name.", *needs)
            elif used not in actions and used not in numbers:
                problem = f"there is no action and no number `{used}`."
                yield _clash(path, problem, _known("names", used, [*actions, *numbers]), *needs)


def numbers_of(spec: ProjectFile, task: Task) -> list[str]:
    """The numbers that a task's score may use: those of its kind, and of what `via` leads to."""
    linked = links_of(spec, task.recommend).get(task.via or "", "")
    kinds = [spec.items[name] for name in (task.recommend, linked) if name in spec.items]
    return list(dict.fromkeys(name for kind in kinds for name in kind.numbers))


def weighted_tasks(spec: ProjectFile) -> Iterator[Mistake]:
    """Losses that are given a weight are those of tasks with a goal."""
    weights = spec.ranker.loss_weights
    for name in weights if isinstance(weights, dict) else ():
        path: KeyPath = ("ranker", "loss_weights", name)
        if name not in spec.tasks:
            hint = _known("tasks", name, list(spec.tasks))
            yield _clash(path, f"there is no task `{name}`.", hint, ("tasks", name))
        elif spec.tasks[name].goal is None:
            problem = f"the task `{name}` has no `goal`, so nothing is learned for it."
            yield _clash(path, problem, "", ("tasks", name))


def _recorded(spec: ProjectFile, path: KeyPath, action: str, kind: str) -> Iterator[Mistake]:
    """Some events section records the action on the kind, as far as the file can tell."""
    sections = [events for events in spec.events if events.kind == kind]
    if any(events.action_column for events in sections):
        return
    actions = sorted({str(events.action) for events in sections})
    if action not in actions:
        known = f"actions of `{kind}`"
        hint = _known(known, action, actions) if actions else "Add an events section."
        problem = f"no events section records the action `{action}` on `{kind}`."
        yield _clash(path, problem, hint, ("events",), *_needs(spec, kind))


def task_labels(spec: ProjectFile) -> Iterator[Mistake]:
    """Labels named by a task exist on its kind, or flow to it along links."""
    for name, task in spec.tasks.items():
        if task.recommend not in spec.items:
            continue
        labels, needs = labels_of(spec, task.recommend), _needs(spec, task.recommend)
        named = [("exclude", label) for label in task.exclude]
        paths: list[tuple[KeyPath, str]] = [(("tasks", name, *path), path[1]) for path in named]
        if task.diversity_by is not None:
            paths.append((("tasks", name, "diversity_by"), task.diversity_by))
        for path, label in paths:
            if label not in labels:
                problem = f"`{task.recommend}` has no label `{label}`."
                yield _clash(path, problem, _known("labels", label, labels), *needs)
        if task.diversity > 0 and not labels:
            problem = f"`{task.recommend}` has no label to be diverse in."
            yield _clash(("tasks", name, "diversity"), problem, "Add `labels` to the kind.", *needs)


def task_slots(spec: ProjectFile) -> Iterator[Mistake]:
    """Slots ask for placements that the kind has."""
    for name, task in spec.tasks.items():
        if task.recommend not in spec.items:
            continue
        placement = spec.items[task.recommend].placement
        for slot, section in task.slots.items():
            for column in section.when:
                if column not in placement:
                    path = ("tasks", name, "slots", slot, "when", column)
                    problem = f"`{column}` is no placement of `{task.recommend}`."
                    hint = _known("placements", column, placement)
                    yield _clash(path, problem, hint, ("items", task.recommend))


def tasks_without_goal(spec: ProjectFile) -> Iterator[Mistake]:
    """A task without goal is ranked by content, so there must be content."""
    for name, task in spec.tasks.items():
        if task.goal is not None or task.recommend not in spec.items:
            continue
        if spec.content.encoder == "none":
            problem = "a task without `goal` is ranked by content, but `content.encoder` is `none`."
            yield _clash(("tasks", name), problem, "Add a `goal`.", ("content",))
        elif not any(_has_text(spec.items[k]) for k in reachable(spec, task.recommend)):
            problem = (
                "a task without `goal` is ranked by content, but neither "
                f"`{task.recommend}` nor what it links to has `text`."
            )
            needs = _needs(spec, task.recommend)
            yield _clash(("tasks", name), problem, "Add a `goal`, or `text` to the kind.", *needs)


def explored_tasks(spec: ProjectFile) -> Iterator[Mistake]:
    """What is explored is judged by its goal."""
    for name, task in spec.tasks.items():
        if task.goal is None and exploration_of(task.explore) is not None:
            problem = "without a `goal`, there is nothing to tell what exploring came to."
            yield _clash(("tasks", name, "explore"), problem, "Add `goal`, or remove `explore`.")


def _has_text(kind: Kind) -> bool:
    return bool(kind.text or kind.title)


def evaluated_tasks(spec: ProjectFile) -> Iterator[Mistake]:
    """What is evaluated is a task with a goal."""
    for name in spec.evaluate:
        task: Task | None = spec.tasks.get(name)
        if task is None:
            hint = _known("tasks", name, list(spec.tasks))
            yield _clash(("evaluate", name), f"there is no task `{name}`.", hint, ("tasks", name))
        elif task.goal is None:
            problem = f"the task `{name}` has no `goal` to judge by."
            yield _clash(("evaluate", name), problem, "", ("tasks", name))


def kind_rows(spec: ProjectFile) -> Iterator[Mistake]:
    """What `rows` says agrees with the keys beside it."""
    for name, kind in spec.items.items():
        path = ("items", name)
        if kind.rows == "links" and not kind.links:
            hint = "Add `links`, or remove `rows: links`."
            yield _clash((*path, "rows"), "rows are links, but the kind has no `links`.", hint)
        if kind.audience and not kind.offer:
            hint = "Name the column of the offer under `offer`."
            yield _clash((*path, "audience"), "an audience belongs to an `offer`.", hint)
        for key in ("available", "placement"):
            if getattr(kind, key) and kind.rows != "offers":
                problem = f"only a kind with `rows: offers` has `{key}`."
                yield _clash((*path, key), problem, "Add `rows: offers`.")
    for n, events in enumerate(spec.events):
        if events.offer and events.kind in spec.items and not spec.items[events.kind].offer:
            problem = f"`{events.kind}` has no `offer` that these events could name."
            yield _clash(("events", n, "offer"), problem, "", ("items", events.kind))


def windows(spec: ProjectFile) -> Iterator[Mistake]:
    """A window has an end, and a table of its own is joined by an offer."""
    for name, kind in spec.items.items():
        places: list[tuple[KeyPath, Any]] = [(("items", name, "window"), kind.window)]
        if kind.audience:
            places.append((("items", name, "audience", "window"), kind.audience.window))
        for path, window in places:
            if window is None:
                continue
            if window.from_ is None and window.until is None:
                hint = "Name the columns of the first and the last moment."
                yield _clash(path, "a window needs `from` or `until`, or both.", hint)
            if window.source is not None and window.offer is None:
                problem = f"the table `{window.source}` needs an `offer` column to be joined by."
                yield _clash(path, problem)
            elif window.offer is not None and kind.offer is None:
                problem = "the window names an `offer`, but the kind has none."
                yield _clash((*path, "offer"), problem)


def databases(spec: ProjectFile) -> Iterator[Mistake]:
    """A database comes with a query, a file without one."""
    for path, section in sections(spec):
        source = getattr(section, "source", None)
        if source is None:
            continue
        is_database = source.startswith(DATABASES)
        if not isinstance(section, Source):
            if is_database:
                problem = (
                    "this table must be a file; only users, items, events and links may query."
                )
                yield _clash((*path, "source"), problem)
        elif is_database and section.query is None:
            problem = "a database needs a `query`."
            yield _clash((*path, "source"), problem, "Add `query: SELECT ...`.")
        elif section.query is not None and not is_database:
            hint = "Write `source: sqlite:///file.db` or `source: postgresql://...`."
            yield _clash((*path, "query"), f"`{source}` is a file, which has no query.", hint)
        elif "://" in source and not is_database:
            problem = f"`{source.split('://')[0]}://` is no kind of source."
            yield _clash(
                (*path, "source"), problem, "Write a file, `sqlite:///` or `postgresql://`."
            )


def missing_rules(spec: ProjectFile) -> Iterator[Mistake]:
    """`missing` names columns that its section reads."""
    for path, section in sections(spec):
        rules = getattr(section, "missing", {})
        used = _texts(section.model_dump(exclude={"missing", "source", "query"})) if rules else []
        for column in rules:
            if column not in used:
                problem = f"no other key of the section reads the column `{column}`."
                close = nearest(column, used)
                hint = f"Did you mean `{close}`?" if close else "Remove the rule."
                yield _clash((*path, "missing", column), problem, hint)


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in _texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []


def sections(spec: ProjectFile) -> Iterator[tuple[KeyPath, Section]]:
    """Every section that names a table, with its path."""
    if spec.users:
        yield ("users",), spec.users
    for name, kind in spec.items.items():
        path: KeyPath = ("items", name)
        yield path, kind
        if kind.window:
            yield (*path, "window"), kind.window
        if kind.audience:
            yield (*path, "audience"), kind.audience
            if kind.audience.window:
                yield (*path, "audience", "window"), kind.audience.window
    for n, events in enumerate(spec.events):
        yield ("events", n), events
    for name, table in spec.links.items():
        yield ("links", name), table


RULES: tuple[Callable[[ProjectFile], Iterator[Mistake]], ...] = (
    unknown_kinds,
    links_named_twice,
    task_goals,
    task_funnels,
    task_scores,
    weighted_tasks,
    task_labels,
    task_slots,
    tasks_without_goal,
    explored_tasks,
    experiment_tasks,
    experiment_artifacts,
    evaluated_tasks,
    kind_rows,
    windows,
    databases,
    missing_rules,
    llm_roles,
    llm_backend,
    llm_fields,
    llm_label,
)
