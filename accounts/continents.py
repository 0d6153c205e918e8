"""The continents that customers choose between, as configuration and database spell them."""

from django.db.models import TextChoices
from django.utils.translation import gettext_noop


class Continent(TextChoices):
    AFRICA = "africa", gettext_noop("Africa")
    ASIA = "asia", gettext_noop("Asia")
    EUROPE = "europe", gettext_noop("Europe")
    NORTH_AMERICA = "north-america", gettext_noop("North America")
    OCEANIA = "oceania", gettext_noop("Oceania")
    SOUTH_AMERICA = "south-america", gettext_noop("South America")
