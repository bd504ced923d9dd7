"""Every limit of a photo from both sides, with what is said beyond it and the figure behind that; what is said of its size and of who it shows."""

import dataclasses

import pytest
from people_kit import make_face, make_item, make_look

from studio.data.judging.judge import figure_of_who, find_faults, judge_look, judge_size, judge_who, sight_of
from studio.data.judging.thresholds import BY_NAME, checked_limits
from studio.data.looking.look import Area
from studio.data.people.who import CANT_TELL, LOOK, NOBODY, PERSON, STRANGER, Seen

GOOD = Seen(who=PERSON, face=0)


def said(look, seen=GOOD, limits=None):
    """[(grade, code, words, figure)] of what is beyond a limit."""
    return [(f.threshold.grade, f.remark.code, f.remark.words, f.figure) for f in find_faults(look, seen, limits or {})]


# -- of a face and of the picture


OF_FACES = [  # the limit's name, what is just within it, just beyond it, and what is said then
    ("face-width", dict(width=64.0), dict(width=63.0), ("leave-out", "face-size", "the face is too small to learn from", "the face is 63 px wide; at least 64 are needed")),
    ("blur", dict(blur=0.66), dict(blur=0.661), ("leave-out", "blur", "the face is blurred", "blur 0.66 of 1; up to 0.66 is sharp enough")),
    ("upscaled", dict(upscaled=0.49), dict(upscaled=0.5), ("leave-out", "upscaled", "the photo was enlarged: the face has no fine detail", "missing detail 0.50; up to 0.49 is a true photo")),
    ("blown", dict(blown=0.26), dict(blown=0.27), ("leave-out", "blown", "the face is blown out to white", "27% of the face is blown out; up to 26% is fine")),
    ("dark", dict(luma=42.0), dict(luma=41.0), ("leave-out", "dark", "the face is too dark", "brightness 41 of 255; at least 42 is needed")),
]  # fmt: skip
OF_PICTURES = [
    ("jpeg", dict(jpeg_tables=4000), dict(jpeg_tables=4001), ("leave-out", "blocks", "damaged by strong JPEG compression", "coarseness 4001 of the file's tables; up to 4000 is fine")),
    ("blocks", dict(blocks=2.2), dict(blocks=2.3), ("leave-out", "blocks", "JPEG blocks are visible", "steps at the blocks' edges are 2.30 times those inside; up to 2.20 is fine")),
    ("collage", dict(seam=0.95), dict(seam=0.96), ("leave-out", "collage", "several pictures in one", "a straight edge over 96% of the picture; up to 95% is common")),
    ("drawn", dict(flat=0.9), dict(flat=0.91), ("leave-out", "drawing", "drawn or a screenshot, not photographed", "91% of the picture has not the least shading; up to 90% is a photo")),
    ("monochrome", dict(colour=2.5), dict(colour=2.4), ("warn", "monochrome", "black and white: the colours of skin and hair can't be learned from it", "colours reach 2.4; from 2.5 on they are seen")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "inside", "outside", "words"), OF_FACES)
def test_a_face_is_left_out_from_just_beyond_the_limit(name, inside, outside, words):
    assert said(make_look(make_face(**inside))) == []
    assert said(make_look(make_face(**outside))) == [words] and BY_NAME[name].code == words[1]


@pytest.mark.parametrize(("name", "inside", "outside", "words"), OF_PICTURES)
def test_a_picture_is_left_out_or_doubted_from_just_beyond_the_limit(name, inside, outside, words):
    assert said(make_look(make_face(), **inside)) == []
    assert said(make_look(make_face(), **outside)) == [words] and BY_NAME[name].code == words[1]
    judged = judge_look(make_look(make_face(), **outside), GOOD, {})
    assert [bool(judged.reasons), bool(judged.warnings)] == [words[0] == "leave-out", words[0] == "warn"]


@pytest.mark.parametrize(("share", "words"), [
    (0.4, []),
    (0.41, [("leave-out", "other-people", "other people are in the picture", "another face is 41% as wide; up to 40% is background")]),
])  # fmt: skip
def test_another_face_counts_from_two_fifths_of_the_person_s_width(share, words):
    assert said(make_look(make_face()), Seen(who=PERSON, face=0, share_of_others=share)) == words


MIDDLE = [  # of pictures without a face
    (dict(blur=0.60), None),
    (dict(blur=0.61), ("warn", "blur", "a little soft in the middle", "0.61; the limit is 0.60")),
    (dict(blur=0.72), ("warn", "blur", "a little soft in the middle", "0.72; the limit is 0.60")),
    (dict(blur=0.73), ("leave-out", "blur", "blurred in the middle of the picture", "0.73; the limit is 0.72")),
    (dict(blown=0.15), None),
    (dict(blown=0.16), ("warn", "blown", "some parts are blown out to white", "0.16; the limit is 0.15")),
    (dict(blown=0.41), ("leave-out", "blown", "the middle is blown out to white", "0.41; the limit is 0.40")),
    (dict(luma=60.0), None),
    (dict(luma=59.0), ("warn", "dark", "rather dark", "59.00; the limit is 60.00")),
    (dict(luma=39.0), ("leave-out", "dark", "too dark to see the person", "39.00; the limit is 40.00")),
    (dict(luma=185.0), None),
    (dict(luma=186.0), ("warn", "bright", "rather bright", "186.00; the limit is 185.00")),
    (dict(luma=216.0), ("leave-out", "bright", "too bright to see the person", "216.00; the limit is 215.00")),
]


@pytest.mark.parametrize(("area", "words"), MIDDLE)
def test_where_no_face_is_seen_the_middle_is_doubted_and_then_left_out(area, words):
    """What is left out is not doubted too: the stronger sentence alone is said."""
    look = dataclasses.replace(make_look(), middle=dataclasses.replace(Area(blur=0.3, luma=120.0, blown=0.0), **area))
    found = said(look, None)
    assert (words in found) if words else found == []
    judged = judge_look(look, None, {})
    assert [remark.words for remark in (*judged.reasons, *judged.warnings)] == ([words[2]] if words else [])


def test_a_face_is_not_judged_by_the_middle_and_the_middle_not_by_a_face():
    bad = Area(blur=1.0, luma=1.0, blown=1.0)
    assert said(dataclasses.replace(make_look(make_face()), middle=bad)) == []
    names = {fault.threshold.name for fault in find_faults(dataclasses.replace(make_look(), middle=bad), None, {})}
    assert names == {"middle-blur", "middle-soft", "middle-blown", "middle-glare", "middle-dark", "middle-dim"}


@pytest.mark.parametrize(("width", "blur", "is_blurred"), [
    (64.0, 0.76, False), (64.0, 0.77, True),  # a tenth is taken off
    (96.0, 0.71, False), (96.0, 0.72, True),  # half of it
    (128.0, 0.66, False), (128.0, 0.67, True),
    (400.0, 0.66, False), (400.0, 0.67, True),
    (40.0, 0.70, False),
])  # fmt: skip
def test_a_face_below_128_px_is_forgiven_what_enlarging_does(width, blur, is_blurred):
    codes = [code for _, code, _, _ in said(make_look(make_face(width=width, blur=blur)))]
    assert ("blur" in codes) == is_blurred


@pytest.mark.parametrize(("width", "is_missed"), [(899.0, True), (900.0, False)])
def test_fine_detail_is_missed_in_faces_below_900_px(width, is_missed):
    assert bool(said(make_look(make_face(width=width, upscaled=0.9), size=(2000, 2000)))) == is_missed


# -- several at once


def test_of_several_faults_the_gravest_is_said_first_and_two_of_a_kind_once():
    look = make_look(make_face(width=63.0, blown=0.3, luma=10.0), jpeg_tables=9000, blocks=4.0, seam=1.0, colour=0.1)
    judged = judge_look(look, GOOD, {})
    assert [remark.code for remark in judged.reasons] == ["face-size", "blown", "dark", "blocks", "collage"]
    assert judged.reasons[3].words == "damaged by strong JPEG compression"
    assert [remark.code for remark in judged.warnings] == ["monochrome"]


def test_a_moved_limit_stands_in_the_figure_and_the_others_stay():
    look = make_look(make_face(blur=0.7, luma=41.0))
    assert [words for _, _, words, _ in said(look, limits={"blur": 0.8})] == ["the face is too dark"]
    assert said(look, limits={"dark": 40, "blur": 0.5}) == [
        ("leave-out", "blur", "the face is blurred", "blur 0.70 of 1; up to 0.50 is sharp enough")
    ]


def test_the_person_s_face_is_judged_else_the_largest():
    look = make_look(make_face(width=300), make_face(at=(0, 0), width=120))
    assert sight_of(look, None).face.width == 300 and sight_of(look, Seen(who=NOBODY)).face.width == 300
    chosen = sight_of(look, Seen(who=PERSON, face=1, share_of_others=2.5))
    assert (chosen.face.width, chosen.share_of_others) == (120, 2.5)


@pytest.mark.parametrize(("name", "lowest", "highest"), [
    ("face-width", 20, 300), ("blur", 0.3, 1), ("upscaled", 0.2, 1), ("blown", 0.05, 1), ("dark", 0, 120), ("jpeg", 200, 13000), ("blocks", 1, 5),
    ("other-people", 0.1, 1), ("collage", 0.5, 1), ("drawn", 0.5, 1), ("monochrome", 0, 10), ("middle-blur", 0, 1), ("middle-bright", 0, 255),
])  # fmt: skip
def test_a_limit_can_be_moved_as_far_as_its_slider_goes(name, lowest, highest):
    assert checked_limits({name: lowest}) == {name: lowest} and checked_limits({name: highest}) == {name: highest}
    for beyond in (lowest - 0.01, highest + 0.01):
        with pytest.raises(ValueError, match=f"{BY_NAME[name].title.lower()} can be limited from {lowest:g} to {highest:g}, not at"):
            checked_limits({name: beyond})


def test_a_limit_that_is_back_where_it_was_is_none_that_was_moved():
    assert checked_limits({name: threshold.limit for name, threshold in BY_NAME.items()}) == {}


# -- size


SIZES = [  # px on the short side, of 768 that training takes
    (255, "too small: 255 px on the short side", ""),
    (256, "", "small: 256 px on the short side"),
    (511, "", "small: 511 px on the short side"),
    (512, "", ""),
    (4000, "", ""),
]


@pytest.mark.parametrize(("side", "reason", "warning"), SIZES)
@pytest.mark.parametrize("is_wide", [True, False])
def test_a_small_photo_is_doubted_below_two_thirds_and_left_out_below_one_third_of_what_training_takes(side, reason, warning, is_wide):
    size = (side * 2, side) if is_wide else (side, side * 2)
    judged = judge_size(make_item("0001", make_look(size=size)), 768)
    assert [remark.words for remark in judged.reasons] == ([reason] if reason else [])
    assert [remark.words for remark in judged.warnings] == ([warning] if warning else [])


@pytest.mark.parametrize(("size", "share", "px"), [
    ((1024, 1024), 0.083, 64), ((1024, 1024), 0.082, 63),  # scaled to 768: .75 of what it is
    ((2048, 2048), 0.084, 65), ((2048, 2048), 0.0818, 63),
    ((512, 512), 0.126, 65), ((512, 512), 0.122, 62),  # never enlarged
    ((2048, 512), 0.06, 92), ((2048, 512), 0.04, 61),  # 1024 by its px: scaled to .75
])  # fmt: skip
def test_where_a_face_is_seen_a_photo_is_small_by_what_is_left_of_the_face(size, share, px):
    judged = judge_size(make_item("0001", make_look(size=size)), 768, share)
    words = f"small: {px} px of the face are left at the size that training takes; 64 are wanted"
    assert [remark.words for remark in judged.warnings] == ([words] if px < 64 else []) and judged.reasons == ()


def test_a_photo_far_too_small_is_left_out_whatever_its_face():
    judged = judge_size(make_item("0001", make_look(size=(255, 255))), 768, 0.9)
    assert [remark.words for remark in judged.reasons] == ["too small: 255 px on the short side"]


# -- who


WHO = [  # what was seen, what leaves it out, what is doubted
    (Seen(who=PERSON, face=0, likeness=0.5), "", ""),
    (Seen(who=STRANGER, face=0), "shows a different person than the other photos", ""),
    (Seen(who=STRANGER, face=0, said=True), "you said that this is somebody else", ""),
    (Seen(who=LOOK, face=0), "", "please look: this may be somebody else"),
    (Seen(who=PERSON, face=0, num_alike=2), "", "two faces here are like the person: say which one is meant"),
    (Seen(who=PERSON, face=0, num_alike=2, said=True), "", ""),
    (Seen(who=PERSON, face=0, num_alike=1), "", ""),
    (Seen(who=CANT_TELL, face=0), "", "who this is can't be told from this face"),
    (Seen(who=CANT_TELL, face=0, likeness=0.36), "", "who this is can't be told from this face"),
    (
        Seen(who=CANT_TELL, face=0, likeness=0.35),
        "",
        "please look: who this is can't be told from this face, and it is little like the person's",
    ),
    (Seen(who=CANT_TELL), "", ""),
    (Seen(who=NOBODY), "", ""),
]


@pytest.mark.parametrize(("seen", "reason", "warning"), WHO)
def test_what_is_said_of_who_a_photo_shows(seen, reason, warning):
    judged = judge_who(seen)
    assert [remark.words for remark in judged.reasons] == ([reason] if reason else [])
    assert [remark.words for remark in judged.warnings] == ([warning] if warning else [])


@pytest.mark.parametrize(("seen", "words"), [
    (Seen(who=STRANGER, face=0), []),
    (Seen(who=LOOK, face=0), []),
    (Seen(who=CANT_TELL, face=0), []),
    (Seen(who=STRANGER, face=0, said=True), ["you said that this is somebody else"]),
    (Seen(who=PERSON, face=0, num_alike=2), ["two faces here are like the person: say which one is meant"]),
])  # fmt: skip
def test_where_people_are_not_compared_only_what_needs_no_comparing_is_said(seen, words):
    judged = judge_who(seen, can_accuse=False)
    assert [remark.words for remark in (*judged.reasons, *judged.warnings)] == words


@pytest.mark.parametrize(("likeness", "words"), [
    (None, "the face could not be compared"),
    (0.271, "likeness 0.27: from 0.40 it is the person, below 0.33 somebody else"),
])  # fmt: skip
def test_the_figure_of_a_likeness_stands_beside_both_limits(likeness, words):
    assert figure_of_who(Seen(who=STRANGER, likeness=likeness)) == words
