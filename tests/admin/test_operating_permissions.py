"""Who may do which verb by which way: everybody else is refused, and changes nothing."""

from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from durable_django.models import Operation, Queue
from tests.admin.operating import ALL, KINDS, OperatingTestCase
from tests.admin.support import sheet, url
from tests.admin.test_queues import EMPTY

VIEWS = [f"view_{kind}" for kind in KINDS]


class TheMatrix(OperatingTestCase):
    """Users by verbs by ways: list, page and the address of the verb."""

    def setUp(self):
        super().setUp()
        self.targets = self.make_targets()

    def ways(self):
        return {"list": self.on_list, "address": self.on_page}

    def assert_refused(self, user, code, targets):
        """Fail unless each verb is refused by each way, and all of that has changed nothing."""
        before, records = self.state(), self.records()
        for target in targets:
            for name, way in self.ways().items():
                with self.subTest(user=user, verb=target.verb, kind=target.kind, way=name):
                    self.assertEqual(code, way(target, confirmed="1").status_code)
        self.assertEqual((before, records), (self.state(), self.records()))

    def assert_done(self, target):
        """Fail unless a verb is done by each way, with one record of both kinds."""
        for name, way in self.ways().items():
            with self.subTest(verb=target.verb, kind=target.kind, way=name), transaction.atomic():
                before, (operations, entries) = self.state(), self.records()

                self.assertEqual(302, way(target).status_code)

                self.assertNotEqual(before, self.state())
                self.assertEqual((operations + 1, entries + 1), self.records())
                transaction.set_rollback(True)

    def offered(self, targets):
        """Return of each target whether the list and the page of its row offer the verb."""
        on_lists = {kind: self.offered_on_list(kind) for kind in {target.kind for target in targets}}
        for target in targets:
            page = self.client.get(url(target.kind, "change", target.key)).content.decode()
            yield target, (target.verb in on_lists[target.kind], self.operate_address(target) in page)

    def offered_on_list(self, kind):
        form = self.client.get(url(kind, "changelist")).context["action_form"]
        return {name for name, _label in form.fields["action"].choices} if form else set()

    def test_refuses_visitors(self):
        """They are asked to log in; so is somebody who is not staff."""
        self.client.logout()
        self.assert_refused("visitor", 302, self.targets)

        self.client.force_login(User.objects.create_user("former", is_superuser=True))
        self.assert_refused("no staff", 302, self.targets)

    def test_refuses_staff_without_permissions(self):
        """Whatever else they may do."""
        self.client.force_login(self.staff("clerk"))

        self.assert_refused("clerk", 403, self.targets)

    def test_refuses_who_may_only_look_or_has_djangos_permissions(self):
        """The permissions to add, change and delete open nothing."""
        others = [f"{verb}_{kind}" for verb in ("add", "change", "delete") for kind in KINDS]
        self.client.force_login(self.staff("looker", *VIEWS, *others))

        self.assert_refused("looker", 403, self.targets)
        self.assertEqual({(False, False)}, {offered for _target, offered in self.offered(self.targets)})

    def test_refuses_who_may_do_it_but_not_look(self):
        """A verb is done to what is seen."""
        blind = [name for name in self.permissions() if not name.startswith(("view_", "change_"))]
        self.client.force_login(self.staff("blind", *blind))

        self.assert_refused("blind", 403, self.targets)

    def test_lets_each_permission_do_its_verb_and_no_other(self):
        """By each way."""
        for verb in ALL:
            self.client.force_login(self.staff(f"may-{verb.permission}", *VIEWS, verb.permission.partition(".")[2]))
            allowed = [each for each in self.targets if (each.kind, each.verb) == (verb.kind, verb.name)]

            self.assert_refused(verb.permission, 403, [each for each in self.targets if each not in allowed])
            self.assert_done(*allowed)

    def test_lets_a_superuser_do_everything(self):
        """By each way, each with one record of both kinds."""
        self.client.force_login(User.objects.create_superuser("root"))
        for target in self.targets:
            self.assert_done(target)

    def test_offers_exactly_what_is_allowed(self):
        """On the list and on the page."""
        for verb in ALL:
            self.client.force_login(self.staff(f"may-{verb.permission}", *VIEWS, verb.permission.partition(".")[2]))
            for target, offered in self.offered([each for each in self.targets if each.kind == verb.kind]):
                is_allowed = target.verb == verb.name
                with self.subTest(permission=verb.permission, verb=target.verb):
                    self.assertEqual((is_allowed, is_allowed), offered)


class WhoIsRefused(OperatingTestCase):
    """Each attempt leaves a record in the log, S27: who, what, which rows."""

    def setUp(self):
        super().setUp()
        self.targets = self.make_targets()
        self.client.force_login(self.staff("looker", *VIEWS))

    def assert_logged(self, act, verb, kind, *keys):
        with self.assertLogs("durable_django.operation", "WARNING") as seen:
            self.assertEqual(403, act().status_code)
        (record,) = seen.records
        facts = (record.actor, record.verb, record.object_kind, record.object_ids)
        self.assertEqual(("looker", verb, kind, keys), facts)
        return record.getMessage()

    def test_is_named_for_each_verb_by_each_way(self):
        """From the list, from the page, and already by who only looks at what is asked there."""
        for target in self.targets:
            with self.subTest(verb=target.verb, kind=target.kind):
                ways = (
                    lambda target=target: self.on_list(target, confirmed="1"),
                    lambda target=target: self.on_page(target, confirmed="1"),
                    lambda target=target: self.client.get(self.operate_address(target)),
                )
                for way in ways:
                    self.assert_logged(way, target.verb, target.kind, target.key)

    def test_is_named_for_limits_as_well(self):
        """Their form is a verb, too."""
        sent = {**EMPTY, "concurrency": "5"}
        self.assert_logged(
            lambda: self.client.post(url("queue", "change", "for-pause"), sent), "edit", "queue", "for-pause"
        )

    def test_cannot_flood_the_log(self):
        """Of what a request made by hand names, the first ten ids are kept, each cut, in one line."""
        keys = ["x\n" * 1000, *map(str, range(99))]
        sent = {"action": "cancel", "_selected_action": keys}
        cut = ("x\n" * 127 + "…", *map(str, range(9)))

        said = self.assert_logged(
            lambda: self.client.post(url("workflow", "changelist"), sent), "cancel", "workflow", *cut
        )

        self.assertTrue(said.isprintable())

    def test_is_nobody_who_may_do_it(self):
        """Nothing is logged of what was done: there is a record of that."""
        self.client.force_login(self.operator)
        target = next(each for each in self.targets if each.verb == "cancel")
        with self.assertNoLogs("durable_django.operation"):
            self.on_page(target)


class TheLimitsOfAQueue(OperatingTestCase):
    def setUp(self):
        super().setUp()
        Queue.objects.create(name="q")

    def edit(self, **values):
        return self.client.post(url("queue", "change", "q"), {**EMPTY, "concurrency": "5", **values})

    def test_are_edited_by_those_who_may(self):
        """With a record that says what was before, and why."""
        self.client.force_login(self.staff("editor", "view_queue", "edit_queue"))

        self.assertEqual(302, self.edit(reason="too many").status_code)

        found = Operation.objects.get()
        self.assertEqual(
            ("edit", "queue", "q", "editor", "too many"),
            (found.verb, found.object_kind, found.object_id, found.actor, found.reason),
        )
        self.assertEqual((None, 5), (found.before["concurrency"], found.after["concurrency"]))
        self.assertEqual((1, 1), self.records())

    def test_are_not_edited_by_others(self):
        """Also not by those who may do all the rest, or may change queues as Django means it."""
        others = [name for name in self.permissions() if name != "edit_queue"]
        for number, permissions in enumerate((["view_queue", "change_queue"], ["edit_queue"], others, [])):
            self.client.force_login(self.staff(f"other-{number}", *permissions))

            self.assertEqual(403, self.edit().status_code)

        self.assertIsNone(Queue.objects.get(pk="q").concurrency)
        self.assertEqual((0, 0), self.records())


class Requests(OperatingTestCase):
    def setUp(self):
        super().setUp()
        self.targets = self.make_targets()

    def test_without_a_csrf_token_change_nothing(self):
        """From the list and from the page, for who may do everything."""
        self.client = Client(enforce_csrf_checks=True)
        self.client.force_login(self.operator)
        before = self.state(), self.records()
        for target in self.targets:
            with self.subTest(verb=target.verb, kind=target.kind):
                self.assertEqual({403}, {self.on_page(target).status_code, self.on_list(target).status_code})
                self.assertEqual(before, (self.state(), self.records()))

    def test_that_only_read_change_nothing(self):
        """GET and HEAD show what would happen; other methods are refused."""
        before = self.state(), self.records()
        for target in self.targets:
            address = self.operate_address(target)
            with self.subTest(verb=target.verb, kind=target.kind):
                sent = sheet(**target.values, confirmed="1")
                codes = [ask(address, sent).status_code for ask in (self.client.get, self.client.head)]
                codes += [ask(address).status_code for ask in (self.client.put, self.client.delete, self.client.patch)]

                self.assertEqual([200, 200, 405, 405, 405], codes)
                self.assertEqual(before, (self.state(), self.records()))

    def test_that_confirm_nothing_change_nothing(self):
        """Choosing an action on the list, or sending a form without the button, shows the page that asks."""
        before = self.state(), self.records()
        for target in self.targets:
            with self.subTest(verb=target.verb, kind=target.kind):
                chosen = {"action": target.verb, "_selected_action": target.key, "index": "0"}
                pages = [
                    self.client.post(url(target.kind, "changelist"), chosen),
                    self.client.post(self.operate_address(target), sheet(**target.values)),
                ]

                self.assertEqual([200, 200], [page.status_code for page in pages])
                self.assertEqual(before, (self.state(), self.records()))

    def test_for_what_no_row_can_be_are_refused(self):
        """Instead of an error of the database."""
        for kind, key in (
            ("schedule", "x"), ("schedule", "9" * 30), ("schedule", "9" * 5000), ("queue", "a\0b"),
            ("workflow", "a\0b"), ("worker", "w" * 65), ("schedule", ""),
        ):  # fmt: skip
            with self.subTest(kind=kind, key=key[:40]), self.assertLogs("django.request"):
                verb = "drain" if kind == "worker" else "pause"
                chosen = {"action": verb, "_selected_action": key, "confirmed": "1", **sheet(reason="x")}

                self.assertEqual(400, self.client.post(url(kind, "changelist"), chosen).status_code)

    def test_for_what_is_not_there_are_not_found(self):
        """A verb of another model, an unknown one, a row that is gone, a key that cannot be."""
        for kind, key, verb in (
            ("workflow", "for-pause", "trigger"), ("queue", "for-pause", "edit"), ("workflow", "for-pause", "delete"),
            ("workflow", "gone", "pause"), ("schedule", "x", "pause"), ("workflow", "a\0b", "pause"),
        ):  # fmt: skip
            with self.subTest(kind=kind, key=key, verb=verb):
                self.assertEqual(404, self.client.get(url(kind, "operate", key, verb)).status_code)
