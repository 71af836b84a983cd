"""Django, for both interfaces; WebSockets by Channels."""

import asyncio
import hashlib
import itertools
import json
import time
from pathlib import Path

import django
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.exceptions import BadRequest
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import redirect as redirect_to
from django.urls import include, path, re_path, reverse
from django.views.decorators.http import require_GET
from django.views.static import serve
from gates import LARGE, LIMIT, is_open, mark, passed, pause, wait


class Order:
    """A middleware, as Django's documentation writes one for both interfaces."""

    async_capable = sync_capable = True
    name = ""

    def __init__(self, get_response):
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request):
        return self.call(request) if iscoroutinefunction(self) else self.add(self.get_response(request))

    async def call(self, request):
        return self.add(await self.get_response(request))

    def add(self, response):
        response["X-Order"] = f"{response['X-Order']},{self.name}" if "X-Order" in response else self.name
        return response


class Outer(Order):
    name = "outer"


class Inner(Order):
    name = "inner"


class Handled(Exception):
    pass


class Errors(Order):
    def add(self, response):
        return response

    def process_exception(self, request, error):
        return JsonResponse({"error": "handled"}, status=418) if isinstance(error, Handled) else None


settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="no secret",  # noqa: S106
    INSTALLED_APPS=["django.contrib.sessions"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    DATA_UPLOAD_MAX_MEMORY_SIZE=LIMIT,
    USE_X_FORWARDED_HOST=False,
    MIDDLEWARE=[
        f"{__name__}.Outer",
        f"{__name__}.Inner",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        f"{__name__}.Errors",
    ],
    USE_TZ=True,
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "loggers": {"django.request": {"handlers": ["console"], "level": "ERROR"}},
    },
)
django.setup()


def described(data):
    return JsonResponse({"size": len(data), "sha256": hashlib.sha256(data).hexdigest()})


@require_GET
def hello(request):
    return HttpResponse(f"hello {request.GET['name']}", content_type="text/plain")


def where(request):
    return JsonResponse({"url": request.build_absolute_uri(), "client": request.META["REMOTE_ADDR"]})


def item(request, id):  # noqa: A002
    return JsonResponse({"id": id})


def name(request, name):
    return HttpResponse(name)


def method(request):
    return HttpResponse(request.method)


def query(request):
    pairs = [[key, value] for key, values in request.GET.lists() for value in values]
    return JsonResponse(pairs, safe=False)


def headers(request):
    return JsonResponse({name.lower(): [value] for name, value in request.headers.items()})


def cookies(request):
    return JsonResponse(request.COOKIES)


def set_cookies(request):
    response = HttpResponse("set")
    response.set_cookie("first", "1", httponly=True)
    response.set_cookie("second", "2", max_age=60)
    return response


def delete_cookie(request):
    response = HttpResponse("deleted")
    response.delete_cookie("first")
    return response


def session(request):
    if "set" in request.GET:
        request.session["value"] = request.GET["set"]
    return HttpResponse(request.session.get("value", ""))


def redirect(request):
    return redirect_to(request.build_absolute_uri(reverse("hello") + "?name=x"))


def json_echo(request):
    try:
        return JsonResponse(json.loads(request.body), safe=False)
    except ValueError:
        raise BadRequest from None


def form(request):
    return JsonResponse(request.POST.dict())


def upload(request):
    file = request.FILES["file"]
    data = file.read()
    return JsonResponse({"name": file.name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})


def whole(request):
    return described(request.read())


def pieces(request):
    size, digest = 0, hashlib.sha256()
    while piece := request.read(10_000):
        size += len(piece)
        digest.update(piece)
    return JsonResponse({"size": size, "sha256": digest.hexdigest()})


def limited(request):
    return JsonResponse({key: len(value) for key, value in request.POST.items()})


def unread(request):
    return HttpResponse("not read")


def stream(request):
    def chunks():
        for number in range(3):
            yield f"{number}\n"
            wait(f"{request.GET['gate']}.{number}")

    return StreamingHttpResponse(chunks())


async def async_stream(request):
    async def chunks():
        for number in range(3):
            yield f"{number}\n"
            await passed(f"{request.GET['gate']}.{number}")

    return StreamingHttpResponse(chunks())


def lines(request):
    return StreamingHttpResponse((f"{number}\n" for number in range(1000)), content_type="text/plain")


async def async_lines(request):
    async def numbered():
        for number in range(1000):
            yield f"{number}\n"

    return StreamingHttpResponse(numbered(), content_type="text/plain")


def events(request):
    def numbered():
        try:
            for number in itertools.count():
                yield f"data: {number}\n\n"
                time.sleep(0.01)
        finally:
            mark(f"{request.GET['gate']}.closed")

    return StreamingHttpResponse(numbered(), content_type="text/event-stream")


async def async_events(request):
    async def numbered():
        try:
            for number in itertools.count():
                yield f"data: {number}\n\n"
                await pause(number, "silent" in request.GET)
        finally:
            mark(f"{request.GET['gate']}.closed")

    return StreamingHttpResponse(numbered(), content_type="text/event-stream")


def large(request):
    return HttpResponse(LARGE, content_type="application/octet-stream")


def download(request):
    return FileResponse(Path("static/data.txt").open("rb"), as_attachment=True, filename="résumé.txt")


def compressible(request):
    return HttpResponse("compressible " * 1000)


def handled(request):
    raise Handled


def unhandled(request):
    raise RuntimeError("unhandled")


def breaks(request):
    def chunks():
        yield "partial"
        raise RuntimeError("half way")

    return StreamingHttpResponse(chunks())


async def async_breaks(request):
    async def chunks():
        yield "partial"
        raise RuntimeError("half way")

    return StreamingHttpResponse(chunks())


def poll(request):
    gate = request.GET["gate"]
    mark(f"{gate}.waits")
    wait(f"{gate}.go")
    return HttpResponse("woken")


async def async_poll(request):
    gate = request.GET["gate"]
    mark(f"{gate}.waits")
    try:
        while not is_open(f"{gate}.go"):
            await asyncio.sleep(0.01)
    except asyncio.CancelledError:
        mark(f"{gate}.left")
        raise
    return HttpResponse("woken")


def empty(request):
    return HttpResponse(status=204)


class Echo(AsyncWebsocketConsumer):
    async def receive(self, text_data=None, bytes_data=None):
        await self.send(text_data=text_data, bytes_data=bytes_data)

    async def disconnect(self, code):
        gate = self.scope["query_string"].decode().removeprefix("gate=")
        if gate:
            mark(f"{gate}.left", code)


class About(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        headers = dict(self.scope["headers"])
        cookies = dict(pair.split("=") for pair in headers[b"cookie"].decode().split("; "))
        query = self.scope["query_string"].decode().removeprefix("q=").replace("+", " ")
        name = self.scope["url_route"]["kwargs"]["name"]
        told = {"thing": headers[b"x-thing"].decode(), "cookies": cookies, "query": query, "name": name}
        await self.send(json.dumps(told))
        await self.close()


class Protocol(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept("chat.v2" if "chat.v2" in self.scope["subprotocols"] else None)
        await self.send("accepted")
        await self.close()


class Close(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        await self.close(self.scope["url_route"]["kwargs"]["code"], "as asked")


class Reject(AsyncWebsocketConsumer):
    async def connect(self):
        await self.close()


class Raise(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        raise RuntimeError("unhandled in a WebSocket")


class Many(AsyncWebsocketConsumer):
    async def connect(self):
        await self.accept()
        for number in range(1000):
            await self.send(str(number))
        await self.close()


static = path("static/<path:path>", serve, {"document_root": Path("static").resolve()})
urlpatterns = [
    path("hello", hello, name="hello"),
    path("where", where),
    path("items/<int:id>", item),
    path("names/<name>", name),
    path("method", method),
    path("query", query),
    path("headers", headers),
    path("cookies", cookies),
    path("set-cookies", set_cookies),
    path("delete-cookie", delete_cookie),
    path("session", session),
    path("redirect", redirect),
    path("json", json_echo),
    path("form", form),
    path("upload", upload),
    path("whole", whole),
    path("pieces", pieces),
    path("limited", limited),
    path("unread", unread),
    path("stream", stream),
    path("lines", lines),
    path("events", events),
    path("large", large),
    path("download", download),
    path("compressible", compressible),
    path("handled", handled),
    path("unhandled", unhandled),
    path("breaks", breaks),
    path("poll", poll),
    path("empty", empty),
    path("sub/", include([path("where", where)])),
    static,
]


class async_urls:  # noqa: N801 - in the place of a module
    urlpatterns = [
        path("stream", async_stream),
        path("lines", async_lines),
        path("events", async_events),
        path("breaks", async_breaks),
        path("poll", async_poll),
        *urlpatterns,
    ]


def wsgi():
    return get_wsgi_application()


def asgi():
    settings.ROOT_URLCONF = async_urls
    websockets = URLRouter(
        [
            path("ws/echo", Echo.as_asgi()),
            path("sub/ws", Echo.as_asgi()),
            path("ws/about/<name>", About.as_asgi()),
            path("ws/protocol", Protocol.as_asgi()),
            path("ws/close/<int:code>", Close.as_asgi()),
            path("ws/reject", Reject.as_asgi()),
            path("ws/raise", Raise.as_asgi()),
            path("ws/many", Many.as_asgi()),
            re_path("", Reject.as_asgi()),
        ]
    )
    return ProtocolTypeRouter({"http": get_asgi_application(), "websocket": websockets})
