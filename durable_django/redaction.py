"""What people see in place of secrets: the callable that the setting REDACT names, asked about everything shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from django.utils.module_loading import import_string

from durable_django.conf import durable_settings

Redact = Callable[[str, Any], Any]

#: What stands in place of a value that is not shown.
HIDDEN = "[hidden]"
#: What stands there if the project's own callable fails: the reason of the failure could hold the value.
HIDDEN_BY_FAILURE = "[hidden: REDACT failed]"

#: Words that make a name that of a secret, wherever they stand in it: db_password, X-API-Key, cardNumber.
_WORDS = (
    "password", "passwd", "passphrase", "pwd", "secret", "token", "authorization", "cookie", "session_key", "sessionid",
    "credential", "credentials", "api_key", "apikey", "access_key", "private_key", "signing_key", "encryption_key",
    "dsn", "database_url", "card_number", "credit_card", "cc_number", "pan", "cvv", "cvc", "csc", "iban", "ssn",
    "social_security_number", "otp", "totp", "pin",
)  # fmt: skip
_NAME = re.compile(rf"(?:^|_)(?:{'|'.join(_WORDS)})s?\d*(?:_|$)")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NOT_A_WORD = re.compile(r"[^a-z0-9]+")

#: password=..., "token": "...", Authorization: Bearer ...: the value goes, the name stays.
_NAMED = re.compile(r"""(?<![\w-])(?P<name>[\w-]++)["']?\s{0,5}(?:=>|=|:)\s{0,5}""")
_VALUE = re.compile(r"""(?:Bearer|Basic|Token|Digest)\s+\S+|"[^"\n]*"|'[^'\n]*'|[^\s,;&)}\]"']+""", re.IGNORECASE)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{8,}")
#: The password between a scheme and a host.
_IN_URL = re.compile(r"(?P<before>\b[a-z][\w+.-]{0,30}://[^\s:/@]{0,100}:)[^\s@/]{1,500}(?=@)", re.IGNORECASE)
_CARD = re.compile(r"(?<![\w.])[3-6]\d{3}(?:[ -]?\d){8,15}(?![\w.])")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_SSN = re.compile(r"\b\d{3}-\d{2}-\d{4}\b")


def redact(name: str, value: Any) -> Any:
    """
    Return what is shown in place of a value: the value itself, or a text instead of what looks like a secret.

    name   the key, parameter, field, topic or attribute that holds it; "" for what has none
    value  the text or number; of a container what is stored, as JSON

    Hidden by their names are passwords, tokens, keys, cookies, card numbers and their like. In texts, so do their
    values behind such a name (password=...), passwords in addresses, numbers of cards and accounts.
    """
    if _is_secret(name):
        # None and the empty text tell that there is nothing, which helps and gives nothing away.
        return value if value is None or value in ("", [], {}) or isinstance(value, bool) else HIDDEN
    if isinstance(value, str):
        return _scrubbed(value)
    is_card = isinstance(value, int) and not isinstance(value, bool) and _scrubbed(str(value)) == HIDDEN
    return HIDDEN if is_card else value


def chosen() -> Redact:
    """Return the callable of the setting, made safe: a failure hides the value. One that shows all for no callable."""
    path = durable_settings.REDACT
    if not path:
        return _show
    try:
        found = import_string(path)
    except ImportError:
        return _hide
    return _guarded(found)


def _guarded(function: Redact) -> Redact:
    def guarded(name: str, value: Any) -> Any:
        try:
            return function(name, value)
        except Exception:  # noqa: BLE001 - whatever a project's callable raises, nothing is shown then
            return HIDDEN_BY_FAILURE

    return guarded


def _show(_name: str, value: Any) -> Any:
    return value


def _hide(_name: str, _value: Any) -> Any:
    return HIDDEN_BY_FAILURE


def _is_secret(name: str) -> bool:
    words = _NOT_A_WORD.sub("_", _HUMP.sub("_", name[:500]).lower())
    return bool(_NAME.search(words))


def _scrubbed(text: str) -> str:
    if text.isascii() and len(text) < 8 and "=" not in text and ":" not in text:  # noqa: PLR2004 - nothing so short is one
        return text
    text = "".join(_without_assigned(text))
    text = _BEARER.sub(rf"\1 {HIDDEN}", text)
    text = _IN_URL.sub(rf"\g<before>{HIDDEN}", text)
    text = _CARD.sub(lambda match: HIDDEN if _is_card(match[0]) else match[0], text)
    text = _IBAN.sub(lambda match: HIDDEN if _is_iban(match[0]) else match[0], text)
    return _SSN.sub(HIDDEN, text)


def _without_assigned(text: str) -> Iterator[str]:
    """Yield the parts of a text without the values that stand behind names of secrets."""
    end = 0
    for match in _NAMED.finditer(text):
        value = _VALUE.match(text, match.end()) if match.end() > end and _is_secret(match["name"]) else None
        if value is not None:
            yield text[end : value.start()] + HIDDEN
            end = value.end()
    yield text[end:]


def _is_card(text: str) -> bool:
    """Whether the digits carry the check digit of card numbers (ISO/IEC 7812-1, Luhn)."""
    digits = [int(char) for char in text if char.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]  # noqa: PLR2004 - digits whose double has two
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_iban(text: str) -> bool:
    """Whether the check digits are those of an account number (ISO 13616, modulo 97)."""
    plain = text.replace(" ", "")
    return int("".join(str(int(char, 36)) for char in plain[4:] + plain[:4])) % 97 == 1
