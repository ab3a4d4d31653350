"""What personal data look like: numbers with their check digits, and what only a word near by tells apart.

A number counts near a word that says what it is (`NEAR`: shortly after it; `FAR`: anywhere in a text with the word,
for forms and check digits that hardly anything else has). Addresses of roles (support@, noreply@) are nobody's.
"""

# ruff: noqa: E501  one kind a line
from __future__ import annotations

import re
from typing import TYPE_CHECKING

from treering.parse.sensitive import national_numbers as numbers
from treering.parse.sensitive.secrets import Around, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

CONTACT, IDENTITY, PRIVATE, NETWORK = "contact", "identity", "private", "network"
_ROLES = re.compile(
    r"(?:no-?reply|do-?not-?reply|support|info|help|sales|admin|contact|hello|team|office|billing|security|abuse|"
    r"postmaster|webmaster|hostmaster|root|git|notifications?|alerts?|press|jobs|hr|privacy|legal|service|mailer-daemon|"
    r"newsletter|marketing|feedback|accounts?|orders?|events?|ops|devops|dev|test|user|username|name|you|email|your\.?(?:name|email))"
    r"(?:[+._-][\w+.-]*)?@",
    re.IGNORECASE,
)
_FILES = frozenset(
    "png jpg jpeg gif svg webp css js ts py json yaml yml html md txt log conf service socket timer target mount slice scope local internal lan svc".split()
)
_ZEROS = re.compile(r"[^0-9]")


def _mail(address: str) -> bool:
    ending = address.rpartition(".")[2].lower()
    return not _ROLES.match(address) and ending not in _FILES and "iam.gserviceaccount" not in address


def _international(number: str) -> bool:
    """Check a number of ITU-T E.164: at most fifteen digits, no test numbers of one digit, no plain run of digits."""
    digits = _ZEROS.sub("", number)
    return 9 <= len(digits) <= 15 and len(set(digits)) > 3 and digits not in "1234567890123456789"


def _national(number: str) -> bool:
    digits = _ZEROS.sub("", number)
    return (
        8 <= len(digits) <= 12
        and len(set(digits)) > 3
        and digits not in "01234567890123456789"
        and not re.match(r"(?:19|20)\d\d-[01]\d-[0-3]\d$", number)
    )


def _fiscal_code(number: str) -> bool:
    return len(_ZEROS.sub("", number)) >= 6 and numbers.italian_codice_fiscale(number)


def _has_digits(number: str) -> bool:
    digits = _ZEROS.sub("", number)
    return len(digits) >= 5 and len(set(digits)) > 2


def _is_public(address: str) -> bool:
    parts = [int(part) for part in address.split(".")]
    private = parts[0] in (0, 10, 127) or parts[0] >= 224 or parts[:2] == [192, 168] or parts[:2] == [169, 254]
    return max(parts) < 256 and not private and not (parts[0] == 172 and 16 <= parts[1] < 32)


def _words(words: str) -> tuple[str, ...]:
    """Return the words as they stand in texts and in names of fields, in lower case."""
    found: dict[str, None] = {}
    for word in words.split("|"):
        found |= dict.fromkeys(word.replace(" ", between) for between in (" ", "_", "-", ""))
    return tuple(found)


def _kind(
    name: str, rule: str, words: str, pattern: str, check: Callable[[str], bool], *, reach: int = 0, flags: int = 0
) -> Kind:
    around = Around.NEAR if reach else Around.FAR
    return Kind(
        name, rule, _words(words), re.compile(pattern, flags), check, around, reach, 0, is_word=True, is_personal=True
    )


_NOT, _NOR = r"(?<![A-Za-z0-9.-])", r"(?![A-Za-z0-9]|[.-][0-9])"
_LOW, _UP = r"(?<![0-9.-])", r"(?![0-9]|[.-][0-9])"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Mai|Jun|Jul|Aug|Sep|Oct|Okt|Nov|Dec|Dez|janv|févr|mars|avr|juin|juil|août|ene|abr|dic|gen|mag|giu|lug|ago|set|ott)[a-zé]{0,7}\.?"
_STREET = (
    r"(?:street|st\.|road|rd\.?|avenue|ave\.?|lane|drive|dr\.|boulevard|blvd\.?|court|close|way|place|square|terrace)"
)

PERSONAL: tuple[Kind, ...] = (
    Kind(
        "e-mail address", CONTACT, ("@",),
        re.compile(r"(?:[a-z0-9+]{2,16}://[^\s@/]{0,100}|git)@|(?<![\w.+%/@-])((?:[^\W_]|_)[\w.+%-]{0,63}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,6}[^\W\d_]{2,24})(?![\w@-])"),
        _mail, Around.SIGN, 260, 120, is_personal=True,
    ),
    Kind("phone number", CONTACT, ("+",), re.compile(r"(?<![\w+.@=/-])(\+[1-9](?:[ .()/-]{0,2}[0-9]){7,14})(?![\w]|[.-][0-9])"), _international, Around.SIGN, 48, 1, is_personal=True),
    _kind("phone number by name", CONTACT, "phone|telephone|mobile|telefon|téléphone|teléfono|telefono|móvil|celular|whatsapp|handynummer|tel.|tel:", r"(?<![\w+.@=/-])(\(?0?[0-9]{2,5}\)?(?:[ ./-]{1,2}\(?[0-9]{2,7}\)?){1,4}|[0-9]{9,11})(?![\w]|[.:-][0-9])", _national, reach=48),
    _kind("US SSN or ITIN", IDENTITY, "ssn|social security|itin|taxpayer id", rf"{_LOW}([0-9]{{3}}[- ][0-9]{{2}}[- ][0-9]{{4}}){_UP}", numbers.us_ssn),
    _kind("US SSN by name", IDENTITY, "ssn|social security", rf"{_LOW}([0-9]{{9}}){_UP}", numbers.us_ssn, reach=40),
    _kind("UK national insurance number", IDENTITY, "nino|national insurance|ni number|ni no", rf"{_NOT}([A-CEGHJ-PR-TW-Za-z][A-CEGHJ-NPR-TW-Za-z] ?[0-9]{{2}} ?[0-9]{{2}} ?[0-9]{{2}} ?[A-Da-d]){_NOR}", numbers.uk_nino),
    _kind("NHS number", IDENTITY, "nhs", rf"{_LOW}([0-9]{{3}}[ -]?[0-9]{{3}}[ -]?[0-9]{{4}}){_UP}", numbers.uk_nhs, reach=48),
    _kind("German tax id", IDENTITY, "steuer-id|steueridentifikationsnummer|steuerliche identifikationsnummer|idnr|steuer id|tax id", rf"{_LOW}([0-9]{{2}} ?[0-9]{{3}} ?[0-9]{{3}} ?[0-9]{{3}}){_UP}", numbers.german_tax_id, reach=60),
    _kind("French NIR", IDENTITY, "nir|sécurité sociale|securite sociale|insee|numéro de sécu|carte vitale", rf"{_LOW}([1-478] ?[0-9]{{2}} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{{2}}|2[AB]) ?[0-9]{{3}} ?[0-9]{{3}} ?[0-9]{{2}}){_UP}", numbers.french_nir),
    _kind("Spanish DNI or NIE", IDENTITY, "dni|nie|nif|documento nacional|documento de identidad", rf"{_NOT}((?:[0-9]{{2}}\.?[0-9]{{3}}\.?[0-9]{{3}}|[XYZ][ -]?[0-9]{{7}})[ -]?[A-HJ-NP-TV-Z]){_NOR}", numbers.spanish_dni, reach=60),
    _kind("Italian codice fiscale", IDENTITY, "codice fiscale|c.f.|cod. fisc|cod fiscale|fiscal code|cf:", rf"{_NOT}([A-Z]{{6}}[0-9LMNP-V]{{2}}[A-EHLMPRST][0-9LMNP-V]{{2}}[A-Z][0-9LMNP-V]{{3}}[A-Z]){_NOR}", _fiscal_code, flags=re.IGNORECASE),
    _kind("Dutch BSN", IDENTITY, "bsn|burgerservicenummer|sofinummer", rf"{_LOW}([0-9]{{9}}|[0-9]{{4}}[ .][0-9]{{2}}[ .][0-9]{{3}}){_UP}", numbers.dutch_bsn, reach=40),
    _kind("Brazilian CPF", IDENTITY, "cpf", rf"{_LOW}([0-9]{{3}}\.?[0-9]{{3}}\.?[0-9]{{3}}-?[0-9]{{2}}){_UP}", numbers.brazilian_cpf),
    _kind("Brazilian CNPJ", IDENTITY, "cnpj", rf"{_LOW}([0-9]{{2}}\.?[0-9]{{3}}\.?[0-9]{{3}}/?[0-9]{{4}}-?[0-9]{{2}}){_UP}", numbers.brazilian_cnpj),
    _kind("Indian Aadhaar", IDENTITY, "aadhaar|aadhar|uidai|आधार", rf"{_LOW}([2-9][0-9]{{3}}[ -]?[0-9]{{4}}[ -]?[0-9]{{4}}){_UP}", numbers.indian_aadhaar),
    _kind("Indian PAN", IDENTITY, "pan card|pan number|pan no|pan:|permanent account", rf"{_NOT}([A-Z]{{3}}[ABCFGHLJPT][A-Z][0-9]{{4}}[A-Z]){_NOR}", lambda _: True, reach=60),
    _kind("Chinese resident id", IDENTITY, "身份证|身份證|居民身份|公民身份|resident id|id card|id number|shenfenzheng", rf"{_LOW}([1-9][0-9]{{5}}(?:19|20)[0-9]{{2}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{{3}}[0-9Xx]){_UP}", numbers.chinese_resident_id),
    _kind("passport number", IDENTITY, "passport|reisepass|passeport|pasaporte|passaporto|护照", rf"{_NOT}([A-Z]{{0,2}}[0-9]{{6,9}}|[CFGHJK][0-9CFGHJKLMNPRTVWXYZ]{{8}}){_NOR}", _has_digits, reach=40),
    _kind("driving licence", IDENTITY, "driver licen|driver's licen|drivers licen|driving licen|führerschein|permis de conduire|dl number", rf"{_NOT}([A-Z]{{1,5}}[ -]?[0-9][0-9A-Z -]{{4,16}}[0-9A-Z]|[0-9]{{7,12}}){_NOR}", _has_digits, reach=48),
    _kind("date of birth", PRIVATE, "date of birth|dob|birth date|birthday|born on|geburtsdatum|geboren am|date de naissance|fecha de nacimiento|data di nascita|data de nascimento|geboortedatum|出生日期|née le|né le", rf"{_LOW}((?:19|20)[0-9]{{2}}[-/.](?:[01]?[0-9])[-/.][0-3]?[0-9]|[0-3]?[0-9][-/.][0-3]?[0-9][-/.](?:19|20)[0-9]{{2}}|[0-3]?[0-9](?:st|nd|rd|th|\.)? {_MONTH},? (?:19|20)[0-9]{{2}}|{_MONTH} [0-3]?[0-9](?:st|nd|rd|th)?,? (?:19|20)[0-9]{{2}}){_UP}", numbers.birthday, reach=40, flags=re.IGNORECASE),
    _kind("medical record number", PRIVATE, "mrn|medical record|patient id|patient number|krankenversichertennummer|versichertennummer", rf"{_NOT}([A-Z]{{0,3}}-?[0-9]{{6,12}}){_NOR}", _has_digits, reach=40),
    _kind("postal address", PRIVATE, "home address|lives at|live at|postal address|shipping address|billing address|mailing address|street address|wohnt in|anschrift|wohnhaft", rf"{_NOT}([0-9]{{1,5}}[A-Za-z]? (?:[A-Z][\w'.-]{{1,20}} ){{1,4}}{_STREET}[^\n\"]{{0,50}}?(?:[0-9]{{5}}|[A-Z]{{1,2}}[0-9][0-9A-Z]? ?[0-9][A-Z]{{2}})|[A-ZÄÖÜ][\wäöüß.-]{{2,30}}(?:straße|strasse|str\.|weg|platz|allee|gasse) [0-9]{{1,4}}[a-z]?,? [0-9]{{5}})(?![0-9])", lambda _: True, reach=110, flags=re.IGNORECASE),
)  # fmt: skip
ADDRESSES = Kind(
    "IP address",
    NETWORK,
    (".",),
    re.compile(r"(?<![\w.])([0-9]{1,3}(?:\.[0-9]{1,3}){3})(?![\w.])"),
    _is_public,
    Around.ANYTHING,
    20,
    4,
    is_personal=True,
)
"""Not looked for unless somebody asks for it: nearly every access log has them."""
