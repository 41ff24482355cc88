"""redaction.py and base/payloads/redacting.py: what people see in place of secrets."""

import dataclasses
import json

from django.test import SimpleTestCase, override_settings

from durable_django import redaction
from durable_django.base import payloads
from durable_django.redaction import HIDDEN, HIDDEN_BY_FAILURE, redact

CANARY = "hunter2-canary"


@dataclasses.dataclass
class Login:
    user: str
    password: str


def upper(_name, value):
    return value.upper() if isinstance(value, str) else value


def broken(_name, value):
    raise ValueError(value)


def described(value, **options):
    return payloads.describe_value(payloads.encode(value), redact=redaction.chosen(), **options)


class Names(SimpleTestCase):
    def test_of_secrets_hide_their_values(self):
        """However they are written: with underscores, dashes, humps, in the middle of others."""
        for name in (
            "password", "db_password", "passwords", "PASSWORD_2", "token", "access_token", "X-Api-Key", "apiKey",
            "secret", "clientSecret", "Authorization", "card_number", "cardNumber", "cvv", "iban", "ssn",
            "DATABASE_URL", "Set-Cookie",
        ):  # fmt: skip
            self.assertEqual(HIDDEN, redact(name, CANARY), name)
            self.assertEqual(HIDDEN, redact(name, {"a": CANARY}), name)

    def test_of_other_things_hide_nothing(self):
        """Words that only begin like those of secrets."""
        for name in (
            "pinned",
            "company",
            "tokenizer",
            "passenger",
            "span",
            "shipping",
            "secretary",
            "keyboard",
            "order",
        ):
            self.assertEqual(CANARY, redact(name, CANARY), name)

    def test_show_that_there_is_nothing(self):
        """None and empty texts give nothing away, nor does yes or no."""
        for value in (None, "", [], {}, True, False):
            self.assertEqual(value, redact("password", value))


class Texts(SimpleTestCase):
    def test_lose_their_secrets(self):
        """Behind a name, in an address, by their check digits."""
        for text, shown in (
            (f"login failed: password={CANARY}, user=ada", f"login failed: password={HIDDEN}, user=ada"),
            (f'{{"api_key": "{CANARY}"}}', f'{{"api_key": {HIDDEN}}}'),
            (f"Authorization: Bearer {CANARY}", f"Authorization: {HIDDEN}"),
            (f"sent Bearer {CANARY} to it", f"sent Bearer {HIDDEN} to it"),
            (f"postgresql://shop:{CANARY}@db/shop", f"postgresql://shop:{HIDDEN}@db/shop"),
            ("card 4111 1111 1111 1111 refused", f"card {HIDDEN} refused"),
            ("from DE89 3704 0044 0532 0130 00.", f"from {HIDDEN}."),
            ("ssn 078-05-1120", f"ssn {HIDDEN}"),
        ):
            self.assertEqual(shown, redact("", text))

    def test_keep_everything_else(self):
        """Numbers that are no cards, moments, addresses without passwords, prose."""
        for text in (
            "order 4111 1111 1111 1112", "2026-11-26 18:00:00", "https://shop.example:8000/a@b",
            "the token was refused",
            "GB00 AAAA BBBB", "1732640000000000", "x = 7",
        ):  # fmt: skip
            self.assertEqual(text, redact("", text))

    def test_numbers_of_cards_are_hidden(self):
        """Also as numbers; others stay."""
        self.assertEqual(HIDDEN, redact("", 4111111111111111))
        self.assertEqual(7, redact("", 7))
        self.assertIs(True, redact("", True))

    def test_of_any_length_are_read_in_one_pass(self):
        """Nothing that a text repeats makes the search slow."""
        for text in ("password" * 20_000, "4" * 100_000, "a://" * 50_000, "DE89" * 50_000, "token=" * 30_000):
            redact("", text)


class StoredValues(SimpleTestCase):
    def test_are_shown_without_their_secrets(self):
        """In dicts with any keys, in fields, at any depth."""
        value = {"user": "ada", "auth": [{"token": CANARY}, Login("ada", CANARY)], 7: {"password": {"old": CANARY}}}

        text = described(value)

        self.assertNotIn(CANARY, text)
        self.assertEqual(
            "{'user': 'ada', 'auth': [{'token': '[hidden]'}, Login(user='ada', password='[hidden]')], "
            "7: {'password': '[hidden]'}}",
            text,
        )

    def test_are_hidden_in_keys_of_any_dict(self):
        """A number of a card as a key, whether or not all keys are texts; no entry is lost by that."""
        cards = ("4111 1111 1111 1111", "5500 0000 0000 0004")

        self.assertEqual("{'[hidden]': 'Ada'}", described({cards[0]: "Ada"}))
        self.assertEqual("{'[hidden]': 'Ada', 7: 1}", described({cards[0]: "Ada", 7: 1}))
        self.assertEqual("{'[hidden]': 'Ada', '[hidden] 2': 'Bob'}", described({cards[0]: "Ada", cards[1]: "Bob"}))
        call = payloads.encode_call((), {cards[0]: "Ada", cards[1]: "Bob"})
        self.assertEqual("([hidden]='Ada', [hidden] 2='Bob')", payloads.describe_call(call, redact=redact))

    def test_ask_about_each_key(self):
        """Without a name, as of any text; the value is asked about with the key as it was."""
        for value in ({"card": "x"}, {"card": "x", 7: None}):
            asked = []
            tree = json.loads(payloads.encode(value))

            payloads.redacted(tree, lambda name, part, asked=asked: asked.append((name, part)) or part)

            self.assertIn(("", "card"), asked)
            self.assertIn(("card", "x"), asked)

    def test_are_hidden_by_the_name_of_what_holds_them(self):
        """An event that is called a token."""
        self.assertEqual("'[hidden]'", described({"a": CANARY}, name="token"))

    def test_keep_the_look_of_their_kind(self):
        """What has no secret is shown as ever."""
        value = [(1, 2), {"a"}, b"x", 1.5, None, "text"]

        self.assertEqual(payloads.describe_value(payloads.encode(value)), described(value))

    def test_of_calls_are_hidden_by_their_parameters(self):
        """Given by name or by place."""
        stored = payloads.encode_call(("ada", CANARY), {"token": CANARY, "other": 1})

        text = payloads.describe_call(stored, redact=redact, parameters=("user", "password"))

        self.assertEqual("('ada', '[hidden]', other=1, token='[hidden]')", text)

    def test_of_errors_are_scrubbed(self):
        """Message, traceback, notes, and those of the cause."""
        error = KeyError(f"token={CANARY}")
        error.__cause__ = ValueError(f"password={CANARY}")
        error.add_note(f"secret: {CANARY}")
        stored = payloads.encode_error(error)

        found = payloads.redacted_error(payloads.describe_error(stored), redact)

        self.assertNotIn(CANARY, repr(found))

    def test_of_errors_are_scrubbed_in_one_line(self):
        """Type and message."""
        stored = payloads.encode_error(ValueError(f"password={CANARY}"))

        self.assertEqual(f"ValueError: password={HIDDEN}", payloads.describe_error_line(stored, redact=redact))

    def test_that_are_damaged_still_say_why(self):
        """The reason, as ever."""
        for stored in (
            "{",
            "[" * 5000 + "]" * 5000,
            '{"$py": "dict", "v": [[1], 2, [3, 4, 5]]}',
            '{"$py": "str", "v": 7}',
        ):
            self.assertIn("(unreadable: ", payloads.describe_value(stored, redact=redact))
            self.assertIn("(unreadable: ", payloads.describe_call(stored, redact=redact))

    def test_stay_json(self):
        """A program gets the same shape."""
        tree = json.loads(payloads.encode({"password": CANARY, "sizes": (1, 2)}))

        self.assertEqual({"password": HIDDEN, "sizes": {"$py": "tuple", "v": [1, 2]}}, payloads.redacted(tree, redact))


class TheSetting(SimpleTestCase):
    def shown(self, path):
        with override_settings(DURABLE_DJANGO={"REDACT": path}):
            return described({"password": CANARY, "user": "ada"})

    def test_names_the_callable_of_the_project(self):
        """It alone decides."""
        self.assertEqual(
            f"{{'PASSWORD': '{CANARY.upper()}', 'USER': 'ADA'}}", self.shown("tests.rooms.test_redaction.upper")
        )

    def test_that_is_empty_shows_everything(self):
        """As was asked for."""
        self.assertIn(CANARY, self.shown(""))

    def test_whose_callable_fails_shows_nothing(self):
        """Nor does the failure itself."""
        self.assertEqual(f"'{HIDDEN_BY_FAILURE}'", self.shown("tests.rooms.test_redaction.broken"))
        self.assertEqual(f"'{HIDDEN_BY_FAILURE}'", self.shown("tests.no.such.thing"))
