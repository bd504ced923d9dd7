"""How the best set is chosen, rule by rule: what a view, a place or an outfit is worth, quotas, what is held out, which twin stays, and the words."""

import dataclasses

import numpy as np
import pytest
from people_kit import make_face, make_item, make_look, make_photo, named

from studio.data import remarks
from studio.data.choosing.best_set import Candidate, alternatives, choose, find_lacks, hold_out, quotas
from studio.data.choosing.proposed_set import Wishes, propose, quality_of
from studio.data.choosing.variety import Traits
from studio.data.looking.packing import pack_picture
from studio.data.people.who import CANT_TELL, LOOK, PERSON, Seen
from studio.data.remarks import Remark

FRONT = {"angle": "front", "framing": "close"}


def photo(rank, quality=0.5, is_pinned=False, **traits):
    return Candidate(id=f"{rank:04d}", traits=Traits(**traits), quality=quality, rank=rank, is_pinned=is_pinned)


def ids(candidates):
    return [candidate.id for candidate in candidates]


# -- what a photo adds


@pytest.mark.parametrize(
    ("trait", "same", "other", "worth"), [("light", "dim", "warm", 0.15), ("place", 1, 2, 0.25), ("outfit", 1, 2, 0.25)]
)
@pytest.mark.parametrize("is_enough", [True, False])
def test_another_light_place_or_outfit_outweighs_so_much_quality(trait, same, other, worth, is_enough):
    """What is there once already counts half; so a new one is worth the other half in quality."""
    first = photo(1, is_pinned=True, **{trait: same})
    again, new = photo(2, 0.5, **{trait: same}), photo(3, 0.5 - worth + (0.01 if is_enough else -0.01), **{trait: other})
    assert ids(choose([first, again, new], 2)) == ["0001", "0003" if is_enough else "0002"]


@pytest.mark.parametrize("is_enough", [True, False])
def test_the_third_of_a_place_counts_a_third(is_enough):
    """.5 / 2 against .5 / 3: a twelfth of quality."""
    there = [photo(n, is_pinned=True, place=place) for n, place in enumerate((1, 1, 2))]
    third, second = photo(4, 0.5, place=1), photo(5, 0.5 - 1 / 12 + (0.01 if is_enough else -0.01), place=2)
    assert ids(choose([*there, third, second], 4))[-1] == ("0005" if is_enough else "0004")


def test_a_view_that_is_not_there_yet_comes_before_any_quality():
    near = [photo(n, 0.9, **FRONT) for n in range(1, 4)]
    assert ids(choose([*near, photo(9, 0.0, angle="front", framing="waist")], 2)) == ["0001", "0009"]


def test_a_photo_of_which_the_view_can_t_be_told_is_no_view_of_its_own():
    untold = photo(9, 0.1)
    assert ids(choose([photo(1, 0.9, **FRONT), photo(2, 0.9, **FRONT), untold], 2)) == ["0001", "0002"]


def test_of_equals_the_earlier_is_taken_and_a_hair_of_quality_is_none():
    assert ids(choose([photo(2, 0.5), photo(1, 0.5)], 1)) == ["0001"]
    assert ids(choose([photo(2, 0.50000004), photo(1, 0.5)], 1)) == ["0001"]
    assert ids(choose([photo(2, 0.501), photo(1, 0.5)], 1)) == ["0002"]


def test_what_is_kept_by_hand_is_in_once_and_in_any_case():
    pinned = [photo(n, 0.0, is_pinned=True, **FRONT) for n in (1, 2)]
    assert ids(choose([*pinned, photo(3, 0.9, **FRONT)], 3)) == ["0001", "0002", "0003"]
    assert ids(choose([*pinned, photo(3, 0.9, **FRONT)], 1)) == ["0001", "0002"], "more than were asked for, but all of them"


# -- quotas


@pytest.mark.parametrize(("keep", "sides"), [(10, 1), (19, 1), (20, 2), (30, 2)])
def test_from_twenty_photos_on_each_side_is_wanted_twice(keep, sides):
    assert [(quota.code, quota.angle, quota.wanted) for quota in quotas(keep)] == [
        ("side", "left", sides), ("side", "right", sides), ("profile", "", 1), ("full-body", "", 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "traits", [{"angle": "left", "framing": "close"}, {"angle": "profile-left", "framing": "close"}, {"angle": "front", "framing": "full"}]
)
def test_what_a_quota_wants_is_taken_first_however_poor(traits):
    good = [photo(n, 0.9, **FRONT) for n in range(1, 6)]
    assert ids(choose([*good, photo(9, 0.0, **traits)], 2))[0] == "0009"


LACKS = [
    ("too few photos with the face turned to the left of the picture", 0, 1),
    ("too few photos with the face turned to the right of the picture", 0, 1),
    ("too few photos in profile", 0, 1),
    ("too few photos of the whole body", 0, 1),
]


def test_what_is_lacking_is_said_with_how_many_there_are():
    def told(chosen, keep=10):
        return [(lack.words, lack.have, lack.wanted) for lack in find_lacks(chosen, keep)]

    front = [photo(n, place=n, outfit=n, **FRONT) for n in range(10)]
    assert told(front) == LACKS
    assert told(front[:9])[0] == ("too few good photos of the person", 9, 10)
    assert told(front[:4], keep=4) == LACKS, "as many as were asked for are not few"
    same = [photo(n, place=n % 2, outfit=1, **FRONT) for n in range(10)]
    assert told(same)[4:] == [("too few outfits, about", 1, 3), ("too few places, about", 2, 3)]
    three = [photo(n, place=n % 3, outfit=n % 3, **FRONT) for n in range(10)]
    assert told(three) == LACKS
    unknown = [photo(n, **FRONT) for n in range(10)]
    assert told(unknown) == LACKS, "of what was not measured nothing is said"
    assert told(same[:2], keep=2) == LACKS, "two photos can't have three places"


# -- held out


VIEWS = [(angle, framing) for angle in ("front", "left", "right") for framing in ("close", "upper", "waist")]


def every_view(times, start=0, **more):
    return [
        photo(start + n, angle=angle, framing=framing, **more)
        for n, (angle, framing) in enumerate(view for _ in range(times) for view in VIEWS)
    ]


@pytest.mark.parametrize(("spare", "num_held"), [(2, 0), (3, 2), (11, 2), (12, 3), (18, 3), (19, 4), (40, 4)])
def test_how_many_are_held_out_goes_by_how_many_are_good(spare, num_held):
    """Nine are chosen: from 12 good ones two, from 21 three, from 28 four."""
    chosen, others = every_view(1), every_view(5, start=20)[:spare]
    assert len(hold_out([*chosen, *others], chosen)) == num_held


def test_held_out_ones_have_different_angles_and_are_the_best_of_theirs():
    chosen = every_view(2)
    spare = [
        photo(40 + n, quality, angle=angle, framing="close")
        for n, (angle, quality) in enumerate([("front", 0.9), ("front", 0.8), ("left", 0.1), ("left", 0.2)])
    ]
    assert ids(hold_out([*chosen, *spare], chosen)) == ["0040", "0043", "0041"]


def test_what_is_kept_by_hand_is_never_held_out():
    chosen = every_view(2)
    held = ids(hold_out([*chosen, photo(40, 0.9, is_pinned=True, **FRONT)], chosen))
    assert held and "0040" not in held
    assert hold_out(every_view(2, is_pinned=True), every_view(2, is_pinned=True)) == []


def test_where_all_are_chosen_only_a_view_that_others_show_is_held_out():
    chosen = every_view(1) + every_view(1, start=20)[:3]  # twelve: three front views twice
    held = hold_out(chosen, chosen)
    assert len(held) == 2 and {candidate.traits.angle for candidate in held} == {"front"}
    sides = [photo(n, **FRONT) for n in range(11)] + [photo(30 + n, angle="left", framing="close") for n in range(2)]
    assert all(candidate.traits.angle == "front" for candidate in hold_out(sides, sides)), "a side stays twice"
    more = [*sides, photo(33, 0.9, angle="left", framing="close")]
    assert "0033" in ids(hold_out(more, more)), "of three one may go"


def test_a_set_stays_large_enough_to_learn_from():
    chosen = [photo(n, **FRONT) for n in range(12)]
    assert len(hold_out(chosen, chosen)) == 2
    eleven = [*chosen[:11], *[photo(40, is_pinned=True, **FRONT)]]
    assert len(hold_out(eleven, eleven[:11])) == 1, "ten stay"


# -- others like one


def test_others_that_could_stand_in_its_place_are_the_likest_first_then_the_best():
    wanted = Traits(angle="left", framing="close")
    others = [
        photo(1, 0.9, angle="front", framing="full"),
        photo(2, 0.9, angle="front", framing="close"),
        photo(3, 0.9, angle="profile-left", framing="close"),
        photo(4, 0.9, angle="left", framing="full"),
        photo(5, 0.1, angle="left", framing="close"),
        photo(6, 0.2, angle="left", framing="close"),
        photo(7, 0.2, angle="left", framing="close"),
    ]
    assert ids(alternatives(wanted, others)) == ["0006", "0007", "0005", "0004", "0002", "0003", "0001"]


# -- quality


DOUBTED = Remark(code=remarks.MONOCHROME, words="black and white")
NOTED = Remark(code=remarks.CANT_TELL, words="who this is can't be told")


@pytest.mark.parametrize(("face", "likeness", "doubts", "quality"), [
    (dict(blur=0.0, width=300.0), 0.47, (), 1.0),
    (dict(blur=0.33, width=300.0), 0.47, (), 0.8),  # half of what is allowed
    (dict(blur=0.8, width=300.0), 0.47, (), 0.6),
    (dict(blur=None, width=300.0), 0.47, (), 0.8),
    (dict(blur=0.0, width=150.0), 0.47, (), 0.85),
    (dict(blur=0.0, width=900.0), 0.47, (), 1.0),
    (dict(blur=0.0, width=300.0), 0.40, (), 0.85),  # half way: from .33, where it may be somebody else, to .47
    (dict(blur=0.0, width=300.0), 0.33, (), 0.7),
    (dict(blur=0.0, width=300.0), 0.1, (), 0.7),
    (dict(blur=0.0, width=300.0), 0.9, (), 1.0),
    (dict(blur=0.0, width=300.0), None, (), 0.85),
    (dict(blur=0.0, width=300.0), 0.47, (DOUBTED,), 0.85),
    (dict(blur=0.0, width=300.0), 0.47, (DOUBTED, DOUBTED, NOTED), 0.7),
])  # fmt: skip
def test_quality_is_sharpness_size_and_certainty_less_the_doubts(face, likeness, doubts, quality):
    look = make_look(make_face(**face))
    assert quality_of(look, Seen(who=PERSON, face=0, likeness=likeness), doubts) == pytest.approx(quality)


def test_without_a_face_all_counts_half():
    assert quality_of(make_look(), None, ()) == pytest.approx(0.5)


# -- proposals, in words


def ask(looks, keep=24, hands=None, **changes):
    items = [make_item(name, look, **(hands or {}).get(name, {})) for name, look in looks.items()]
    return propose(items, looks, Wishes(keep=keep, photo_size=768, clip_size=480, **changes))


def twelve():
    rng = np.random.default_rng(7)
    angles = ("front", "left", "right", "profile-left")
    return [make_photo(n, rng, 0, angles[n % 4], ("close", "upper")[n % 2], place=n % 5, outfit=n % 4) for n in range(12)]


def test_what_is_said_of_those_that_are_not_chosen():
    rng = np.random.default_rng(3)
    profile, nobody_can_tell = make_face(1, rng, angle="profile-left"), make_face(1, rng, embedding="")
    looks = named([*twelve(), make_look(profile, seed=41), make_look(nobody_can_tell, seed=42)])
    found = ask(looks, keep=5)
    words = {proposal.reason for proposal in found.proposals.values() if not proposal.keep}
    assert "5 better or more different ones are kept" in words
    assert "held out: training never sees it, and what is drawn is compared with it" in words
    assert found.people.seen["0013"].who == found.people.seen["0014"].who == CANT_TELL
    assert found.proposals["0013"].reason == "may be somebody else: say whether it is the person"
    assert found.proposals["0014"].reason == "who this is can't be told from this face: say whether it is the person"


def test_who_may_be_somebody_else_is_not_chosen_before_a_human_looked():
    looks = named(twelve()[:4])
    looks["0005"] = make_look(make_face(1, np.random.default_rng(9)), seed=50)
    found = ask(looks)
    assert found.people.seen["0005"].who == LOOK
    assert found.proposals["0005"].reason == "may be somebody else: say whether it is the person" and not found.proposals["0005"].keep


def small(seed):
    return np.kron(np.random.default_rng(seed).integers(0, 255, (16, 16)), np.ones((4, 4))).astype(np.uint8)


TWINS = [
    (lambda picture: picture, "nearly the same picture as 0013, which is as good or better"),
    (lambda picture: picture[:, ::-1], "a mirrored copy of 0013"),
    (lambda picture: picture[::-1], "a mirrored copy of 0013"),
    (lambda picture: picture.T[::-1], "a turned copy of 0013"),
    (lambda picture: picture[::-1, ::-1], "a turned copy of 0013"),
]


@pytest.mark.parametrize(("lay", "words"), TWINS)
def test_a_twin_is_named_with_how_it_lies(lay, words):
    face = make_face(0, np.random.default_rng(5))
    pair = [
        make_look(face, seed=n, thumbnail=pack_picture(np.ascontiguousarray(lay_))) for n, lay_ in ((60, small(60)), (61, lay(small(60))))
    ]
    assert ask(named([*twelve(), *pair])).proposals["0014"].reason == words


STAYS = [  # what the second one has that the first has not, and which stays
    (dict(), dict(), "0013"),
    (dict(), dict(size=(1100, 1024)), "0014"),
    (dict(face=dict(blur=0.31)), dict(face=dict(blur=0.3)), "0013"),
    (dict(face=dict(blur=0.39), size=(2000, 2000)), dict(face=dict(blur=0.3)), "0014"),  # softer by more than .08, however large
    (dict(face=dict(blur=0.37), size=(2000, 2000)), dict(face=dict(blur=0.3)), "0013"),
    (dict(colour=0.3, size=(2000, 2000)), dict(face=dict(blur=0.6)), "0014"),  # in grey
]


@pytest.mark.parametrize(("first", "second", "stays"), STAYS)
def test_which_of_two_twins_stays(first, second, stays):
    pair = []
    for changes in (first, second):
        rest = {name: value for name, value in changes.items() if name != "face"}
        pair.append(make_look(make_face(0, np.random.default_rng(5), **changes.get("face", {})), seed=70, **rest))
    found = ask(named([*twelve(), *pair]))
    lost = [name for name in ("0013", "0014") if found.proposals[name].reasons and found.proposals[name].reasons[0].code == "twin"]
    assert lost == [name for name in ("0013", "0014") if name != stays]


@pytest.mark.parametrize(("apart", "is_one"), [(40, True), (41, False)])
def test_drawings_are_twins_only_in_about_the_same_colours(apart, is_one):
    drawn = make_face(0, landmarks=())
    pair = [make_look(drawn, seed=80, colours=colours) for colours in ("50" * 48, "50" * 47 + f"{80 + apart:02x}")]
    found = ask(named(pair))
    assert any(proposal.reasons and proposal.reasons[0].code == "twin" for proposal in found.proposals.values()) == is_one


def test_a_twin_that_a_hand_kept_stays_beside_the_better_one():
    face = make_face(0, np.random.default_rng(5))
    looks = named([*twelve(), make_look(face, seed=90), make_look(face, seed=90)])
    both = {name: {"keep": True, "decided_by": "hand"} for name in ("0013", "0014")}
    found = ask(looks, hands=both)
    assert {"0013", "0014"} <= set(found.chosen)


def test_what_can_t_be_read_is_left_out_with_its_problem_and_what_nobody_looked_at_stays():
    looks = named(twelve())
    items = [make_item(name, look) for name, look in looks.items()]
    broken, unseen = dataclasses.replace(items[0], problem="the file is damaged"), make_item("0099", looks["0001"])
    found = propose(
        [broken, *items[1:], unseen],
        {name: look for name, look in looks.items() if name != "0001"},
        Wishes(keep=24, photo_size=768, clip_size=480),
    )
    assert (found.proposals["0001"].keep, found.proposals["0001"].reason) == (False, "the file is damaged")
    assert found.proposals["0099"].keep and "0099" not in found.chosen


@pytest.mark.parametrize(
    ("kind", "side", "is_small"), [("photo", 250, True), ("photo", 300, False), ("clip", 250, False), ("clip", 150, True)]
)
def test_a_clip_may_be_smaller_than_a_photo_since_training_takes_less_of_it(kind, side, is_small):
    look = make_look(make_face(0, width=90.0), size=(side, side))
    found = propose([make_item("0001", look, kind=kind)], {"0001": look}, Wishes(keep=24, photo_size=768, clip_size=480))
    assert any(remark.code == "size" for remark in found.proposals["0001"].reasons) == is_small
