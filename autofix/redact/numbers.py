"""Numbers that belong to a person: cards, accounts, telephones, social security."""

from __future__ import annotations

from collections.abc import Iterator

from autofix.redact.spans import Span, has_any, one_of, rx

_CARD = rx(
    r"[0-9]{12,19}|[0-9]{4}(?:[ \-][0-9]{4}){2}[ \-][0-9]{1,7}|3[0-9]{3}[ \-][0-9]{6}[ \-][0-9]{4,5}"
)
_BRAND = rx(
    one_of(
        r"4[0-9]{15}",
        r"5[1-5][0-9]{14}",
        r"2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}",
        r"3[47][0-9]{13}",
        r"3(?:0[0-5]|[689][0-9])[0-9]{11}",
        r"6(?:011|5[0-9]{2}|4[4-9][0-9])[0-9]{12}",
        r"35(?:2[89]|[3-8][0-9])[0-9]{12}",
        r"62[0-9]{14}",
        r"(?:5018|5020|5038|6304|6759|676[1-3])[0-9]{8,12}",
    )
)
_CARD_NAME = rx(
    r"(?i)(?:\b|_)(?:card|pan|visa|amex|mastercard|maestro|payment)[a-z_ ]{0,16}[\"']?[ :=#]+[\"']?\z"
)
_ID_NAME = rx(
    r"(?i)(?:id|ids|ts|time|timestamp|seq|offset|size|bytes|count|nonce|serial|span|trace|epoch"
    r"|version|rev|hash|order|invoice|tracking|sku)[\"']?[ :=#]+[\"']?\z"
)
_IBAN = rx(
    r"\b[A-Z]{2}[0-9]{2}(?:[A-Z0-9]{11,30}|(?:[ \-][A-Z0-9]{4}){2,7}(?:[ \-][A-Z0-9]{1,4})?)\b"
)
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20,
    "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30,
    "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
    "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28,
    "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
_PHONE = rx(
    one_of(
        r"%2[bB][1-9][0-9]{7,14}",
        r"\+[1-9][0-9]{0,3}(?:[ .\-/]?\([0-9]{1,5}\))?(?:[ .\-/]{0,2}[0-9]+){1,7}",
        r"\b00[1-9][0-9]{0,2}[ \-/]\(?[0-9]{1,5}\)?(?:[ \-/][0-9]{2,}){1,5}",
        r"\([2-9][0-9]{2}\)[ \-]?[0-9]{3}[ .\-][0-9]{4}",
        r"\b[2-9][0-9]{2}-[0-9]{3}-[0-9]{4}",
        r"\b[2-9][0-9]{2}\.[0-9]{3}\.[0-9]{4}",
        r"\(0[0-9]{1,4}\)[ \-]?[0-9]{3,8}(?:[ \-][0-9]{2,4}){0,3}",
        r"\b0[1-9](?:[ .\-][0-9]{2}){4}\b",
        r"\b0[1-9][0-9]{1,4}[ /\-][0-9]{3,8}(?:[ \-][0-9]{2,4}){0,3}",
    )
)
_BARE_PHONE = rx(
    r"(?i)\b(?:msisdn|phone|mobile|telephone|whatsapp|sms to)(?:[ _]?(?:number|no))?[\"']?[ :=]+[\"']?(0?[1-9][0-9]{8,13})\b"
)
_CALLING = rx(
    r"1[2-9][0-9]{9}|(?:7|2[07]|2[1-689][0-9]|3[0123469]|3[578][0-9]|4[013-9]|42[0-9]|5[1-8]|5[09][0-9]|6[0-6]"
    r"|6[789][0-9]|8[1246]|8[0578][0-9]|9[0-58]|9[679][0-9])[0-9]*"
)
_PHONE_NAME = rx(
    r"(?i)(?:tel|phone|mobile|call|called|caller|sms|whatsapp|fax|dial|number|handy)[a-z_. ]{0,12}[\"']?[ :=#]+[\"']?\z"
)
_PHONE_DIGITS = range(8, 16)
_MEASURED = rx(
    r"[0-9A-Za-z_%:]|[.\-][0-9A-Za-z]|/[0-9]| ?(?:[kmgt]i?b|bytes|ms|us|ns|s|rows|lines|req)\b"
)
_GLUED = rx(r"[A-Za-z0-9_.%#+/:@\-]\z")
_GLUED_PLUS = rx(r"[A-Za-z0-9_.%#+]\z")
_SSN = rx(r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b")
_NAMED_SSN = rx(r"(?i)\bssn[^0-9\n]{1,5}([0-9]{3}[ \-]?[0-9]{2}[ \-]?[0-9]{4})\b")
_LOOK_BACK = 40


def find_cards(data: bytes) -> Iterator[Span]:
    """Numbers of payment cards: of a known brand, with the right check digit."""
    for start, end in _CARD.places(data):
        digits = data[start:end].replace(b" ", b"").replace(b"-", b"")
        if not _BRAND.covers(digits) or not is_luhn(digits) or _touches(data, start, end):
            continue
        before = _before(data, start)
        if len(digits) < end - start or _CARD_NAME.search(before) or not _ID_NAME.search(before):
            yield Span(start, end, "card", digits)


def find_ibans(data: bytes) -> Iterator[Span]:
    """Account numbers of the right length for their country, with the right check digits."""
    for start, stop in _IBAN.places(data):
        text = data[start:stop].decode()
        length = _IBAN_LENGTHS.get(text[:2])
        for end in range(len(text), 14, -1):
            plain = text[:end].replace(" ", "").replace("-", "")
            if len(plain) == length and _is_iban(plain):
                yield Span(start, start + end, "iban", plain.encode())
                break


def find_phones(data: bytes) -> Iterator[Span]:
    """Telephone numbers in international form, and in national ones that are told by their marks."""
    for start, end in _PHONE.places(data):
        text = data[start:end]
        digits = bytes(byte for byte in text if 48 <= byte <= 57)  # noqa: PLR2004
        if len(digits) not in _PHONE_DIGITS or _MEASURED.end(data, end) >= 0:
            continue
        before = _before(data, start)
        if _is_dialled(text, digits, before):
            yield Span(start, end, "phone", digits)
    if not has_any(data.lower(), b"msisdn", b"phone", b"mobile", b"whatsapp", b"sms"):
        return
    for match in _BARE_PHONE.finditer(data):
        yield Span(match.start(1), match.end(1), "phone", match[1])


def _is_dialled(text: bytes, digits: bytes, before: bytes) -> bool:
    if _PHONE_NAME.search(before):
        return True
    if text.startswith((b"+", b"%2")):
        digits = digits[1:] if text.startswith(b"%2") else digits
        return _GLUED_PLUS.search(before) is None and _CALLING.covers(digits)
    national = text.startswith((b"0", b"(0")) and not text.startswith(b"00")
    return not national and _GLUED.search(before) is None


def find_ssns(data: bytes) -> Iterator[Span]:
    """Social security numbers, as they are written in the United States."""
    for start, end in _SSN.places(data):
        area = data[start : start + 3]
        valid = area not in {b"000", b"666"} and not area.startswith(b"9")
        if valid and not _GLUED.search(_before(data, start)) and _MEASURED.end(data, end) < 0:
            yield Span(start, end, "ssn")
    for match in _NAMED_SSN.finditer(data) if b"ssn" in data.lower() else ():
        yield Span(match.start(1), match.end(1), "ssn")


def is_luhn(digits: bytes) -> bool:
    """Whether the last digit is the check digit of the others."""
    total = 0
    for place, byte in enumerate(reversed(digits)):
        digit = byte - 48
        if place % 2:
            digit = digit * 2 - 9 if digit > 4 else digit * 2  # noqa: PLR2004
        total += digit
    return total % 10 == 0 and len(set(digits)) > 1


def _is_iban(plain: str) -> bool:
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(char, 36)) for char in turned)) % 97 == 1


def _touches(data: bytes, start: int, end: int) -> bool:
    """Whether a word, a number or an id goes on before or behind."""
    behind = data[end : end + 2]
    goes_on = (
        behind[:1].isalnum()
        or behind[:1] == b"_"
        or (behind[:1] in {b".", b"-"} and behind[1:].isalnum())
    )
    before = data[max(0, start - 1) : start]
    return goes_on or before.isalnum() or before in {b"_", b".", b"-", b"+", b"/"}


def _before(data: bytes, at: int) -> bytes:
    return data[max(0, at - _LOOK_BACK, data.rfind(b"\n", 0, at) + 1) : at]
