"""The book, for its administrator."""

from django.contrib import admin

from guestbook.models import Entry


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):
    """A list of lines to look through."""

    list_display = ("written", "name", "text")
    search_fields = ("name", "text")
