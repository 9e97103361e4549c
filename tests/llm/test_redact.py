"""Secrets that were planted in text, in every spelling we could think of, and what must stay."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recprism.llm.prompts import fence
from recprism.llm.redact import redact

SECRETS = {
    "e-mail": "mia.long@example.com",
    "e-mail with a plus": "mia+shop@mail.example.co.uk",
    "e-mail, spaced": "mia @ example . com",
    "e-mail in words": "mia.long (at) example (dot) com",
    "e-mail, spelled": "mialong at example dot com",
    "e-mail, wide": "mia＠example．com",
    "e-mail, foreign": "用户@例子.公司",
    "phone, international": "+49 (0)170 1234567",
    "phone, American": "(555) 010-9999",
    "phone, local": "555-0199",
    "phone, dotted": "555.010.9999",
    "phone, Chinese": "13800138000",
    "phone, Chinese and wide": "１３８ ００１３ ８０００",
    "phone, Chinese numerals": "一三八零零一三八零零零",
    "phone in words": "five five five, zero one nine nine",
    "phone with hidden marks": "138\u200b0013\u200b8000",
    "phone with thin spaces": "138\u20090013\u20098000",
    "phone with odd dashes": "138–0013‑8000",
    "phone, Arabic digits": "٠١٧٠١٢٣٤٥٦٧",
    "phone, circled": "①③⑧⓪⓪①③⑧⓪⓪⓪",
    "phone, keycaps": "1️⃣3️⃣8️⃣0️⃣0️⃣1️⃣3️⃣8️⃣0️⃣0️⃣0️⃣",
    "card": "4111 1111 1111 1111",
    "card, dashes": "5500-0000-0000-0004",
    "card, bare": "378282246310005",
    "card, dots": "4111.1111.1111.1111",
    "social security": "078-05-1120",
    "social security, spaced": "078 05 1120",
    "resident identity": "11010519491231002X",
    "insurance": "AB 12 34 56 C",
    "DNI": "12345678Z",
    "NIE": "X1234567L",
    "fiscal code": "RSSMRA85T10A562S",
    "NRIC": "S1234567D",
    "IBAN": "DE89 3704 0044 0532 0130 00",
    "IBAN, bare": "GB29NWBK60161331926819",
    "key": "sk-abcdefghijklmnop1234",
    "token": "ghp_abcdefghijklmnopqrstuvwxyz012345",
    "bearer": "Bearer abc.def-ghi_jkl",
    "password in an address": "https://mia:hunterpass@example.com/shop",
}
AROUND = ["{}", "Call {} now", "我的是{}。", "a:{};b", "({})", "x\n{}\ny", '"{}"']


def traces(secret: str) -> list[str]:
    """Pieces that must not survive: runs of four digits or letters of the secret."""
    plain = "".join(c for c in redact.__globals__["_plain"](secret) if c.isalnum())
    if not any(c.isdigit() for c in plain):
        words = re.findall(r"\w{4,}", secret)
        return [w for w in words if w.lower() not in ("https", "shop", "example", "bearer", "mail")]
    return [plain[n : n + 5] for n in range(len(plain) - 4)]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", SECRETS)
def test_no_planted_secret_passes(name: str, around: str) -> None:
    secret = SECRETS[name]
    clean = redact(around.format(secret))
    assert secret not in clean
    squeezed = "".join(c for c in clean if c.isalnum())
    for trace in traces(secret):
        assert trace not in squeezed, clean
    assert re.search(r"\((?:e-mail|phone|card|id|account|number|key)\)", clean), clean


@pytest.mark.parametrize("name", SECRETS)
def test_no_planted_secret_reaches_a_prompt(name: str) -> None:
    facts = {"users.about": f"I am {SECRETS[name]}.", "list": [{"deep": SECRETS[name]}]}
    text = fence(facts)
    assert SECRETS[name] not in text
    assert SECRETS[name] not in text.encode().decode("unicode_escape", "replace")


@pytest.mark.parametrize(
    "text",
    [
        "FLUID MILK WHITE ONLY, 1 gallon",
        "Bought 2017-12-01 and 2018-01-01 05:00:00, 12 times",
        "iPhone 15 Pro 256 GB, $1,299.00",
        "每 7 天买一次牛奶，共 31 次。",
        "size 38-40, 3.99 or 4.50",
        "meet at noon, dot the i",
        "a @ b, 50 % off at 9:30",
        "Windows 95 vs. 2000",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", ["x", "1 ", "a@", "a.", "+1", "[at]", "a ", "sk-", "AB12", "一"])
def test_a_long_text_does_not_take_for_ever(piece: str) -> None:
    """Of the square of its length nobody would see the end."""
    redact(piece * (200_000 // len(piece)))


@given(st.text())
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


digits = st.text("0123456789", min_size=9, max_size=19)


@given(digits, st.sampled_from(["", " ", "-", ".", " - ", "\u00a0"]), st.integers(1, 4))
def test_no_long_number_survives_its_spacing(number: str, gap: str, group: int) -> None:
    written = gap.join(number[n : n + group] for n in range(0, len(number), group))
    clean = redact(f"it is {written} ok")
    if re.fullmatch(r"it is (?:19|20)\d\d[-.]\d\d?[-.]\d\d?.* ok", clean):
        return  # looks like a date
    assert sum(c.isdigit() for c in clean) < 9, clean


@given(
    st.from_regex(r"[a-z][a-z0-9._-]{0,15}@[a-z][a-z0-9-]{0,10}\.(?:com|de|org)", fullmatch=True),
    st.text(max_size=20),
)
def test_no_address_survives_its_surroundings(address: str, other: str) -> None:
    assert address not in redact(f"{other} {address} {other}")


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=40), max_size=4))
def test_data_cannot_close_its_fence(facts: dict[str, str]) -> None:
    text = fence(facts)
    lines = text.split("\n")
    assert (lines[0], lines[-1], len(lines)) == ("<data>", "</data>", len(facts) + 2)
    inside = "".join(lines[1:-1])
    assert not set("<>`") & set(inside)
    for line in lines[1:-1]:
        json.loads("{" + line + "}")
