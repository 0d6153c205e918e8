"""Makes what is neither a file nor a folder: symbolic links, devices and named pipes."""

import stat

from nightsafe.repofile.tree import Node
from nightsafe.restorer.existing import ExistingEntries
from nightsafe.restorer.report import RestoreReporter
from nightsafe.target.target import Target

_SPECIAL = {"dev": stat.S_IFBLK, "chardev": stat.S_IFCHR, "fifo": stat.S_IFIFO}


def restore_special(
    target: Target,
    existing: ExistingEntries,
    reporter: RestoreReporter,
    path: bytes,
    node: Node,
) -> None:
    """Make a link, a device or a pipe in the present folder; OSError if that fails.

    ValueError for a node of another type. What the disk cannot hold of it is noted.
    """
    if node.type == "symlink" and existing.is_link(node):
        return
    with target.new_entry(node.name) as (here, temporary):
        if node.type == "symlink":
            here.make_link(node.link_target, temporary)
        elif node.type in _SPECIAL:
            here.make_special(temporary, _SPECIAL[node.type] | 0o600, node.device)
        else:
            raise ValueError(node.type)
        lost = here.set_special_attributes(temporary, node)
    if lost:
        reporter.noted(path, ", ".join(lost))
