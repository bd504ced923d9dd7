"""What the Dataset tab shows of all photos together and of one of them: from looks that lie on the disk, through the page that is really built."""

import numpy as np
import pytest
from page_kit import Window
from PIL import Image

from studio.data import dataset
from studio.data import remarks as said
from studio.data.importer import import_media
from studio.data.looking import looks
from studio.data.looking.look import FaceLook, Look
from studio.data.looking.packing import pack_shares
from studio.data.persons import pack
from studio.data.remarks import Decision, Remark
from studio.ui.dataset.pictures.reasons import SHORT, reason_on_tile

TURNS = (-60.0, -35.0, 0.0, 35.0, 60.0)
NUM_PHOTOS = 12


def faces_of(person, count, seed):
    """Embeddings of one person, alike as those of real faces are; another number is another person."""
    centre = np.random.default_rng(person).normal(size=128)
    noise = np.random.default_rng(seed)
    rows = [centre / np.linalg.norm(centre) + 0.6 * noise.normal(size=128) / np.sqrt(128) for _ in range(count)]
    return [pack((row / np.linalg.norm(row))[None]) for row in rows]


@pytest.fixture
def looked(project, tmp_path):
    """Twelve photos: nine of one person, in one outfit and from four sides; two of another; one that nobody looked at."""
    for number in range(NUM_PHOTOS):
        pixels = np.random.default_rng(number).integers(0, 255, (40, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((900, 1200), Image.Resampling.NEAREST).save(tmp_path / f"{number:02d}.png")
    import_media(project, sorted(tmp_path.glob("*.png")))
    file, people = looks.looks_file(project), faces_of(1, 9, 5) + faces_of(2, 2, 6)
    outfit = pack_shares(np.ones(64))
    for number, (item, embedding) in enumerate(zip(dataset.list_items(project), people)):
        face = FaceLook(
            left=300,
            top=120,
            width=240,
            height=300,
            score=0.95,
            landmarks=(1.0,) * 10,
            turn=TURNS[number % 4],
            embedding=embedding,
            blur=0.2,
        )
        looks.add(file, item.sha256, (Look(eye="e", width=900, height=1200, faces=(face,), luma=120, warmth=0, outfit=outfit),))
    return project


@pytest.fixture
def window(looked):
    return Window(looked.workspace, looked.slug)


def coverage(window):
    return window.value("studio-coverage")


def grid(window):
    return window.value("studio-grid")


def cell(window, angle, framing):
    return next(one for row in coverage(window)["board"]["cells"] for one in row if (one["angle"], one["framing"]) == (angle, framing))


def test_the_board_counts_what_is_kept_and_a_cell_shows_its_photos(window):
    front = cell(window, "front", "upper")
    assert front["count"] == 3 and cell(window, "profile-right", "upper")["count"] == 0
    window.press("studio-coverage", "show", show=front["key"])
    window.look()
    assert [one["id"] for one in grid(window)["items"]] == ["0003", "0007", "0011"]
    chosen = grid(window)["filters"][-1]
    assert (chosen["label"], chosen["count"]) == ("Kept: from the front, upper body", 3) and coverage(window)["show"] == front["key"]


def test_what_is_left_out_is_offered_where_nothing_is_kept(window, looked):
    for item in ("0003", "0007", "0011"):
        dataset.set_keep(looked, item, False, "left out by you")
    window.look()
    empty = cell(window, "front", "upper")
    assert (empty["count"], empty["spare"]) == (0, 3)
    window.press("studio-coverage", "show", show=empty["spare_key"])
    window.look()
    assert [one["id"] for one in grid(window)["items"]] == ["0003", "0007", "0011"]
    assert any("from the front" in finding["text"] and finding["angle"] == "front" for finding in coverage(window)["findings"])


def test_readiness_names_what_is_lacking_with_its_cause_and_a_button(window):
    shown = coverage(window)
    found = {finding["text"]: finding for finding in shown["findings"]}
    outfit = next(finding for text, finding in found.items() if text.startswith("One outfit only, about"))
    assert outfit["cause"] == "The LoRA may learn the clothes as a part of the person." and outfit["button"]["action"] == "upload"
    assert 0 < shown["share"] < 1 and shown["word"] in ("Good", "Usable", "Weak")
    unmeasured = next(finding for text, finding in found.items() if "not measured yet" in text)
    assert unmeasured["button"]["action"] == "check-photos"


def test_a_choice_that_there_is_none_of_is_refused(window):
    for show in ("kept/id:0001", "nothing", "kept/angle:sideways", "kept/"):
        assert "There is no such choice" in window.press("studio-coverage", "show", show=show)["text"]


def test_who_is_meant_is_asked_answered_and_undone(window, looked):
    people = coverage(window)["people"]
    assert people["title"].startswith("Is this the person? 9 photos; one other: 2") and not people["is_said"]
    other = next(group for group in people["groups"] if not group["is_person"])
    window.press("studio-coverage", "choose", group=other["key"])
    window.look()
    assert coverage(window)["people"]["title"].startswith("The person: 2 photos") and coverage(window)["people"]["is_said"]
    window.press("studio-grid", "undo")
    window.look()
    assert coverage(window)["people"]["title"] == people["title"]
    assert "grouped otherwise" in window.press("studio-coverage", "choose", group="9999/0")["text"]


def test_somebody_else_is_taken_back_by_the_same_button(window, looked):
    item = dataset.get_item(looked, "0001")
    window.press("studio-viewer", "say", id="0001", version=item.sha256[:32], who="other")
    window.look()
    assert window.value("studio-viewer")["closer"]["said"] == "other" and dataset.get_item(looked, "0001").said.who == "other"
    window.press("studio-viewer", "say", id="0001", version=item.sha256[:32], who="other")
    assert dataset.get_item(looked, "0001").said is None


def test_a_pinned_photo_is_the_person_s_word_until_it_is_unpinned(window, looked):
    event = {"id": "0002", "version": dataset.get_item(looked, "0002").sha256[:32]}
    window.press("studio-grid", "keep", **event, keep=True)
    window.look()
    assert next(one for one in grid(window)["items"] if one["id"] == "0002")["is_pinned"]
    window.press("studio-viewer", "let", **event)
    window.look()
    assert not next(one for one in grid(window)["items"] if one["id"] == "0002")["is_pinned"] and dataset.get_item(looked, "0002").keep


def test_a_swap_is_one_step_and_offers_the_likest_view_first(window, looked):
    enough = Decision(keep=False, reasons=(Remark(code=said.ENOUGH, words="others are kept"),), decided_by="curate")
    dataset.set_decisions(looked, {"0005": enough, "0006": enough}, "Proposed choice of pictures")
    window.press("studio-grid", "pick", id="0001")
    window.look()
    similar = window.value("studio-viewer")["closer"]["similar"]
    assert [one["id"] for one in similar] == ["0005", "0006"]  # 0005 faces the same way
    first, version = similar[0], dataset.get_item(looked, "0001").sha256[:32]
    window.press("studio-viewer", "swap", id="0001", version=version, other=first["id"], other_version=first["version"])
    kept = {item.id: item.keep for item in dataset.list_items(looked)}
    assert (kept["0001"], kept["0005"]) == (False, True)
    window.press("studio-grid", "undo")
    kept = {item.id: item.keep for item in dataset.list_items(looked)}
    assert (kept["0001"], kept["0005"]) == (True, False)


def test_the_viewer_says_what_was_measured_and_what_training_makes_of_the_photo(window):
    closer = window.value("studio-viewer")["closer"]
    figures = {figure["name"]: figure["value"] for figure in closer["figures"]}
    assert figures["Face"] == "240 x 300 px" and figures["Angle"] == "profile, facing left" and figures["Framing"] == "upper body"
    trained = closer["trained"]
    assert trained["text"][-1].endswith("px wide then") and 0 <= trained["left"] <= trained["left"] + trained["width"] <= 100.01
    window.press("studio-grid", "pick", id="0012")
    window.look()
    assert window.value("studio-viewer")["closer"]["not_measured"] and not window.value("studio-viewer")["closer"]["figures"]


def test_without_a_look_the_board_says_that_nothing_was_measured(project, media):
    import_media(project, [media / "astronaut.png"])
    shown = coverage(Window(project.workspace, project.slug))
    assert shown["board"] is None and "not measured yet" in shown["not_measured"] and shown["people"] is None


def test_every_reason_has_its_words_for_a_tile():
    """A code that has none would stand there as "left out"."""
    words = {value for name, value in vars(said).items() if name.isupper() and not name.startswith("_") and isinstance(value, str)}
    codes = words - {said.HAND, said.CURATE}  # who decided
    assert codes - set(SHORT) == (said.OF_ALL_TOGETHER - set(SHORT)) | {said.CUT, said.SAID}


@pytest.mark.parametrize(
    "code, about, words", [(said.BLUR, "", "blurred"), (said.TWIN, "0012", "twin of 12"), (said.STRANGER, "", "someone else")]
)
def test_a_tile_says_its_reason(looked, code, about, words):
    decision = Decision(keep=False, reasons=(Remark(code=code, words="in a sentence", about=about),), decided_by="curate")
    dataset.set_decisions(looked, {"0001": decision}, "Proposed choice of pictures")
    assert reason_on_tile(dataset.get_item(looked, "0001")) == words
