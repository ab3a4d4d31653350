"""What secrets look like: literals, expressions and checks of each kind; formats as their providers document them."""

# ruff: noqa: E501  one kind a line
from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

_PLACEHOLDER = re.compile(
    r"example|xxxx|\*{3}|\.{3}|…|your[_-]|change_?me|placeholder|dummy|redacted|masked|sample|fake|<|>|\$\{|\{\{|%\(|"
    r"12345678|abcdefgh|(.)\1{5}",
    re.IGNORECASE,
)
_LOWEST_ENTROPY = 3.0
_GENERIC_ENTROPY = 3.3


class Around(Enum):
    """What surely stands at the literal of a secret, so that most texts need no closer look (`wasm/screen.c`)."""

    ANYTHING = 0
    NAMED = 1
    """a colon or an equals sign within 20 bytes"""
    RUN = 2
    """no letter, digit, `-` or `_` before it, and with it at least 16 characters of keys"""
    BEARER = 4
    """at least 16 characters of keys after some space"""
    CARD = 8
    """at least 13 digits somewhere"""
    IBAN = 16
    """at least two digits somewhere"""
    NEAR = 32
    """a word of its own with at least 4 digits within 100 characters after it"""
    FAR = 64
    """a word of its own, at least 6 digits somewhere"""
    SIGN = 128
    """the `@` of an address, the `+` of a telephone number"""


class Kind(NamedTuple):
    """One kind of secret. `pattern` has the secret in its last group; `literals` are what every match holds.

    With a `reach` only the first match within so many characters after a literal (and `before` it) counts. `is_word`:
    the literal, of any case, is none inside of another word.
    """

    name: str
    rule: str
    literals: tuple[str, ...]
    pattern: re.Pattern[str]
    check: Callable[[str], bool]
    around: Around
    reach: int = 0
    before: int = 0
    is_word: bool = False
    is_personal: bool = False


def entropy(text: str) -> float:
    """Return the Shannon entropy of the characters of `text`, bits per character."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values()) if total else 0.0


def _random(secret: str) -> bool:
    return entropy(secret) >= _LOWEST_ENTROPY and not _PLACEHOLDER.search(secret)


def _chosen(secret: str) -> bool:
    """Return whether a value after a telling name is a secret: neither a word, a variable nor a placeholder."""
    mixed = any(c.isdigit() for c in secret) and any(c.isalpha() for c in secret)
    return mixed and entropy(secret) >= _GENERIC_ENTROPY and not _PLACEHOLDER.search(secret) and "(" not in secret


def _password(secret: str) -> bool:
    return (
        secret[0] not in "[{(%$"
        and not _PLACEHOLDER.search(secret)
        and secret.lower() not in {"password", "pass", "secret", "user"}
    )


def luhn(digits: str) -> bool:
    """Return whether the check digit of a card number is right (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, character in enumerate(reversed(digits)):
        value = int(character) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _card(secret: str) -> bool:
    digits = re.sub(r"[ -]", "", secret)
    known = re.match(r"4\d{12}(?:\d{3})?$|5[1-5]\d{14}$|2[2-7]\d{14}$|3[47]\d{13}$|6(?:011|5\d\d)\d{12}$", digits)
    return bool(known) and luhn(digits) and len(set(digits)) > 3


def _iban(secret: str) -> bool:
    """Check an IBAN by ISO 7064 mod 97-10."""
    bare = secret.replace(" ", "")
    if not 15 <= len(bare) <= 34 or len(set(bare[4:])) < 4:
        return False
    return int("".join(str(int(c, 36)) for c in bare[4:] + bare[:4])) % 97 == 1


def _jwt(secret: str) -> bool:
    head = secret.partition(".")[0]
    try:
        header = msgspec.json.decode(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return False
    return isinstance(header, dict) and "alg" in header


def _kind(
    name: str,
    rule: str,
    literals: str,
    pattern: str,
    check: Callable[[str], bool] = _random,
    flags: int = 0,
    around: Around = Around.ANYTHING,
) -> Kind:
    if pattern.startswith(_START):
        around = Around.RUN
    return Kind(name, rule, tuple(literals.split(" ")), re.compile(pattern, flags), check, around)


_KEY, _TOKEN = "provider_key", "token"
_START, _END = r"(?<![A-Za-z0-9_-])", r"(?![A-Za-z0-9_-])"
_NAMES = r"(?:password|passwd|pwd|secret|api[_-]?key|apikey|access[_-]?key|auth[_-]?token|access[_-]?token|secret[_-]?key|(?:refresh|session|bot)[_-]?token)"
KINDS: tuple[Kind, ...] = (
    _kind("AWS access key", _KEY, "AKIA ASIA", rf"{_START}((?:AKIA|ASIA)[A-Z2-7]{{16}}){_END}"),
    _kind(
        "AWS secret key", _KEY, "secret_access_key SecretAccessKey SECRET_ACCESS_KEY aws_secret",
        r"(?:secret_?access_?key|aws_secret)[\"']?\s{0,3}[:=]\s{0,3}[\"']?([A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])", _random, re.IGNORECASE, Around.NAMED,
    ),
    _kind("OpenAI key", _KEY, "sk-", rf"{_START}(sk-(?!ant-|or-|lf-)(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{{32,200}}){_END}"),
    _kind("Anthropic key", _KEY, "sk-ant-", rf"{_START}(sk-ant-[A-Za-z0-9_-]{{32,200}}){_END}"),
    _kind("OpenRouter key", _KEY, "sk-or-", rf"{_START}(sk-or-v\d-[0-9a-f]{{40,80}}){_END}"),
    _kind("Langfuse key", _KEY, "sk-lf-", rf"{_START}(sk-lf-[0-9a-f-]{{32,40}}){_END}"),
    _kind("Hugging Face token", _KEY, "hf_", rf"{_START}(hf_[A-Za-z0-9]{{30,60}}){_END}"),
    _kind("Groq key", _KEY, "gsk_", rf"{_START}(gsk_[A-Za-z0-9]{{40,80}}){_END}"),
    _kind("xAI key", _KEY, "xai-", rf"{_START}(xai-[A-Za-z0-9]{{60,100}}){_END}"),
    _kind("Replicate token", _KEY, "r8_", rf"{_START}(r8_[A-Za-z0-9]{{37}}){_END}"),
    _kind("Perplexity key", _KEY, "pplx-", rf"{_START}(pplx-[A-Za-z0-9]{{40,64}}){_END}"),
    _kind("Pinecone key", _KEY, "pcsk_", rf"{_START}(pcsk_[A-Za-z0-9_]{{40,120}}){_END}"),
    _kind("LangSmith key", _KEY, "lsv2_", rf"{_START}(lsv2_(?:pt|sk)_[0-9a-f]{{32}}_[0-9a-f]{{10}}){_END}"),
    _kind("Google API key", _KEY, "AIza", rf"{_START}(AIza[A-Za-z0-9_-]{{35}}){_END}"),
    _kind("Google OAuth token", _TOKEN, "ya29.", rf"{_START}(ya29\.[A-Za-z0-9_-]{{30,300}})"),
    _kind("GitHub token", _KEY, "ghp_ gho_ ghu_ ghs_ ghr_", rf"{_START}(gh[pousr]_[A-Za-z0-9]{{36,255}}){_END}"),
    _kind("GitHub fine-grained token", _KEY, "github_pat_", rf"{_START}(github_pat_[A-Za-z0-9_]{{60,100}}){_END}"),
    _kind("GitLab token", _KEY, "glpat-", rf"{_START}(glpat-[A-Za-z0-9_-]{{20,64}}){_END}"),
    _kind("Slack token", _KEY, "xoxb- xoxp- xoxa- xoxr- xoxs- xapp-", rf"{_START}((?:xox[bpars]|xapp)-[A-Za-z0-9-]{{20,250}})"),
    _kind("Slack webhook", _KEY, "hooks.slack.com", r"hooks\.slack\.com/services/(T[A-Z0-9]{6,12}/B[A-Z0-9]{6,12}/[A-Za-z0-9]{20,30})"),
    _kind("Stripe key", _KEY, "sk_live_ rk_live_", rf"{_START}([sr]k_live_[A-Za-z0-9]{{20,120}}){_END}"),
    _kind("SendGrid key", _KEY, "SG.", rf"{_START}(SG\.[A-Za-z0-9_-]{{16,32}}\.[A-Za-z0-9_-]{{32,64}}){_END}"),
    _kind("npm token", _KEY, "npm_", rf"{_START}(npm_[A-Za-z0-9]{{36}}){_END}"),
    _kind("PyPI token", _KEY, "pypi-", rf"{_START}(pypi-AgEI[A-Za-z0-9_-]{{50,250}})"),
    _kind("DigitalOcean token", _KEY, "dop_v1_", rf"{_START}(dop_v1_[0-9a-f]{{64}}){_END}"),
    _kind("AWS Bedrock key", _KEY, "ABSK", rf"{_START}(ABSK[A-Za-z0-9+/]{{80,200}}={{0,2}})"),
    _kind("NVIDIA key", _KEY, "nvapi-", rf"{_START}(nvapi-[A-Za-z0-9_-]{{50,100}}){_END}"),
    _kind("Fireworks key", _KEY, "fw_", rf"{_START}(fw_[A-Za-z0-9]{{22,40}}){_END}", _chosen),
    _kind("Together key", _KEY, "tgp_v1_", rf"{_START}(tgp_v1_[A-Za-z0-9_-]{{40,80}}){_END}"),
    _kind("Cerebras key", _KEY, "csk-", rf"{_START}(csk-[a-z0-9]{{40,60}}){_END}"),
    _kind("Voyage key", _KEY, "pa-", rf"{_START}(pa-[A-Za-z0-9_-]{{43}}){_END}", _chosen),
    _kind("Weights & Biases key", _KEY, "wandb_v1_", rf"{_START}(wandb_v1_[A-Za-z0-9_]{{40,120}}){_END}"),
    _kind("Google OAuth secret", _KEY, "GOCSPX-", rf"{_START}(GOCSPX-[A-Za-z0-9_-]{{28}}){_END}"),
    _kind("Databricks token", _KEY, "dapi", rf"{_START}(dapi[0-9a-f]{{32}}(?:-\d)?){_END}"),
    _kind("Vault token", _KEY, "hvs. hvb.", rf"{_START}(hv[sb]\.[A-Za-z0-9_-]{{24,200}}){_END}"),
    _kind("Docker token", _KEY, "dckr_pat_ dckr_oat_", rf"{_START}(dckr_[po]at_[A-Za-z0-9_-]{{27,40}}){_END}"),
    _kind("Atlassian token", _KEY, "ATATT3", rf"{_START}(ATATT3[A-Za-z0-9_=-]{{100,250}})"),
    _kind("Grafana token", _KEY, "glsa_ glc_", rf"{_START}(glsa_[A-Za-z0-9]{{32}}_[0-9a-f]{{8}}|glc_[A-Za-z0-9+/]{{40,400}}={{0,2}})"),
    _kind("Sentry token", _KEY, "sntrys_ sntryu_", rf"{_START}(sntry[su]_[A-Za-z0-9+/=_-]{{40,300}})"),
    _kind("Supabase key", _KEY, "sbp_ sb_secret_", rf"{_START}(sbp_[0-9a-f]{{40}}|sb_secret_[A-Za-z0-9_-]{{30,50}}){_END}"),
    _kind("Notion token", _KEY, "ntn_", rf"{_START}(ntn_[A-Za-z0-9]{{40,60}}){_END}"),
    _kind("Linear key", _KEY, "lin_api_", rf"{_START}(lin_api_[A-Za-z0-9]{{40}}){_END}"),
    _kind("Shopify token", _KEY, "shpat_ shpca_ shppa_ shpss_", rf"{_START}(shp(?:at|ca|pa|ss)_[0-9a-fA-F]{{32}}){_END}"),
    _kind("CircleCI token", _KEY, "CCIPAT_", rf"{_START}(CCIPAT_[A-Za-z0-9]{{22}}_[0-9a-f]{{40}}){_END}"),
    _kind("GitLab CI token", _KEY, "glrt- gldt- glcbt- glptt-", rf"{_START}(gl(?:rt|dt|cbt|ptt)-[A-Za-z0-9_-]{{20,64}}){_END}"),
    _kind("age secret key", _KEY, "AGE-SECRET-KEY-1", rf"{_START}(AGE-SECRET-KEY-1[0-9A-Z]{{58}}){_END}"),
    _kind("Discord webhook", _KEY, "/api/webhooks/", r"discord(?:app)?\.com/api/webhooks/\d{17,20}/([A-Za-z0-9_-]{60,80})"),
    _kind("Azure OAuth secret", _KEY, "8Q~ 7Q~", r"(?<![A-Za-z0-9_~.-])([A-Za-z0-9_~.-]{3}[78]Q~[A-Za-z0-9_~.-]{31,34})(?![A-Za-z0-9_~.-])", _chosen),
    _kind("Azure storage key", _KEY, "AccountKey=", r"AccountKey=([A-Za-z0-9+/]{86}==)"),
    _kind("Azure shared access key", _KEY, "SharedAccessKey=", r"SharedAccessKey=([A-Za-z0-9+/]{43}=)"),
    _kind("private key", "private_key", "-----BEGIN", r"-----BEGIN (?:[A-Z]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----\s{0,4}([A-Za-z0-9+/=\s\\]{16,4000})", lambda _: True),
    _kind("JSON web token", _TOKEN, "eyJ", rf"{_START}(eyJ[A-Za-z0-9_-]{{10,2000}}\.[A-Za-z0-9_-]{{10,8000}}\.[A-Za-z0-9_-]{{10,2000}})", _jwt),
    _kind("bearer token", _TOKEN, "Bearer bearer", r"[Bb]earer\s{1,3}(?!eyJ)([A-Za-z0-9_.~+/-]{24,500}=*)", _chosen, 0, Around.BEARER),
    _kind(
        "connection string", "connection_string",
        "postgres:// postgresql:// postgresql+ mysql:// mysql+ mongodb:// mongodb+srv:// redis:// rediss:// amqp:// amqps:// mssql:// clickhouse://",
        r"(?:postgres(?:ql)?|mysql|mongodb|rediss?|amqps?|mssql|clickhouse)(?:\+\w{1,20})?://[^\s:/@\"']{0,100}:([^\s@/\"']{3,200})@", _password,
    ),
    _kind(
        "password or key by name", "password",
        "password passwd Password PASSWORD secret Secret SECRET api_key apikey api-key apiKey ApiKey API_KEY access_key auth_token AUTH_TOKEN access_token pwd refresh_token session_token bot_token",
        rf"(?<![A-Za-z]){_NAMES}[\"']?\s{{0,3}}[:=]\s{{0,3}}[\"']?([^\s\"',;&)}}\]]{{8,200}})", _chosen, re.IGNORECASE, Around.NAMED,
    ),
    _kind(
        "card number", "card", "card Card CARD visa Visa VISA mastercard Mastercard MasterCard Kreditkarte",
        r"(?<![\d.-])((?:\d[ -]?){12,18}\d)(?![\d.])", _card, 0, Around.CARD,
    ),
    _kind("IBAN", "iban", "IBAN iban Iban", r"(?<![A-Za-z0-9])([A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?)(?![A-Za-z0-9])", _iban, 0, Around.IBAN),
)  # fmt: skip
