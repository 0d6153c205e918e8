"""The continents that customers choose between, as configuration and database spell them."""

from django.db.models import TextChoices


class Continent(TextChoices):
    AFRICA = "africa"
    ASIA = "asia"
    EUROPE = "europe"
    NORTH_AMERICA = "north-america", "North America"
    OCEANIA = "oceania"
    SOUTH_AMERICA = "south-america", "South America"
