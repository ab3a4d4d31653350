"""How treering proves to a cluster who it is: secrets come from files and the environment, never from configuration."""

from __future__ import annotations

import base64
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from treering.core.errors import UserError

if TYPE_CHECKING:
    from treering.store.opensearch.config import Config


def authorization(config: Config) -> str | None:
    """Return the value of the Authorization header, read anew: secrets are changed. Raises `UserError`."""
    if config.user:
        password = _secret(config.password_env, config.password_file)
        if password is None:
            raise UserError(f"no password for {config.user!r}", hint="set password_env or password_file")
        return "Basic " + base64.b64encode(f"{config.user}:{password}".encode()).decode()
    if key := _secret(config.api_key_env, config.api_key_file):
        return f"ApiKey {key}"
    if token := _secret(config.bearer_env, config.bearer_file):
        return f"Bearer {token}"
    return None


def _secret(variable: str, file: str) -> str | None:
    if variable:
        if (value := os.environ.get(variable)) is None:
            raise UserError(f"the environment has no {variable}, which is to hold a secret of the cluster")
        return value
    if not file:
        return None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {file}, which is to hold a secret of the cluster") from error


def tls(config: Config) -> ssl.SSLContext:
    """Return how connections are encrypted and checked. Raises `UserError` for files that cannot be used."""
    try:
        context = ssl.create_default_context(cafile=config.ca or None)
        if config.certificate:
            context.load_cert_chain(config.certificate, config.key or None)
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"cannot use the certificates of the OpenSearch store: {error}") from error
    if not config.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
