"""All settings, from the environment. Without any, the embedded mode: see docs/architecture.md."""

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

from csp.constants import NONE, SELF

from backup_service import sign_in_forms
from backup_service.env import BASE_DIR, embedded_secret_key, load
from backup_service.logs.configuration import JSON, LINES, logging_settings
from backup_service.rest_settings import REST_SETTINGS, openapi_settings

env, DATA_DIR = load()

# --- What this process is
EMBEDDED = env.bool("NIGHTSAFE_EMBEDDED", default="DATABASE_URL" not in env.ENVIRON)
ROLE = env.str("NIGHTSAFE_ROLE", default="site")  # "site" or "gateway"
DEBUG = env.bool("NIGHTSAFE_DEBUG", default=False)
if EMBEDDED:
    os.umask(0o077)  # database, secrets, mails: for their owner only, whichever process is first
SECRET_KEY = env.str("NIGHTSAFE_SECRET_KEY", default="")
# While the key is changed: what was signed or encrypted with these is still read.
SECRET_KEY_FALLBACKS = env.list("NIGHTSAFE_OLD_SECRET_KEYS", default=[])
if not SECRET_KEY and EMBEDDED:
    SECRET_KEY = embedded_secret_key(DATA_DIR)
VERSION = "0.1.0"

# --- Where it is reached
PORT = env.int("PORT", default=8000)
SITE_URL = env.str("NIGHTSAFE_SITE_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")
GATEWAY_URL = env.str("NIGHTSAFE_GATEWAY_URL", default=f"http://127.0.0.1:{PORT + 1}").rstrip("/")
# Where the service's own canary reaches the gateway; empty: not at all, it goes by functions.
CANARY_URL = env.str(
    "NIGHTSAFE_CANARY_URL", default=env.str("NIGHTSAFE_GATEWAY_URL", default="")
).rstrip("/")
ALLOWED_HOSTS = env.list("NIGHTSAFE_ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
ROOT_URLCONF = "backup_service.gateway_urls" if ROLE == "gateway" else "backup_service.urls"
WSGI_APPLICATION = "backup_service.wsgi.application"
_clock_file = Path(env.str("NIGHTSAFE_CLOCK_FILE", default=str(DATA_DIR / "clock")))
CLOCK_FILE = _clock_file if EMBEDDED else None  # moved by `manage.py clock`

# --- Applications
GATEWAY_APPS = [
    "accounts",
    "billing",
    "storage",
    "django.contrib.auth",
    "django.contrib.contenttypes",
]
SITE_APPS = [
    *GATEWAY_APPS,
    "accounts.staff.site_config.StaffSiteConfig",  # Django's admin
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "anymail",
    "csp",
    "drf_spectacular",
    "rest_framework",
]
INSTALLED_APPS = GATEWAY_APPS if ROLE == "gateway" else SITE_APPS
SITE_MIDDLEWARE = [
    "backup_service.logs.requests.RequestLog",
    "django.middleware.security.SecurityMiddleware",
    "backup_service.forms.plain_forms",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.website.middleware.PlainTextsMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.website.middleware.KeptNowhereMiddleware",
    "backup_service.pages.languages.LanguageMiddleware",
    "accounts.website.middleware.ZoneMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.website.sign_in.staff_gate.StaffGate",
]
# The gateway speaks to programs: credentials in each request, no cookies, no pages.
GATEWAY_MIDDLEWARE = [
    "backup_service.logs.requests.RequestLog",
    "django.middleware.security.SecurityMiddleware",
]
MIDDLEWARE = GATEWAY_MIDDLEWARE if ROLE == "gateway" else SITE_MIDDLEWARE
# The operator's own come before ours of the same name.
_own_templates = env.str("NIGHTSAFE_TEMPLATES", default="")
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [*filter(None, [_own_templates]), BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.website.context.site",
                "backup_service.pages.site_operator.context",
            ],
            "libraries": {
                "navigation": "backup_service.pages.navigation",
                "pricing": "backup_service.pages.pricing",
                "passkeys": "accounts.website.sign_in.passkey_tags",
            },
        },
    },
]

# --- Database: rows are the truth, so every commit reaches the disk
DATABASES = {
    "default": env.db_url(
        "DATABASE_URL", default=f"sqlite:///{quote(str(DATA_DIR / 'nightsafe.sqlite3'))}"
    )
}
if "sqlite3" in DATABASES["default"]["ENGINE"]:
    DATABASES["default"]["OPTIONS"] = {
        # A writer takes the lock at BEGIN; upgrading a read lock later fails under contention.
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }
    if ROLE == "gateway":
        # Opening the file and reading its schema costs as much as five queries.
        DATABASES["default"]["CONN_MAX_AGE"] = 60
elif ROLE == "gateway":
    # Many slow uploads share few connections: a request gives its own back while bytes flow.
    DATABASES["default"]["OPTIONS"] = {"pool": {"min_size": 2, "max_size": 16, "timeout": 30}}
else:
    DATABASES["default"].update(CONN_MAX_AGE=60, CONN_HEALTH_CHECKS=True)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Broker: wake-ups only; nothing is lost with it
BROKER_URL = env.str("NIGHTSAFE_BROKER_URL", default="redis://127.0.0.1:6379/0")
CACHES = {
    # Attempts to sign in are counted where counting is exact, and in the database while that is
    # away.
    "default": {
        "BACKEND": "accounts.website.sign_in.limits_cache.LimitsCache",
        "LOCATION": env.str("NIGHTSAFE_LIMITS_URL", default=BROKER_URL),
        "KEY_PREFIX": "nightsafe-limits",
        "OPTIONS": {"fallback": "in the database"},
    },
    "in the database": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "site_cache",
    },
}
CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
# Three queues, each with workers of its own: what may take long, and what waits for others'
# computers, never stands in front of replicas, heartbeat and watch.
CELERY_TASK_DEFAULT_QUEUE = "nightsafe"
CELERY_TASK_ROUTES = (
    {
        f"storage.tasks.{name}": {"queue": "nightsafe-upkeep"}
        for name in (
            "scrub_due",
            "sweep",
            "expire",
            "delete_vaults",
            "survey_regions",
            "recount",
            "keep_marks",
            "reconcile_after_jump",
            "tell_customers",
            "erase_closed",
            "tend_unused",
            "sample_use",
        )
    }
    | {
        f"accounts.tasks.{name}": {"queue": "nightsafe-outside"}
        for name in ("deliver_mails", "deliver_to_endpoints", "deliver_to_failing_endpoints")
    }
    | {"storage.tasks.probe_mail": {"queue": "nightsafe-outside"}}
    | {
        f"billing.tasks.{name}": {"queue": "nightsafe-outside"}
        for name in ("work_off_events", "reconcile_customers", "end_payments")
    }
)
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "health_check_interval": 30,
}
CELERY_TIMEZONE = "UTC"

# --- Regions: `alias=path` or `alias=s3+https://host/bucket`; what else a store wants, its keys
# included, in NIGHTSAFE_REGION_<ALIAS>_<OPTION>. Status lives in the database, all this only here.
REGIONS = env.dict(
    "NIGHTSAFE_REGIONS",
    default={"a": str(DATA_DIR / "regions" / "a"), "b": str(DATA_DIR / "regions" / "b")},
)
REGION_PLACES = env.dict("NIGHTSAFE_REGION_PLACES", default={})
# In each worker process: replicas into a region at once, and bytes a second of copying and
# scrubbing.
COPIES_AT_ONCE = env.dict("NIGHTSAFE_COPIES_AT_ONCE", default={})
COPY_RATES = env.dict("NIGHTSAFE_COPY_RATES", default={})
SCRUB_RATES = env.dict("NIGHTSAFE_SCRUB_RATES", default={})
# In an incident: leave our own HTTP client and signer of S3 out, at some cost.
S3_GENERAL_CLIENT = env.bool("NIGHTSAFE_S3_GENERAL_CLIENT", default=False)
REGION_OPTIONS = {
    name.removeprefix("NIGHTSAFE_REGION_"): value
    for name, value in env.ENVIRON.items()
    if name.startswith("NIGHTSAFE_REGION_") and name != "NIGHTSAFE_REGION_PLACES"
}

# --- Storage policy
GRACE = timedelta(days=30)
# Percent of an account's objects, and of all, that a day's purge takes at most.
PURGE_SHARE = env.int("NIGHTSAFE_PURGE_SHARE", default=20)
LOCK_LIFETIME = timedelta(hours=24)
SETUP_RIGHT = timedelta(hours=1)
KEY_WINDOW = timedelta(minutes=30)  # that an owner opens for one credential
ATTEMPT_LIFETIME = timedelta(hours=6)
DIRECT_SECONDS = env.int("NIGHTSAFE_DIRECT_SECONDS", default=1800)  # a presigned request's life
REDIRECT_READS = env.bool("NIGHTSAFE_REDIRECT_READS", default=True)  # of packs, to such stores
DIRECT_HOLD = timedelta(hours=2)  # for which a direct transfer may still be committed
LEASE = timedelta(minutes=2)  # renewed while the work goes on
SCRUB_PERIOD = timedelta(days=30)
# In each gateway process; no account takes more than it leaves for the others.
GATEWAY_REQUESTS = env.int("NIGHTSAFE_GATEWAY_REQUESTS", default=240)  # of 256 threads
GATEWAY_UPLOADS = env.int("NIGHTSAFE_GATEWAY_UPLOADS", default=64)
GATEWAY_MIN_RATE = 4096  # bytes a second, averaged once the time of patience is over
GATEWAY_PATIENCE = env.float("NIGHTSAFE_GATEWAY_PATIENCE", default=30.0)  # seconds
GATEWAY_STALL = env.float("NIGHTSAFE_GATEWAY_STALL", default=30.0)  # seconds without a byte
REFUSED_READ = 64 * 1024 * 1024  # bytes of a refused body that are read before the answer

# --- People
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
    "accounts.staff.permissions.StaffPermissions",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_REDIRECT_URL = "dashboard"
LOGIN_URL = "account_login"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = False
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_ADAPTER = "accounts.website.adapter.AccountAdapter"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if SITE_URL.startswith("https") else "http"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
# Not by a mailed code, which allauth offers by itself: an open browser mostly has the mails open.
ACCOUNT_REAUTHENTICATION_METHODS = ["password", "mfa"]
ACCOUNT_RATE_LIMITS = {"passkey_challenge": "60/m/ip"}
ACCOUNT_FORMS, MFA_FORMS = sign_in_forms.ACCOUNT_FORMS, sign_in_forms.MFA_FORMS
MFA_ADAPTER = "accounts.website.sign_in.second_factor.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["webauthn", "totp", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_TOLERANCE = 1  # steps of 30 seconds, for clocks that are not quite right
# Rate limits count by address: behind proxies, how many of them are ours.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int("NIGHTSAFE_TRUSTED_PROXIES", default=0)

# --- The customers' API
REST_FRAMEWORK, SPECTACULAR_SETTINGS = REST_SETTINGS, openapi_settings(VERSION)

# --- Mail
MAIL_DIR = DATA_DIR / "mail"
MAIL_TOKEN = env.str("NIGHTSAFE_MAIL_TOKEN", default="")  # empty: /mail/ shows nobody anything
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
if EMBEDDED:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = MAIL_DIR
else:
    vars().update(env.email_url("EMAIL_URL", default="smtp://localhost:25"))
EMAIL_TIMEOUT = 20  # seconds
# Through a provider's API instead of SMTP ("postmark", "amazon_ses" ...; docs/operations.md): it
# tells us of mails that came back. Its keys in NIGHTSAFE_ANYMAIL_<SETTING>.
MAIL_PROVIDER = env.str("NIGHTSAFE_MAIL_PROVIDER", default="")
ANYMAIL = {
    name.removeprefix("NIGHTSAFE_ANYMAIL_"): value
    for name, value in env.ENVIRON.items()
    if name.startswith("NIGHTSAFE_ANYMAIL_")
}
if MAIL_PROVIDER:
    EMAIL_BACKEND = f"anymail.backends.{MAIL_PROVIDER}.EmailBackend"
ADMINS = [("", address) for address in env.list("NIGHTSAFE_ADMINS", default=[])]
DEFAULT_FROM_EMAIL = env.str("NIGHTSAFE_MAIL_FROM", default="Nightsafe <hello@nightsafe.invalid>")

# Notices to systems that customers name: only to public hosts, unless the service is a trial.
ENDPOINTS_MAY_BE_PRIVATE = env.bool("NIGHTSAFE_ENDPOINTS_MAY_BE_PRIVATE", default=EMBEDDED)

# --- Payments: docs/operations.md. Without a key this service takes none.
STRIPE_API_KEY = env.str("NIGHTSAFE_STRIPE_API_KEY", default="")
STRIPE_API_BASE = env.str("NIGHTSAFE_STRIPE_API_BASE", default="https://api.stripe.com")
# Several while one is replaced by another.
STRIPE_WEBHOOK_SECRETS = env.list("NIGHTSAFE_STRIPE_WEBHOOK_SECRET", default=[])
STRIPE_TAX = env.bool("NIGHTSAFE_STRIPE_TAX", default=False)
# Where its pages are, to which our forms lead.
STRIPE_PAGES = env.list(
    "NIGHTSAFE_STRIPE_PAGES",
    default=["https://checkout.stripe.com", "https://billing.stripe.com"]
    if STRIPE_API_BASE == "https://api.stripe.com"
    else [STRIPE_API_BASE],
)

# --- Watching
TALLIES_EVERY = 10.0  # seconds between two writes of what a process has counted
METRICS_TOKEN = env.str("NIGHTSAFE_METRICS_TOKEN", default="")  # empty: no /metrics

# --- Who runs it: what terms, privacy page and security.txt name. Each is empty until it is said.
OPERATOR = {
    "name": env.str("NIGHTSAFE_OPERATOR_NAME", default=""),
    "address": env.str("NIGHTSAFE_OPERATOR_ADDRESS", default=""),
    "law": env.str("NIGHTSAFE_OPERATOR_LAW", default=""),
    "contact": env.str("NIGHTSAFE_OPERATOR_CONTACT", default=""),
    "security_contact": env.str("NIGHTSAFE_SECURITY_CONTACT", default=""),
    "source": env.str("NIGHTSAFE_SOURCE_URL", default=""),
}

# --- Pages
# What /download/ hands out: `make packages`, or `python -m backup_service.agent_packages`.
PACKAGES_DIR = Path(env.str("NIGHTSAFE_PACKAGES_DIR", default=str(BASE_DIR / "packages")))
LANGUAGE_CODE = "en-gb"
LANGUAGES = [("en-gb", "English"), ("de", "Deutsch")]  # see pages/languages.py
LOCALE_PATHS = [BASE_DIR / "backup_service" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
# `collectstatic` fills this; the embedded service does so at its start.
STATIC_ROOT = DATA_DIR / "static" if EMBEDDED else BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "backup_service.static_files.HashedStaticFiles"},
}
STATICFILES_DIRS = [BASE_DIR / "backup_service" / "static"]
WHITENOISE_USE_FINDERS = EMBEDDED
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
if SITE_URL.startswith("https"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 365 * 24 * 3600
    CSRF_TRUSTED_ORIGINS = [SITE_URL]
# `check --deploy`: redirecting to HTTPS is the proxy's work (W008); subdomains and browsers'
# preload lists are for whoever owns the domain to decide (W005, W021).
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
if ROLE == "gateway":
    # It has no pages that could be framed, and no cookies that another site could use.
    SILENCED_SYSTEM_CHECKS += ["security.W002", "security.W003"]

# --- Logs: one line an event, to standard error; never bodies, credentials or query strings
LOGGING = logging_settings(
    env.str("NIGHTSAFE_LOG_LEVEL", default="INFO"),
    env.str("NIGHTSAFE_LOG_FORMAT", default=LINES if EMBEDDED else JSON),
    sentry_dsn=env.str("SENTRY_DSN", default=""),  # empty: no reports, and no library for them
    release=VERSION,
)
