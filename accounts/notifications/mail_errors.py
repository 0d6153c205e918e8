"""What sending a mail may raise, by SMTP or by a provider's API."""

from smtplib import SMTPException

from anymail.exceptions import AnymailError

MAIL_ERRORS = (OSError, SMTPException, AnymailError)
