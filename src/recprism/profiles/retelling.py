"""A profile's summary in a language model's words, where it says the same and nothing else.

The model reads sentences about habits, and of those only the ones whose labels may reach a prompt.
Traits and the segment are told in our own words after its own: they need no rephrasing, and a
model that knows a person's age or income has something to guess from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from recprism.llm import Complete, Door, Ground, Mixed, refuse
from recprism.llm.guard import languages
from recprism.llm.quantities import find_quantities
from recprism.profiles.habits import Habit
from recprism.profiles.profile import Profile
from recprism.profiles.summary import Sentence, sentences_of
from recprism.profiles.words import words_of
from recprism.project.llm_section import HISTORY
from recprism.project.schema import ProjectFile

ROLE = "profile"
MAX_TOKENS = 256
_CLOCK = re.compile(r"\b\d\d:\d\d\b")
_SUBJECT = frozenset({"person", "user", "用户", "顾客", "次", "共"})
"""Words for whom a summary is about."""


def retell(door: Door, profile: Profile, project: ProjectFile) -> Profile:
    """`profile` with a summary in the model's words where the guard accepts it, and `llm` set."""
    language = profile.language
    told = sentences_of(profile.habits, profile.named_segment, profile.traits, profile.at, language)
    open_to = [one for one in told if _fields_of(one, project) <= door.fields]
    if ROLE not in door.roles or not open_to or language not in languages():
        return profile
    words = words_of(language)
    summary = _joined(open_to, project)
    said = str(summary.text)
    prompt = door.prompt("profile", {"summary": summary}, language=words.language)
    request = Complete(prompt=prompt, max_tokens=MAX_TOKENS)
    outcome = door.ask(ROLE, request, subject=profile.user)
    profile = replace(profile, llm=outcome.state)
    if outcome.value is None:
        return profile
    text = " ".join(outcome.value.split())
    names = [name for one in open_to for name in one.names]
    is_fine = not judge(text, said, names, language)
    door.judged(ROLE, accepted=int(is_fine), refused=int(not is_fine))
    if not is_fine or text == said:
        return profile
    rest = [one.text for one in told if one not in open_to]
    return replace(profile, summary=words.space.join([text, *rest]), summary_source="llm")


def habits_in_words(
    habits: Mapping[str, Habit], at: datetime, project: ProjectFile, allowed: frozenset[str]
) -> Mixed | None:
    """What is counted of a person, in the sentences of a summary that may reach a prompt; None for
    none."""
    told = sentences_of(habits, None, {}, at, project.language)
    open_to = [one for one in told if _fields_of(one, project) <= allowed]
    return _joined(open_to, project) if open_to else None


def _joined(sentences: Sequence[Sentence], project: ProjectFile) -> Mixed:
    """Sentences one after another, and what they draw on."""
    text = words_of(project.language).space.join(one.text for one in sentences)
    return Mixed(text, frozenset().union(*(_fields_of(one, project) for one in sentences)))


def judge(text: str, said: str, names: Sequence[str], language: str) -> tuple[str, ...]:
    """Why `text` may not stand for `said`; `names` are the values of labels in it."""
    ground = Ground(
        names=(*names, *_CLOCK.findall(said)),
        numbers=tuple(found.quantity.number for found in find_quantities(said)),
        amounts=(said,),
        words=_SUBJECT,
        said=said,
    )
    return (*refuse(text, ground, language), *_swapped(text, said, names))


def _swapped(text: str, said: str, names: Sequence[str]) -> Iterator[str]:
    """Shares that stand behind another name than in `said`."""
    known = set(_shares(said, names))
    for name, share in _shares(text, names):
        if (name, share) not in known:
            yield f"{share:g} % is not the share of `{name}`"


def _shares(text: str, names: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Every share with the name that stands last before it."""
    for found in find_quantities(text):
        if found.quantity.unit == "%":
            before = text[: found.start].casefold()
            places = {name.casefold(): before.rfind(name.casefold()) for name in names}
            last = max(places, key=lambda name: (places[name], len(name)), default="")
            yield last, found.quantity.number


def _fields_of(sentence: Sentence, project: ProjectFile) -> frozenset[str]:
    """The fields that a sentence draws on; one that no project can allow for traits and such."""
    if not sentence.is_habit:
        return frozenset(["users.?"])
    if sentence.label is None:
        return frozenset([HISTORY])
    kinds = [name for name, kind in project.items.items() if sentence.label in kind.labels]
    return frozenset([HISTORY, *(f"{kind}.{sentence.label}" for kind in kinds)])
