"""How people get in: second factors, passkeys, sessions, browsers, and the limits on guessing.

django-allauth does the work; here is what it leaves to a site. Its settings name these modules.
"""
