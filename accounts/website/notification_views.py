"""Pages about notifications: what a member is mailed, and which systems are told."""

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import present_seat
from accounts.audit import Actor
from accounts.client_address import client_address
from accounts.closed_accounts import ClosedAccountError
from accounts.models import Account, Endpoint, Membership, Notice
from accounts.name_field import NameField
from accounts.notifications import bounces, endpoints, preferences, tokens
from accounts.notifications.public_http import RefusedAddressError
from accounts.notifications.registry import kind_of
from accounts.roles import Right
from accounts.topics import ReportRhythm, Topic
from accounts.website.acting import actor_of
from accounts.website.reauthentication import is_there, page_of_proof, require_presence

SHOWN = 20  # notices
_ENDPOINT_TOPICS = [(topic.value, gettext_lazy(topic.label)) for topic in Topic]


class MailForm(forms.Form):
    """What a member wants to be mailed about."""

    backups = forms.BooleanField(
        label=gettext_lazy(
            "Backups that are late, refused or removed, and a plan that is nearly full"
        ),
        required=False,
    )
    billing = forms.BooleanField(label=gettext_lazy("Payments and the plan"), required=False)
    reports = forms.ChoiceField(
        label=gettext_lazy("A regular report on your backups"),
        choices=[(one, gettext_lazy(label)) for one, label in ReportRhythm.choices],
        widget=forms.RadioSelect,
    )


class EndpointForm(forms.Form):
    """A system that is to get notices."""

    kind = forms.ChoiceField(
        label=gettext_lazy("What kind?"),
        choices=[(one, gettext_lazy(label)) for one, label in Endpoint.Kind.choices],
        widget=forms.RadioSelect,
    )
    name = NameField(
        label=gettext_lazy("Name"),
        max_length=100,
        help_text=gettext_lazy("So that you recognise it, for example “Pager”."),
    )
    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=500,
        help_text=gettext_lazy("It begins with https://. For ntfy, the address of your topic."),
        widget=forms.URLInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    topics = forms.MultipleChoiceField(
        label=gettext_lazy("What is it told?"),
        choices=_ENDPOINT_TOPICS,
        initial=[Topic.BACKUPS.value, Topic.SECURITY.value],
        widget=forms.CheckboxSelectMultiple,
    )

    def chosen(self) -> endpoints.Settings:
        """Return what was chosen, of a valid form."""
        data = self.cleaned_data
        return endpoints.Settings(data["name"], data["url"].strip(), data["topics"])


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def notifications(request: HttpRequest) -> HttpResponse:
    """What the member is mailed, the account's endpoints, and the latest notices."""
    seat = present_seat(request).membership
    account = seat.account
    now = preferences.preference_of(seat)
    form = MailForm(
        request.POST or None,
        initial={"backups": now.backups, "billing": now.billing, "reports": now.reports},
    )
    if request.method == "POST" and form.is_valid():
        preferences.choose(seat, **form.cleaned_data, actor=actor_of(request))
        messages.success(request, gettext("Saved."))
        return redirect("notifications")
    notices = preferences.notices_seen_by(seat).order_by("-pk")
    unreachable = bounces.suppressed().filter(email=seat.user.email.lower()).first()
    context = {
        "form": form,
        "seat": seat,
        "runs_it": preferences.wants(seat, Topic.SECURITY),
        "endpoints": endpoints.endpoints_of(account),
        "notices": [_shown(notice) for notice in notices[:SHOWN]],
        "unreachable": unreachable,
    }
    return render(request, "notifications/notifications.html", context)


@login_required
@require_POST
def write_again(request: HttpRequest) -> HttpResponse:
    """Write to the member's address again, after mail to it came back."""
    seat = present_seat(request).membership
    if bounces.lift(seat.user.email):
        messages.success(
            request, gettext("We write to you again. If mail comes back once more, we stop.")
        )
    return redirect("notifications")


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def add_endpoint(request: HttpRequest) -> HttpResponse:
    """Add a system that gets notices."""
    account = present_seat(request).require(Right.CHANGE_ACCOUNT).account
    require_presence(request)  # a stranger would be told of the account from then on
    form = EndpointForm(request.POST or None, initial={"kind": Endpoint.Kind.WEBHOOK})
    if request.method == "POST" and form.is_valid():
        kind = form.cleaned_data["kind"]
        try:
            made = endpoints.add(account, kind=kind, chosen=form.chosen(), actor=actor_of(request))
        except RefusedAddressError as error:
            form.add_error("url", _sentence(error))
        except endpoints.TooManyEndpointsError:
            form.add_error(
                None,
                gettext("An account has at most %(max_endpoints)s; remove one first.")
                % {"max_endpoints": endpoints.MAX_ENDPOINTS},
            )
        except ClosedAccountError as error:
            form.add_error(None, str(error))
        else:
            return redirect("endpoint", made.public_id)
    return render(request, "notifications/endpoint_add.html", {"form": form})


@login_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def endpoint(request: HttpRequest, endpoint_id: str) -> HttpResponse:
    """One endpoint: how it does, what it was sent, and its settings."""
    account = present_seat(request).require(Right.CHANGE_ACCOUNT).account
    found = _endpoint(account, endpoint_id)
    require_presence(request)  # another address is as much as another endpoint
    form = EndpointForm(
        request.POST or None,
        initial={"kind": found.kind, "name": found.name, "url": found.url, "topics": found.topics},
    )
    del form.fields["kind"]
    if request.method == "POST" and form.is_valid():
        try:
            endpoints.change(found, chosen=form.chosen(), actor=actor_of(request))
        except RefusedAddressError as error:
            form.add_error("url", _sentence(error))
        except ClosedAccountError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, gettext("Saved."))
            return redirect("endpoint", found.public_id)
    deliveries = found.deliveries.select_related("notice").order_by("-pk")[:SHOWN]
    context = {
        "form": form,
        "endpoint": found,
        "deliveries": deliveries,
        "is_signed": found.kind == Endpoint.Kind.WEBHOOK,
        "key": tokens.shown_key(found) if is_there(request) else "",
    }
    return render(request, "notifications/endpoint.html", context)


@login_required
@require_POST
def act_on_endpoint(request: HttpRequest, endpoint_id: str, act: str) -> HttpResponse:
    """Send a test, show the key, sign with another, send again what was given up, or remove."""
    account = present_seat(request).require(Right.CHANGE_ACCOUNT).account
    found = _endpoint(account, endpoint_id)
    if act in ("key", "remove"):
        require_presence(request)
    match act:
        case "show" if is_there(request):
            pass  # the page shows it
        case "show":
            page = reverse("endpoint", args=[found.public_id])
            return redirect(page_of_proof(request, then=page))
        case "test" if endpoints.send_test(found):
            messages.success(request, gettext("A test is on its way; its outcome appears below."))
        case "test":
            messages.warning(request, gettext("A test was sent a moment ago; wait a minute."))
        case "key":
            endpoints.renew_key(found, actor=actor_of(request))
            messages.success(request, gettext("It is signed with the new key from now on."))
        case "again":
            given_up = found.deliveries.filter(state="failed").order_by("pk")[:100]
            count = sum(endpoints.send_again(delivery) for delivery in given_up)
            messages.success(request, gettext("%(count)s on their way again.") % {"count": count})
        case "remove":
            endpoints.remove(found, actor=actor_of(request))
            messages.success(
                request,
                gettext("“%(found_name)s” is told nothing more.") % {"found_name": found.name},
            )
            return redirect("notifications")
        case _:
            raise Http404
    return redirect("endpoint", found.public_id)


@csrf_exempt  # mail programs post here by themselves (RFC 8058); the token proves where from
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """End a member's mails about a topic: by one click in a mail program, or by a button here."""
    read = tokens.read_unsubscribe_token(token)
    seat = Membership.objects.select_related("user", "account").filter(pk=read[0] if read else 0)
    member = seat.first()
    if read is None or member is None:
        raise Http404
    topic = read[1]
    if request.method == "POST":
        preferences.turn_off(
            member, topic, actor=Actor.person(member.user, address=client_address(request))
        )
    context = {"topic": topic, "is_done": request.method == "POST", "member": member}
    return render(request, "notifications/unsubscribe.html", context)


def _endpoint(account: Account, endpoint_id: str) -> Endpoint:
    return get_object_or_404(endpoints.endpoints_of(account), public_id=endpoint_id)


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _shown(notice: Notice) -> tuple[Notice, str]:
    return notice, kind_of(notice.kind).write(notice.values).subject
