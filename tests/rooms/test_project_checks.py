"""checks/, of the project around: other apps, the time zone, DEBUG, addresses, templates."""

from copy import deepcopy
from unittest import mock

from django.conf import settings
from django.core import checks
from django.test import override_settings
from django.urls import include, path

from durable_django import checks as ours
from durable_django.checks import project
from tests.rooms.checking import CheckTestCase, found
from tests.rooms.test_checks import JUNK

#: The URLs of a project that shows streams, below others.
urlpatterns = [path("site/", include([path("durable/", include("durable_django.urls"))]))]


class TheCommand(CheckTestCase):
    def test_that_is_ours_is_fine(self):
        """`manage.py worker` is found."""
        self.assertEqual([], ours.check_command())

    def test_W002_that_is_hidden_by_another_apps(self):
        """Named, with both ways out."""
        with mock.patch.object(project, "get_commands", return_value={"worker": "celery_app"}):
            messages = ours.check_command()

        self.assert_message(messages, "W002", "celery_app", hint="manage.py durable worker")


class Tasks(CheckTestCase):
    def test_E104_without_a_package_that_has_them(self):
        """Django 5.2 does not ask its TASKS anything: nothing would be enqueued by this backend."""
        settings = {"default": {"BACKEND": "durable_django.tasks.DurableBackend"}, "other": {"BACKEND": "a.B"}}
        with override_settings(TASKS=settings):
            self.assertEqual([], ours.check_tasks())
            with mock.patch("durable_django.tasks.is_available", return_value=False):
                messages = ours.check_tasks()

        self.assert_message(messages, "E104", "TASKS['default']", hint="durable-django[tasks]")

    def test_E104_is_not_said_of_other_backends_nor_of_nonsense(self):
        """Whatever TASKS holds."""
        for value in (*JUNK, {"default": None}, {"default": {"BACKEND": 5}}, {5: {"BACKEND": "durable_djangoose.X"}}):
            with override_settings(), mock.patch("durable_django.tasks.is_available", return_value=False):
                # Set without the signal, at which Django makes its own backends anew.
                settings._wrapped.TASKS = value
                self.assertEqual([], ours.check_tasks())


class TheTimeZone(CheckTestCase):
    def test_W009_that_moments_do_not_have(self):
        """With USE_TZ nothing is said."""
        self.assertEqual([], ours.check_time_zone())
        with override_settings(USE_TZ=False):
            self.assert_message(ours.check_time_zone(), "W009", "USE_TZ is off", hint="USE_TZ = True")


class TheDeployment(CheckTestCase):
    def test_W010_with_DEBUG(self):
        """Asked by `check --deploy` alone."""
        self.assertEqual([], ours.check_debug())
        with override_settings(DEBUG=True):
            self.assert_message(ours.check_debug(), "W010", "DEBUG is on", hint="--no-reload")
            for is_deployed in (True, False):
                ids = {each.id for each in checks.run_checks(include_deployment_checks=is_deployed)}
                self.assertEqual(is_deployed, "durable_django.W010" in ids)


@override_settings(ROOT_URLCONF="tests.rooms.test_project_checks")
class TheAddresses(CheckTestCase):
    def test_W011_of_streams_that_nobody_may_read(self):
        """However deep they are included."""
        self.assert_message(found(ours.check_addresses), "W011", "403", hint="'STREAM_PERMISSION'")

    def test_that_somebody_may_read_are_fine(self):
        """Streams, or health and metrics alone; so is a project without them."""
        self.assertEqual([], found(ours.check_addresses, MONITORING_TOKEN="right"))
        self.assertEqual([], found(ours.check_addresses, STREAM_PERMISSION="tests.rooms.checking.found"))
        with override_settings(ROOT_URLCONF="tests.urls"):
            self.assertEqual([], found(ours.check_addresses))

    def test_that_cannot_be_read_are_left_to_Django(self):
        """It checks them itself."""
        for value in ("nowhere.urls", None, "", "tests.settings"):
            with self.subTest(value=value), override_settings(ROOT_URLCONF=value):
                self.assertEqual([], found(ours.check_addresses))


class TheTemplates(CheckTestCase):
    def test_W012_that_are_not_found(self):
        """Without APP_DIRS the admin's pages have none."""
        templates = deepcopy(settings.TEMPLATES)
        templates[0]["APP_DIRS"] = False

        self.assertEqual([], ours.check_templates())
        with override_settings(TEMPLATES=templates):
            self.assert_message(ours.check_templates(), "W012", "admin/durable_django/", hint="'APP_DIRS': True")

    def test_are_not_needed_without_the_admin(self):
        """Nothing is looked for."""
        with mock.patch.object(project.apps, "is_installed", return_value=False), override_settings(TEMPLATES=[]):
            self.assertEqual([], ours.check_templates())

    def test_that_cannot_be_configured_are_left_to_Django(self):
        """Its own checks say what is wrong."""
        for value in (5, [5], [{"BACKEND": "nowhere.Engine"}]):
            with self.subTest(value=value), override_settings(TEMPLATES=value):
                self.assertEqual([], ours.check_templates())
