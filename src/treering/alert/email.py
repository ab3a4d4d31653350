"""E-mail: plain text over SMTP with STARTTLS (RFC 3207) or TLS; the Message-ID is the delivery's id each time."""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
from email.message import EmailMessage
from email.utils import formatdate
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta

from treering.alert._secrets import secret
from treering.alert._wording import lines, plain, title
from treering.core.config import Config as BaseConfig
from treering.core.errors import Permanent, Retryable, UserError

if TYPE_CHECKING:
    from treering.model.delivery import Delivery

NAME = "email"


class Config(BaseConfig, frozen=True):
    """From whom, to whom, over which server."""

    to: Annotated[tuple[str, ...], Meta(min_length=1, description="addresses it is sent to")]
    sender: Annotated[str, Meta(description="address it comes from")]
    host: Annotated[str, Meta(description="mail server")]
    port: Annotated[int, Meta(ge=1, le=65_535, description="its port")] = 587
    tls: Annotated[Literal["starttls", "tls", "none"], Meta(description="how the connection is protected")] = "starttls"
    ca_file: Annotated[str, Meta(description="certificates to trust instead of the system's")] = ""
    username: Annotated[str, Meta(description="who logs in; nobody unless given")] = ""
    password_env: Annotated[str, Meta(description="environment variable that holds the password")] = ""
    password_file: Annotated[str, Meta(description="file that holds the password")] = ""
    timeout_s: Annotated[float, Meta(gt=0, le=120, description="seconds one step of the dialogue may take")] = 15.0
    page: Annotated[str, Meta(description="address of our page, for links")] = ""


class _Timed(smtplib.SMTP):
    """A dialogue in which each whole reply has to come in time, not only each byte of it."""

    def getreply(self) -> tuple[int, bytes]:
        clock = threading.Timer(self.timeout, _cut, (self.sock,))
        clock.daemon = True
        clock.start()
        try:
            return super().getreply()
        finally:
            clock.cancel()


class _TimedTls(_Timed, smtplib.SMTP_SSL):
    """The same over TLS from the first byte."""


def _cut(opened: socket.socket | None) -> None:
    if opened is not None:
        with contextlib.suppress(OSError):
            opened.shutdown(socket.SHUT_RDWR)


class Email:
    """Sends deliveries as mails."""

    def __init__(self, config: Config) -> None:
        """Read the password. Raises `UserError`, also for logging in without protection."""
        self._config = config
        needed = bool(config.username)
        self._password = secret("password", "", config.password_env, config.password_file, needed=needed)
        if needed and config.tls == "none":
            raise UserError("a password is not sent without TLS", hint='use tls = "starttls" or "tls"')
        for address in (*config.to, config.sender):
            if "@" not in address or any(c.isspace() or c in "<>,;" for c in address):
                raise UserError(f"{plain(address, 80)!r} is not an e-mail address")

    def send(self, delivery: Delivery) -> None:
        """Deliver. Raises `Retryable` or `Permanent`."""
        try:
            self._send(message(delivery, self._config))
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            raise _failure(min(codes)) from None
        except smtplib.SMTPResponseException as error:
            raise _failure(error.smtp_code) from None
        except smtplib.SMTPNotSupportedError:
            raise Permanent("the mail server does not offer what the configuration asks for") from None
        except (smtplib.SMTPException, OSError) as error:
            raise Retryable(f"no answer of the mail server: {type(error).__name__}") from None

    def _send(self, mail: EmailMessage) -> None:
        config = self._config
        server = self._connect()
        try:
            if config.tls == "starttls":
                server.starttls(context=self._context())
                server.ehlo()
            if config.username:
                server.login(config.username, self._password)
            server.send_message(mail)
            # It is taken: how the server says goodbye must not make us send it again.
            with contextlib.suppress(smtplib.SMTPException, OSError):
                server.quit()
        finally:
            server.close()

    def _connect(self) -> smtplib.SMTP:
        config = self._config
        if config.tls == "tls":
            return _TimedTls(config.host, config.port, timeout=config.timeout_s, context=self._context())
        return _Timed(config.host, config.port, timeout=config.timeout_s)

    def _context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._config.ca_file or None)


def message(delivery: Delivery, config: Config) -> EmailMessage:
    """Return the mail. Texts of alerts are in the body and, on one line, in the subject; nothing of it is HTML."""
    mail = EmailMessage()
    mail["Subject"] = title(delivery)
    mail["From"] = config.sender
    mail["To"] = ", ".join(config.to)
    mail["Date"] = formatdate(delivery.created_ns / 1e9)
    mail["Message-ID"] = f"<{delivery.id}@treering>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join(lines(delivery, config.page)) + f"\n\ntreering, delivery {delivery.id}\n")
    return mail


def _failure(code: int) -> Retryable | Permanent:
    """Return what a reply code means: 4yz is transient, 5yz permanent (RFC 5321, 4.2.1)."""
    kind = Permanent if 500 <= code < 600 else Retryable
    return kind(f"the mail server answered {code}")


def build(config: Config) -> Email:
    """Return the notifier. Raises `UserError`."""
    return Email(config)
