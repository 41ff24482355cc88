"""worker/options.py: the options of a worker, and their way to its processes."""

from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from durable_django.worker.options import WorkerOptions

OPTIONS = st.builds(
    WorkerOptions,
    queues=st.lists(st.text()).map(tuple),
    exclude_queues=st.lists(st.text()).map(tuple),
    threads=st.integers(1, 10**6),
    processes=st.integers(1, 100),
    max_workflows=st.integers(0, 10**9),
    until_idle=st.booleans(),
    reload=st.booleans(),
    grace_seconds=st.floats(0, 1e9),
    name=st.text(),
)


class Options(SimpleTestCase):
    @given(OPTIONS)
    def test_reach_the_process_as_they_are(self, options):
        """As text in its environment: without NUL, and equal again."""
        text = options.to_json()

        self.assertEqual(options, WorkerOptions.from_json(text))
        self.assertNotIn("\0", text)

    def test_have_the_defaults_of_the_command(self):
        """All queues, 8 threads, one process, 30 seconds of grace."""
        options = WorkerOptions()

        self.assertEqual(((), 8, 1, 0, False, False, 30, ""), (
            options.queues, options.threads, options.processes, options.max_workflows, options.until_idle,
            options.reload,
            options.grace_seconds, options.name,
        ))  # fmt: skip


class TheQueues(SimpleTestCase):
    def test_are_all_by_default(self):
        """Also those that nobody had thought of."""
        self.assertTrue(WorkerOptions().serves("anything"))

    def test_may_be_chosen_by_name_or_pattern(self):
        """As file names are in a shell."""
        options = WorkerOptions(queues=("default", "mail-*"))

        chosen = [name for name in ("default", "mail-bulk", "mail", "reports") if options.serves(name)]
        self.assertEqual(["default", "mail-bulk"], chosen)

    def test_may_be_left_to_others(self):
        """Whatever else was chosen."""
        options = WorkerOptions(queues=("mail-*",), exclude_queues=("*-bulk",))

        self.assertEqual(["mail-fast"], [name for name in ("mail-bulk", "mail-fast") if options.serves(name)])
