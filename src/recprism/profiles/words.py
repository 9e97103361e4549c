"""The words of profiles in each language: actions, weekdays, sentences.

A language is one `Words` record; sentences are format strings over facts and hold no facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recprism.errors import UnknownName


@dataclass(frozen=True)
class Words:
    """One language. `actions` maps an action to (one of it, several of it)."""

    language: str
    """The name that it has in itself."""
    actions: Mapping[str, tuple[str, str]]
    other_action: tuple[str, str]
    weekdays: tuple[str, ...]
    and_: str
    comma: str
    space: str
    mixed: str
    nobody: str
    activity: str
    visits: str
    gap: str
    daily: str
    weekday: str
    hour: str
    last: str
    today: str
    end: str
    mix: str
    share: str
    price: str
    segment: str
    traits: str


LANGUAGES: Mapping[str, Words] = {
    "en": Words(
        language="English",
        actions={
            "purchase": ("purchase", "purchases"),
            "redeem": ("redemption", "redemptions"),
            "view": ("view", "views"),
            "click": ("click", "clicks"),
            "cart": ("item put in the cart", "items put in the cart"),
            "like": ("like", "likes"),
            "rate": ("rating", "ratings"),
            "follow": ("follow", "follows"),
            "dismiss": ("dismissal", "dismissals"),
            "share": ("share", "shares"),
        },
        other_action=("event `{action}`", "events `{action}`"),
        weekdays=(
            "Mondays",
            "Tuesdays",
            "Wednesdays",
            "Thursdays",
            "Fridays",
            "Saturdays",
            "Sundays",
        ),
        and_=" and ",
        comma=", ",
        space=" ",
        mixed="All-round",
        nobody="Nothing is known about this person yet.",
        activity="{count:,} {action}",
        visits=" in {visits:,} visits",
        gap=", about every {days} days",
        daily=", about every day",
        weekday=", most often on {weekday}",
        hour=", most often from {hour:02d}:00 to {next:02d}:00",
        last="; the last was {days} days ago",
        today="; the last was less than a day ago",
        end=".",
        mix="Most of the {action} by {label}: {shares}.",
        share="{value} ({percent} %)",
        price="Half of the amounts lie between {low} and {high}.",
        segment="Segment: {name} (size {size:,}).",
        traits="Known traits: {traits}.",
    ),
    "zh": Words(
        language="中文",
        actions={
            "purchase": ("购买", "购买"),
            "redeem": ("兑换", "兑换"),
            "view": ("浏览", "浏览"),
            "click": ("点击", "点击"),
            "cart": ("加购", "加购"),
            "like": ("点赞", "点赞"),
            "rate": ("评分", "评分"),
            "follow": ("关注", "关注"),
            "dismiss": ("忽略", "忽略"),
            "share": ("分享", "分享"),
        },
        other_action=("“{action}”", "“{action}”"),
        weekdays=("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
        and_="和",
        comma="、",
        space="",
        mixed="综合",
        nobody="目前还不了解这位用户。",
        activity="共有 {count:,} 次{action}",
        visits="，分 {visits:,} 次到访",
        gap="，大约每 {days} 天一次",
        daily="，几乎每天都有",
        weekday="，{weekday}最多",
        hour="，{hour:02d}:00 到 {next:02d}:00 最多",
        last="，最近一次在 {days} 天前",
        today="，最近一次不到一天",
        end="。",
        mix="{action}最多的{label}：{shares}。",
        share="{value}（{percent}%）",
        price="一半的金额在 {low} 到 {high} 之间。",
        segment="所属人群：{name}（{size:,} 人）。",
        traits="已知特征：{traits}。",
    ),
}


def words_of(language: str) -> Words:
    """The words of a language; raises `UnknownName` for one that nobody wrote yet."""
    if language not in LANGUAGES:
        raise UnknownName("language", language, LANGUAGES)
    return LANGUAGES[language]
