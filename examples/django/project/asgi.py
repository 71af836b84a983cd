"""What an ASGI server calls: `target = "project.asgi:application"`."""

import os

from django.core.asgi import get_asgi_application
from django.urls import resolve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_asgi_application()

# Django would import the views at the first request. Now a mistake in them stops a reload, and the old code goes on.
resolve("/")
