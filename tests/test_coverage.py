"""What kept photos cover and lack, and how ready they are: from what was measured, and nothing from what was not."""

import numpy as np
import pytest

from studio.data.choosing.variety import find_traits
from studio.data.coverage import readiness, shortfall
from studio.data.coverage.board import fits, make_board
from studio.data.coverage.readiness import KeptSet, judge
from studio.data.coverage.shortfall import lacking
from studio.data.coverage.shown import Shown, shown_by_names, shown_in
from studio.data.looking.look import (
    ANGLES,
    CLOSE,
    FRAMINGS,
    FRONT,
    FULL,
    LEFT,
    PROFILE_LEFT,
    PROFILE_RIGHT,
    RIGHT,
    UPPER,
    WAIST,
    FaceLook,
    Look,
)
from studio.data.looking.look_alikes import OUTFIT_MOST, PLACE_MOST, groups_of, hellinger
from studio.data.people.who import PERSON, Seen


def photo(number, angle=FRONT, framing=CLOSE, **more):
    return Shown(id=f"{number:04d}", angle=angle, framing=framing, **more)


def varied():
    """One photo of every angle at every framing, each in a light, place and outfit of its own among three."""
    cells = [(angle, framing) for angle in ANGLES for framing in FRAMINGS]
    traits = [{"light": ["warm", "cool", "dim"][n % 3], "place": str(n % 3), "outfit": str(n % 4)} for n in range(len(cells))]
    return [photo(n, *cell, **more) for n, (cell, more) in enumerate(zip(cells, traits))]


def codes(findings):
    return [finding.code for finding in findings]


def test_each_cell_of_the_board_holds_the_photos_that_show_it():
    board = make_board([photo(1), photo(2), photo(3, LEFT, FULL), Shown(id="0004", light="warm")])
    found = {cell.key: cell.ids for row in board.cells for cell in row if cell.ids}
    assert found == {"angle:front+framing:close": ("0001", "0002"), "angle:left+framing:full": ("0003",)}
    assert board.untold == ("0004",) and board.num_placed == 3 and board.num_filled == 2
    assert board.row("light").cells[0].ids == ("0004",) and board.row("light").untold == 3


def test_a_cell_s_key_finds_its_photos_again_and_a_strange_one_is_refused():
    shown = varied()
    for row in make_board(shown).cells:
        for cell in row:
            assert tuple(one.id for one in shown if fits(one, cell.key)) == cell.ids != ()
    with pytest.raises(ValueError, match="photos can't be chosen by 'id'"):
        fits(shown[0], "id:0001")


def test_an_angle_that_there_is_none_of_is_refused():
    with pytest.raises(ValueError, match="an angle or a framing that there is none of"):
        photo(1, "sideways")


def test_varied_photos_lack_nothing():
    assert lacking(make_board(varied())) == []


@pytest.mark.parametrize(
    "gone, code",
    [
        ((FRONT,), shortfall.NO_FRONT),
        ((LEFT,), shortfall.NO_LEFT),
        ((RIGHT,), shortfall.NO_RIGHT),
        ((PROFILE_LEFT,), shortfall.NO_PROFILE_LEFT),
        ((PROFILE_RIGHT,), shortfall.NO_PROFILE_RIGHT),
        ((PROFILE_LEFT, PROFILE_RIGHT), shortfall.NO_PROFILE),
        ((CLOSE,), shortfall.NO_CLOSE),
        ((UPPER, WAIST), shortfall.NO_BODY),
        ((FULL,), shortfall.NO_FULL),
    ],
)
def test_what_no_photo_shows_is_wished_for_with_a_drawing_of_it(gone, code):
    [wish] = lacking(make_board([one for one in varied() if one.angle not in gone and one.framing not in gone]))
    assert wish.code == code and wish.action == "upload" and wish.cause
    assert wish.angle in ANGLES and wish.framing in FRAMINGS and {wish.angle, wish.framing} & set(gone)


@pytest.mark.parametrize("name, code", [("outfit", shortfall.ONE_OUTFIT), ("place", shortfall.ONE_PLACE), ("light", shortfall.ONE_LIGHT)])
def test_what_is_always_the_same_is_said_with_what_it_causes_and_shows_those_photos(name, code):
    from dataclasses import replace

    same = [replace(one, **{name: "the same"}) for one in varied()]
    [finding] = lacking(make_board(same))
    assert finding.code == code and "only" in finding.words and "about" in finding.words
    assert finding.show == f"kept/{name}:the same" and all(fits(one, finding.show.partition("/")[2]) for one in same)


def test_nearly_always_the_same_is_told_in_numbers():
    shown = [photo(n, *cell, outfit="1" if n < 18 else "2") for n, cell in enumerate((a, f) for a in ANGLES for f in FRAMINGS)]
    [finding] = lacking(make_board(shown))
    assert finding.code == shortfall.ONE_OUTFIT and finding.words.startswith("18 of 20 in one outfit, about")


def test_nothing_is_said_of_what_was_not_measured():
    assert lacking(make_board([Shown(id=f"{n:04d}") for n in range(20)])) == []
    few = [photo(n, outfit="1") for n in range(shortfall.LEAST_TOLD - 1)]
    assert shortfall.ONE_OUTFIT not in codes(lacking(make_board(few)))


# -- readiness


def test_a_varied_set_is_ready_and_only_an_empty_one_stops_training():
    board = make_board(varied())
    ready = judge(KeptSet(photos=20, clips=0), board)
    assert (ready.share, ready.grade, ready.findings) == (1.0, readiness.READY, ())
    empty = judge(KeptSet(photos=0, clips=0), make_board([]))
    assert empty.share == 0 and codes(empty.findings) == [readiness.EMPTY]
    worst = judge(KeptSet(photos=1, clips=0, strangers=1, unmeasured=1, faulty=1, small=1, bare=1), make_board([]))
    assert worst.grade == readiness.WEAK and readiness.EMPTY not in codes(worst.findings)


def test_every_finding_names_its_cause_and_something_that_mends_it():
    kept = KeptSet(
        photos=4, clips=1, unmeasured=1, strangers=1, unsure=1, faulty=2, small=1, bare=2, question="two people are in many photos"
    )
    found = judge(kept, make_board([photo(n, outfit="1", place="1", light="dim") for n in range(5)])).findings
    asked = {readiness.ASKED}  # its answer stands on the same panel
    assert len(found) >= 12 and all(one.words and one.cause and one.weight > 0 for one in found)
    assert all(one.action or one.show for one in found if one.code not in asked)
    assert [one.weight for one in found] == sorted((one.weight for one in found), reverse=True)


def test_each_fault_more_makes_a_set_less_ready():
    board = make_board(varied())
    shares = [judge(KeptSet(photos=20, clips=0, strangers=n), board).share for n in range(4)]
    assert shares == sorted(shares, reverse=True) and len(set(shares)) == 4


def test_few_photos_and_few_clips_count_together():
    board = make_board(varied())
    assert codes(judge(KeptSet(photos=5, clips=3), board).findings) == [readiness.FEW]
    assert judge(KeptSet(photos=5, clips=6), board).findings == ()


# -- what looks alike


def histograms(seed, *counts, noise=0.1):
    """As many photos of each place as `counts` says: its colours, with a share of others."""
    random = np.random.default_rng(seed)
    places = random.dirichlet(np.full(1536, 0.05), len(counts))
    rows = [(1 - noise) * place + noise * random.dirichlet(np.full(1536, 0.05)) for place, n in zip(places, counts) for _ in range(n)]
    return roots_of(np.stack(rows))


def roots_of(shares):
    """As a Look holds them: square roots, of length 1."""
    return np.sqrt(shares / shares.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("seed", range(4))
def test_photos_of_one_place_are_one_group_and_the_largest_comes_first(seed):
    assert groups_of(histograms(seed, 2, 5, 3, 1), PLACE_MOST) == [2, 2, 0, 0, 0, 0, 0, 1, 1, 1, 3]


@pytest.mark.parametrize("seed", range(6))
def test_groups_are_those_of_average_linkage_cut_at_that_distance(seed):
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    random = np.random.default_rng(seed)
    places = random.dirichlet(np.full(64, 0.3), 5)
    shares = random.uniform(0.3, 0.9, (60, 1))
    rows = shares * places[random.integers(0, 5, 60)] + (1 - shares) * random.dirichlet(np.full(64, 0.3), 60)
    rows = roots_of(rows)
    distances = hellinger(rows)
    np.fill_diagonal(distances, 0)
    expected = fcluster(linkage(squareform(distances, checks=False), "average"), OUTFIT_MOST, "distance")
    found = np.array(groups_of(rows, OUTFIT_MOST))
    assert ((found[:, None] == found) == (expected[:, None] == expected)).all() and 1 < len(set(found)) < 60


def test_of_more_photos_than_are_compared_the_others_join_the_group_that_is_nearest():
    rows = histograms(0, 12, 7, 5, 1)
    assert groups_of(rows, PLACE_MOST, 12) == groups_of(rows, PLACE_MOST)


def test_no_histograms_are_no_groups():
    assert groups_of(np.zeros((0, 1536)), PLACE_MOST) == []


def test_the_limits_of_alike_are_those_that_were_measured():
    """FACTS.md, "Faces and curation": Hellinger .41 for backgrounds, EER 9.5 %; .40 for outfits, 7.1 %."""
    assert (PLACE_MOST, OUTFIT_MOST) == (0.41, 0.40)


# -- from a look, from names


def shown_of(look, seen=None):
    looks = {"1": look}
    return shown_in("1", look, find_traits(looks, {"1": seen} if seen else {})["1"])


def test_a_look_says_the_angle_and_framing_of_the_chosen_face():
    large, small = (
        FaceLook(left=0, top=0, width=w, height=h, score=0.9, landmarks=(1.0,) * 10, turn=0.0) for w, h in ((300, 400), (60, 80))
    )
    look = Look(eye="e", width=1000, height=1000, faces=(large, small))
    assert (shown_of(look).framing, shown_of(look, Seen(who=PERSON, face=1)).framing) == (CLOSE, FULL)
    assert shown_of(look).angle == FRONT and shown_of(Look(eye="e", width=10, height=10)).framing == ""


def test_of_a_drawn_person_whose_face_was_only_looked_for_no_framing_is_told():
    drawn = FaceLook(left=0, top=0, width=300, height=400, score=1.0)
    assert not shown_of(Look(eye="e", width=1000, height=1000, faces=(drawn,))).is_measured


def test_names_of_drawn_people_fill_the_board_and_a_strange_name_fills_nothing():
    names = {"view": "facing slightly right", "framing": "waist up", "light": "dim light", "place": "sand", "shirt": "red"}
    assert shown_by_names("1", names) == Shown(id="1", angle=RIGHT, framing=WAIST, light="dim light", place="sand", outfit="red")
    assert not shown_by_names("1", {"view": "upside down"}).is_measured
