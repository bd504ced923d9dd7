"""The tabs of the page, found by folder: studio/ui/NAME/tab.py, or studio/ui/NAME_tab.py for one of a single file."""

from typing import Protocol, cast

from studio.doors import members
from studio.ui.page import Page

GIVES = ("ID", "TITLE", "ORDER", "build")
PLACES = ("*/tab.py", "*_tab.py")


class Tab(Protocol):
    """What the file of a tab gives. ID: what the page and the browser call it; TITLE: what a person reads; ORDER: the smallest is leftmost."""

    ID: str
    TITLE: str
    ORDER: int

    def build(self, page: Page) -> None:
        """Put its parts on the page, here and now, and register what they read and do."""
        ...


def find_tabs() -> list[Tab]:
    """Every tab there is, from left to right. ValueError names a file that does not give what a tab gives."""
    tabs = cast(tuple[Tab, ...], members("studio.ui", GIVES, PLACES))
    return sorted(tabs, key=lambda tab: (tab.ORDER, tab.ID))
