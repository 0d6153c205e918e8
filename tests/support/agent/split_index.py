"""Index files of which each lists only a part of a pack, as restic's format allows."""

import random

from nightsafe.backend.base import ObjectKind
from nightsafe.repofile.index import encode_index
from nightsafe.repofile.pack import PackContent
from nightsafe.repository.repository import Repository


def split_index(repository: Repository, chance: random.Random, *, parts: int = 3) -> None:
    """Write the index anew, so that every blob is listed in one file or several of `parts`."""
    old = [listing.name for listing in repository.storage.list(ObjectKind.INDEX)]
    contents = [c for _, found in repository.index_files() for c in found or ()]
    files: list[list[PackContent]] = [[] for _ in range(parts)]
    for content in contents:
        shares: list[list[int]] = [[] for _ in range(parts)]
        for number in range(len(content.blobs)):
            for file in chance.sample(range(parts), chance.choice([1, 1, 1, 2, parts])):
                shares[file].append(number)
        for file, numbers in enumerate(shares):
            if numbers or chance.randrange(4) == 0:  # now and then a pack of which nothing is said
                chosen = tuple(content.blobs[number] for number in numbers)
                files[file].append(PackContent(content.id, chosen))
    for contents in files:
        chance.shuffle(contents)
        repository.save_text(ObjectKind.INDEX, encode_index(contents))
    for name in old:
        repository.storage.remove(ObjectKind.INDEX, name)
