"""Django, with a database, synchronous and asynchronous views."""

import asyncio

import django
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="no secret",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    USE_TZ=True,
)
django.setup()


def hello(request):
    return HttpResponse(f"hello {request.GET['name']}")


def secure(request):
    return HttpResponse(f"{request.is_secure()} {request.build_absolute_uri()}")


def upload(request):
    return HttpResponse(str(request.FILES["file"].size))


def form(request):
    return HttpResponse(request.POST["a"])


def stream(request):
    return StreamingHttpResponse(f"{number}\n" for number in range(1000))


def count(request):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 + 1")
        return HttpResponse(str(cursor.fetchone()[0]))


async def coroutine():
    await asyncio.sleep(0)
    return "from a coroutine"


async def asynchronous(request):
    return HttpResponse(await coroutine())


def sync_calls_async(request):
    return HttpResponse(async_to_sync(sync_to_async(async_to_sync(coroutine)))())


urlpatterns = [
    path("hello", hello),
    path("secure", secure),
    path("upload", upload),
    path("form", form),
    path("stream", stream),
    path("count", count),
    path("async", asynchronous),
    path("sync-to-async", sync_calls_async),
]

wsgi = WSGIHandler()
asgi = ASGIHandler()
