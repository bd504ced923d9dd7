"""A measure of a clip through the base's."""


def ratio(value: float, base: float, floor: float) -> float | None:
    """None where the base gives no scale."""
    return round(value / base, 4) if base > floor else None
