"""`nightsafe init`: create a repository."""

import argparse

from nightsafe.cli.options import Verbs, add_verb, opened_storage, passphrase_source
from nightsafe.cli.output import Output

WARNING = (
    "Beware: if you lose this passphrase, your data is lost. Nobody can reset it, not even the "
    "service."
)


def add_parser(verbs: Verbs) -> None:
    """Declare the subcommand and its options."""
    add_verb(
        verbs,
        "init",
        run,
        help="make a new repository: choose a passphrase and write its key and config",
        json='one object {"repository", "id"}',
    )


def run(args: argparse.Namespace, output: Output) -> int:
    """Warn, ask for a passphrase twice, and create the repository."""
    from nightsafe.repository.repository import Repository
    from nightsafe.settings.passphrase import choose_passphrase

    with opened_storage(args) as storage:
        Repository.require_none(storage)  # before anybody thinks of a passphrase
        output.note(WARNING)
        passphrase = choose_passphrase(source=passphrase_source(args, storage), warn=output.note)
        repository = Repository.create(storage, passphrase)
        output.line(f"The repository at {storage.location} is ready.")
        output.result({"repository": storage.location, "id": repository.config.id})
    return 0
