"""Personal numbers and addresses out of text, before it reaches a prompt.

In comes text, out goes the same text with e-mail addresses, phone and card numbers, account
numbers, national ids and access keys replaced by what they were, such as `(e-mail)`. The decision
worth knowing: any run of nine digits or more goes, whatever stands between the digits, because a
number lost costs a prompt little and a number leaked costs a person much. Only dates stay.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_GAP = r"[ \t.,;:_/()\-]{0,3}"
_SHORT_GAP = r"[ \t./()\-]{0,3}"
# Every part begins where a run of its characters begins: tried at each of them, a long text without
# any address would take the square of its length.
_LOCAL = r"[^\s@<>\"'(),;:\[\]]"
_AT, _DOT = (rf"\s{{0,3}}[\[({{]\s{{0,3}}{word}\s{{0,3}}[\])}}]\s{{0,3}}" for word in ("at", "dot"))
_EMAIL = re.compile(
    rf"(?<!{_LOCAL}){_LOCAL}+\s{{0,2}}@\s{{0,2}}{_LOCAL}+\s{{0,2}}\.\s{{0,2}}[^\W\d_]{{2,}}"
    rf"|(?<![\w.+-])[\w.+-]+{_AT}[\w-]+(?:(?:\s{{0,3}}\.\s{{0,3}}|{_DOT})[\w-]+)+"
    r"|(?<![\w.+-])[\w.+-]+\s{1,3}at\s{1,3}[\w-]+\s{1,3}dot\s{1,3}[a-z]{2,}",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"\b(?:sk|pk|rk|gh[pousr]|github_pat|glpat|xox[abeprs]|hf|AKIA|ASIA|AIza|eyJ)[-_]?"
    r"[A-Za-z0-9_\-.]{12,}"
    r"|\bBearer\s+[A-Za-z0-9_\-.=+/]{8,}"
    r"|(?<=://)[^\s/@:]+:[^\s/@]+(?=@)",
    re.ASCII,
)
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ \-]?[A-Z0-9]){11,30}", re.IGNORECASE | re.ASCII)
_IDS = re.compile(
    r"\b\d{3}[ \-.]\d{2}[ \-.]\d{4}\b"  # United States, social security
    r"|\b\d{6}[ \-]?(?:19|20)\d{6}[ \-]?\d{3}[ \-]?[\dX]\b"  # China, resident identity
    r"|\b[A-CEGHJ-PR-TW-Z]{2}(?:[ \-]?\d{2}){3}[ \-]?[A-D]\b"  # United Kingdom, insurance
    r"|\b(?:\d{8}|[XYZ][ \-]?\d{7})[ \-]?[A-HJ-NP-TV-Z]\b"  # Spain, DNI and NIE
    r"|\b[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]\b"  # Italy, codice fiscale
    r"|\b[STFG]\d{7}[A-Z]\b"  # Singapore, NRIC
    r"|\b[A-Z]\d{9}\b|\b[A-Z]{1,2}\d{6}\(?[\dA]\)?(?!\w)",  # Taiwan, Hong Kong
    re.IGNORECASE | re.ASCII,
)
_PHONE = re.compile(
    rf"(?<![\w.])\+{_GAP}\d(?:{_GAP}\d){{5,}}|(?<!\d)\d{{3}}[-. ]\d{{4}}(?!\d|\.\d)"
)
_RUN = re.compile(rf"\d(?:{_SHORT_GAP}\d){{8,}}")
_CARD = re.compile(rf"\d(?:{_GAP}\d){{12,18}}")
_DATE = re.compile(
    r"(?<!\d)(?:19|20)\d\d[-/.](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])"
    r"(?:[ T](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?)?(?![ .\-()/]{0,2}\d)"
)
_SPELLED = re.compile(
    r"(?:\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple)\b[\W_]{0,3}){6,}"
    r"|(?:[〇零一二三四五六七八九幺][ \-]?){7,}",
    re.IGNORECASE | re.ASCII,
)
_SPACES = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_PLAIN = str.maketrans("＠﹫．＋（）／\u2044", "@@.+()//") | dict.fromkeys(
    [*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63, 0xFF0D], "-"
)
_MARKS = re.compile(r"(?<=\d)[\u0300-\u036f\ufe00-\ufe0f\u20d0-\u20ff]+")


def redact(text: str) -> str:
    """`text` without personal numbers and addresses; digits and dashes in their plain form.

    Redacting twice changes nothing more.
    """
    plain = _plain(text)
    plain = _KEY.sub("(key)", plain)
    plain = _EMAIL.sub("(e-mail)", plain)
    plain = _IBAN.sub(_account, plain)
    parts, end = [], 0
    for date in _DATE.finditer(plain):
        parts += [_numbers(plain[end : date.start()]), date[0]]
        end = date.end()
    return "".join([*parts, _numbers(plain[end:])])


def _numbers(text: str) -> str:
    text = _CARD.sub(_if(_is_card, "(card)"), text)
    text = _IDS.sub("(id)", text)
    text = _PHONE.sub("(phone)", text)
    return _SPELLED.sub("(number)", _RUN.sub("(number)", text))


def _plain(text: str) -> str:
    """Foreign and ornamented digits, odd spaces and dashes written plainly; hidden marks gone.

    Without this `１３８` or a zero-width space inside a number would walk past every pattern. All
    other text stays as it is.
    """
    text = _SPACES.sub(" ", text).translate(_PLAIN)
    return _MARKS.sub("", "".join(map(_plain_character, text)))


def _plain_character(character: str) -> str:
    if character.isascii():
        return character if character >= " " or character in "\n\t" else ""
    if unicodedata.category(character) in ("Cf", "Cc", "Cs", "Co", "Cn"):
        return ""
    digit = unicodedata.digit(character, None)
    return character if digit is None else str(digit)


def _if(is_one: Callable[[str], bool], label: str) -> Callable[[re.Match[str]], str]:
    return lambda match: label if is_one(match[0]) else match[0]


def _is_card(text: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1): every second digit from the right doubled, sum mod 10 is 0."""
    digits = [int(c) for c in text if c.isdigit()]
    doubled = [d if n % 2 == 0 else d * 2 - 9 * (d > 4) for n, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0


def _account(match: re.Match[str]) -> str:
    """The match without an account number at its beginning; what follows may be other words."""
    for end in range(len(match[0]), 14, -1):
        if _is_iban(match[0][:end]):
            return "(account)" + match[0][end:]
    return match[0]


def _is_iban(text: str) -> bool:
    """ISO 13616: country and check digits to the end, letters as numbers, remainder 1 by 97."""
    code = re.sub(r"[ \-]", "", text).upper()
    if not 15 <= len(code) <= 34:
        return False
    return int("".join(str(int(c, 36)) for c in code[4:] + code[:4])) % 97 == 1
