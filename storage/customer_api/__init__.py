"""The customers' API of vaults and computers: JSON over HTTP, for programs.

Nothing imports it but the site's URLs. The protocol of backups themselves is `storage/api`.
"""
