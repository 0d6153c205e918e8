"""Staff who are no superusers: one person in each group."""

import pytest
from django.contrib.auth.models import Group

from accounts.staff.groups import StaffGroup
from tests.support.pages import Client
from tests.unit.website.conftest import client_of, person, with_second_factor


def member_of(group: StaffGroup) -> Client:
    """A browser of somebody in a group, who has shown a second factor."""
    user = person(f"{group}@example.org", is_staff=True)
    user.groups.add(Group.objects.get_or_create(name=group.value)[0])
    return with_second_factor(client_of(user), user)


@pytest.fixture
def support() -> Client:
    return member_of(StaffGroup.SUPPORT)


@pytest.fixture
def billing() -> Client:
    return member_of(StaffGroup.BILLING)


@pytest.fixture
def operations() -> Client:
    return member_of(StaffGroup.OPERATIONS)
