"""Turns bytes into objects with replicas: placement, commit, verification, damage.

The one commit path and the one verify path; uploads, downloads, replication and integrity
import them.
"""
