"""Static files under names that change with their content, so that browsers keep them for good.

`collectstatic` lays them out, compressed besides; `make run` does so at its start. Where it has not
run, as in the tests, files keep their plain names and are served from where they lie.
"""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Names with hashes as far as they have been laid out."""

    manifest_strict = False

    def stored_name(self, name: str) -> str:
        """Return the name with its hash, or the plain one before `collectstatic` has run."""
        if not self.hashed_files:
            return name
        stored: str = super().stored_name(name)
        return stored
