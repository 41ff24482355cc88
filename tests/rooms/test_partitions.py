"""Partitions: the walk from the one that was served last round to it again, in the order of the database."""

from unittest import mock

from django.test import SimpleTestCase

from durable_django.base.limits import Limits
from durable_django.models.claims import Wanted
from durable_django.models.partitions import _Turn
from durable_django.models.room import Room, Round


def of_a_language(keys, at_once):
    """Return a probe of an index whose collation takes "a" to stand before "B", as most do but Python does not."""

    def probe(_turn, behind, *, is_included=False, until=None):
        found = []
        for key in sorted(keys, key=str.lower):
            place = key.lower()
            is_behind = place >= behind.lower() if is_included else place > behind.lower()
            if is_behind and (until is None or place <= until.lower()):
                found.append((key, f"first of {key}"))
        return found[:at_once]

    return mock.patch.object(_Turn, "_next", probe)


class AWalk(SimpleTestCase):
    def walk(self, served, *keys, wanted=10):
        found = []
        for at_once in (1, 2, 3):
            room = Room(Limits(is_partitioned=True), wanted)
            with of_a_language(keys, at_once):
                turn = _Turn("default", Wanted("q", wanted, ()), room, served)
                found.append((list(turn.take_firsts()), room.taken, turn.served))
        self.assertEqual(found[:1] * 3, found, "however many a probe finds at once")
        return found[0]

    def test_comes_by_each_partition_once(self):
        """Whichever was served last, also if it has gone, and whatever order the keys have."""
        for served, order in (
            ("", ["a", "B", "c"]),
            ("a", ["B", "c", "a"]),
            ("B", ["c", "a", "B"]),
            ("c", ["a", "B", "c"]),
            ("b2", ["c", "a", "B"]),
        ):
            self.assertEqual((order, 3, order[-1]), self.walk(served, "a", "B", "c"), served)
        self.assertEqual((["a", "B"], 2, "B"), self.walk("B", "a", "B"))

    def test_ends_where_the_room_ends(self):
        """The next one goes on there."""
        self.assertEqual((["B", "c"], 2, "c"), self.walk("a", "a", "B", "c", wanted=2))

    def test_comes_by_the_empty_key(self):
        """That of workflows without one."""
        self.assertEqual((["a", ""], 2, ""), self.walk("", "", "a"))
        self.assertEqual((["", "a"], 2, "a"), self.walk("a", "", "a"))

    def test_takes_one_of_each_though_others_have_moved_the_turn(self):
        """It goes on with a round, and the turn is behind its beginning again: it comes by some of them twice."""
        room = Room(Limits(is_partitioned=True), 10, Round("c", has_turned=False))
        with of_a_language("abcd", 2):
            firsts = _Turn("default", Wanted("q", 10, ()), room, "a").take_firsts()

        self.assertEqual((list("bcda"), 4), (list(firsts), room.taken))

    def test_of_nothing_takes_nothing(self):
        """And leaves the turn where it was."""
        self.assertEqual(([], 0, "a"), self.walk("a"))
