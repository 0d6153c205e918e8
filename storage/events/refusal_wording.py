"""Words for customers what the gateway told a program, which is told everything in English.

Rows keep the text as the program got it.
"""

from django.utils.translation import gettext, gettext_noop

from accounts.reader import reworded
from billing.entitlements import LONG_UNPAID

# What programs are told, as `storage` raises it; each `%(name)s` stands for a figure or name.
TEXTS = (
    gettext_noop(
        "Over quota: %(used)s of %(quota)s are used, and this upload of %(size)s does not fit. "
        "Nothing stored is affected and restores work. To make room, remove old snapshots "
        "(`forget --prune`) with a credential of scope maintain, or choose a larger plan on the "
        "page Billing."
    ),
    gettext_noop(
        "Over quota: %(used)s of %(quota)s are used, and that is too much. Nothing stored is "
        "affected and restores work. To make room, remove old snapshots (`forget --prune`) with a "
        "credential of scope maintain, or choose a larger plan on the page Billing."
    ),
    gettext_noop(
        "Too many uploads were begun and not finished. What they left is removed within the hour; "
        "uploads go on then."
    ),
    gettext_noop("This credential can only restore. To back up, use one of scope backup."),
    gettext_noop(
        "This credential cannot remove backups. Use one of scope maintain, made on the website."
    ),
    gettext_noop(
        "This credential was revoked meanwhile; nothing was stored. Make a new one on the website."
    ),
    gettext_noop(
        "Unknown or revoked credential. Check the user name and secret, or make a new credential "
        "on the website."
    ),
    gettext_noop("This credential knows no such vault."),
    gettext_noop(
        "This vault is being deleted, as was asked on its page, which can also keep it: everything "
        "in it comes back then."
    ),
    gettext_noop("A vault's config is never removed."),
    gettext_noop(
        "The keys of this vault can no longer be written with this credential: it was set up, and "
        "the right to do that ends with the first snapshot, or an hour after the vault was made. "
        "On the vault's page an owner can let a credential change keys for a while."
    ),
    gettext_noop(
        "The config of this vault can no longer be written with this credential: it was set up, "
        "and the right to do that ends with the first snapshot, or an hour after the vault was "
        "made."
    ),
    gettext_noop("A vault has at most %(most)s keys; remove one first."),
    gettext_noop("The vault has other bytes under the name %(name)s and keeps them."),
    gettext_noop(
        "No program can delete a vault. To make room, remove snapshots with a credential of scope "
        "maintain; one that was never set up is deleted on its page."
    ),
    gettext_noop(
        "This vault was pruned since this backup began, or its lock was removed; nothing is lost, "
        "run the backup again. (The snapshot was not stored, since it could refer to data that is "
        "gone. If this comes again at once, wait ten minutes.)"
    ),
    gettext_noop(
        "The vaults of this account have too many locks: run `unlock` on them and try again."
    ),
    gettext_noop("This vault has too many locks: run `unlock` and try again."),
    gettext_noop("There is another lock of this name."),
    gettext_noop(
        "The bytes do not have the hash that their name says; nothing was stored. Something on the "
        "way changed them: send them again."
    ),
    gettext_noop("The upload ended after %(taken)s of %(size)s bytes; nothing was stored."),
    gettext_noop("The upload is too slow to keep a place for it; send it again."),
    gettext_noop("The upload stalled; send it again."),
    gettext_noop("This account has too much under way at once; try again shortly."),
    gettext_noop("The service takes no more uploads at this moment; try again shortly."),
    gettext_noop("The service is busy; send it again."),
    gettext_noop("The service failed at this request. Its staff sees why."),
    gettext_noop(
        "No region can take an upload at this moment. Nothing stored is affected, and restores go "
        "on; the upload will be taken as soon as a region is back."
    ),
    gettext_noop("A region failed during the upload; send it again for another one."),
    gettext_noop("A region ran full during the upload; send it again for another one."),
    gettext_noop("The object was removed at this very moment; send it again."),
    gettext_noop(
        "The upload took too long, or its region was taken out of use meanwhile; send it again."
    ),
    gettext_noop(
        "No copy of this object can be read at this moment. Nothing was deleted; the service is "
        "repairing it. Try again in a minute."
    ),
)


def refusal_in_words(text: str) -> str:
    """Return why something was refused, in the reader's language.

    What only the author of a program can mend is quoted, in English, as it was said.
    """
    if not text:
        return ""
    said = gettext(text)
    found = said if said != text else reworded(text, (*TEXTS, LONG_UNPAID))
    return gettext("the program was told “%(text)s”") % {"text": text} if found is None else found
