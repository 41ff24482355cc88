"""manage.py worker and manage.py durable."""
