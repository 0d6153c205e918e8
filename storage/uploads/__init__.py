"""The write path: through the gateway, or presigned, straight to a region's store.

The API imports it; it imports objects, vaults and what is below.
"""
