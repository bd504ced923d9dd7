"""The tabs of the page, found by folder: studio/ui/NAME/tab.py, or studio/ui/NAME_tab.py for one of a single file."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from typing import Protocol, cast

import studio.ui
from studio.ui.page import Page

GIVES = ("ID", "TITLE", "ORDER", "build")


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
    return sorted(map(load_tab, tab_modules()), key=lambda tab: (tab.ORDER, tab.ID))


def tab_modules() -> Iterator[str]:
    """The full names of the modules that are tabs."""
    for found in pkgutil.iter_modules(studio.ui.__path__, "studio.ui."):
        if found.ispkg and importlib.util.find_spec(f"{found.name}.tab"):
            yield f"{found.name}.tab"
        elif found.name.endswith("_tab"):
            yield found.name


def load_tab(name: str) -> Tab:
    module = importlib.import_module(name)
    if missing := [part for part in GIVES if not hasattr(module, part)]:
        raise ValueError(f"{name} gives no {missing[0]}; a tab gives {', '.join(GIVES)}")
    return cast(Tab, module)
