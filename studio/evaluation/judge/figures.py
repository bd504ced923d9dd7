"""How numbers are said in tables and sentences."""

NOT_MEASURED = "not measured"


def percent(share: float) -> str:
    """ "91 %"; below nothing is nothing: less like the person than a stranger is not said."""
    return f"{100 * max(share, 0):.0f} %"


def percent_or_not(share: float | None) -> str:
    return NOT_MEASURED if share is None else percent(share)


def decimal_or_not(value: float | None, digits: int = 3) -> str:
    return NOT_MEASURED if value is None else f"{value:.{digits}f}"
