"""The whole journey in a real browser: what a person does, and what they see."""
# ruff: noqa: F401, F811 (browser is a fixture)

import contextlib
import re
import shutil
from pathlib import Path

import pytest
from browser_kit import (  # some for other files, which have them from here
    CHROMIUM,
    FLAGS,
    JOB_MS,
    LOOK_MS,
    ROOT,
    as_found,
    begin_to_choose,
    browser,
    caption_on_disk,
    choose_project,
    expect,
    free_port,
    make_person,
    open_tab,
    running_studio,
    start_studio,
    stop_jobs,
    stop_studio,
    wait_until,
    window,
)
from comfy_kit import HIGH, make_project, make_whole_comfyui, pair_of
from comfyui_kit import make_true_comfyui
from comparison_kit import LANDSCAPE, PORTRAIT, make_comparison

from studio.data import dataset
from studio.evaluation.report import write_report
from studio.evaluation.votes.vote_file import read_votes
from studio.models.preset import model_preset
from studio.project_facts import ChosenPair, Permission
from studio.workspace import Workspace

PHOTOS = tuple(f"{name}_{n}.jpg" for name in ("person_a", "person_b", "impostor") for n in (1, 2)) + ("astronaut.png", "bigbuckbunny.mp4")
STEPS = 20


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """(address, workspace) of a studio started as a person starts it."""
    with running_studio(tmp_path_factory.mktemp("studio home é"), with_demo=True) as running:
        yield running


@pytest.fixture
def page(browser, studio):
    """A window of 1280 px, which may complain of nothing and ask nobody but the studio."""
    with window(browser, studio[0], 1280, 860) as opened:
        yield opened


def test_a_person_becomes_a_compared_and_exported_pair(page, studio):
    _, workspace = studio
    see_the_demo(page)
    project = make_a_project(page, workspace)
    import_files(page, project)
    write_captions_by_hand(page, project)
    train(page, project)
    page.reload()
    page.wait_for_selector(".training", state="visible")  # the tab and the run are back
    expect(page.locator("#project input")).to_have_value("Test Person")
    wait_for_training(page, project)
    draw_clips(page, project)
    use_a_pair(page, project)


def see_the_demo(page):
    expect(page.locator("#project input")).to_have_value("Demo")
    expect(page.locator(".thumb")).to_have_count(18)
    expect(page.locator(".stage img")).to_be_visible()
    assert page.evaluate("document.querySelector('.stage img').naturalWidth") > 0


def make_a_project(page, workspace):
    """The dialog checks the trigger while it is typed and asks for the permission."""
    page.click("#new-person")
    dialog = page.get_by_role("dialog", name="New person")
    dialog.get_by_label("Name").fill("Test Person")
    dialog.get_by_label("Trigger word").fill("table")
    expect(dialog.locator(".trigger-check")).to_contain_text("real word")
    dialog.get_by_label("Trigger word").fill("zxqv")
    expect(dialog.locator(".trigger-check.good")).to_be_visible()
    dialog.get_by_label("Tiny").check()
    dialog.get_by_role("button", name="Make the project").click()
    expect(dialog.get_by_role("alert")).to_contain_text("permission")
    dialog.get_by_label("they agreed").check()
    dialog.get_by_role("button", name="Make the project").click()
    expect(page.locator("#project input")).to_have_value("Test Person")
    expect(page.locator(".grid-empty")).to_be_visible()
    return workspace.find_project("Test Person")


def import_files(page, project):
    media = ROOT / "tests" / "media"
    page.locator("#upload input[type=file]").set_input_files([media / name for name in PHOTOS])
    expect(page.locator(".thumb")).to_have_count(len(PHOTOS), timeout=JOB_MS)
    expect(page.locator("#last-job")).to_contain_text("Imported 8 items")
    expect(page.locator("#next-dataset")).to_contain_text("have 7 photos and 1 clip checked")
    assert len(list(project.originals_dir.iterdir())) == len(PHOTOS)
    sent = [path for folder in (project.root / "uploads", project.workspace.home / "uploads") for path in folder.rglob("*")]
    assert not [path for path in sent if path.is_file()]
    drop_two_equal_files(page, project, media)
    import_again_and_read_the_report(page, project, media)


def import_again_and_read_the_report(page, project, media):
    """What was there already is named, after a refresh too, until it is dismissed."""
    known = project.originals_dir / PHOTOS[0]
    page.locator("#upload input[type=file]").set_input_files([known, media / "CREDITS.md"])
    report = page.locator("#last-job")
    expect(report).to_contain_text("Nothing new was imported", timeout=JOB_MS)
    expect(report).to_contain_text(re.compile(rf"(?<!/){PHOTOS[0]} is the same as item 000\d"))
    page.reload()
    expect(report).to_contain_text(f"{PHOTOS[0]} is the same as item")
    page.get_by_role("button", name="Dismiss: Import").click()
    expect(report.locator(".notice")).to_have_count(0)
    page.reload()
    page.wait_for_selector(".thumb")
    expect(report.locator(".notice")).to_have_count(0)


def drop_two_equal_files(page, project, media):
    """Both are named: a browser's cache keeps equal contents in one place."""
    content = (media / PHOTOS[1]).read_bytes()
    sent = [{"name": f"copy ({n}).jpg", "mimeType": "image/jpeg", "buffer": content} for n in (1, 2)]
    page.locator("#upload input[type=file]").set_input_files(sent)
    for n in (1, 2):
        expect(page.locator("#last-job")).to_contain_text(f"copy ({n}).jpg is the same as item 000", timeout=JOB_MS)
    assert not [path for folder in (project.root / "uploads", project.workspace.home / "uploads") for path in folder.rglob("*.jpg")]


def write_captions_by_hand(page, project):
    from studio.data.dataset import list_items

    items = [item.id for item in list_items(project)]
    for number, item in enumerate(items):
        page.locator(f".thumb[data-id='{item}']").click()
        box = page.locator(f"#caption-text[data-key$='/{item}']")
        box.fill(f"zxqv, a person wearing a blue coat, scene {number}")
        box.press("Control+Enter")
        expect(page.locator(f".thumb[data-id='{item}'] .badge.warn")).to_have_count(0)
    assert caption_on_disk(project, items[0]) == "zxqv, a person wearing a blue coat, scene 0"
    expect(page.locator(".class-prompt")).to_contain_text("person, a person wearing a blue coat")
    find_and_replace(page, project, items)
    leave_one_out_and_undo(page, items)


def find_and_replace(page, project, items):
    """In the list of captions, with a look at what would change first."""
    page.locator(".caption-switch button", has_text="Captions").click()
    page.locator("#bulk-edit summary").click()
    page.locator("#bulk-find").fill("blue coat")
    page.locator("#bulk-text").fill("red hat")
    expect(page.locator("#bulk-apply")).to_have_text("Change these 8 captions")
    page.click("#bulk-apply")
    expect(page.locator("#studio-notice")).to_contain_text("Changed 8 captions")
    page.locator(".caption-switch button", has_text="Pictures").click()
    expect(page.locator("#caption-text")).to_have_value(re.compile("red hat"))
    expect(page.locator("#undo")).to_contain_text("Replacement in 8 captions")
    page.click("#undo")
    expect(page.locator("#caption-text")).to_have_value(re.compile("blue coat"))
    assert all("blue coat" in caption_on_disk(project, item) for item in items)


def leave_one_out_and_undo(page, items):
    page.locator(f".thumb[data-id='{items[0]}']").click()
    page.click("#keep-item")
    expect(page.locator(".thumb.is-out")).to_have_count(1)
    page.click("#undo")
    expect(page.locator(".thumb.is-out")).to_have_count(0)


def set_number(page, elem_id, value):
    box = page.locator(f"#{elem_id} input")
    box.fill(str(value))
    box.press("Tab")


def train(page, project):
    open_tab(page, "train")
    expect(page.locator("#plan .plan")).to_contain_text("7 photos and 1 clip")  # this project's plan, not the demo's
    page.get_by_role("button", name="All settings").first.click()
    find_a_setting(page)
    for name, value in {"train-steps": STEPS, "train-save-every": 10, "train-accumulation": 1, "train-held-out-every": 5}.items():
        set_number(page, name, value)
        expect(page.locator("#tab-train")).to_contain_text(re.compile(rf"Changed by you: .*\b{value}\b"))
    page.click("#start-training")
    expect(page.locator("#studio-notice")).to_contain_text("Training starts")
    page.wait_for_selector(".training", timeout=20_000)


def find_a_setting(page):
    """A search opens the folds that hold what it finds, and leaves nothing else."""
    search = page.get_by_label("Find a setting")
    search.fill("size lora")
    expect(page.locator("#train-lora-rank input")).to_be_visible()
    expect(page.locator("#train-lora-precision")).to_be_hidden()
    expect(page.locator("#train-steps")).to_be_hidden()
    search.fill("")
    expect(page.locator("#train-steps input")).to_be_visible()


def wait_for_training(page, project):
    expect(page.locator(".training h2")).to_contain_text("finished", timeout=JOB_MS)
    expect(page.locator(".training .lane .chart")).not_to_have_count(0)
    expect(page.locator(".lane .bands tbody tr")).to_have_count(8)  # four bands of noise levels for each expert
    read_a_chart_with_the_keyboard(page)
    expect(page.locator(".pairs li")).to_have_count(2)
    assert project.facts().train_choice.overrides["steps"] == STEPS


def read_a_chart_with_the_keyboard(page):
    chart, told = page.locator(".lane.low_noise .chart").first, page.locator(".lane.low_noise .under")
    chart.focus()
    page.keyboard.press("End")
    expect(told).to_contain_text(f"Step {STEPS}: loss 0.")
    page.keyboard.press("ArrowLeft")
    expect(told).to_contain_text(f"Step {STEPS - 1}: loss 0.")


def draw_clips(page, project):
    page.click("#next-train button")
    expect(page.locator("#next-evaluate")).to_contain_text("draw the same test clips")
    page.locator("#sweep-prompts textarea").fill("Portrait | [trigger], a [class], smiling")
    page.locator("#sweep-strengths").get_by_label("0.7", exact=True).uncheck()  # at once, while the prompt is being saved
    expect(page.locator("#sweep-estimate")).to_contain_text("3 clips")
    page.click("#start-sweep")
    expect(page.locator(".cell video")).to_have_count(3, timeout=JOB_MS)
    expect(page.locator(".verdict-line")).to_be_visible(timeout=JOB_MS)
    page.wait_for_function("[...document.querySelectorAll('.cell video')].every((v) => v.readyState >= 2)")


def use_a_pair(page, project):
    page.locator(".open-cell").nth(1).click()
    canvas = page.locator("dialog.large canvas")
    expect(canvas).to_be_visible()
    page.get_by_role("button", name="Difference").click()
    page.get_by_role("button", name="Wipe").click()
    page.wait_for_function("document.querySelector('dialog.large canvas').width === 80")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Use this").first.click()
    expect(page.locator(".in-use")).to_contain_text("exports")
    chosen = project.facts().chosen
    names = [path.name for path in Path(chosen.folder).rglob("*.safetensors")]
    assert len(names) == 2, names
    assert any("high" in name.casefold() for name in names) and any("low" in name.casefold() for name in names)


def test_two_windows_show_the_same_and_a_typed_caption_is_not_overwritten(browser, page, studio):
    with window(browser, studio[0], 900, 700) as other:
        other.locator("#caption-text").fill("half a senten")
        page.locator("#caption-text").fill("ohwx, a person wearing a purple shirt, written in the first window")
        page.click("#save-caption")
        expect(page.locator("#undo")).to_contain_text("Caption of 0001")
        expect(other.locator("#undo")).to_contain_text("Caption of 0001")
        expect(other.locator("#caption-text")).to_have_value("half a senten")
        other.locator("#caption-text").fill("")
        other.keyboard.press("Escape")
        page.click("#undo")


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_scrolls_sideways_on_a_phone(browser, studio, dark):
    with window(browser, studio[0], 390, 844, color_scheme="dark" if dark else "light", has_touch=True) as phone:
        for name in ("dataset", "train", "evaluate"):
            open_tab(phone, name)
            phone.wait_for_timeout(500)
            assert phone.evaluate("document.documentElement.scrollWidth") <= 390, name
            assert phone.evaluate(WIDER_THAN_THE_PHONE) == [], name


WIDER_THAN_THE_PHONE = """[...document.querySelectorAll('#studio button, #studio input, #studio p, #studio img, #studio textarea')]
  .filter((e) => e.checkVisibility() && !e.closest('.scroller, .sideways') && e.getBoundingClientRect().right > 391)
  .map((e) => e.outerHTML.slice(0, 120))"""


def test_every_control_has_a_name_for_screen_readers(page):
    for name in ("dataset", "train", "evaluate"):
        open_tab(page, name)
        assert page.evaluate(NAMELESS) == [], name


NAMELESS = """[...document.querySelectorAll('#studio :is(button, input, select, textarea)')]
  .filter((e) => e.checkVisibility() && e.type !== 'file' && !e.getAttribute('aria-label') && !e.labels?.length && !e.innerText?.trim())
  .map((e) => e.outerHTML.slice(0, 160))"""


@pytest.mark.parametrize("dark", [False, True])
def test_everything_is_reached_by_the_keyboard_and_shows_its_focus(browser, studio, dark):
    with window(browser, studio[0], 1280, 860, color_scheme="dark" if dark else "light") as page:
        for name in ("dataset", "train", "evaluate"):
            open_tab(page, name)
            page.wait_for_timeout(500)
            page.evaluate("document.body.tabIndex = -1; document.body.focus()")  # Tab begins at the top
            stops = walk_with_tab(page)
            assert not [stop["what"] for stop in stops if not stop["ring"]], name
            assert [stop["what"] for stop in stops if stop["area"] == "side"], name
            missed = page.evaluate(MISSED, [stop["key"] for stop in stops])
            assert missed == [], name
            areas = [stop["area"] for stop in stops]
            assert areas == sorted(areas, key=("side", "main").index), name  # first the side, then the page, no jumping to and fro


def walk_with_tab(page):
    """Every element that Tab reaches before it leaves the page, and whether a person sees that it has the focus."""
    stops = []
    for _ in range(200):
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop is None or stop["key"] in [old["key"] for old in stops]:
            return stops
        stops.append(stop)
    raise AssertionError("Tab does not come to an end")


FOCUSED = """() => {
  const e = document.activeElement;
  if (!e || e === document.body || !e.closest('#studio')) return null;
  window.keyOf ??= new WeakMap();
  if (!window.keyOf.has(e)) window.keyOf.set(e, String((window.keys = (window.keys || 0) + 1)));
  const seen = (n) => { const s = getComputedStyle(n); return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 1.5; };
  const file = e.type === 'file';
  return { key: window.keyOf.get(e), what: e.outerHTML.slice(0, 160), area: e.closest('#side') ? 'side' : 'main', ring: file || seen(e) };
}"""
# Controls that can be pressed by a mouse, and were not reached: parts of one group (tabs, pictures, radios) are walked with arrow keys.
MISSED = """(keys) => [...document.querySelectorAll('#studio :is(button, input, select, textarea, summary, a[href])')]
  .filter((e) => e.checkVisibility() && !e.disabled && !keys.includes(window.keyOf?.get(e)))
  .filter((e) => !e.matches('[role=tab], [role=option], input[type=radio], input[type=file]') && !e.closest('video, [aria-hidden=true]'))
  .filter((e) => e.tabIndex >= 0 || e.nodeName !== 'INPUT')
  .map((e) => e.outerHTML.slice(0, 160))"""


def test_arrow_keys_walk_the_pictures_and_escape_closes_the_dialog(page):
    choose_project(page, "Demo")  # a window opens with the person who was shown last, whom another test may have made
    first = page.locator(".thumb[aria-selected=true]")
    expect(first).to_have_attribute("data-id", "0001")
    first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".viewer .facts b")).to_have_text("0002")
    assert page.evaluate("document.activeElement.dataset.id") == "0002"
    page.keyboard.press("End")
    expect(page.locator(".viewer .facts b")).to_have_text("clip-02")
    page.locator("#new-person").press("Enter")
    dialog = page.get_by_role("dialog", name="New person")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert page.evaluate("document.activeElement.id") == "new-person"


def test_a_closed_studio_is_told_calmly_and_the_page_is_back_with_it(browser, tmp_path):
    workspace, port = Workspace(tmp_path), free_port()
    workspace.update(demo_created=True)
    kim = make_person(workspace, "Kim", "person_a_1.jpg", "person_a_2.jpg")
    process = start_studio(tmp_path, port)
    try:
        context = browser.new_context(viewport={"width": 1280, "height": 860})
        context.set_default_timeout(LOOK_MS)
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{port}")
        page.locator(".thumb[data-id='0002']").click()
        box = page.locator("#caption-text[data-key$='/0002']")
        expect(box).to_be_visible()
        page.wait_for_function("window.studioPulse")
        box.fill("ohwx, a person, half a senten")
        process.terminate()
        assert process.wait(120) is not None  # an open page does not keep it
        expect(page.locator("#studio-closed")).to_contain_text("The studio was closed. Start it again, then reload this page.")
        expect(page.locator("[data-testid=toast-body]").locator("visible=true")).to_have_count(0)
        assert "Traceback" not in (tmp_path / "studio.log").read_text(encoding="utf-8")
        process = start_studio(tmp_path, port)
        expect(page.locator("#studio-closed")).to_have_count(0)
        expect(page.locator("#undo")).to_contain_text("Caption of 0002")
        assert caption_on_disk(kim, "0002") == "ohwx, a person, half a senten"
        context.close()
    finally:
        stop_studio(process)


def test_a_damaged_project_shows_nothing_of_the_one_before_and_no_words_go_to_the_wrong_person(browser, shared):
    kim, carla = (make_person(shared.workspace, name, photo) for name, photo in (("Kim", "person_a_1.jpg"), ("Carla", "person_b_1.jpg")))
    carla.update(base_model="wan99-future")
    with window(browser, shared.address, 1280, 860) as page:
        choose_project(page, "Kim")
        expect(page.locator("#caption-text")).to_have_value("ohwx, Kim by a window")
        save_while_the_page_lags_behind(page, kim, carla)
        expect(page.locator("#caption-text")).to_have_value("ohwx, Carla by a window")
        expect(page.locator("#studio-trouble")).to_contain_text("There is no base model named 'wan99-future'.")
        carla.curation_file.write_bytes(b'{"items"')
        expect(page.locator("#studio-trouble")).to_contain_text("curation.json of carla is damaged.")
        expect(page.locator(".viewer, .thumb")).to_have_count(0)
        page.locator("#studio-trouble").get_by_role("button", name="Choose a base model").click()
        expect(page.locator("#base-model input")).to_have_value("wan99-future (not known here)")


def test_files_that_arrive_late_are_taken_for_the_person_they_were_dropped_on(browser, shared):
    kim, carla = (make_person(shared.workspace, name, photo) for name, photo in (("Kim", "person_a_1.jpg"), ("Carla", "person_b_1.jpg")))
    with window(browser, shared.address, 1280, 860) as page:
        choose_project(page, "Kim")
        expect(page.locator("#caption-text")).to_have_value("ohwx, Kim by a window")
        send_slowly_and_switch(page, "person_a_2.jpg", "Carla")
        expect(page.locator("#studio-notice")).to_contain_text("Taken for Kim, where they were dropped.")
        expect(page.locator("#caption-text")).to_have_value("ohwx, Carla by a window")
        choose_project(page, "Kim")
        expect(page.locator(".thumb")).to_have_count(2, timeout=JOB_MS)
        assert len(list(kim.originals_dir.iterdir())) == 2 and len(list(carla.originals_dir.iterdir())) == 1
        send_slowly_and_switch(page, "impostor_1.jpg", "Carla", meanwhile=lambda: shutil.rmtree(kim.root))
        expect(page.locator("#studio-notice")).to_contain_text("The project that the files were dropped on is gone")
        assert len(list(carla.originals_dir.iterdir())) == 1
        assert not [path for path in (shared.workspace.home / "uploads").rglob("*") if path.is_file()]


def send_slowly_and_switch(page, photo, name, meanwhile=lambda: None):
    """Choose a file; while it is on its way choose another person, and see their page before it arrives."""
    held = []
    page.route("**/gradio_api/upload?*", lambda request: held.append(request))
    done = 'data: {"msg": "done"}\n\n'  # of an upload that has not begun the studio has nothing to tell
    page.route("**/gradio_api/upload_progress?*", lambda asked: asked.fulfill(content_type="text/event-stream", body=done))
    if not page.locator("#upload input[type=file]").count():
        page.click("#add-media > button")
    page.locator("#upload input[type=file]").set_input_files(ROOT / "tests" / "media" / photo)
    choose_project(page, name)
    expect(page.locator("#caption-text")).to_have_value(f"ohwx, {name} by a window")
    meanwhile()
    [request] = held
    request.continue_()
    page.unroute("**/gradio_api/upload?*")
    page.unroute("**/gradio_api/upload_progress?*")


def save_while_the_page_lags_behind(page, kim, carla):
    """The chooser says Carla, the page still shows Kim: nothing but what is saved gets through to the server."""
    page.route("**/gradio_api/**", let_through("in the rain"))
    begin_to_choose(page, "Carla")
    expect(page.locator("#tabs[inert]")).to_be_visible()  # nothing can be pressed
    page.evaluate("document.querySelector('#tabs').inert = false")  # and where it is pressed all the same
    page.locator("#caption-text").fill("ohwx, Kim in the rain")
    page.click("#save-caption")
    expect(page.locator("#studio-notice")).to_contain_text("This page showed Kim; Carla is chosen now: nothing was changed.")
    assert [caption_on_disk(project, "0001") for project in (kim, carla)] == ["ohwx, Kim by a window", "ohwx, Carla by a window"]
    page.unroute("**/gradio_api/**")  # what was held back goes on


def test_what_is_pressed_while_an_earlier_press_is_on_its_way_is_done_too_in_that_order(browser, shared):
    project = make_person(shared.workspace, "Quick", "person_a_1.jpg", "person_a_2.jpg", "person_b_1.jpg", "person_b_2.jpg")
    with window(browser, shared.address, 1280, 860) as page:
        choose_project(page, "Quick")
        held = []
        is_first = lambda asked: '"keep":true' in (asked.request.post_data or "")  # noqa: E731
        page.route("**/gradio_api/**", lambda asked: held.append(asked) if is_first(asked) else asked.continue_())
        page.locator(".thumb[data-id='0001']").focus()
        page.keyboard.press("k")
        for key in ("ArrowRight", "x", "ArrowRight", "x"):
            page.keyboard.press(key)
        wait_until(page, lambda: keeps(project) == [True, False, False, True])
        expect(page.locator(".viewer .facts b")).to_have_text("0003")
        [first] = held
        first.continue_()
        page.unroute("**/gradio_api/**")
        expect(page.locator(".thumb[data-id='0001'] .pin")).to_have_count(1)
        for _ in range(3):  # as quick as a person can
            page.keyboard.press("u")
        wait_until(page, lambda: keeps(project) == [True, True, True, True])
        expect(page.locator(".thumb .pin")).to_have_count(0)


def keeps(project):
    return [item.keep for item in dataset.list_items(project)]


def let_through(words):
    """A network on which only requests with these words arrive."""

    def route(request):
        if words in (request.request.post_data or ""):
            request.continue_()

    return route


def test_comfyuis_folder_is_named_in_the_window_and_a_wrong_one_is_told_in_words(browser, shared, tmp_path):
    preset = model_preset("wan22-t2v-a14b")
    project = shared.workspace.create_project(
        "Anna", trigger="ohwx", class_noun="person", base_model="wan22-t2v-a14b", permission=Permission(granted=True)
    )
    right, wrong = make_true_comfyui(tmp_path / "Comfy UI", preset), make_true_comfyui(tmp_path / "other", preset, "i2v", in_channels=36)
    with window(browser, shared.address, 1280, 860) as page:
        choose_project(page, "Anna")
        open_tab(page, "train")
        page.locator("[data-do=link]").click()
        box, notice = page.locator("#model-folder").locator("textarea, input"), page.locator("#studio-notice")
        box.fill(str(wrong))
        page.click("#link-model")
        expect(notice).to_contain_text("is an expert of WAN image-to-video 14B: it has 36 input channels")
        box.fill(f'"{right}"')
        page.click("#link-model")
        expect(notice).to_contain_text("WAN 2.2 T2V A14B is ready to use. High-noise expert: wan2.2_t2v_high_noise")
        expect(notice).to_contain_text("told by the files' names")
        high = say_which_expert_is_which(page, right)
        expect(notice).to_contain_text(f"High-noise expert: {high.name}")
        choose_a_number_format(page, project)


def say_which_expert_is_which(page, comfyui):
    """With files whose names say nothing; returns the one that was named."""
    low, high = sorted((comfyui / "models/diffusion_models").glob("*.safetensors"), key=lambda path: "high" in path.name)
    low, high = low.rename(low.with_name("a.safetensors")), high.rename(high.with_name("b.safetensors"))
    page.click("#link-model")
    expect(page.locator("#studio-notice")).to_contain_text("a.safetensors, b.safetensors can be either expert")
    page.locator("#model-high-noise").locator("textarea, input").fill(str(high))
    page.click("#link-model")
    return high


def choose_a_number_format(page, project):
    """It is remembered for the person."""
    open_tab(page, "evaluate")
    page.locator("#comfyui > button").click()
    page.locator("#lora-format input").click()
    page.get_by_role("option", name="bf16").click()
    wait_until(page, lambda: project.facts().lora_format == "bf16")


def test_the_chosen_pair_goes_into_comfyui_from_the_window_and_out_again(browser, shared, tmp_path):
    root = make_whole_comfyui(tmp_path / "Comfy UI", ("t2v",))
    project = make_project(shared.workspace)
    project.update(chosen=ChosenPair(pair=pair_of(project).id, step=3000, strength=0.7, folder=""))
    with window(browser, shared.address, 1280, 860) as page:
        choose_project(page, project.facts().name)
        open_tab(page, "evaluate")
        page.locator("#comfyui > button").click()
        told, notice = page.locator("#comfyui-told"), page.locator("#studio-notice")
        expect(told).to_contain_text("The chosen pair is not in ComfyUI.")
        expect(page.locator("#take-back-comfyui")).to_be_disabled()
        page.click("#put-comfyui")
        expect(notice).to_contain_text("No ComfyUI was found on this computer.")
        page.locator("#comfyui-folder").locator("textarea, input").fill(f'"{root}"')
        page.click("#put-comfyui")
        expect(notice).to_contain_text(f"Copied {HIGH} and ")
        expect(told).to_contain_text("There is no image-to-video workflow: The high-noise expert")
        assert (root / "models/loras" / HIGH).is_file()
        page.click("#take-back-comfyui")
        expect(notice).to_contain_text("Taken back out: ")
        assert not (root / "models/loras" / HIGH).exists()


COMPARISONS = {
    "Six": dict(size=LANDSCAPE),
    "Six upright": dict(size=PORTRAIT),
    "One upright": dict(size=PORTRAIT, num_pairs=1),
    "Two runs": dict(size=LANDSCAPE, num_pairs=3, runs=("train-001", "train-002-" + "of-the-same-photos-and-a-long-name-" * 2)),
    "Nine": dict(size=LANDSCAPE, num_pairs=9, strengths=(0.7, 1.0)),
}


@pytest.fixture(scope="module")
def compared(_studio_of_all):
    """The shared studio with drawn comparisons whose clips have the size that people have: 832x480 or 480x832, 81 frames."""
    with as_found(_studio_of_all.workspace):
        for name, shape in COMPARISONS.items():
            project = make_person(_studio_of_all.workspace, name, "person_a_1.jpg")
            write_report(project, make_comparison(project, **shape))
        yield _studio_of_all


@contextlib.contextmanager
def comparison(browser, compared, name, width=1280, height=800, **options):
    """The Evaluate tab of a project, its clips loaded and at rest, as who wants little motion sees it."""
    with window(browser, compared.address, width, height, reduced_motion="reduce", **options) as page:
        choose_project(page, name)
        open_tab(page, "evaluate")
        page.wait_for_selector(".clip-table")
        page.evaluate("document.querySelector('.clip-table').scrollIntoView()")  # below how the pairs stand; only clips in sight are loaded
        page.wait_for_function("[...document.querySelectorAll('.cell video')].some((v) => v.readyState >= 2)")
        expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
        yield page


def boxes(page, selector):
    """Where everything that fits a selector is drawn, in the window's coordinates: dicts of left, top, right, bottom, width, height."""
    found = page.evaluate("(s) => [...document.querySelectorAll(s)].map((e) => e.getBoundingClientRect().toJSON())", selector)
    assert found, selector
    return found


def assert_in_sight(page, selector):
    """Every one lies in the window as a whole, and nothing lies on its middle."""
    window, near = page.viewport_size, 0.6  # a share of a pixel
    for box in boxes(page, selector):
        assert box["left"] >= -near and box["right"] <= window["width"] + near, (selector, box)
        assert box["top"] >= -near and box["bottom"] <= window["height"] + near, (selector, box)
    assert page.evaluate(COVERED, selector) == []


COVERED = """(selector) => [...document.querySelectorAll(selector)].filter((e) => {
  const r = e.getBoundingClientRect();
  const top = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2);
  return !top || !(e.contains(top) || top.contains(e));
}).map((e) => e.outerHTML.slice(0, 160))"""


def assert_natural(page, size, selector=".cell video"):
    """Clips of this size are shown in their own shape."""
    shown = page.evaluate(SHAPES, selector)
    assert shown
    for width, height, ratio in shown:
        assert (width, height) == size and ratio == pytest.approx(width / height, rel=0.01)


SHAPES = """(selector) => [...document.querySelectorAll(selector)].filter((v) => v.videoWidth)
  .map((v) => { const r = v.getBoundingClientRect(); return [v.videoWidth, v.videoHeight, r.width / r.height]; })"""


def assert_last_row_stands_under_player_and_heads(page, columns):
    """The last prompt, with so many columns, after the page was scrolled to its end: they are all in sight at once."""
    page.evaluate("[...document.querySelectorAll('.cells')].at(-1).scrollIntoView({ block: 'end' })")
    page.wait_for_function("[...document.querySelectorAll('.cells')].at(-1).querySelector('video').videoWidth")
    heads, prompt, cells = boxes(page, ".head")[:columns], boxes(page, ".prompt")[-1], boxes(page, ".cells:last-child .cell")[:columns]
    player = boxes(page, ".player")[0]
    assert player["top"] >= 0 and player["bottom"] <= heads[0]["top"] + 1
    assert max(head["bottom"] for head in heads) <= prompt["top"] + 1
    assert max(cell["bottom"] for cell in cells) <= page.viewport_size["height"]
    for head, cell in zip(heads, cells, strict=True):
        assert head["left"] <= cell["left"] and cell["right"] <= head["right"] + 1
    assert_in_sight(page, ".player, .player :is(button, input, select), .head.pinned b")


@pytest.mark.parametrize("name", ["Six", "Six upright", "Two runs"])
def test_the_base_and_six_pairs_of_real_clips_are_in_sight_with_heads_and_player(browser, compared, name):
    with comparison(browser, compared, name) as page:
        heads = boxes(page, ".head")
        assert len(heads) == 7 and [head for head in heads if head["left"] < 248 or head["right"] > 1280] == []
        assert_natural(page, COMPARISONS[name]["size"])
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        assert_last_row_stands_under_player_and_heads(page, columns=7)
        assert_in_sight(page, ".head, .head button, .cells:last-child .cell")
        assert_in_sight(page, "#side")


def test_clips_that_come_into_sight_stand_at_the_frame_where_the_others_were_stopped(browser, compared):
    with comparison(browser, compared, "Six upright") as page:
        page.get_by_label("Position in the clips").fill("250")
        page.evaluate("[...document.querySelectorAll('.cells')].at(-1).scrollIntoView({ block: 'end' })")
        page.wait_for_function("""() => { const last = [...document.querySelectorAll('.cells:last-child .cell video')];
          const seen = [...document.querySelectorAll('.cell video')].filter((v) => v.readyState >= 2);
          const isThere = last.length === 7 && last.every((v) => v.readyState >= 2);
          return isThere && seen.every((v) => Math.abs(v.currentTime - v.duration / 4) < 0.02); }""")


def test_few_upright_clips_are_as_large_as_the_window_allows_and_not_larger(browser, compared):
    with comparison(browser, compared, "One upright") as page:
        assert_natural(page, PORTRAIT)
        assert_last_row_stands_under_player_and_heads(page, columns=2)
        assert_in_sight(page, ".head, .cells:last-child .cell")
        assert boxes(page, ".cell")[0]["height"] > 500


def test_more_than_six_pairs_scroll_sideways_under_their_heads_with_the_base_pinned(browser, compared):
    with comparison(browser, compared, "Nine") as page:
        heads = boxes(page, ".head")
        assert len(heads) == 10 and heads[6]["right"] <= 1280 and heads[7]["left"] < 1280 < heads[8]["left"]
        page.locator(".cells:last-child .open-cell").last.focus()  # as with Tab: what has the focus is in sight
        page.wait_for_function("document.querySelector('.heads-part').scrollLeft > 100")
        base, *_, last = boxes(page, ".head")
        assert base["left"] == pytest.approx(heads[0]["left"], abs=1) and last["right"] <= 1280
        assert_last_row_stands_under_player_and_heads(page, columns=10)
        page.locator(".cells:last-child .open-cell").nth(1).focus()  # not hidden under the base
        page.wait_for_function("document.querySelector('.heads-part').scrollLeft < 10")
        assert_in_sight(page, ".cells:last-child .place:nth-child(2) .open-cell")
        page.evaluate("document.querySelector('.heads-part').scrollLeft = 150")  # pulled at the bar under the heads
        page.wait_for_function("document.querySelector('.rows-part').scrollLeft === 150")


@pytest.mark.parametrize(("name", "dark"), [("Six", False), ("Two runs", True)])
def test_a_phone_shows_the_base_and_a_pair_under_heads_and_player(browser, compared, name, dark):
    look = "dark" if dark else "light"
    with comparison(browser, compared, name, 390, 844, color_scheme=look, has_touch=True) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate(WIDER_THAN_THE_PHONE) == []
        base, first, second = boxes(page, ".head")[:3]
        assert base["left"] >= 0 and first["right"] <= 390 and second["left"] < 390  # the edge of the next says that there is more
        assert_natural(page, LANDSCAPE)
        assert_last_row_stands_under_player_and_heads(page, columns=2)
        page.evaluate("document.querySelector('.rows-part').scrollLeft = 9999")
        page.wait_for_function("document.querySelector('.heads-part').scrollLeft > 300")
        assert boxes(page, ".head")[-1]["right"] <= 390 and boxes(page, ".head")[0]["left"] == pytest.approx(base["left"], abs=1)


@pytest.mark.parametrize(("name", "width", "height"), [("Six", 1280, 800), ("Six upright", 1280, 800), ("Six upright", 390, 844)])
def test_the_large_view_fits_the_window_with_its_slider_as_wide_as_the_picture(browser, compared, name, width, height):
    with comparison(browser, compared, name, width, height) as page:
        page.locator(".open-cell").nth(1).click()
        page.get_by_role("button", name="Wipe", exact=True).click()
        page.wait_for_function(f"document.querySelector('dialog.large canvas').width === {COMPARISONS[name]['size'][0]}")
        assert_in_sight(page, "dialog.large, dialog.large :is(canvas, input, button, p)")
        (picture,), (slider,) = boxes(page, "dialog.large canvas"), boxes(page, "dialog.large .wipe")
        assert picture["width"] / picture["height"] == pytest.approx(COMPARISONS[name]["size"][0] / COMPARISONS[name]["size"][1], rel=0.01)
        assert slider["left"] == pytest.approx(picture["left"], abs=4) and slider["right"] == pytest.approx(picture["right"], abs=4)


def test_the_large_view_is_used_with_keys_alone_and_the_wipe_follows_the_mouse(browser, compared):
    with comparison(browser, compared, "Six") as page:
        page.locator(".open-cell").nth(1).focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        tag = page.locator("dialog.large .tag.right")
        title = page.locator("dialog.large h2")
        expect(tag).to_have_text("Step 2,000 at 0.8")
        second = title.text_content()
        for key, shown in (
            ("ArrowRight", "Step 3,000 at 0.8"),
            ("6", "Step 6,000 at 0.8"),
            ("ArrowRight", "Step 6,000 at 0.8"),
            ("0", "Base"),
        ):
            page.keyboard.press(key)
            expect(tag).to_have_text(shown)
        page.keyboard.press("2")
        page.keyboard.press("ArrowUp")
        expect(title).not_to_have_text(second)
        for key, name in (("b", "Base alone"), ("w", "Wipe"), ("d", "Difference"), ("x", "Blink")):
            page.keyboard.press(key)
            expect(page.get_by_role("button", name=name, exact=True)).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("x")
        expect(page.get_by_role("button", name="Step 2,000 at 0.8 alone")).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("w")
        picture = page.locator("dialog.large canvas").bounding_box()
        page.mouse.move(picture["x"] + picture["width"] / 2, picture["y"] + 50)
        page.mouse.down()
        page.mouse.move(picture["x"] + picture["width"] / 4, picture["y"] + 60)
        page.mouse.up()
        assert float(page.locator("dialog.large .wipe").input_value()) == pytest.approx(250, abs=3)
        page.keyboard.press(" ")
        expect(page.locator("[data-do=largeToggle]")).to_have_attribute("aria-label", "Play")
        page.keyboard.press("Escape")
        expect(page.locator("dialog.large[open]")).to_have_count(0)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_pairs_stand_in_dots_above_faces_and_a_press_leads_to_their_clips(browser, compared, width, dark):
    with comparison(browser, compared, "Six", width, 800, color_scheme="dark" if dark else "light") as page:
        page.evaluate("window.scrollTo(0, 0)")
        stands = page.locator(".standing button.stand")
        expect(stands).to_have_count(6)
        expect(page.locator(".stand.is-best")).to_have_count(1)
        if width == 1280:  # a screenshot alone says which pair, how sure, and why
            assert_in_sight(page, ".verdict-line, #use-verdict, .standing, .stand .track, .stand-remark")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".faces-row.own img").count() >= 1
        page.wait_for_function("[...document.querySelectorAll('.faces-row.own img')].every((face) => face.naturalWidth > 0)")
        assert page.locator(".face-of.is-worst").count() <= 6
        stands.nth(4).click()
        page.wait_for_function("document.activeElement.matches('.open-cell')")
        assert page.evaluate("document.activeElement.ariaLabel").endswith("Step 5,000 at 0.8: open large")


@pytest.mark.parametrize(("name", "width", "height"), [("Six", 1280, 800), ("Six upright", 390, 844)])
def test_votes_are_blind_take_one_key_each_and_are_kept(browser, compared, name, width, height):
    folder = compared.workspace.find_project(name).sweep_dir("sweep-001")
    with comparison(browser, compared, name, width, height) as page:
        page.evaluate("document.querySelector('#open-votes').scrollIntoView()")
        page.click("#open-votes")
        dialog = page.get_by_role("dialog")
        page.wait_for_function("[...document.querySelectorAll('.vote-clip')].every((clip) => clip.readyState >= 2)")
        assert_in_sight(page, ".vote-dialog, .vote-dialog :is(video, button, h2)")
        assert "tep" not in dialog.inner_text().replace("steps", "").casefold(), "whose clips they are stands nowhere"
        seen = set()
        for number, key in enumerate("120"):
            expect(dialog).to_contain_text(f"{number} votes so far")
            seen.add(page.evaluate("[...document.querySelectorAll('.vote-clip')].map((clip) => clip.src).join()"))
            page.keyboard.press(key)
        assert len(seen) == 3
        wait_until(page, lambda: sorted(vote.answer for vote in read_votes(folder)) == ["equal", "left", "right"])
        page.keyboard.press("u")
        wait_until(page, lambda: len(read_votes(folder)) == 2)
        page.keyboard.press("Escape")
        expect(page.locator(".votes")).to_contain_text("2 votes: step")
        page.reload()
        expect(page.locator(".votes")).to_contain_text("2 votes: step")


@pytest.mark.parametrize(("name", "width", "columns"), [("Six", 1280, 7), ("Six upright", 1280, 7), ("Two runs", 390, 2)])
def test_the_report_shows_real_clips_in_the_window_under_heads_and_player(browser, compared, name, width, columns):
    report = compared.workspace.find_project(name).sweep_dir("sweep-001") / "report.html"
    page = browser.new_page(viewport={"width": width, "height": 800})
    try:
        page.goto(report.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert [head for head in boxes(page, ".head")[:columns] if head["left"] < 0 or head["right"] > width] == []
        assert_last_row_stands_under_player_and_heads(page, columns)
        assert_natural(page, COMPARISONS[name]["size"], "video.cell")
        page.evaluate("document.querySelector('.rows-part').scrollLeft = 9999")
        is_together = "document.querySelector('.heads-part').scrollLeft === document.querySelector('.rows-part').scrollLeft"
        wait_until(page, lambda: page.evaluate(is_together))  # the report allows no script made of text, as wait_for_function's is
        assert boxes(page, ".head")[-1]["right"] <= width
    finally:
        page.close()
