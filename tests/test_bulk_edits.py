"""Edits of many captions at once: what they make of a caption, what they leave alone, and that undo puts back every byte."""

import codecs
from pathlib import Path

import pytest
from PIL import Image

from studio.data import dataset
from studio.data.captions.edits import BEGIN, END, REMOVE, REPLACE, CaptionEdit, plan_edit
from studio.data.item_record import Item
from studio.errors import Problem
from studio.ui.dataset.bulk_view import MOST_SHOWN, diff, preview


def items(*captions):
    fields = dict(kind="photo", path=Path(), width=64, height=64, num_frames=1, fps=0.0, seconds=0.0, caption_source="hand")
    return [Item(id=f"{n:04d}", caption=c, original="", sha256="", **fields) for n, c in enumerate(captions, 1)]


def edited(caption, trigger="ohwx", **edit):
    plan = plan_edit(items(caption), CaptionEdit(**edit), trigger)
    return plan.changes[0].after if plan.changes else caption


@pytest.mark.parametrize(
    ("caption", "find", "expected"),
    [
        ("ohwx, in a room, smiling", "in a room", "ohwx, smiling"),
        ("ohwx, smiling, in a room", "in a room", "ohwx, smiling"),
        ("ohwx, smiling, in a room.", "in a room", "ohwx, smiling."),
        ("in a room, ohwx smiles", "in a room", "ohwx smiles"),
        ("ohwx stands in a room and smiles", "in a room", "ohwx stands and smiles"),
        ("ohwx in a room", "in a room", "ohwx"),
        ("in a room", "in a room", ""),
        ("ohwx, in a room, hat, in a room", "in a room", "ohwx, hat"),
        ("ohwx, in a roomy hall", "in a room", "ohwx, in a roomy hall"),
        ("ohwx，穿着红色外套，在公园", "穿着红色外套", "ohwx，在公园"),
        ("ohwx、赤いコートを着て、公園で", "赤いコートを着て", "ohwx、公園で"),
        ("ohwx, red_coat, outdoors", "red_coat", "ohwx, outdoors"),
        ("ohwx, smiling; in a park", ", smiling", "ohwx; in a park"),
    ],
)
def test_a_removed_phrase_leaves_no_stray_comma(caption, find, expected):
    assert edited(caption, kind=REMOVE, find=find) == expected


@pytest.mark.parametrize(
    ("caption", "text", "expected"),
    [
        ("ohwx, in a park", "upper body", "ohwx, upper body, in a park"),
        ("ohwx in a park", "upper body", "ohwx, upper body, in a park"),
        ("ohwx", "upper body", "ohwx, upper body"),
        ("ohwx, upper body, in a park", "upper body", "ohwx, upper body, in a park"),
        ("in a park", "ohwx", "ohwx, in a park"),
        ("Ohwx, in a park", "ohwx", "Ohwx, in a park"),
        ("in a park", "photo of ", "photo of in a park"),
        ("ohwx2, in a park", "ohwx", "ohwx, ohwx2, in a park"),
    ],
)
def test_a_beginning_goes_behind_the_trigger_and_is_never_doubled(caption, text, expected):
    assert edited(caption, kind=BEGIN, text=text) == expected


@pytest.mark.parametrize(
    ("caption", "text", "expected"),
    [
        ("ohwx, in a park", "soft light", "ohwx, in a park, soft light"),
        ("ohwx stands in a park.", "Soft light.", "ohwx stands in a park. Soft light."),
        ("ohwx, in a park, soft light", ", soft light", "ohwx, in a park, soft light"),
        ("ohwx，在公园。", "柔和的光", "ohwx，在公园。柔和的光"),
        ("ohwx, flight", "light", "ohwx, flight, light"),
    ],
)
def test_an_end_is_joined_as_it_would_be_written(caption, text, expected):
    assert edited(caption, kind=END, text=text) == expected


def test_replacing_keeps_to_whole_words_unless_told_otherwise():
    assert edited("ohwx, tee, teenager", kind=REPLACE, find="tee", text="T-shirt") == "ohwx, T-shirt, teenager"
    assert edited("ohwx, Tee", kind=REPLACE, find="tee", text="T-shirt") == "ohwx, Tee"
    assert edited("ohwx, Tee", kind=REPLACE, find="tee", text="T-shirt", any_case=True) == "ohwx, T-shirt"
    assert edited("ohwx, teenager", kind=REPLACE, find="tee", text="x", whole_words=False) == "ohwx, xnager"
    assert edited("ohwx, a (b)", kind=REPLACE, find="(b)", text=r"\1") == r"ohwx, a \1"


def test_a_letter_with_its_accent_apart_is_found_as_one_that_is_whole():
    assert edited("ohwx, cafe\u0301", kind=REPLACE, find="caf\u00e9", text="bar") == "ohwx, bar"


def test_the_plan_says_what_is_left_alone_and_what_loses_the_trigger():
    plan = plan_edit(
        items("", "ohwx, hat", "ohwx, " + "x" * 1990, "a hat"), CaptionEdit(kind=REPLACE, find="ohwx", text="zxqvzxqvzxqv"), "ohwx"
    )
    assert [change.id for change in plan.changes] == ["0002"]
    assert (plan.num_looked_at, plan.empty, plan.too_long, plan.without_trigger) == (4, ("0001",), ("0003",), ("0002",))


@pytest.mark.parametrize("kind", [REPLACE, REMOVE, BEGIN, END])
def test_an_edit_that_says_nothing_is_refused(kind):
    with pytest.raises(ValueError, match="empty"):
        plan_edit(items("ohwx"), CaptionEdit(kind=kind, find=" ", text=" "), "ohwx")


# -- on disk

ENDS = {  # how other programs leave a caption file
    "plain": lambda text: text.encode(),
    "unix": lambda text: text.encode() + b"\n",
    "windows": lambda text: text.encode() + b"\r\n",
    "marked": lambda text: codecs.BOM_UTF8 + text.encode() + b"\r\n",
    "utf-16": lambda text: text.encode("utf-16"),
    "cp1252": lambda text: f"{text}, café".encode("cp1252"),
    "lines": lambda text: text.replace(", ", ",\r\n").encode(),
    "doubled": lambda text: text.replace(", ", ",  ").encode() + b"  ",
}


@pytest.fixture
def filled(project):
    """100 photos with captions as all kinds of programs leave them; one without a file, one with an empty one."""
    project.dataset_dir.mkdir(parents=True, exist_ok=True)
    ways = list(ENDS.values())
    for n in range(1, 101):
        photo = project.dataset_dir / f"{n:04d}.png"
        Image.new("RGB", (64, 64), (n, 2 * n, 0)).save(photo)
        if n < 99:
            photo.with_suffix(".txt").write_bytes(ways[n % len(ways)](f"ohwx, wearing a red coat, in place {n}"))
    (project.dataset_dir / "0099.txt").write_bytes(b"")
    dataset.list_items(project)
    return project


def files_of(project):
    return {path.name: path.read_bytes() for path in project.dataset_dir.glob("*.txt")}


@pytest.mark.parametrize(
    ("edit", "num_changed"),
    [
        (CaptionEdit(kind=REPLACE, find="red coat", text="blue coat"), 98),
        (CaptionEdit(kind=REMOVE, find="wearing a red coat"), 98),
        (CaptionEdit(kind=BEGIN, text="upper body"), 98),
        (CaptionEdit(kind=END, text="soft light"), 98),
    ],
    ids=lambda value: getattr(value, "kind", value),
)
def test_a_hundred_captions_edited_and_undone_are_the_same_bytes(filled, edit, num_changed):
    before, items_before = files_of(filled), dataset.list_items(filled)
    assert dataset.edit_captions(filled, edit) == num_changed
    assert sum(files_of(filled)[name] != raw for name, raw in before.items()) == num_changed
    assert "98 captions" in dataset.can_undo(filled)
    assert dataset.undo(filled).startswith("Undone")
    assert files_of(filled) == before
    assert [(i.caption, i.caption_source) for i in dataset.list_items(filled)] == [(i.caption, i.caption_source) for i in items_before]


def test_a_caption_written_where_there_was_no_file_is_undone_to_no_file(filled):
    dataset.set_captions(filled, {"0100": "ohwx, new", "0099": "ohwx, new"})
    dataset.undo(filled)
    assert not (filled.dataset_dir / "0100.txt").exists()
    assert (filled.dataset_dir / "0099.txt").read_bytes() == b""


def test_only_the_chosen_items_are_edited(filled):
    assert dataset.edit_captions(filled, CaptionEdit(kind=END, text="soft light"), ids={"0001", "0002"}) == 2
    assert not dataset.get_item(filled, "0003").caption.endswith("soft light")


def test_an_edit_that_was_looked_at_before_others_changed_the_captions_is_refused(filled):
    edit = CaptionEdit(kind=END, text="soft light")
    plan = plan_edit(dataset.list_items(filled), edit, "ohwx")
    dataset.set_caption(filled, "0001", "ohwx, typed in another window")
    before = files_of(filled)
    with pytest.raises(Problem, match="meanwhile"):
        dataset.edit_captions(filled, edit, key=plan.key)
    assert files_of(filled) == before
    renewed = plan_edit(dataset.list_items(filled), edit, "ohwx")
    assert dataset.edit_captions(filled, edit, key=renewed.key) == 98


def test_a_caption_changed_outside_after_a_bulk_edit_stays_as_found_when_that_is_undone(filled):
    dataset.edit_captions(filled, CaptionEdit(kind=END, text="soft light"))
    (filled.dataset_dir / "0001.txt").write_text("ohwx, typed in an editor", encoding="utf-8")
    assert "0001 changed outside" in dataset.undo(filled)
    assert dataset.get_item(filled, "0001").caption == "ohwx, typed in an editor"
    assert "soft light" not in dataset.get_item(filled, "0002").caption


# -- the preview


def test_the_preview_shows_what_goes_and_what_comes_in_one_piece_each():
    parts = [(part.kind, part.text) for part in diff("ohwx, a red coat, park", "ohwx, a blue hat, park")]
    assert parts == [("same", "ohwx, a "), ("out", "red coat"), ("in", "blue hat"), ("same", ", park")]
    assert [part.kind for part in diff("ohwx，红色外套，公园", "ohwx，公园")] == ["same", "out", "same"]
    assert diff("same", "same") == diff("same", "same") and [part.kind for part in diff("a b", "a b")] == ["same"]


@pytest.mark.parametrize(("before", "after"), [("a b c", "x b y"), ("ohwx, in a room", "ohwx"), ("", "new"), ("a  b", "a b")])
def test_the_preview_tells_both_captions_whole(before, after):
    parts = diff(before, after)
    assert "".join(part.text for part in parts if part.kind != "in") == before
    assert "".join(part.text for part in parts if part.kind != "out") == after


def test_the_preview_counts_what_it_does_not_show_and_says_what_is_left_alone(filled):
    shown = preview(filled, {"kind": "replace", "find": "red coat", "text": "hat", "ids": None})
    assert (shown.count, len(shown.changes), shown.more) == (98, MOST_SHOWN, 98 - MOST_SHOWN)
    assert "2 items without a caption stay so." in shown.notes
    assert preview(filled, {"kind": "replace", "find": "", "ids": None}).error
    assert "98 captions would lose the trigger" in preview(filled, {"kind": "remove", "find": "ohwx", "ids": None}).warning


def test_a_preview_holds_in_whatever_order_the_captions_are_looked_at():
    """A clip that came in before the photos stands behind them on the page."""
    looked_at, edit = items("ohwx, in a park", "ohwx, at sea"), CaptionEdit(kind=BEGIN, text="outdoors")
    assert plan_edit(looked_at, edit, "").key == plan_edit(looked_at[::-1], edit, "").key
