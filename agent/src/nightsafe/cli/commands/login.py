"""`nightsafe login`: get, test and store a vault's credential."""

import argparse
import sys
from typing import TYPE_CHECKING

from nightsafe.cli.arguments import non_empty
from nightsafe.cli.options import Verbs, add_verb
from nightsafe.cli.output import Output

if TYPE_CHECKING:
    from nightsafe.backend.rest import RestBackend
    from nightsafe.backend.rest_url import Credential
    from nightsafe.settings.login import Login


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    parser = add_verb(
        verbs,
        "login",
        run,
        help="connect this computer to a vault: with the website's address, by a code that you "
        "confirm there; without, by a credential from a prompt or standard input: a connect "
        "string (http(s)://user:secret@host/restic/vault/), or address, user name and secret "
        "on a line each",
        json='one object {"repository", "username", "stored_in", "vault": "ready" or "empty"}; '
        'with a website one {"event": "code", "verification_uri", "user_code", "expires_in"} '
        "before it",
    )
    add_site(parser)
    parser.add_argument(
        "--computer",
        type=non_empty,
        metavar="NAME",
        help="what this computer is called there (default: its host name)",
    )


def add_site(parser: argparse.ArgumentParser) -> None:
    """Declare the website's address, for every verb that connects."""
    parser.add_argument(
        "site",
        nargs="?",
        type=non_empty,
        metavar="WEBSITE",
        help="the website's address, such as https://nightsafe.example",
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """Read the credential, test it, store it, and print what was found."""
    login = connect(args, output) if args.site else _read_login(args.repository)
    if not args.site:
        _warn_if_open(login.url, output)
    path, is_ready = try_and_store(login, args, output)
    if is_ready:
        output.line("The vault is ready: `nightsafe snapshots` lists what it holds.")
    else:
        output.line("The vault is empty: `nightsafe init` prepares it.")
    output.result(
        {
            "repository": login.url,
            "username": login.credential.username,
            "stored_in": path,
            "vault": "ready" if is_ready else "empty",
        }
    )
    return 0


def try_and_store(login: "Login", args: argparse.Namespace, output: Output) -> tuple[str, bool]:
    """Test a credential and store it; return where, and whether its vault is ready.

    StorageError if it does not work; then nothing is stored.
    """
    from nightsafe.backend.rest import RestBackend
    from nightsafe.settings.location import find_cacert, find_patience
    from nightsafe.settings.login import save_login

    remote = RestBackend(
        login.url,
        login.credential,
        patience=find_patience(args.patience),
        cacert=find_cacert(args.cacert),
    )
    try:
        is_ready = _try(remote)
    finally:
        remote.close()
    before = _stored()
    path = save_login(login)
    output.line(f"The credential works and is stored in {path}.")
    if before is not None and before[:2] != login[:2]:
        output.line(
            f"It takes the place of {before.credential.username} for {before.url}, which still "
            "works: revoke it on the website unless something else uses it."
        )
    return path, is_ready


def _stored() -> "Login | None":
    """Return the login that is stored now; None where none can be read."""
    from nightsafe.errors import SettingsError
    from nightsafe.settings.login import load_login

    try:
        return load_login()
    except SettingsError:
        return None


def connect(args: argparse.Namespace, output: Output) -> "Login":
    """Show a code and wait until the owner has confirmed it on the website."""
    import socket

    from nightsafe.backend.device_login import DeviceLogin
    from nightsafe.errors import UsageError
    from nightsafe.settings.location import find_cacert, find_patience, parse_url
    from nightsafe.settings.login import Login

    if args.repository:
        raise UsageError("Give either the website's address or -r, not both.")
    site = parse_url(args.site).url
    _warn_if_open(site, output)
    patience, cacert = find_patience(args.patience), find_cacert(args.cacert)
    service = DeviceLogin(site, patience=patience, cacert=cacert)
    try:
        codes = service.begin(args.computer or socket.gethostname())
        if not output.as_json:  # with --quiet too, for without the code nothing can go on
            output.note(
                "Open this page in a browser, here or on any other device:\n\n"
                f"    {codes.page}\n\n"
                f"and type the code {codes.user_code} there. Waiting (Ctrl-C to stop) ..."
            )
        output.result(
            {
                "event": "code",
                "verification_uri": codes.page,
                "user_code": codes.user_code,
                "expires_in": int(codes.lifetime),
            }
        )
        connected = service.wait(codes)
    finally:
        service.close()
    _warn_if_open(connected.url, output)
    return Login(connected.url, connected.credential, site)


def _read_login(option: str | None) -> "Login":
    from nightsafe.backend.rest_url import Credential
    from nightsafe.errors import SettingsError
    from nightsafe.settings.location import find_location, is_url, parse_url
    from nightsafe.settings.login import Login

    if option:
        find_location(option, {})  # refuses a secret on the command line
    text = option or _ask("Connect string, or the vault's address (not shown): ", hidden=True)
    if not is_url(text):
        raise SettingsError(
            "A login is for a server: paste an address that begins with http:// or https://. "
            "A folder needs no login; use -r with it."
        )
    address = parse_url(text)
    credential = address.credential
    if credential is None or not credential.secret:
        username = credential.username if credential else _ask("User name: ", hidden=False)
        credential = Credential(username, _ask("Secret (not shown): ", hidden=True))
    return Login(address.url, _checked(credential))


def _checked(credential: "Credential") -> "Credential":
    from nightsafe.errors import SettingsError

    if not credential.username or not credential.secret or ":" in credential.username:
        raise SettingsError("The user name or the secret is missing; nothing was stored.")
    return credential


def _ask(prompt: str, *, hidden: bool) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    if not hidden:
        return input(prompt).strip()
    import getpass

    return getpass.getpass(prompt).strip()


def _try(remote: "RestBackend") -> bool:
    """Whether the vault has a config; StorageError if it cannot even be listed."""
    from nightsafe.backend.base import CONFIG_NAME, ObjectKind
    from nightsafe.errors import ObjectNotFoundError

    try:
        remote.size(ObjectKind.CONFIG, CONFIG_NAME)
    except ObjectNotFoundError:
        next(remote.list(ObjectKind.KEY), None)
        return False
    # Responses to HEAD carry no reason; listing shows that the credential may read.
    next(remote.list(ObjectKind.KEY), None)
    return True


def _warn_if_open(url: str, output: Output) -> None:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        output.note(
            "Beware: this address is http, so everyone on the way can read the credential "
            "(not your files). Use https if the server offers it."
        )
