"""The API that the `stripe` library drives, resource by resource."""
