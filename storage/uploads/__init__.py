"""The write path: through the gateway, or by presigned requests to a region's store.

The API imports it; it imports objects, vaults and what is below.
"""
