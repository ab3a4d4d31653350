"""Check digits of national numbers: whether a number can be one that was given to a person.

Each function takes the number as it was written, separators included, and says whether length, structure and check
digits are right. Methods are those that the issuing offices publish; ISO/IEC 7064 where they say so.
"""

from __future__ import annotations

import re
from datetime import date

_SEPARATORS = re.compile(r"[\s./-]+")


def _bare(number: str) -> str:
    return _SEPARATORS.sub("", number).upper()


def _weighted(digits: str, weights: tuple[int, ...] | range) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def us_ssn(number: str) -> bool:
    """US social security number or ITIN: no area 000 or 666, no group 00, no serial 0000; 9xx only as an ITIN."""
    area, group, serial = number[:3], _bare(number)[3:5], _bare(number)[5:]
    if area in ("000", "666") or group == "00" or serial == "0000" or _bare(number) in ("078051120", "219099999"):
        return False
    return area[0] != "9" or 50 <= int(group) <= 65 or 70 <= int(group) <= 99


def uk_nino(number: str) -> bool:
    """UK national insurance number: prefixes that are never given are left out (it has no check digit)."""
    bare = _bare(number)
    prefix = bare[:2]
    wrong = prefix in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"} or set(prefix) & set("DFIQUV") or prefix[1] == "O"
    return not wrong and bare[8:] in "ABCD"


def uk_nhs(number: str) -> bool:
    """NHS number: mod 11 with weights 10 to 2."""
    bare = _bare(number)
    check = 11 - _weighted(bare[:9], range(10, 1, -1)) % 11
    return len(set(bare)) > 2 and check % 11 == int(bare[9]) and check != 10


def german_tax_id(number: str) -> bool:
    """Identification number of §139b AO: one digit twice or thrice among the first ten, ISO 7064 mod 11,10."""
    bare = _bare(number)
    counts = sorted((bare[:10].count(digit) for digit in set(bare[:10])), reverse=True)
    if bare[0] == "0" or counts[0] not in (2, 3) or counts.count(1) != len(counts) - 1:
        return False
    product = 10
    for digit in bare[:10]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(bare[10])


def french_nir(number: str) -> bool:
    """NIR of INSEE: 97 less the remainder of the first 13 digits; 2A and 2B are Corsica's."""
    bare = _bare(number)
    first = int(bare[:13].replace("2A", "19").replace("2B", "18"))
    return 97 - first % 97 == int(bare[13:])


def spanish_dni(number: str) -> bool:
    """DNI and NIE: a letter by the remainder of 23; X, Y, Z stand for 0, 1, 2."""
    bare = _bare(number)
    digits = bare[:-1].translate(str.maketrans("XYZ", "012"))
    return len(set(digits)) > 2 and "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == bare[-1]


_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def italian_codice_fiscale(number: str) -> bool:
    """Codice fiscale: the letter by the sums of the values of odd and even places (DM 23.12.1976)."""
    values = [int(c) if c.isdigit() else ord(c) - ord("A") for c in _bare(number)[:15]]
    total = sum(_ODD[value] if place % 2 == 0 else value for place, value in enumerate(values))
    return chr(ord("A") + total % 26) == _bare(number)[15]


def dutch_bsn(number: str) -> bool:
    """Burgerservicenummer: weights 9 to 2 and -1, a multiple of 11."""
    bare = _bare(number)
    return len(set(bare)) > 2 and _weighted(bare, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def _mod_11(digits: str, highest: int) -> str:
    weights = [2 + place % (highest - 1) for place in range(len(digits))]
    rest = sum(int(digit) * weight for digit, weight in zip(reversed(digits), weights, strict=True)) % 11
    return str(0 if rest < 2 else 11 - rest)


def brazilian_cpf(number: str) -> bool:
    """CPF: two digits mod 11."""
    bare = _bare(number)
    return len(set(bare)) > 1 and all(_mod_11(bare[:end], 12) == bare[end] for end in (9, 10))


def brazilian_cnpj(number: str) -> bool:
    """CNPJ: two digits mod 11, weights 2 to 9 again and again."""
    bare = _bare(number)
    return len(set(bare)) > 1 and all(_mod_11(bare[:end], 9) == bare[end] for end in (12, 13))


_TURN = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _dihedral(a: int, b: int) -> int:
    """Multiply in the dihedral group of order ten."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


def verhoeff(digits: str) -> bool:
    """Verhoeff's check digit (1969): every single error and every swap of neighbours is noticed."""
    check = 0
    for place, character in enumerate(reversed(digits)):
        digit = int(character)
        for _ in range(place % 8):
            digit = _TURN[digit]
        check = _dihedral(check, digit)
    return check == 0


def indian_aadhaar(number: str) -> bool:
    """Aadhaar: twelve digits, not beginning with 0 or 1, Verhoeff."""
    bare = _bare(number)
    return bare[0] not in "01" and len(set(bare)) > 3 and bare != bare[::-1] and verhoeff(bare)


def chinese_resident_id(number: str) -> bool:
    """GB 11643: a day of birth, ISO 7064 mod 11-2."""
    bare = _bare(number)
    if not _is_day(int(bare[6:10]), int(bare[10:12]), int(bare[12:14])) or not "1900" <= bare[6:10] <= "2100":
        return False
    return "10X98765432"[_weighted(bare[:17], tuple(2**place % 11 for place in range(17, 0, -1))) % 11] == bare[17]


def birthday(written: str) -> bool:
    """Whether numbers can be a day of birth, in any of the usual orders; months by name are taken as they are."""
    parts = [int(part) for part in re.findall(r"[0-9]+", written)]
    if len(parts) < 3:
        return any(1900 <= part <= 2100 for part in parts)
    first, second, third = parts[:3]
    orders = ((first, second, third), (third, second, first), (third, first, second))
    return any(1900 <= year <= 2100 and _is_day(year, month, day) for year, month, day in orders)
