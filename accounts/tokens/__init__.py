"""API tokens: secrets with which programs act for a member. The API and pages call it."""
