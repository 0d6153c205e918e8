"""The first steps of a set-up: a credential, the vault and its passphrase, a recovery kit."""

import contextlib
import os
from typing import TYPE_CHECKING

from nightsafe.cli.setup.context import Context

if TYPE_CHECKING:
    from nightsafe.backend.base import Backend
    from nightsafe.repository.repository import Repository


def connect_computer(context: Context) -> None:
    """Have a credential, unless there is one already that shall stay."""
    from nightsafe.cli.commands.login import connect, try_and_store
    from nightsafe.errors import UsageError
    from nightsafe.settings.location import parse_url
    from nightsafe.settings.login import load_login

    args, given = context.args, context.given
    if args.repository or os.environ.get("NIGHTSAFE_REPOSITORY"):
        raise UsageError(
            "Set-up is for a vault at a service; -r and NIGHTSAFE_REPOSITORY name another place. "
            "There, use `nightsafe init`, `kit write`, `jobs add` and `service install`."
        )
    before = load_login()
    args.site = args.site or (given.site if given else "")
    if before is not None and context.wants(
        True if given else None,
        f"This computer is connected to {before.url} as {before.credential.username}. Stay with "
        "that?",
    ):
        args.site = before.site or args.site  # for the kit
        return
    if not args.site:
        if given:
            raise UsageError("The answers name no site, and this computer is not connected yet.")
        args.site = context.questions.ask(
            "The website's address, such as https://nightsafe.example",
            lambda typed: parse_url(typed).url.rstrip("/"),
        )
    args.computer = _name_of(context)
    try_and_store(connect(args, context.output), args, context.output)


def _name_of(context: Context) -> str | None:
    import socket

    if context.given:
        return context.given.computer or None
    question = "What shall this computer be called?"
    return context.questions.ask(question, str, default=socket.gethostname())


def prepare_vault(context: Context, storage: "Backend") -> None:
    """Make the repository, or open it; keep its passphrase; make a kit."""
    from nightsafe.backend.base import CONFIG_NAME, ObjectKind
    from nightsafe.errors import ObjectNotFoundError

    try:
        storage.load(ObjectKind.CONFIG, CONFIG_NAME)
        is_new = False
    except ObjectNotFoundError:
        is_new = True
    repository, passphrase = _make(context, storage) if is_new else _open(context, storage)
    context.done["repository"] = storage.location
    context.done["vault"] = "made" if is_new else "opened"
    _keep(context, passphrase, storage.location)
    _make_kit(context, repository, is_new=is_new)


def require_kit(context: Context) -> None:
    """Raise UsageError or SettingsError if the kit of the answers could not be written."""
    from nightsafe.recovery.record import load_kit_record
    from nightsafe.recovery.write_kit import require_writable
    from nightsafe.settings.login import load_login

    known, login = load_kit_record(), load_login()
    is_made = known is not None and login is not None and known.vault == login.url
    if context.given and context.given.kit and not is_made:
        require_writable(os.path.expanduser(context.given.kit))


def _make(context: Context, storage: "Backend") -> tuple["Repository", str]:
    from nightsafe.cli.commands.init import WARNING
    from nightsafe.cli.options import passphrase_source
    from nightsafe.repository.repository import Repository
    from nightsafe.settings.passphrase import choose_passphrase

    context.output.note(WARNING)
    source = passphrase_source(context.args, storage)
    passphrase = choose_passphrase(source=source, warn=context.output.note)
    return Repository.create(storage, passphrase), passphrase


def _open(context: Context, storage: "Backend") -> tuple["Repository", str]:
    """Open the vault; return it, and the reading of the passphrase that opened it."""
    from nightsafe.cli.options import passphrase_source
    from nightsafe.errors import PassphraseError
    from nightsafe.repository.repository import Repository
    from nightsafe.settings.kept_passphrase import why_kept
    from nightsafe.settings.passphrase import find_passphrase
    from nightsafe.settings.recovery_words import hint

    context.output.line(
        "The vault is set up already. Its passphrase opens it, or the words of its recovery kit."
    )
    found = find_passphrase(source=passphrase_source(context.args, storage))
    refusal = PassphraseError()
    for reading in (found.text, *found.others):
        try:
            return Repository.open(storage, reading), reading
        except PassphraseError as error:
            refusal = error
    why = why_kept(found.text, storage.location) or hint(found.text)
    raise PassphraseError(f"{refusal} {why}".rstrip())


def _keep(context: Context, passphrase: str, location: str) -> None:
    from nightsafe.errors import SettingsError
    from nightsafe.settings.kept_passphrase import keep_passphrase, kept_passphrase, kept_path

    with contextlib.suppress(SettingsError):  # a damaged file is replaced, if it is wanted
        if kept_passphrase(location) == passphrase:
            return
    if context.wants(
        context.given.keep_passphrase if context.given else None,
        "Backups that run by themselves need the passphrase each time. Keep it in "
        f"{kept_path()}, which only this user can read?",
    ):
        keep_passphrase(passphrase, location)
        return
    context.output.note(
        "Then say where it is: set NIGHTSAFE_PASSWORD_COMMAND or NIGHTSAFE_PASSWORD_FILE, and run "
        "`nightsafe service install` again. Until then no backup runs by itself."
    )


def _make_kit(context: Context, repository: "Repository", *, is_new: bool) -> None:
    from nightsafe.cli.resident.kit import make_kit
    from nightsafe.errors import AccessRefusedError
    from nightsafe.recovery.record import load_kit_record

    vault, given = repository.storage.location, context.given
    known = load_kit_record()
    if known is not None and known.vault == vault and not is_new:
        return  # one was made here, or tried
    path = os.path.expanduser(given.kit) if given else _ask_for_kit(context, is_new=is_new)
    if not path:
        return
    try:
        make_kit(repository, path, context.args.site, context.output)
    except AccessRefusedError as error:
        context.output.note(f"No kit was made: {error}")
        return
    context.done["kit"] = path


def _ask_for_kit(context: Context, *, is_new: bool) -> str:
    """Return where somebody wants a kit; empty for none."""
    from nightsafe.recovery.write_kit import require_writable

    if not context.questions.confirm(
        "A recovery kit is a page to print, whose words open the vault if the passphrase is lost. "
        "Make one?",
        default=is_new,
    ):
        return ""

    def new(typed: str) -> str:
        path = os.path.expanduser(typed)
        require_writable(path)
        return path

    default = os.path.join("~", "nightsafe-recovery-kit.html")
    return context.questions.ask("Where shall it be written?", new, default=default)
