"""The page, which waits for the database in a thread, and a feed, which under ASGI waits for it in the loop."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render

from guestbook.forms import EntryForm
from guestbook.models import Entry

_ENTRIES = 50


def guestbook(request: HttpRequest) -> HttpResponse:
    """Show the book, and take a line."""
    form = EntryForm(request.POST or None)
    if form.is_valid():
        form.save()
        return redirect("guestbook")
    return render(request, "guestbook/page.html", {"form": form, "entries": Entry.objects.all()[:_ENTRIES]})


async def latest(request: HttpRequest) -> JsonResponse:  # noqa: ARG001
    """Return the latest lines to a program."""
    return JsonResponse({"entries": [str(entry) async for entry in Entry.objects.all()[:_ENTRIES]]})
