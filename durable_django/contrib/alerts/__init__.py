"""Mails to ADMINS about incidents: add "durable_django.contrib.alerts" to INSTALLED_APPS."""
