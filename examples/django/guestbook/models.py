"""What a guest book holds."""

from typing import ClassVar

from django.db import models


class Entry(models.Model):
    """A line of a guest."""

    name = models.CharField(max_length=40)
    text = models.CharField(max_length=200)
    written = models.DateTimeField(auto_now_add=True)

    class Meta:
        """The latest ones first."""

        ordering: ClassVar[list[str]] = ["-written", "-id"]
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"
