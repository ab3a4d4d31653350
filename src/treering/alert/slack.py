"""Slack: an incoming webhook with blocks (docs.slack.dev, Block Kit; texts escaped as "Formatting text" says)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from treering.alert._http import Endpoint
from treering.alert._secrets import secret
from treering.alert._wording import link, plain, title
from treering.core.config import Config as BaseConfig
from treering.model.delivery import Status
from treering.model.times import format_ns

if TYPE_CHECKING:
    from treering.model.delivery import Alert, Delivery

NAME = "slack"
_SHOWN = 20
_SIGNS = {"critical": ":red_circle:", "high": ":large_orange_circle:", "medium": ":large_yellow_circle:"}


class Config(BaseConfig, frozen=True):
    """Which incoming webhook it is sent to; its address is a secret."""

    url_env: Annotated[str, Meta(description="environment variable that holds the webhook's address")] = ""
    url_file: Annotated[str, Meta(description="file that holds the webhook's address")] = ""
    timeout_s: Annotated[float, Meta(gt=0, le=120, description="seconds one attempt may take")] = 10.0
    page: Annotated[str, Meta(description="address of our page, for links")] = ""


class Slack:
    """Posts deliveries to one channel."""

    def __init__(self, config: Config) -> None:
        """Read the address. Raises `UserError` when it is missing."""
        self._to = Endpoint(secret("url", "", config.url_env, config.url_file), config.timeout_s)
        self._page = config.page

    def send(self, delivery: Delivery) -> None:
        """Deliver. Raises `Retryable` or `Permanent`."""
        body = msgspec.json.encode(message(delivery, self._page))
        self._to.post(body, {"content-type": "application/json; charset=utf-8", "idempotency-key": delivery.id})


def message(delivery: Delivery, page: str) -> dict[str, Any]:
    """Return the message: a header, a section for each alert, what is left out, and the delivery's id."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": title(delivery)[:150], "emoji": False}}
    ]
    blocks += [_section(alert, page) for alert in delivery.alerts[:_SHOWN]]
    more = len(delivery.alerts) - _SHOWN
    note = f"and {more} more, " if more > 0 else ""
    blocks.append({"type": "context", "elements": [{"type": "plain_text", "text": f"{note}delivery {delivery.id}"}]})
    return {"text": escaped(title(delivery)), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def escaped(text: str) -> str:
    """Return text in which nothing is a link, a mention or markup."""
    text = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for sign in "*_~`":  # a zero-width joiner parts what would be bold, italic, struck or code
        text = text.replace(sign, f"\u2060{sign}")
    # Slack makes addresses into links by itself: without its scheme an address is text.
    return text.replace("://", ":\u2060//").replace("@", "@\u2060")


def _section(alert: Alert, page: str) -> dict[str, Any]:
    resolved = alert.status is Status.RESOLVED
    sign = ":white_check_mark:" if resolved else _SIGNS.get(alert.severity.value, ":white_circle:")
    labels = ", ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))
    since = format_ns(alert.starts_ns)
    text = f"{sign} {escaped(alert.summary)}\n{alert.severity.value}, since {since}\n{escaped(labels)}"
    if url := link(alert, page):
        text += f"\n<{url.replace('|', '%7C').replace('>', '%3E').replace('<', '%3C')}|records behind it>"
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:2900]}}


def build(config: Config) -> Slack:
    """Return the notifier. Raises `UserError`."""
    return Slack(config)
