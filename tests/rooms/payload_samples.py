"""Types whose values the tests of payloads store."""

import dataclasses
import datetime as dt
import enum
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from decimal import Decimal
from functools import cached_property

from django.db import models


class Colour(enum.Enum):
    RED = 1
    GREEN = "green"
    CRIMSON = 1  # noqa: PIE796 - an alias is the point


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mood(enum.StrEnum):
    GLAD = "glad"


class Access(enum.Flag):
    READ = 1
    WRITE = 2


class Mode(enum.IntFlag):
    A = 1
    B = 2


class Status(models.TextChoices):
    PAID = "paid", "Paid"


class Grade(models.IntegerChoices):
    FIRST = 1, "First"


@dataclasses.dataclass
class Line:
    price: object
    count: int = 1


@dataclasses.dataclass(frozen=True)
class Order:
    lines: list
    at: dt.datetime | None = None
    total: Decimal = dataclasses.field(init=False, default=Decimal(0))

    class Note(enum.Enum):
        GIFT = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float


@dataclasses.dataclass(kw_only=True)
class Strict:
    name: str
    extra: list = dataclasses.field(default_factory=list)
    unset: int = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if not self.name:
            raise AssertionError("the constructor ran")

    @cached_property
    def shout(self):
        return self.name.upper()


@dataclasses.dataclass
class Tally(dict):
    owner: str = ""


class Money:
    def __init__(self, amount, currency):
        self.amount = amount
        self.currency = currency

    def __eq__(self, other):
        return (self.amount, self.currency) == (other.amount, other.currency)

    def __hash__(self):
        return hash((self.amount, self.currency))


class OutOfStock(Exception):
    """Passes on another argument than it takes."""

    def __init__(self, *, sku, left):
        super().__init__(f"only {left} of {sku} left")
        self.sku = sku
        self.left = left


class Slotted(Exception):
    __slots__ = ("code",)


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class Touchy(Exception):
    """Its attributes cannot be read."""

    def __getattribute__(self, name):
        raise RuntimeError(name)


class ProviderDown(OSError):
    """Keeps other arguments than OSError takes."""

    def __init__(self, provider):
        super().__init__(111, "refused")
        self.provider = provider


class Stop(BaseException):
    """Not an Exception."""


class Guard(type):
    def __getattribute__(cls, name):
        raise RuntimeError(name)


class Guarded(Exception, metaclass=Guard):
    """Its class cannot be looked at."""


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Stamp(dt.datetime):
    pass


Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - users have these
Ordered = OrderedDict
callback: Callable[[], None] = lambda: None  # noqa: E731 - a lambda is the point


class Loud:
    def __repr__(self):
        raise ValueError("quiet")
