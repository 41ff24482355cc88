"""base/hosts.py: which machine and process this is, so that others can tell whether it still lives."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock, skipUnless

from django.test import SimpleTestCase

from durable_django.base import hosts

IS_LINUX = Path("/proc/self/stat").exists()


def sleeper():
    """Start a process that does nothing."""
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])


def wait_until(is_true):
    end = time.monotonic() + 30
    while not is_true() and time.monotonic() < end:
        time.sleep(0.01)


@skipUnless(IS_LINUX, "only Linux shows its processes in /proc")
class AProcess(SimpleTestCase):
    def test_is_known_by_number_and_start(self):
        """A living process has a start time, the same at each look."""
        own = hosts.process_started_at(os.getpid())

        self.assertTrue(own.isdigit())
        self.assertEqual(own, hosts.process_started_at(os.getpid()))

    def test_that_is_gone_has_none(self):
        """A number that nobody has."""
        child = sleeper()
        alive = hosts.process_started_at(child.pid)
        child.kill()
        child.wait()

        self.assertTrue(alive)
        self.assertEqual("", hosts.process_started_at(child.pid))

    def test_that_is_a_zombie_counts_as_gone(self):
        """Dead, but not yet waited for."""
        child = sleeper()
        child.kill()
        wait_until(lambda: not hosts.process_started_at(child.pid))

        self.assertEqual("", hosts.process_started_at(child.pid))
        child.wait()

    def test_that_is_stopped_is_seen(self):
        """SIGSTOP and SIGCONT."""
        child = sleeper()
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        before = hosts.is_stopped(child.pid)
        child.send_signal(signal.SIGSTOP)
        wait_until(lambda: hosts.is_stopped(child.pid))
        stopped = hosts.is_stopped(child.pid)
        child.send_signal(signal.SIGCONT)
        wait_until(lambda: not hosts.is_stopped(child.pid))

        self.assertEqual((False, True, False), (before, stopped, hosts.is_stopped(child.pid)))

    def test_may_have_any_name(self):
        """Blanks and brackets in the name of the program do not shift the fields."""
        text = "42 (a b) c) R) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20\n"
        with mock.patch.object(Path, "read_text", return_value=text):
            self.assertEqual("4711", hosts.process_started_at(42))
            self.assertFalse(hosts.is_stopped(42))


@skipUnless(IS_LINUX, "only Linux shows its processes in /proc")
class AProcessThatMayBeGone(SimpleTestCase):
    def test_lives_as_long_as_it_runs(self):
        """Its number and its start say that it is the one."""
        child = sleeper()
        started_at = hosts.process_started_at(child.pid)
        before = hosts.is_gone(child.pid, started_at)
        child.kill()
        child.wait()

        self.assertEqual((False, True), (before, hosts.is_gone(child.pid, started_at)))

    def test_is_gone_when_another_has_its_number(self):
        """The start differs."""
        self.assertTrue(hosts.is_gone(os.getpid(), "4711"))

    def test_is_gone_as_a_zombie(self):
        """Dead, but not yet waited for; also one of another user, whom this process may send no signal."""
        child = sleeper()
        self.addCleanup(child.wait)
        started_at = hosts.process_started_at(child.pid)
        child.kill()
        wait_until(lambda: not hosts.process_started_at(child.pid))

        self.assertTrue(hosts.is_gone(child.pid, started_at))
        with mock.patch("os.kill", side_effect=PermissionError):
            self.assertTrue(hosts.is_gone(child.pid, started_at))


class AProcessThatTheSystemHides(SimpleTestCase):
    """/proc, mounted with hidepid, shows nothing of other users' processes."""

    def setUp(self):
        self.enterContext(mock.patch.object(Path, "read_text", side_effect=FileNotFoundError))

    def test_is_not_taken_for_dead(self):
        """The system still tells that there is one, which may or may not be sent a signal: its lease decides."""
        for answer in (PermissionError, None):
            with self.subTest(answer=answer), mock.patch("os.kill", side_effect=answer) as kill:
                self.assertFalse(hosts.is_gone(4711, "1"))
                kill.assert_called_once_with(4711, 0)

    def test_is_gone_when_nobody_has_its_number(self):
        """That the system tells everybody."""
        with mock.patch("os.kill", side_effect=ProcessLookupError):
            self.assertTrue(hosts.is_gone(4711, "1"))


class AHost(SimpleTestCase):
    def test_is_name_boot_and_namespace(self):
        """What must be equal for two processes to see each other by number."""
        self.assertEqual({"hostname", "boot_id", "pid_namespace"}, set(hosts.host()))

    def test_is_part_of_the_facts(self):
        """The facts of this process are those of a Worker row."""
        facts = hosts.facts()

        self.assertEqual(os.getpid(), facts["pid"])
        self.assertEqual(hosts.process_started_at(os.getpid()), facts["process_started_at"])
        self.assertLessEqual(set(hosts.host()), set(facts))

    def test_that_tells_nothing_is_unknown(self):
        """Without /proc nobody is declared dead by sight."""
        with mock.patch.object(Path, "read_text", side_effect=OSError), mock.patch("os.readlink", side_effect=OSError):
            self.assertEqual(("", "", ""), (hosts._boot_id(), hosts._pid_namespace(), hosts.process_started_at(1)))
            self.assertFalse(hosts.is_stopped(1))
