"""A customer's whole life with the service, in a real browser at real processes, and a thief's day.

Nothing is pretended but the money, and the weeks, for which the clock is moved.
"""

import csv
import io
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Response, expect

from backup_service.env import BASE_DIR
from tests.browser.test_passkeys import add_passkey, sign_out, with_authenticator
from tests.support.browser.customer import Customer
from tests.support.browser.visitor import PASSWORD
from tests.support.journeys.computer import contents
from tests.support.journeys.service import Service
from tests.support.peers import NEWEST_RESTIC, path_of
from tests.support.programs import leave_out
from tests.support.waiting import wait_until

pytestmark = pytest.mark.browser
MB = 1_000_000
GOOD, FAILS_LATER = "4242 4242 4242 4242", "4000 0000 0000 0341"
SMALL_PLANS = """
from accounts.audit import OPERATOR
from billing.models import Plan
from billing.plans import change_plan
for slug, megabytes in (("free", 20), ("personal", 60)):
    change_plan(Plan.objects.get(slug=slug), {"quota_bytes": megabytes * 10**6}, actor=OPERATOR)
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose plans have room for little, so that a little fills them."""
    if not (BASE_DIR / "packages" / "packages.json").exists():
        leave_out("no packages are here (make packages)")
    running = Service(tmp_path_factory.mktemp("service") / "data")
    try:
        running.start()
        running.ask("shell", "-v0", "-c", SMALL_PLANS)
        yield running
    finally:
        running.close()


@pytest.fixture(scope="class")
def carla(browser: Browser, service: Service, tmp_path_factory: pytest.TempPathFactory) -> Customer:
    return Customer(browser, service, "carla@example.org", tmp_path_factory.mktemp("carla"))


class TestFromVisitorToNothingLeft:
    """The tests of this class go on where the one before ended."""

    def test_a_visitor_signs_up_and_adds_a_passkey(self, carla: Customer) -> None:
        carla.go("/")
        carla.page.get_by_role("navigation", name="Main").get_by_role(
            "link", name="Pricing"
        ).click()
        carla.page.wait_for_url("**/pricing/")
        carla.says("60\u00a0MB of encrypted data")
        carla.follow("Sign up")
        carla.page.get_by_label("E-mail address").fill(carla.email)
        carla.page.get_by_label("Password for this website").fill(PASSWORD)
        carla.press("Sign up")
        carla.open_mails()
        carla.follow(re.compile("confirm-email"))
        carla.press("Yes, confirm")
        carla.says("Nothing is backed up yet")

        with_authenticator(carla)
        add_passkey(carla)
        sign_out(carla)
        carla.sign_in_with_passkey()
        carla.says("Nothing is backed up yet")

    def test_the_program_comes_from_the_download_page_and_is_connected(
        self, carla: Customer
    ) -> None:
        carla.follow("get the program")
        carla.says("Your browser says that this is Linux.")
        carla.page.get_by_text("From this service alone").click()
        carla.computer.install(carla.command("--index-url"))  # the site under test
        assert carla.computer.run("--version").stdout.startswith("nightsafe ")

        carla.go("/dashboard/")
        site = carla.command("nightsafe setup").split()[-1]
        with carla.computer.login(site, name="laptop") as code:
            carla.follow("confirm here")
            carla.page.get_by_label("The code that the computer shows").fill(code)
            carla.press("Go on")
            carla.says("Connect “laptop”?")
            carla.press("Connect it")
            carla.says("“laptop” is connected.")

    def test_the_first_backup_is_seen_live(self, carla: Customer) -> None:
        carla.computer.write("letters", 2 * MB)
        carla.computer.run("init")
        page, standing = carla.page, carla.page.get_by_role("main").locator(".standing").first
        page.clock.install()
        carla.go("/dashboard/")
        expect(standing).to_have_text("never")
        loads: list[Response] = []
        page.on("response", lambda answer: loads.append(answer))
        carla.back_up()

        def protected() -> bool:
            page.clock.fast_forward(70_000)
            return standing.inner_text() == "protected"

        wait_until(protected, 20)
        assert {answer.request.resource_type for answer in loads} == {"fetch"}
        carla.says("Your computer is protected.")

    def test_room_grows_as_soon_as_it_is_paid_for(self, carla: Customer) -> None:
        carla.go("/billing/")
        carla.says("of 20\u00a0MB are used")
        carla.follow("Choose a plan")
        carla.page.get_by_role("region", name="Personal").get_by_role("button").click()
        carla.look()
        carla.says("$5.00 a month")
        carla.pay("Subscribe", GOOD)
        carla.page.wait_for_url("**/billing/")
        carla.says("Your account is on the plan Personal.")
        carla.says("of 60\u00a0MB are used")
        carla.go("/dashboard/")
        carla.says("of 60\u00a0MB, plan Personal")

    def test_what_does_not_fit_is_refused_on_the_page_and_in_the_mail(
        self, carla: Customer
    ) -> None:
        carla.computer.write("film", 70 * MB)
        said = carla.back_up(status=1).stderr
        assert "Over quota" in said
        carla.go("/dashboard/")
        assert carla.standing() == "refused"
        carla.says("The service refused the last backup")
        mail = carla.mail("A backup of “laptop” was refused")
        assert "Over quota" in mail
        carla.follow("laptop")
        carla.says("Over quota")

        (carla.computer.files / "film").unlink()
        carla.is_granted("10MB", days=150, reason="Her film came by mistake")
        carla.back_up()
        carla.go("/dashboard/")
        assert carla.standing() in ("copying", "protected")

    def test_a_card_that_fails_ends_new_backups_and_no_restore(self, carla: Customer) -> None:
        carla.hours_pass()
        carla.go("/billing/")
        carla.press("Change plan, card or cancel")
        carla.use_passkey()
        carla.pay("Use this card", FAILS_LATER)
        carla.follow("Return to the site")
        carla.advance("32d")
        carla.wait_for_state("grace")
        carla.go("/billing/")
        carla.says("A payment did not work. It is tried again by itself")
        assert "Nothing changes until" in carla.mail(
            "A payment for your plan Personal did not work"
        )

        carla.advance("16d")
        carla.wait_for_state("read-only")
        assert "restores" in carla.mail("New backups are paused: a payment is overdue")
        carla.go("/dashboard/")
        carla.says("A payment is overdue, so new backups are paused; restores still work.")
        assert "A payment is overdue" in carla.back_up(status=1).stderr
        restored = carla.computer.restored(carla.folder / "unpaid")
        assert restored == contents(carla.computer.files)

    def test_who_pays_is_back_to_normal(self, carla: Customer) -> None:
        carla.go("/billing/")
        carla.says("If nothing is paid")
        row = carla.page.get_by_role("row", name="to be paid")
        row.get_by_role("link").click()
        carla.look()
        carla.pay("Pay $5.00", GOOD)
        carla.says("paid")
        carla.wait_for_state("normal")
        carla.go("/billing/")
        carla.says("All is paid, and backups and restores work.")
        carla.computer.write("diary", 1 * MB)
        carla.back_up()
        carla.go("/dashboard/")
        assert carla.standing() in ("copying", "protected")

    def test_a_plan_that_is_cancelled_ends_with_its_period(self, carla: Customer) -> None:
        carla.hours_pass()
        carla.go("/billing/")
        carla.press("Change plan, card or cancel")
        carla.use_passkey()
        carla.page.get_by_label("Why do you cancel?").select_option("unused")
        carla.press("Cancel at the end of the period")
        carla.follow("Return to the site")
        carla.says("Your plan Personal is cancelled and ends on")
        carla.advance("20d")
        carla.wait_for_state("over-cap")
        carla.go("/billing/")
        carla.says("More is stored than the plan has room for, so new backups are paused.")
        carla.mail("More is stored than your plan Free has room for")

    def test_everything_that_is_kept_of_her_can_be_read(self, carla: Customer) -> None:
        carla.hours_pass()
        carla.go("/settings/export/")
        carla.page.get_by_role("button", name="Download").click()
        carla.use_passkey()
        with carla.page.expect_download() as download:
            carla.page.get_by_role("button", name="Download").click()
        with zipfile.ZipFile(download.value.path()) as archive:
            texts = {name: archive.read(name).decode() for name in archive.namelist()}
        assert carla.email in "".join(texts.values())
        assert "laptop" in "".join(texts.values())
        lists = [text for name, text in texts.items() if name.endswith(".csv")]
        assert len(lists) > 5
        assert all(len({len(row) for row in csv.reader(io.StringIO(one))}) <= 1 for one in lists)

    def test_she_closes_the_account_and_nothing_is_left(self, carla: Customer) -> None:
        account = carla.account()
        carla.hours_pass()
        carla.go("/settings/close/")
        asked = carla.page.get_by_label("Type the account")
        asked.fill(carla.email.partition("@")[0])
        carla.page.get_by_role("button", name="Close the account").click()
        carla.use_passkey()
        carla.says("is closed")
        carla.mail("is closed, and is erased after")
        restored = carla.computer.restored(carla.folder / "closed")
        assert restored == contents(carla.computer.files)
        assert carla.stored()

        carla.advance("31d")
        carla.wait_for_erasure(account)
        assert "This is the last mail about this account" in carla.mail("is erased")
        assert carla.stored() == []
        carla.go("/dashboard/")
        assert "/accounts/login/" in carla.page.url
        carla.computer.run("snapshots", status=1)


def test_what_a_thief_removes_is_back_whole(
    browser: Browser, service: Service, tmp_path: Path
) -> None:
    restic = path_of(NEWEST_RESTIC)
    victim = Customer(browser, service, "victor@example.org", tmp_path)
    page = victim.page
    victim.sign_up(victim.email)
    victim.follow("Add it by hand, or for restic")
    page.get_by_label("Name of the computer").fill("desk")
    victim.press("Add it and show the secret")
    owner = victim.restic(restic, tmp_path / "cache")
    victim.follow("I have it, go to the vault")
    vault = page.url
    owner("init")
    before = []
    for number in range(2):
        victim.computer.write(f"work-{number}", 3 * MB)
        owner("backup", str(victim.computer.files))
        before.append(contents(victim.computer.files))

    page.goto(vault)
    victim.follow("Add a credential")
    page.get_by_label("Maintain").check()
    victim.press("Make it and show the secret")
    victim.type_password()
    thief = victim.restic(restic, tmp_path / "thief")
    thief("forget", "--unsafe-allow-remove-all", "--tag", "", "--prune")
    assert "[]" in thief("snapshots", "--json")

    mail = victim.mail("Nearly everything was removed from “desk”")
    assert "bring back what was removed" in " ".join(mail.split())
    victim.go("/dashboard/")
    assert victim.standing() == "at risk"
    page.goto(vault)
    victim.says("Nearly everything was removed")
    victim.follow("Bring it back")
    victim.hours_pass()
    page.get_by_role("button", name="Everything as it was before").last.click()
    victim.type_password()
    victim.says("2 of them are snapshots.")
    victim.press("Bring it back")
    wait_until(lambda: page.reload() and "It is back" in page.inner_text("main"), 20)
    victim.look()

    assert "no errors were found" in owner("check", "--read-data")
    ids = re.findall(r'"id":"([0-9a-f]{64})"', owner("snapshots", "--json"))
    for snapshot, files in zip(ids, before, strict=True):
        target = tmp_path / snapshot[:8]
        owner("restore", snapshot, "--target", str(target))
        assert contents(target / victim.computer.files.relative_to("/")) == files
        shutil.rmtree(target)
