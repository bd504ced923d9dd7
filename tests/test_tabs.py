"""A tab is a file or a folder of its own: the page finds it, and nothing else is told of it."""

import sys

import gradio as gr
import pytest
from page_kit import Window, build_page

import studio.ui
from studio.project_facts import Permission
from studio.ui import actions
from studio.ui.tabs import find_tabs

HELLO = '''
"""A tab that says hello."""

from studio.ui.components import component
from studio.ui.views import NextStep

ID, TITLE, ORDER = "hello", "Hello", 99


def build(page):
    greeting = component("next_step", elem_id="next-hello")
    page.reads(lambda project: [NextStep(f"say hello to {project.facts().name}.") if project else None], [greeting], tab=ID)
'''


@pytest.fixture
def hello(tmp_path, monkeypatch):
    """A folder beside the studio's own, in which there is a tab more."""
    folder = tmp_path / "one more tab"
    folder.mkdir()
    (folder / "hello_tab.py").write_text(HELLO, encoding="utf-8")
    monkeypatch.setattr(studio.ui, "__path__", [*studio.ui.__path__, str(folder)])
    yield folder
    sys.modules.pop("studio.ui.hello_tab", None)


def labels(workspace):
    """What stands on the tabs of a built page, from left to right."""
    _, demo = build_page(workspace)
    return [block.label for block in demo.blocks.values() if isinstance(block, gr.Tab)]


def test_the_tabs_are_found_in_the_order_of_the_work(workspace):
    assert labels(workspace) == ["1 Dataset", "2 Train", "3 Evaluate"]


def test_a_tab_of_one_file_more_stands_on_the_page_and_shows_the_project(workspace, hello):
    workspace.create_project("Anna", trigger="ohwx", base_model="tiny", permission=Permission(granted=True))
    assert labels(workspace) == ["1 Dataset", "2 Train", "3 Evaluate", "4 Hello"]
    window = Window(workspace, "anna")
    window.open("hello")
    assert window.value("next-hello")["text"] == "say hello to Anna."


def test_the_tab_that_a_browser_showed_last_is_shown_again_also_a_new_one(workspace, hello):
    _, demo = build_page(workspace)
    open_page = next(fn for fn in demo.fns.values() if fn.name == "open_page")
    _, tab, shown, _ = open_page.fn({"project": "", "tab": "hello"})
    assert (tab, shown["selected"]) == ("hello", "hello")
    assert open_page.fn({"project": "", "tab": "of-yesterday"})[1] == "dataset"


def test_a_tab_without_its_title_is_named(hello):
    (hello / "hello_tab.py").write_text(HELLO.replace("ORDER = ", "RANK = "), encoding="utf-8")
    with pytest.raises(ValueError, match=r"hello_tab.* gives no ORDER"):
        find_tabs()


def test_every_action_that_leads_to_a_tab_leads_to_one_that_is_there():
    tabs = {tab.ID for tab in find_tabs()}
    led_to = {place.removeprefix("tab:").partition("/")[0] for _, place in actions.IN_BROWSER.values() if place.startswith("tab:")}
    assert led_to == tabs
