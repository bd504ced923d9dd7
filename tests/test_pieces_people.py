"""Whose face is seen in a clip, and how long a piece is: decided on numbers alone, without any picture."""

import numpy as np
import pytest
from people_kit import crowd

from studio.config import DataConfig, list_settings
from studio.data import persons
from studio.data.looking.look import FaceLook
from studio.data.people.groups import SAME_LEAST
from studio.data.pieces.adding import MOST_SIDE, piece_size, without_known
from studio.data.pieces.piece_facts import FacesThen, Piece, Span
from studio.data.pieces.piece_finder import read_references
from studio.data.pieces.piece_report import VideoReport, in_short
from studio.data.pieces.proposing import Wish
from studio.data.pieces.whose import find_people


def face(row, left=100.0, width=80.0):
    return FaceLook(left=left, top=50.0, width=width, height=100.0, score=0.9, embedding=persons.pack(row[None]), blur=0.3)


def person(seed, rng=None, apart=0.0):
    """A direction of its own; with `apart` one look at that person."""
    row = np.random.default_rng(seed).normal(size=128)
    row = row / np.linalg.norm(row)
    if rng is None:
        return row.astype(np.float32)
    other = rng.normal(size=128)
    mixed = row + apart * other / np.linalg.norm(other)
    return (mixed / np.linalg.norm(mixed)).astype(np.float32)


def looks(rng, seed, moments, left=100.0, width=80.0):
    return [FacesThen(moment=m, faces=(face(person(seed, rng, 0.9), left, width),)) for m in moments]


def test_clips_are_searched_for_the_person_and_not_for_the_largest_face_of_a_photo_and_nothing_is_looked_at_twice(project):
    last = crowd(project)[-1]
    rows = read_references(project, None)  # nobody who looks is needed
    assert len(rows) == 7 and np.allclose(rows[-1], persons.unpack(last.faces[1].embedding))
    assert (rows @ rows[0]).min() > SAME_LEAST > persons.unpack(last.faces[0].embedding) @ rows[0]


def test_the_person_is_known_by_their_photos_and_others_are_not_them():
    rng = np.random.default_rng(0)
    photos = np.stack([person(1, rng, 0.9) for _ in range(8)])
    faces = looks(rng, 1, range(0, 80, 8)) + looks(rng, 2, range(80, 200, 8), left=300.0)
    found = find_people(faces, [80], photos, 16)
    assert found.is_person == (True, False) and not found.guessed


def test_without_photos_whoever_is_seen_longest_is_taken_over_all_shots():
    rng = np.random.default_rng(1)
    faces = looks(rng, 1, range(0, 80, 8)) + looks(rng, 2, range(80, 140, 8)) + looks(rng, 1, range(144, 200, 8))
    found = find_people(faces, [80, 144], np.zeros((0, 128), np.float32), 16)
    assert found.is_person == (True, False, True) and found.guessed


def test_one_photo_is_enough_to_begin_with():
    rng = np.random.default_rng(2)
    faces = looks(rng, 2, range(0, 160, 8)) + looks(rng, 1, range(160, 200, 8))
    found = find_people(faces, [160], person(1, rng, 0.5)[None], 16)
    assert found.is_person == (False, True)


def test_a_face_that_is_too_small_to_tell_accuses_nobody():
    far = [FacesThen(moment=m, faces=(FaceLook(left=1.0, top=1.0, width=20.0, height=25.0, score=0.8),)) for m in range(0, 40, 8)]
    assert find_people(far, [], np.stack([person(1)] * 5), 16).is_person == (None,)


@pytest.mark.parametrize(
    ("trained", "there", "frames"),
    [(81 / 16, 20.0, 81), (33 / 16, 20.0, 65), (161 / 16, 20.0, 125), (81 / 16, 4.5, 69), (81 / 16, 4.07, 65)],
)
def test_a_piece_is_as_long_as_training_takes_and_never_shorter_than_four_or_longer_than_eight_seconds(trained, there, frames):
    found = Wish(16, 4, trained).num_frames(there)
    assert found == frames and found % 4 == 1 and found / 16 <= there


def test_a_piece_is_as_large_as_any_training_takes_and_never_enlarged():
    largest = next(setting.maximum for name, setting, _ in list_settings(DataConfig) if name == "clip_size")
    assert largest == MOST_SIDE
    assert piece_size(832, 480) == (832, 480) and piece_size(479, 853) == (478, 852)
    wide, high = piece_size(3840, 2160)
    assert wide * high <= MOST_SIDE**2 and abs(wide / high - 16 / 9) < 0.01 and wide % 2 == high % 2 == 0


def test_what_is_an_item_already_is_not_cut_again():
    pieces = [Piece(start=0.0, num_frames=81, fps=16.0), Piece(start=10.0, num_frames=81, fps=16.0)]
    assert without_known(pieces, [(0.5, 5.5)]) == pieces[1:]


def test_the_sentence_of_a_job_counts_every_second():
    spans = (Span(start=0, end=31, code="taken"), Span(start=31, end=1891, code="nobody"), Span(start=1891, end=1900, code="frozen"))
    video = VideoReport(name="holiday.mp4", seconds=1900, spans=spans, added=("clip-01", "clip-02"))
    assert in_short([video]) == "cut into 2 pieces (31 s); 31 min are left out: nobody is seen (31 min), the picture stands still (9.0 s)"


# -- who is who, from both sides of each limit


def row(cosine):
    """A face that is so like the first axis."""
    found = np.zeros(128, np.float32)
    found[0], found[1] = cosine, (1 - cosine**2) ** 0.5
    return found


PHOTOS = np.eye(128, dtype=np.float32)[[0] * 5]


@pytest.mark.parametrize(("cosine", "is_person"), [(0.41, True), (0.39, None), (0.34, None), (0.32, False)])
def test_where_somebody_else_begins_in_a_clip(cosine, is_person):
    faces = [FacesThen(moment=m, faces=(face(row(cosine)),)) for m in range(0, 40, 8)]
    assert find_people(faces, [], PHOTOS, 16).is_person == (is_person,)


def test_the_five_best_photos_count():
    """Of ten photos five are like the face: it is theirs, whatever the others show."""
    photos = np.concatenate([PHOTOS, np.eye(128, dtype=np.float32)[[5] * 5]])
    faces = [FacesThen(moment=0, faces=(face(row(0.41)),))]
    assert find_people(faces, [], photos, 16).is_person == (True,)


@pytest.mark.parametrize(("looks", "tracks"), [
    ([(0, 100.0, 80.0), (8, 179.0, 80.0)], 1),  # within a width of the face
    ([(0, 100.0, 80.0), (8, 181.0, 80.0)], 2),
    ([(0, 100.0, 80.0), (25, 100.0, 80.0)], 1),  # 1.6 seconds at 16 looks a second
    ([(0, 100.0, 80.0), (26, 100.0, 80.0)], 2),
    ([(0, 100.0, 80.0), (8, 100.0, 40.0)], 1),  # half as wide
    ([(0, 100.0, 80.0), (8, 100.0, 39.0)], 2),
])  # fmt: skip
def test_a_face_is_followed_while_it_lies_where_it_was(looks, tracks):
    faces = [FacesThen(moment=m, faces=(face(row(1.0), left, width),)) for m, left, width in looks]
    assert len(find_people(faces, [], PHOTOS, 16).tracks) == tracks


def test_a_cut_ends_what_was_followed_and_two_faces_are_two():
    faces = [FacesThen(moment=m, faces=(face(row(1.0)), face(row(0.0), left=300.0))) for m in range(0, 32, 8)]
    whole, cut = find_people(faces, [], PHOTOS, 16), find_people(faces, [16], PHOTOS, 16)
    assert ([len(track.looks) for track in whole.tracks], whole.is_person) == ([4, 4], (True, False))
    assert [(track.shot, len(track.looks)) for track in cut.tracks] == [(0, 2), (0, 2), (1, 2), (1, 2)]


def test_nobody_in_a_clip_is_nobody():
    found = find_people([FacesThen(moment=0)], [], np.zeros((0, 128), np.float32), 16)
    assert (found.tracks, found.is_person, found.guessed) == ((), (), True)
