"""What a guest fills in."""

from typing import ClassVar

from django import forms

from guestbook.models import Entry


class EntryForm(forms.ModelForm):
    """A line for the book."""

    class Meta:
        """The model, and what of it is asked for."""

        model = Entry
        fields: ClassVar[list[str]] = ["name", "text"]
