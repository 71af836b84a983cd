"""What a WSGI server calls: `target = "project.wsgi:application"`."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import resolve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_wsgi_application()

# Django would import the views at the first request. Now a mistake in them stops a reload, and the old code goes on.
resolve("/")
