"""What the service knows of its own work, apart from any vault."""

from django.db import models


class Runner(models.Model):
    """A kind of work that one worker does at a time. Free, or held until a moment."""

    name = models.CharField(max_length=40, unique=True)
    token = models.CharField(max_length=32, blank=True)
    until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} until {self.until}" if self.token else f"{self.name}, free"
