"""The best set: as many views as chance at its best, quotas met or said, nobody else and no fault in it, twins once, hands obeyed."""

import dataclasses
import random
from collections import Counter

import numpy as np
import pytest
from people_kit import HEIGHTS, TURNS, make_face, make_item, make_look, make_photo, named

from studio.data.choosing import best_set
from studio.data.choosing.best_set import Candidate, choose, find_lacks, hold_out
from studio.data.choosing.proposed_set import Wishes, propose
from studio.data.choosing.variety import Traits
from studio.data.item_record import THEM, Said
from studio.data.looking.look_alikes import OUTFIT_MOST, PLACE_MOST, group_places

ANGLES, FRAMINGS = list(TURNS), list(HEIGHTS)


def wishes(keep=24, **changes):
    return Wishes(keep=keep, photo_size=768, clip_size=480, **changes)


def ask(looks, keep=24, said=None, hands=None, **changes):
    items = [
        make_item(
            name, look, said=(said or {}).get(name), **({"keep": hands[name], "decided_by": "hand"} if hands and name in hands else {})
        )
        for name, look in looks.items()
    ]
    return propose(items, looks, wishes(keep, **changes))


def varied(count, seed=0, person=0, start=0):
    """Good photos of one person, most of them from the front and near, as people take them."""
    rng, dice = np.random.default_rng(seed), random.Random(seed)
    made = []
    for number in range(count):
        angle, framing = dice.choices(ANGLES, (8, 3, 3, 1, 1))[0], dice.choices(FRAMINGS, (5, 5, 2, 1))[0]
        place, outfit = dice.randrange(6), dice.randrange(5)
        size = (1024, 1024) if framing in ("close", "upper") else (1400, 1400)
        made.append(make_photo(start + number, rng, person, angle, framing, size, place=place, outfit=outfit))
    return made


def messy(seed=0, good=60):
    """60 good photos, each kind of fault, strangers who are unlike everything else, a drawing, a group, a burst."""
    rng = np.random.default_rng(seed)
    looks = varied(good, seed)
    faults = [
        dict(blur=0.8), dict(blown=0.5), dict(luma=20.0), dict(upscaled=0.7), dict(width=50.0),
    ]  # fmt: skip
    looks += [make_look(make_face(0, rng, **fault), seed=900 + n, place=20 + n) for n, fault in enumerate(faults * 2)]
    looks += [
        make_photo(800 + n, rng, 1 + n % 7, ANGLES[n % 5], FRAMINGS[n % 4], (1400, 1400), place=30 + n, outfit=30 + n) for n in range(12)
    ]
    looks += [make_look(make_face(0, rng), seed=700, flat=0.97, place=50)]
    looks += [make_look(make_face(0, rng), make_face(3, rng, at=(700, 0), width=200), seed=701, place=51)]
    looks += [make_look(seed=702, place=52)]
    looks += [dataclasses.replace(look, faces=looks[n].faces) for n, look in enumerate(looks[:3])]  # three bursts
    return named(looks), {f"{n:04d}" for n in range(1, good + 1)}


def cells(traits, names):
    return len({traits[name].cell for name in names if traits[name].angle})


# -- the bars


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("compares_people", [True, False])
def test_the_chosen_have_as_many_views_as_the_best_of_a_thousand_draws_and_no_stranger_and_no_fault(seed, compares_people):
    looks, good = messy(seed)
    choice = ask(looks, compares_people=compares_people)
    assert set(choice.chosen) <= good and len(choice.chosen) == 24
    dice = random.Random(seed)
    draws = [dice.sample(sorted(good), 24) for _ in range(1000)]
    assert cells(choice.traits, choice.chosen) >= max(cells(choice.traits, draw) for draw in draws)


@pytest.mark.parametrize("keep", [10, 12, 16, 20])
@pytest.mark.parametrize("seed", range(4))
def test_a_small_set_has_as_many_views_as_any_that_meets_the_quotas(keep, seed):
    dice = random.Random(seed)
    views = [(angle, framing) for angle in ANGLES for framing in FRAMINGS]
    dice.shuffle(views)
    pool = [Candidate(id=f"{n}", traits=Traits(angle=a, framing=f), quality=dice.random() / 4, rank=n) for n, (a, f) in enumerate(views)]
    fine = [
        Candidate(id=f"{n}", traits=Traits(angle=a, framing="close", light="warm"), quality=1.0, rank=n)
        for n, a in enumerate(ANGLES * 3, 100)
    ]
    chosen = choose([*pool, *fine], keep)
    assert len(chosen) == keep and len({c.traits.cell for c in chosen}) == keep  # 20 views there are, each quota lies in several of them
    assert not [lack for lack in find_lacks(chosen, keep) if lack.code in ("side", "profile", "full-body")]


def test_what_is_kept_by_hand_never_makes_room_for_another_view():
    pinned = [Candidate(id=f"{n}", traits=Traits(angle="front", framing="close"), quality=0.1, rank=n, is_pinned=True) for n in range(9)]
    others = [Candidate(id=f"{n}", traits=Traits(angle=a, framing="upper"), quality=0.5, rank=n) for n, a in enumerate(ANGLES, 20)]
    assert {c.id for c in pinned} < {c.id for c in choose([*pinned, *others], 10)}


def test_quotas_are_met_where_the_photos_can_and_said_where_they_cant():
    looks = named(varied(60))
    choice = ask(looks)
    sides = Counter(choice.traits[name].side for name in choice.chosen)
    assert sides["left"] >= 2 and sides["right"] >= 2 and not choice.lacks
    assert any(choice.traits[name].is_profile for name in choice.chosen)
    assert any(choice.traits[name].framing == "full" for name in choice.chosen)
    rng = np.random.default_rng(0)
    front = named([make_photo(n, rng, 0, "front", "close") for n in range(30)])
    assert [(lack.code, lack.angle, lack.have, lack.wanted) for lack in ask(front).lacks] == [
        ("side", "left", 0, 2), ("side", "right", 0, 2), ("profile", "", 0, 1), ("full-body", "", 0, 1), ("outfits", "", 1, 3), ("places", "", 1, 3),
    ]  # fmt: skip


def test_one_full_body_photo_and_one_profile_among_many_are_always_chosen():
    rng = np.random.default_rng(0)
    looks = [make_photo(n, rng, 0, "front", "close", place=n % 9, outfit=n % 7) for n in range(80)]
    looks[41] = make_photo(41, rng, 0, "profile-right", "upper", blur=0.6)
    looks[42] = make_photo(42, rng, 0, "left", "full", (1600, 1600), blur=0.6)
    assert {"0042", "0043"} <= set(ask(named(looks), keep=10).chosen)


def test_of_a_burst_and_of_twins_one_is_kept_and_the_words_name_it():
    looks, _ = messy()
    choice = ask(looks)
    lost = {
        name: proposal.reasons[0] for name, proposal in choice.proposals.items() if proposal.reasons and proposal.reasons[0].code == "twin"
    }
    assert {name: remark.about for name, remark in lost.items()} == {"0086": "0001", "0087": "0002", "0088": "0003"}


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        (dict(colour=0.3, size=(2000, 2000)), dict()),
        (dict(), dict(size=(2000, 2000))),
        (dict(), dict()),
    ],
)
def test_of_twins_stays_the_one_in_colour_larger_older(worse, better):
    looks = varied(12)
    face = make_face(0, np.random.default_rng(5))
    looks += [make_look(face, seed=500, **better), make_look(face, seed=500, **worse)]
    choice = ask(named(looks))
    assert choice.proposals["0014"].reasons[0].about == "0013" and "0013" in {c.id for c in choice.candidates}


def test_of_twins_the_one_that_a_hand_kept_stays():
    looks = varied(12)
    face = make_face(0, np.random.default_rng(5))
    looks += [make_look(face, seed=500, size=(2000, 2000)), make_look(face, seed=500)]
    choice = ask(named(looks), hands={"0014": True})
    assert "0014" in choice.chosen and choice.proposals["0013"].reasons[0].about == "0014"


# -- hands


def test_what_a_hand_keeps_is_in_the_set_and_counts_and_what_it_leaves_out_never_is():
    looks = named(varied(60))
    first = ask(looks)
    banned, pinned = first.chosen[0], next(name for name in looks if name not in first.chosen and name not in first.held_out)
    second = ask(looks, hands={banned: False, pinned: True})
    assert pinned in second.chosen and banned not in second.chosen and banned not in second.held_out and len(second.chosen) == 24


def test_a_stranger_that_a_hand_keeps_stays_in():
    looks, _ = messy()
    stranger = "0073"
    assert stranger not in ask(looks).chosen and stranger in ask(looks, hands={stranger: True}).chosen


def test_others_like_a_photo_have_its_view_first_and_are_good_and_not_chosen():
    looks, good = messy()
    choice = ask(looks, keep=10)
    for name in choice.chosen:
        others = choice.like(name)
        assert others and set(others) <= good - set(choice.chosen)
        same = [choice.traits[other].cell == choice.traits[name].cell for other in others]
        assert same == sorted(same, reverse=True)


# -- held out


def test_two_to_four_photos_of_different_angles_are_held_out_and_never_learned_from():
    for count, expected in ((11, 0), (12, 2), (22, 3), (60, 4)):
        choice = ask(named(varied(count)))
        assert len(choice.held_out) == expected and not set(choice.held_out) & set(choice.chosen)
        assert all(choice.proposals[name].held_out and not choice.proposals[name].keep for name in choice.held_out)
        assert len(choice.chosen) >= min(10, count)
    angles = [choice.traits[name].angle for name in choice.held_out]
    assert len(set(angles)) >= 3


def test_where_every_good_photo_is_chosen_held_out_ones_leave_no_view_behind():
    looks = named(varied(20))
    choice = ask(looks)
    everyone = cells(choice.traits, [*choice.chosen, *choice.held_out])
    assert cells(choice.traits, choice.chosen) == everyone and len(choice.chosen) == 20 - len(choice.held_out)


# -- the same again


def test_asking_again_changes_nothing_and_no_order_matters():
    looks, _ = messy()
    first = ask(looks)
    assert ask(looks).proposals == first.proposals
    candidates = list(first.candidates)
    random.Random(1).shuffle(candidates)
    assert [c.id for c in choose(candidates, 24)] == [c.id for c in choose(first.candidates, 24)]


# -- bad input


def test_three_photos_are_all_kept_and_it_says_what_is_lacking():
    choice = ask(named(varied(3)))
    assert (
        len(choice.chosen) == 3 and choice.lacks[0].code == "few" and choice.people.question.code == "too-few-faces"
    ) or choice.people.person == 0


def test_a_folder_without_any_face_keeps_what_is_good_and_says_that_nobody_is_compared():
    choice = ask(named([make_look(seed=n, place=n) for n in range(15)]))
    assert len(choice.chosen) == 15 and choice.people.question.code == "no-faces" and not choice.held_out


def test_a_folder_of_drawings_is_left_out_with_that_reason():
    choice = ask(named([make_look(seed=n, flat=0.97) for n in range(8)]))
    assert not choice.chosen and {p.reasons[0].code for p in choice.proposals.values()} == {"drawing"}
    assert choice.lacks[0].code == "few"


def test_black_and_white_alone_is_kept_with_a_warning():
    rng = np.random.default_rng(0)
    choice = ask(named([make_photo(n, rng, colour=0.3) for n in range(12)]))
    assert len(choice.chosen) == 10 and all(p.warnings[0].code == "monochrome" for p in choice.proposals.values())


def test_somebody_over_thirty_years_is_asked_about_and_one_answer_brings_the_other_age_in():
    looks = named(varied(40) + varied(12, 1, person=1, start=40))
    assert all(ask(looks).proposals[f"{n:04d}"].reasons for n in range(41, 53))
    choice = ask(looks, keep=50, said={"0041": Said(who=THEM), "0001": Said(who=THEM)})
    young = [name for name in choice.chosen if name > "0040"]
    assert len(young) >= 8 and not [name for name in young if choice.proposals[name].reasons]


def test_two_people_always_together_are_left_out_until_somebody_crops_or_says_who_is_meant():
    rng = np.random.default_rng(2)
    looks = named([make_look(make_face(0, rng, at=(100, 300)), make_face(1, rng, at=(600, 300)), seed=n) for n in range(12)])
    choice = ask(looks)
    assert choice.people.question.code == "which-person" and not choice.chosen
    assert {p.reasons[0].code for p in choice.proposals.values()} == {"other-people"}


def test_a_photo_without_a_face_among_others_is_left_out_with_that_reason():
    looks = named([*varied(12), make_look(seed=99)])
    assert [r.code for r in ask(looks).proposals["0013"].reasons] == ["no-face"]


def test_nothing_is_like_a_photo_that_was_not_measured():
    with pytest.raises(ValueError, match="0099 was not measured"):
        ask(named(varied(12))).like("0099")


# -- the parts


def test_places_and_outfits_are_told_apart_at_the_measured_limits():
    """FACTS.md, "Faces and curation": Hellinger .41 / .40, wrong for 9.5 / 7.1 % of pairs: "about"."""
    assert (PLACE_MOST, OUTFIT_MOST) == (0.41, 0.40)
    looks = [make_look(place=place) for place in (1, 2, 1, 3, 2)]
    assert list(group_places(named(looks)).values()) == [0, 1, 0, 2, 1]


def test_a_set_is_small_before_it_lacks_variety():
    few = [Candidate(id=str(n), traits=Traits(angle="front", framing="close", place=n, outfit=n), quality=0.5, rank=n) for n in range(4)]
    assert [lack.code for lack in find_lacks(few, 24)][:1] == ["few"] and not hold_out(few, few)
    assert (best_set.FEWEST, best_set.FEWEST_HELD_OUT, best_set.MOST_HELD_OUT) == (10, 2, 4)


def test_pieces_of_one_clip_and_a_photo_out_of_it_are_no_twins_but_the_same_clip_again_is():
    looks = named(varied(12))
    face = make_face(0, np.random.default_rng(5))
    looks |= {name: make_look(face, seed=500, colours="80" * 48) for name in ("0013", "clip-01", "clip-02", "clip-03")}
    items = [make_item(name, look) for name, look in looks.items()]
    clip = dict(kind="clip", num_frames=81, fps=16.0, seconds=5.0)
    items[13:] = [dataclasses.replace(item, original="a.mp4" if item.id != "clip-03" else "b.mp4", **clip) for item in items[13:]]
    proposals = propose(items, looks, wishes()).proposals
    assert [proposals[name].reason for name in ("clip-01", "clip-02")].count("") >= 1
    lost = {name: p.reasons[0].about for name, p in proposals.items() if p.reasons and p.reasons[0].code == "twin"}
    assert "0013" not in lost and set(lost) <= {"clip-02", "clip-03"} and "clip-03" in lost
