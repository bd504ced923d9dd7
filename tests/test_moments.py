"""What speaks against each moment of a clip, from both sides of every limit; pieces of what is left; and what is said of every second."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from moment_kit import clip, face, people, person, runs_of

from studio.data.media.clips import probe_clip
from studio.data.pieces import piece_facts as said
from studio.data.pieces.clip_stills import find_candidates
from studio.data.pieces.judging_moments import judge_moments
from studio.data.pieces.piece_facts import Piece, Span
from studio.data.pieces.piece_report import WORDS, VideoReport, in_short
from studio.data.pieces.proposing import Wish, propose_pieces

MEDIA = Path(__file__).parent / "media"
SIDE = 270  # px of the short side of what was looked at
SIZE = (480, SIDE)
WISH = Wish(16, 4, 81 / 16)


def judged(through, seen=None, side=SIDE):
    return runs_of(judge_moments(through, seen, side))


# -- by pixels; 16 moments a second


PIXELS = [  # what is planted, what is said of it
    ({}, []),
    ({"cuts": [80]}, [("cut", 78, 82)]),
    ({"cuts": [1]}, [("cut", 0, 3)]),
    ({"blend": {(80, 83): 0.19}}, [("blend", 76, 87)]),  # with a quarter of a second to both sides
    ({"blend": {(80, 82): 0.19}}, []),
    ({"blend": {(80, 90): 0.2}}, []),
    ({"luma": {(40, 60): 23.9}, "spread": {(40, 60): 7.9}}, [("black", 40, 60)]),
    ({"luma": {(40, 60): 24.0}, "spread": {(40, 60): 7.9}}, []),
    ({"luma": {(40, 60): 23.9}, "spread": {(40, 60): 8.0}}, []),  # a dark room
    ({"flat": {(40, 60): 0.73}}, [("title", 40, 60)]),
    ({"flat": {(40, 60): 0.72}}, []),
    ({"drifted": {(50, 54): 0.0014}, "drift": {(50, 54): 0.34}}, [("frozen", 43, 54)]),  # drift looks half a second back
    ({"drifted": {(50, 51): 0.0014}, "drift": {(50, 51): 0.34}}, []),
    ({"drifted": {(50, 54): 0.0015}, "drift": {(50, 54): 0.34}}, []),
    ({"drifted": {(50, 54): 0.0014}, "drift": {(50, 54): 0.35}}, []),
    ({"drifted": {(0, 8): 0.0}, "drift": {(0, 8): 0.0}}, []),  # what the first half second is compared with is not there
    ({"text": {(40, 51): 0.3}, "text_at": {(40, 51): 0.9}}, [("subtitles", 36, 51)]),
    ({"text": {(40, 50): 0.3}, "text_at": {(40, 50): 0.9}}, []),
    ({"text": {(149, 160): 0.3}, "text_at": {(149, 160): 0.9}}, [("subtitles", 145, 160)]),
    ({"text": {(40, 60): 0.3}, "text_at": {(40, 50): 0.9, (50, 60): 0.84}}, []),  # they go elsewhere: a sign that is passed
    ({"text": {(40, 60): 0.3}, "text_at": {(40, 50): 0.9, (50, 60): 0.86}}, [("subtitles", 36, 60)]),
    ({"drifted": {(0, 160): 0.011}}, []),
    ({"drifted": {(0, 160): 0.009}}, [("still", 0, 160)]),
]


@pytest.mark.parametrize(("planted", "found"), PIXELS)
def test_what_pixels_say_of_a_moment(planted, found):
    assert judged(clip(10, **planted)) == found


@pytest.mark.parametrize(("size", "is_shaky"), [(0.0031, True), (0.0029, False)])
def test_a_camera_shakes_where_its_speed_changes_from_moment_to_moment(size, is_shaky):
    """To and fro: each moment the speed changes by twice the step."""
    for name in ("shift_x", "shift_y"):
        found = judged(clip(10, **{name: {(0, 160): [size, -size] * 80}}))
        assert bool(found) == is_shaky and {code for code, _, _ in found} <= {"shaky"}
    assert judged(clip(10, shift_x={(0, 160): 0.05})) == [], "a pan is even"


def test_a_single_jolt_and_what_a_cut_does_to_the_camera_are_no_shaking():
    assert judged(clip(10, shift_x={(80, 81): 0.2})) == []
    jolts = [0.2, -0.2] * 2
    assert {
        code for code, _, _ in judged(clip(10, cuts=[20, 40, 60, 80], shift_x={(n, n + 1): jolts[n // 20 - 1] for n in (20, 40, 60, 80)}))
    } == {"cut"}


def test_a_clip_of_less_than_two_seconds_is_not_called_still():
    assert judged(clip(1.9, drifted={(0, 30): 0.002})) == []


def test_of_several_that_hold_the_gravest_is_said():
    all_of_it = {(0, 160): 0.0}
    everything = {"drifted": all_of_it, "drift": all_of_it, "text": {(0, 160): 0.3}, "blend": {(100, 160): 0.0}, "cuts": [130]}
    dark = {"luma": {(150, 160): 0.0}, "spread": {(150, 160): 0.0}}
    assert judged(clip(10, **everything, **dark)) == [
        ("subtitles", 0, 1), ("frozen", 1, 96), ("blend", 96, 128), ("cut", 128, 132), ("blend", 132, 150), ("black", 150, 160),
    ]  # fmt: skip


def test_a_clip_without_a_moment_has_nothing_said_of_it():
    assert judged(clip(0)) == [] and propose_pieces(clip(0), None, SIZE, 0.0, WISH).pieces == ()


# -- by faces; looked for every half second


FACES = [  # the faces, what is said where they are seen
    ([(True, face(width=12.2))], ""),
    ([(True, face(width=12.1))], "small-face"),  # below 4.5 % of the short side
    ([(True, face(blur=0.72))], ""),
    ([(True, face(blur=0.73))], "blurred"),
    ([(True, face(blur=None))], ""),
    ([(False, face())], "somebody-else"),
    ([(None, face())], ""),  # nobody can tell: alone, it counts as the person's
    ([(None, face()), (False, face(width=20))], ""),
    ([(None, face(width=20)), (False, face(width=60))], "other-people"),
    ([(True, face()), (False, face(width=24))], ""),
    ([(True, face()), (False, face(width=24.1))], "other-people"),  # from two fifths of the person's width on
    ([(True, face()), (None, face(width=60))], "other-people"),
    ([(False, face()), (False, face(width=60))], "somebody-else"),
    ([(True, face(width=12.1, blur=0.9))], "small-face"),
    ([(True, face(width=12.1)), (False, face(width=60))], "other-people"),
]


@pytest.mark.parametrize(("faces", "code"), FACES)
def test_what_faces_say_of_a_moment(faces, code):
    found = judged(clip(10), people(*((is_person, {(0, 160): one}) for is_person, one in faces)))
    assert found == ([(code, 0, 160)] if code else [])


def test_where_nobody_is_seen_and_nobody_looked_are_not_the_same():
    assert judged(clip(10), people()) == [("nobody", 0, 160)]
    assert judged(clip(10, looked=False), people()) == [("nobody", 0, 160)]
    assert judged(clip(10), None) == []


@pytest.mark.parametrize(("away", "found"), [
    ((64, 80), []),  # two looks without a face, between 56 and 80: one and a half seconds
    ((64, 96), [("nobody", 61, 93)]),  # four
    ((0, 32), [("nobody", 0, 29)]),  # nobody was there before
])  # fmt: skip
def test_who_turns_away_for_a_moment_is_still_there(away, found):
    assert judged(clip(10), people((True, {(0, away[0]): face(), (away[1], 160): face()}))) == found


def test_who_turns_away_across_a_cut_is_not_taken_to_be_there():
    seen = people((True, {(0, 64): face(), (72, 160): face()}))
    assert judged(clip(10), seen) == []
    assert judged(clip(10, cuts=[66]), seen) == [("nobody", 61, 64), ("cut", 64, 68)]


@pytest.mark.parametrize(("gap", "found"), [
    ((40, 80), [("other-people", 0, 160)]),  # seen at 32 and at 80: three seconds
    ((40, 88), [("other-people", 0, 37), ("other-people", 85, 160)]),
])  # fmt: skip
def test_others_who_are_seen_before_and_after_are_there_in_between(gap, found):
    seen = people((True, {(0, 160): face()}), (False, {(0, gap[0]): face(left=300), (gap[1], 160): face(left=300)}))
    assert judged(clip(10), seen) == found


def test_a_plain_wall_behind_a_person_is_no_title():
    flat = clip(10, flat={(0, 160): 0.9})
    assert judged(flat, person(10)) == [] and judged(flat, people()) == [("title", 0, 160)]


def test_what_is_seen_between_two_looks_is_what_the_nearer_one_saw():
    seen = people((True, {(0, 80): face()}), (False, {(80, 160): face()}))
    assert judged(clip(10), seen) == [("somebody-else", 77, 160)]
    assert judged(clip(10, cuts=[75]), seen)[-1] == ("somebody-else", 77, 160)


# -- pieces


def pieces_of(through, seen=None, seconds=None, wish=WISH):
    return propose_pieces(through, seen, SIZE, through.count / 16 if seconds is None else seconds, wish)


def test_pieces_lie_evenly_in_what_is_good():
    """12 s hold two of 81 frames (5.0625 s), with .625 s before, between and after."""
    found = pieces_of(clip(12))
    assert [(piece.start, piece.num_frames, piece.fps) for piece in found.pieces] == [(0.625, 81, 16), (6.312, 81, 16)]
    assert [(round(span.start, 2), round(span.end, 2), span.code) for span in found.spans] == [
        (0.0, 0.62, "more-of-the-same"), (0.62, 5.69, "taken"), (5.69, 6.31, "more-of-the-same"), (6.31, 11.37, "taken"),
        (11.37, 12.0, "more-of-the-same"),
    ]  # fmt: skip


@pytest.mark.parametrize(("seconds", "code"), [(4.25, "short"), (4.3125, "taken")])
def test_what_is_good_but_too_short_is_said_to_be_so(seconds, code):
    through = clip(
        seconds + 2,
        luma={(round(seconds * 16), round((seconds + 2) * 16)): 0.0},
        spread={(round(seconds * 16), round((seconds + 2) * 16)): 0.0},
    )
    assert {span.code for span in pieces_of(through).spans} == {code, "black"}


def test_of_one_shot_three_pieces_are_taken_and_of_all_twenty():
    assert len(pieces_of(clip(60)).pieces) == 3
    shots = clip(150, cuts=[96 * n for n in range(1, 25)])
    found = pieces_of(shots)
    assert len(found.pieces) == 20 and sum(span.seconds for span in found.spans) == pytest.approx(150)
    assert [piece.start for piece in found.pieces] == sorted(piece.start for piece in found.pieces)


def test_every_shot_has_a_piece_before_one_has_two():
    """Ten shots of 6 s, and one of 60 s in which the face is sharper: that has eleven places, and gets three."""
    through = clip(120, cuts=[96 * n for n in range(1, 11)])
    seen = people((True, {(0, 960): face(blur=0.6), (960, 1920): face(blur=0.1)}))
    starts = [piece.start for piece in pieces_of(through, seen).pieces]
    assert sum(start < 60 for start in starts) == 10 and sum(start >= 60 for start in starts) == 3


def test_of_a_long_shot_the_pieces_are_far_apart():
    starts = [piece.start for piece in pieces_of(clip(120)).pieces]
    assert min(b - a for a, b in itertools.pairwise(starts)) > 30


@pytest.mark.parametrize(("better", "worse"), [
    (dict(width=80), dict(width=40)),  # larger, up to three tenths of the short side
    (dict(blur=0.2), dict(blur=0.6)),
])  # fmt: skip
def test_a_piece_is_worth_more_where_the_face_is_larger_or_sharper(better, worse):
    scores = [pieces_of(clip(6), person(6, **looks)).pieces[0].score for looks in (better, worse)]
    assert scores[0] > scores[1]


def test_what_a_piece_is_worth():
    """A face of 40.5 of 270 px is half of three tenths; sharp to .5; a change of two levels is half a motion, which counts half."""
    (piece,) = pieces_of(clip(6, change={(0, 96): 2.0}), person(6, width=40.5, blur=0.5)).pieces
    assert piece.score == pytest.approx(0.5 + 0.5 + 0.25)
    (largest,) = pieces_of(clip(6, change={(0, 96): 9.0}), person(6, width=200, blur=None)).pieces
    assert largest.score == pytest.approx(1 + 0.5 + 0.5)
    (unseen,) = pieces_of(clip(6, change={(0, 96): 2.0})).pieces
    assert unseen.score == pytest.approx(0.5)


BARS = [  # left, top, right, bottom as measured; what is left of the picture
    ((0.0, 0.12, 0.0, 0.12), (0.0, 0.124, 1.0, 0.752)),
    ((0.15, 0.0, 0.15, 0.0), (0.154, 0.0, 0.692, 1.0)),
    ((0.0, 0.12, 0.0, 0.15), (0.0, 0.124, 1.0, 0.722)),
    ((0.0, 0.12, 0.0, 0.17), None),  # one side is only dark
    ((0.0, 0.12, 0.0, 0.0), None),
    ((0.0, 0.019, 0.0, 0.019), None),  # the edge of a film
    ((0.0, 0.021, 0.0, 0.021), (0.0, 0.025, 1.0, 0.95)),
    ((0.0, 0.0, 0.0, 0.0), None),
]


@pytest.mark.parametrize(("bars", "crop"), BARS)
def test_bars_on_both_sides_are_cropped_away(bars, crop):
    planted = {name: {(0, 96): bar} for name, bar in zip(("left", "top", "right", "bottom"), bars, strict=True)}
    (piece,) = pieces_of(clip(6, **planted)).pieces
    assert piece.crop == crop


def test_a_bar_that_is_not_there_in_every_lit_moment_is_none():
    assert pieces_of(clip(6, top={(0, 96): 0.1, (48, 49): 0.0}, bottom={(0, 96): 0.1})).pieces[0].crop is None
    dark = clip(6, top={(0, 96): 0.1, (48, 49): 0.0}, bottom={(0, 96): 0.1}, luma={(48, 49): 9.0})
    assert dark and pieces_of(dark).pieces[0].crop == (0.0, 0.104, 1.0, 0.792), "nothing is seen of bars in a dark moment"


@pytest.mark.parametrize(("factor", "fps", "frames"), [(4, 16, 81), (8, 24, 121), (1, 16, 81)])
def test_a_piece_is_of_a_length_that_the_base_model_takes(factor, fps, frames):
    (piece,) = pieces_of(clip(6), wish=Wish(fps, factor, 81 / 16)).pieces
    assert piece.num_frames == frames and (piece.num_frames - 1) % factor == 0


# -- stills


CLIP = probe_clip(MEDIA / "bigbuckbunny.mp4")


@pytest.mark.parametrize(("looks", "width", "is_one"), [
    (dict(width=32), 960, True),  # 64 px in the clip's own size, which is twice what was looked at
    (dict(width=31.9), 960, False),
    (dict(width=32), 480, False),
    (dict(blur=None), 960, False),
    (dict(blur=0.73), 960, False),
])  # fmt: skip
def test_a_moment_can_be_a_photo_where_the_face_is_large_and_sharp_enough(looks, width, is_one):
    assert bool(find_candidates(clip(2), person(2, **looks), SIZE, replace(CLIP, width=width))) == is_one


@pytest.mark.parametrize(("planted", "is_one"), [
    ({"drifted": {(0, 64): 0.009}}, True),  # a clip that stands still is as good as a photo
    ({"shift_x": {(0, 64): [0.01, -0.01] * 32}}, True),
    ({"text": {(0, 64): 0.3}}, False),
    ({"blend": {(0, 64): 0.0}}, False),
    ({"luma": {(0, 64): 0.0}, "spread": {(0, 64): 0.0}}, False),
])  # fmt: skip
def test_what_a_single_picture_does_not_have_is_no_fault_of_a_still(planted, is_one):
    assert bool(find_candidates(clip(4, **planted), person(4), SIZE, replace(CLIP, width=960))) == is_one


def test_the_sharpest_comes_first_and_nobody_else():
    seen = people((True, {(0, 8): face(blur=0.6), (8, 16): face(blur=0.2), (16, 24): face(blur=0.4)}), (False, {(24, 32): face(blur=0.1)}))
    found = find_candidates(clip(2), seen, SIZE, replace(CLIP, width=960))
    assert [(candidate.second, candidate.blur) for candidate in found] == [(0.5, 0.2), (1.0, 0.4), (0.0, 0.6)]
    assert found[0].box == (100 / 480, 40 / 270, 60 / 480, 75 / 270)


# -- in words


def video(*codes, **more):
    """A clip of whose codes each holds for two seconds, the first for a second more, and so on down."""
    edges = [0.0]
    for place in range(len(codes)):
        edges.append(edges[-1] + 2 + len(codes) - place)
    spans = tuple(Span(start=a, end=b, code=code) for code, a, b in zip(codes, edges, edges[1:], strict=False))
    return VideoReport(name="walk.mp4", seconds=edges[-1], spans=spans, **more)


PIECE = Piece(start=0.0, num_frames=81, fps=16.0)


@pytest.mark.parametrize(("report", "sentences"), [
    (video("taken", "nobody", pieces=(PIECE,), added=("clip-02",)), ["Cut into 1 piece (4.0 s): clip-02.", "3.0 s are left out: nobody is seen (3.0 s)."]),
    (video("taken", pieces=(PIECE, PIECE), added=("clip-02", "clip-03")), ["Cut into 2 pieces (3.0 s): clip-02, clip-03."]),
    (video("taken", pieces=(PIECE,), known=("clip-02",)), ["It was cut into 1 piece before: clip-02."]),
    (video("taken", pieces=(PIECE,)), ["1 piece of it (3.0 s) could be trained."]),
    (video("black"), ["No piece of it could be found.", "3.0 s are left out: black (3.0 s)."]),
    (video(problem="it is damaged"), ["It could not be looked through: it is damaged."]),
    (video("taken", pieces=(Piece(start=0.0, num_frames=81, fps=16.0, crop=(0.0, 0.1, 1.0, 0.8)),)), ["1 piece of it (3.0 s) could be trained.", "Black bars are cropped away."]),
    (video("taken", pieces=(PIECE,), is_guessed=True), ["1 piece of it (3.0 s) could be trained.", "Nobody said who is meant, so whoever is seen longest was taken for the person: please look."]),
    (video("nobody", is_guessed=True), ["No piece of it could be found.", "3.0 s are left out: nobody is seen (3.0 s)."]),
])  # fmt: skip
def test_what_is_said_of_a_clip(report, sentences):
    assert report.sentences() == sentences


def test_every_reason_has_its_words_and_the_longest_comes_first():
    codes = [code for code in WORDS if code != said.TAKEN]
    (_, left) = video(*codes).sentences()
    assert left == (
        "2 min are left out: the picture changes (17 s), one picture fades into another (16 s), black (15 s), a title or a slate (14 s), "
        "the picture stands still (13 s), subtitles are burnt in (12 s), nobody is seen (11 s), somebody else is seen (10 s), "
        "other people are beside the person (9.0 s), the face is too small (8.0 s), the face is blurred (7.0 s), the camera shakes (6.0 s), "
        "next to nothing moves (5.0 s), good, but too short for a piece (4.0 s), good, and more of the same (3.0 s)."
    )


def test_several_clips_are_told_of_in_one_sentence():
    one, other = video("taken", "nobody", added=("clip-02",)), video("nobody", "black")
    assert in_short([one, other]) == "cut into 1 piece (4.0 s); 10 s are left out: nobody is seen (7.0 s), black (3.0 s)"
    assert in_short([other]) == "no piece was cut; 7.0 s are left out: nobody is seen (4.0 s), black (3.0 s)"
    assert in_short([video("nobody", problem="it is damaged")]) == "no piece was cut"
