"""What a human says of a photo is stored, undone, and stays with the photo it was said of; crops leave the photo as it is."""

import hashlib

import pytest
from people_kit import make_face, make_look
from PIL import Image

from studio.data import dataset
from studio.data.choosing.by_hand import hold_out, release, swap
from studio.data.cropping.alone import crop_alone, part_alone
from studio.data.cropping.head import part_around
from studio.data.importer import import_media
from studio.data.item_record import OTHER, THEM, Said
from studio.data.people.answers import choose_group, point_of, rule_out_group, say_it_is_somebody_else, say_it_is_them, take_back
from studio.data.people.who import FaceRef, Group
from studio.errors import Problem

WIDE = make_look(make_face(at=(200, 200), width=150), make_face(1, at=(900, 220), width=140), size=(1400, 900))


@pytest.fixture
def filled(project, tmp_path):
    for number in range(1, 5):
        Image.effect_mandelbrot((1400, 900), (-2 + number / 3, -1.5, 1, 1.5), 40).convert("RGB").save(tmp_path / f"{number}.png")
    import_media(project, sorted(tmp_path.glob("*.png")))
    return project


def said(project):
    return {item.id: item.said for item in dataset.list_items(project) if item.said}


# -- answers


def test_what_is_said_of_a_photo_is_stored_and_one_undo_takes_it_back(filled):
    assert say_it_is_them(filled, ["0001", "0002"]) == 2 and say_it_is_somebody_else(filled, ["0003"]) == 1
    assert said(filled) == {"0001": Said(who=THEM), "0002": Said(who=THEM), "0003": Said(who=OTHER)}
    assert say_it_is_them(filled, ["0003"]) == 1 and said(filled)["0003"].who == THEM
    assert "0003: the person" in dataset.undo(filled) and said(filled)["0003"].who == OTHER
    assert "0003" in dataset.undo(filled) and "2 photos: the person" in dataset.undo(filled) and said(filled) == {}


def test_saying_the_same_again_is_no_step_and_an_answer_can_be_taken_back(filled):
    say_it_is_them(filled, ["0001"])
    assert say_it_is_them(filled, ["0001"]) == 0
    assert take_back(filled, ["0001", "0002"]) == 1 and said(filled) == {}
    dataset.undo(filled)
    assert said(filled) == {"0001": Said(who=THEM)}


def test_the_face_that_is_meant_is_kept_as_a_place_in_the_photo(filled):
    say_it_is_them(filled, ["0001"], WIDE, 1)
    x, y = said(filled)["0001"].point
    assert (x, y) == (round((900 + 70) / 1400, 4), round((220 + 87.5) / 900, 4)) and point_of(None, None) == ()
    with pytest.raises(ValueError, match="there is no face 3 in this photo; 2 were found"):
        say_it_is_them(filled, ["0001"], WIDE, 2)
    with pytest.raises(ValueError, match="in one photo only, not in 2"):
        say_it_is_them(filled, ["0001", "0002"], WIDE, 1)


def test_choosing_a_group_says_that_its_typical_faces_are_the_person_in_one_step(filled):
    group = Group(photos=3, examples=tuple(FaceRef(item=f"000{n}", index=0) for n in (1, 2, 4)))
    assert choose_group(filled, group, dict.fromkeys(("0001", "0002", "0004"), WIDE)) == 3
    assert said(filled).keys() == {"0001", "0002", "0004"} and all(answer.point for answer in said(filled).values())
    dataset.undo(filled)
    assert said(filled) == {}


def test_ruling_out_a_group_says_that_its_typical_faces_are_somebody_else_in_one_step(filled):
    group = Group(photos=2, examples=tuple(FaceRef(item=f"000{n}", index=1) for n in (1, 2)))
    assert rule_out_group(filled, group, dict.fromkeys(("0001", "0002"), WIDE)) == 2
    assert {answer.who for answer in said(filled).values()} == {OTHER} and dataset.undo(filled) and said(filled) == {}


def test_a_photo_whose_content_changed_has_no_answer_any_more(filled):
    say_it_is_them(filled, ["0001", "0002"])
    path = dataset.get_item(filled, "0001").path
    Image.new("RGB", (800, 800), (9, 80, 30)).save(path, "JPEG")
    assert said(filled).keys() == {"0002"}


def test_an_answer_about_a_photo_that_is_gone_is_a_plain_sentence(filled):
    with pytest.raises(ValueError, match="there is no item '0009'"):
        say_it_is_them(filled, ["0009"])


# -- crops


def test_the_crop_holds_the_persons_head_and_no_other_face():
    assert [round(side) for side in part_alone(WIDE, WIDE.faces[0]).in_px(1400, 900)] == [0, 0, 879, 900]
    other = part_alone(WIDE, WIDE.faces[1])
    assert other.left * 1400 >= 350 and other.right == 1


@pytest.mark.parametrize(("x", "y"), [(420, 200), (200, 480), (20, 200), (420, 480)])
def test_wherever_the_other_stands_the_crop_keeps_clear_of_them(x, y):
    look = make_look(make_face(at=(200, 200), width=150), make_face(1, at=(x, y), width=90), size=(1400, 900))
    part = part_alone(look, look.faces[0])
    person, other = (part_around(look, face, 0, 0, 0) for face in look.faces)
    assert part and not part.meets(other) and part.holds(person)


def test_among_many_the_crop_is_still_the_persons():
    others = [make_face(n, at=(x, 100), width=80) for n, x in enumerate((20, 1000, 1150, 1300), 1)]
    look = make_look(make_face(at=(500, 150), width=150), *others, size=(1500, 900))
    part = part_alone(look, look.faces[0])
    assert part and part.width * 1500 >= 256 and not any(part.meets(part_around(look, face, 0, 0, 0)) for face in look.faces[1:])


def test_heads_that_touch_leave_no_crop_and_it_is_said(filled):
    close = make_look(make_face(at=(200, 200), width=150), make_face(1, at=(330, 230), width=150), size=(1400, 900))
    assert part_alone(close, close.faces[0]) is None
    with pytest.raises(ValueError, match="0001 can't be cut down to the person"):
        crop_alone(filled, "0001", close, close.faces[0])


def test_a_crop_is_a_new_item_the_photo_stays_and_undo_removes_it(filled):
    item = dataset.get_item(filled, "0001")
    dataset.set_caption(filled, "0001", "ohwx, a person")
    before = hashlib.sha256(item.path.read_bytes()).hexdigest(), sorted(p.name for p in filled.originals_dir.iterdir())
    new = crop_alone(filled, "0001", WIDE, WIDE.faces[0])
    cut = dataset.get_item(filled, new)
    assert (cut.width, cut.height, cut.caption, cut.said) == (879, 900, "ohwx, a person", None)
    assert (hashlib.sha256(item.path.read_bytes()).hexdigest(), sorted(p.name for p in filled.originals_dir.iterdir())) == before
    dataset.undo(filled)
    assert [i.id for i in dataset.list_items(filled)] == ["0001", "0002", "0003", "0004"]


def test_a_copy_in_the_dataset_smaller_than_what_was_looked_at_is_cut_at_the_same_place(filled):
    large = make_look(make_face(at=(400, 400), width=300), make_face(1, at=(1800, 440), width=280), size=(2800, 1800))
    cut = dataset.get_item(filled, crop_alone(filled, "0001", large, large.faces[0]))
    assert (cut.width, cut.height) == (879, 900)


# -- decisions by hand


def test_another_photo_takes_a_photos_place_in_one_step(filled):
    dataset.set_keep(filled, "0002", False)
    swap(filled, "0001", "0002")
    one, two = (dataset.get_item(filled, name) for name in ("0001", "0002"))
    assert (one.keep, one.reasons[0].about, two.keep, two.reason) == (False, "0002", True, "")
    assert "0002 in the place of 0001" in dataset.undo(filled)
    assert [dataset.get_item(filled, name).keep for name in ("0001", "0002")] == [True, False]
    with pytest.raises(Problem, match="its own place"):
        swap(filled, "0001", "0001")


def test_what_is_held_out_is_no_part_of_training_and_undo_brings_it_back(filled):
    assert hold_out(filled, "0002") and not hold_out(filled, "0002")
    assert [i.id for i in dataset.kept_items(filled)] == ["0001", "0003", "0004"]
    assert [i.id for i in dataset.held_out_items(filled)] == ["0002"]
    dataset.set_keep(filled, "0002", True)
    assert not dataset.held_out_items(filled)
    dataset.undo(filled)
    assert [i.id for i in dataset.held_out_items(filled)] == ["0002"]
    dataset.undo(filled)
    assert len(dataset.kept_items(filled)) == 4 and not dataset.held_out_items(filled)


def test_a_decision_by_hand_can_be_left_to_the_studio_again(filled):
    dataset.set_keep(filled, "0002", False, "hat")
    assert release(filled, "0002") and not release(filled, "0002")
    item = dataset.get_item(filled, "0002")
    assert not item.keep and item.decided_by == "" and item.reason == "hat"
