"""The values of fp8 numbers, for a look at some of them without torch."""

import math
from collections import Counter
from functools import cache

LAYOUTS = {"F8_E4M3": (4, 3, 7), "F8_E5M2": (5, 2, 15)}  # bits of the exponent, of the mantissa, and the exponent's offset


def typical_size(data: bytes, form: str) -> float:
    """The root of the mean square of fp8 numbers; 0.0 of none. Infinite and undefined ones are left out."""
    values, counts = _values(form), Counter(data)
    finite = [(values[byte], count) for byte, count in counts.items() if math.isfinite(values[byte])]
    total = sum(count for _, count in finite)
    return math.sqrt(sum(value * value * count for value, count in finite) / total) if total else 0.0


@cache
def _values(form: str) -> tuple[float, ...]:
    """What each of the 256 bytes means."""
    return tuple(_value(byte, form) for byte in range(256))


def _value(byte: int, form: str) -> float:
    exponent_bits, mantissa_bits, offset = LAYOUTS[form]
    sign = -1.0 if byte & 0x80 else 1.0
    exponent, mantissa = (byte & 0x7F) >> mantissa_bits, byte & ((1 << mantissa_bits) - 1)
    highest = (1 << exponent_bits) - 1
    if form == "F8_E4M3" and byte & 0x7F == 0x7F:  # e4m3fn has no infinity, and one NaN
        return math.nan
    if form == "F8_E5M2" and exponent == highest:
        return sign * math.inf if mantissa == 0 else math.nan
    if exponent == 0:
        return sign * mantissa * 2.0 ** (1 - offset - mantissa_bits)
    return sign * (1 + mantissa / (1 << mantissa_bits)) * 2.0 ** (exponent - offset)
