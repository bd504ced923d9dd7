"""Readiness, sentence by sentence: what is said of what is kept, what it costs, where each grade begins, and what the photos are wished for."""

from dataclasses import replace

import pytest

from studio.data.choosing.variety import find_traits
from studio.data.coverage.board import make_board
from studio.data.coverage.readiness import KeptSet, judge
from studio.data.coverage.shortfall import lacking
from studio.data.coverage.shown import Shown, shown_in
from studio.data.looking.look import ANGLES, FRAMINGS, FRONT, LEFT, PROFILE_LEFT, PROFILE_RIGHT, RIGHT, FaceLook, Look

CELLS = [(angle, framing) for angle in ANGLES for framing in FRAMINGS]
VARIED = [
    Shown(id=f"{n:04d}", angle=angle, framing=framing, light=("warm", "cool", "dim")[n % 3], place=str(n % 3), outfit=str(n % 4))
    for n, (angle, framing) in enumerate(CELLS)
]
BOARD = make_board(VARIED)


def kept(photos=20, clips=0, **more):
    return KeptSet(photos=photos, clips=clips, **more)


# -- how much each finding costs, and what it says


FINDINGS = [  # what is kept, its sentence, what it will probably cause, what it costs, what is done or shown
    (kept(7), "only 7 photos; 10 photos or 12 clips make a good start", "the LoRA may repeat these photos instead of learning the person", 0.15, "upload"),
    (kept(1), "only 1 photo; 10 photos or 12 clips make a good start", "the LoRA may repeat these photos instead of learning the person", 0.45, "upload"),
    (kept(0, 9), "only 9 clips; 10 photos or 12 clips make a good start", "the LoRA may repeat these photos instead of learning the person", 0.125, "upload"),
    (kept(4, 3), "only 4 photos and 3 clips; 10 photos or 12 clips make a good start", "the LoRA may repeat these photos instead of learning the person", 0.175, "upload"),
    (kept(question="two people are in many photos"), "two people are in many photos", "strangers can't be told from the person before", 0.1, ""),
    (kept(strangers=1), "1 kept photo shows somebody else", "the LoRA may mix two people", 0.1, "kept/who:stranger"),
    (kept(strangers=3), "3 kept photos show somebody else", "the LoRA may mix two people", 0.3, "kept/who:stranger"),
    (kept(strangers=19), "19 kept photos show somebody else", "the LoRA may mix two people", 0.5, "kept/who:stranger"),
    (kept(unsure=1), "1 kept photo may show somebody else: please look", "the LoRA may mix two people", 0.05, "kept/who:look"),
    (kept(unsure=12), "12 kept photos may show somebody else: please look", "the LoRA may mix two people", 0.1, "kept/who:look"),
    (kept(unmeasured=1), "1 photo or clip is not measured yet", "blurred photos, twins and other people are not found", 0.0075, "check-photos"),
    (kept(unmeasured=20), "20 photos and clips are not measured yet", "blurred photos, twins and other people are not found", 0.15, "check-photos"),
    (kept(faulty=1), "1 kept photo has a fault", "blur and damage are learned, too", 0.025, "doubt"),
    (kept(faulty=16), "16 kept photos have a fault", "blur and damage are learned, too", 0.2, "doubt"),
    (kept(small=1), "1 kept photo is smaller than training wants, and never enlarged", "fine detail can't be learned from those", 0.01, "small"),
    (kept(small=18), "18 kept photos are smaller than training wants, and never enlarged", "fine detail can't be learned from those", 0.1, "small"),
    (kept(bare=1), "1 has no caption", "clothes and places that no caption names are learned as the person", 0.006, "write-captions/no-caption"),
    (kept(bare=20), "20 have no caption", "clothes and places that no caption names are learned as the person", 0.12, "write-captions/no-caption"),
]  # fmt: skip


@pytest.mark.parametrize(("kept", "words", "cause", "weight", "action"), FINDINGS)
def test_what_a_finding_says_and_costs(kept, words, cause, weight, action):
    found = judge(kept, BOARD)
    (finding,) = found.findings
    assert (finding.words, finding.cause, finding.weight) == (words, cause, pytest.approx(weight))
    assert "/".join(filter(None, (finding.action, finding.show))) == action
    assert found.share == round(1 - finding.weight, 2)


@pytest.mark.parametrize(
    ("photos", "clips", "is_few"), [(10, 0, False), (9, 0, True), (0, 12, False), (0, 11, True), (9, 2, False), (9, 1, True)]
)
def test_enough_are_ten_photos_or_twelve_clips_or_a_part_of_each(photos, clips, is_few):
    assert bool(judge(kept(photos, clips), BOARD).findings) == is_few


GRADES = [
    (kept(), 1.0, "ready"),
    (kept(small=7), 0.93, "ready"),
    (kept(small=8), 0.92, "good"),
    (kept(faulty=8, unsure=1), 0.75, "good"),
    (kept(faulty=8, unsure=1, small=1), 0.74, "fair"),
    (kept(strangers=5), 0.5, "fair"),
    (kept(strangers=5, small=1), 0.49, "weak"),
    (kept(2, strangers=2, unsure=2, faulty=2), 0.0, "weak"),
    (kept(0, 0), 0.0, "weak"),
]


@pytest.mark.parametrize(("kept", "share", "grade"), GRADES)
def test_where_each_grade_begins(kept, share, grade):
    found = judge(kept, BOARD)
    assert (found.share, found.grade) == (share, grade)


def test_of_nothing_kept_only_that_is_said():
    found = judge(kept(0, 0, question="who is meant?", strangers=3), BOARD)
    (finding,) = found.findings
    assert (finding.words, finding.cause, finding.action) == ("nothing is kept", "there is nothing to train with", "upload")


def test_what_costs_most_stands_first():
    said = judge(kept(strangers=2, unsure=1, small=1, bare=20), BOARD).findings
    assert [finding.code for finding in said] == ["strangers", "no-captions", "unsure", "small-photos"]


# -- what to photograph next


def without(*gone):
    return make_board([one for one in VARIED if one.angle not in gone and one.framing not in gone])


TURNED = "a head turned that way may look like somebody else"
WISHES = [  # what no photo shows, what is wished for, what it may cause, what it costs, the drawing of it
    ((FRONT,), "no photo from the front: add three", "the face as a whole may not be learned", 0.2, ("front", "close")),
    ((LEFT,), "no face half turned left: add two", TURNED, 0.08, ("left", "upper")),
    ((RIGHT,), "no face half turned right: add two", TURNED, 0.08, ("right", "upper")),
    ((PROFILE_LEFT,), "no profile that faces left: add one", TURNED, 0.02, ("profile-left", "upper")),
    ((PROFILE_RIGHT,), "no profile that faces right: add one", TURNED, 0.02, ("profile-right", "upper")),
    ((PROFILE_LEFT, PROFILE_RIGHT), "no profile: add one from each side", "seen from the side it may be anybody", 0.08, ("profile-left", "upper")),
    (("close",), "no close-up: add two", "skin, eyes and teeth may stay vague", 0.1, ("front", "close")),
    (("upper", "waist"), "no photo between close-up and full body: add three", "the usual distance of a clip is the one it was never shown", 0.08, ("front", "waist")),
    (("full",), "no full-body photo: add two", "height and build may be those of somebody else", 0.06, ("front", "full")),
]  # fmt: skip


@pytest.mark.parametrize(("gone", "words", "cause", "weight", "drawing"), WISHES)
def test_what_no_photo_shows_is_asked_for(gone, words, cause, weight, drawing):
    (wish,) = lacking(without(*gone))
    assert (wish.words, wish.cause, wish.weight, (wish.angle, wish.framing)) == (words, cause, weight, drawing)


@pytest.mark.parametrize("gone", [("upper",), ("waist",)])
def test_one_distance_between_near_and_far_is_enough(gone):
    assert lacking(without(*gone)) == []


def test_of_many_wishes_the_costliest_comes_first():
    only = [replace(one, light="", place="", outfit="") for one in VARIED if one.angle == LEFT and one.framing == "full"]
    assert [wish.code for wish in lacking(make_board(only))] == ["no-front", "no-close", "no-right", "no-profile", "no-body"]


SAME = [
    ("outfit", "one outfit only, about: add two in other clothes", "17 of 20 in one outfit, about: add two in other clothes", "the LoRA may learn the clothes as a part of the person", 0.12),
    ("place", "one place only, about: add two somewhere else", "17 of 20 in one place, about: add two somewhere else", "the LoRA may draw that place behind the person", 0.1),
    ("light", "one kind of light only, about: add two in other light", "17 of 20 in one kind of light, about: add two in other light", "every clip may come out in that light", 0.06),
]  # fmt: skip


@pytest.mark.parametrize(("name", "all_same", "nearly", "cause", "weight"), SAME)
def test_what_is_always_or_nearly_always_the_same_is_said(name, all_same, nearly, cause, weight):
    for count, words in ((20, all_same), (17, nearly), (16, None)):  # from 85 of 100 on
        shown = [replace(one, **{name: "this" if n < count else f"that {n}"}) for n, one in enumerate(VARIED)]
        said = [(finding.words, finding.cause, finding.weight, finding.show) for finding in lacking(make_board(shown))]
        assert said == ([(words, cause, weight, f"kept/{name}:this")] if words else [])


@pytest.mark.parametrize(("count", "is_said"), [(4, False), (5, True)])
def test_of_fewer_than_five_it_is_not_said_that_they_are_always_the_same(count, is_said):
    shown = [replace(one, outfit="this" if n < count else "") for n, one in enumerate(VARIED)]
    assert bool(lacking(make_board(shown))) == is_said


def test_without_any_face_only_what_is_the_same_everywhere_is_said():
    shown = [Shown(id=str(n), light="dim") for n in range(6)]
    assert [finding.code for finding in lacking(make_board(shown))] == ["one-light"]


# -- the board


def test_the_board_counts_each_angle_and_each_framing():
    board = make_board([replace(VARIED[0], id=str(n), angle=angle, framing="close") for n, angle in enumerate([LEFT, LEFT, FRONT])])
    assert [board.count_angle(angle) for angle in ANGLES] == [0, 2, 1, 0, 0]
    assert [board.count_framing(framing) for framing in FRAMINGS] == [3, 0, 0, 0]
    assert [[len(cell.ids) for cell in row] for row in board.cells] == [[0, 2, 1, 0, 0]] + [[0] * 5] * 3


def test_a_row_begins_with_what_is_commonest_and_says_of_how_many_nothing_is_known():
    lights = ["dim", "warm", "warm", "", "cool", "warm", ""]
    row = make_board([Shown(id=str(n), light=light) for n, light in enumerate(lights)]).row("light")
    assert [(cell.key, cell.value, cell.ids) for cell in row.cells] == [
        ("light:warm", "warm", ("1", "2", "5")), ("light:dim", "dim", ("0",)), ("light:cool", "cool", ("4",)),
    ]  # fmt: skip
    assert (row.told, row.untold, row.largest_share) == (5, 2, 0.6)
    empty = make_board([Shown(id="1")]).row("light")
    assert (empty.cells, empty.told, empty.untold, empty.largest_share) == ((), 0, 1, 0.0)


def test_a_photo_of_which_only_angle_or_framing_is_known_is_in_no_cell():
    board = make_board([Shown(id="1", angle=FRONT), Shown(id="2", framing="close"), VARIED[0]])
    assert board.untold == ("1", "2") and (board.num_placed, board.num_filled) == (1, 1)


# -- what a photo shows


def seen(turn=0.0, height=400.0, **more):
    face = FaceLook(left=0, top=0, width=300, height=height, score=0.9, landmarks=(1.0,) * 10, turn=turn)
    look = Look(eye="e", width=1000, height=1000, faces=(face,), **more)
    return shown_in("1", look, find_traits({"1": look}, {})["1"])


@pytest.mark.parametrize(("turn", "angle"), [
    (-44.1, "profile-left"), (-43.9, "left"), (-26.1, "left"), (-25.9, "front"), (0, "front"), (25.9, "front"), (26.1, "right"), (43.9, "right"),
    (44.1, "profile-right"),
    (None, ""),
])  # fmt: skip
def test_where_each_angle_begins(turn, angle):
    assert seen(turn=turn).angle == angle


@pytest.mark.parametrize(
    ("height", "framing"), [(380, "close"), (379, "upper"), (220, "upper"), (219, "waist"), (140, "waist"), (139, "full"), (1, "full")]
)
def test_where_each_framing_begins(height, framing):
    assert seen(height=float(height)).framing == framing


@pytest.mark.parametrize(("luma", "warmth", "light"), [
    (69.9, 20.0, "dim"), (70.0, 4.0, "neutral"), (120.0, 12.0, "neutral"), (120.0, 12.1, "warm"), (120.0, -4.0, "neutral"), (120.0, -4.1, "cool"),
    (None, 4.0, ""), (120.0, None, ""),
])  # fmt: skip
def test_where_each_light_begins(luma, warmth, light):
    assert seen(luma=luma, warmth=warmth).light == light
