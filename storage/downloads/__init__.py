"""The read path: objects and lists, through the gateway or by presigned requests.

The API imports it; it imports objects, vaults and what is below.
"""
