"""Pieces of clips and films: what speaks against a second is found and said, every second is accounted for, and nothing is trained in silence."""

import itertools
import subprocess
from dataclasses import replace
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from import_kit import num_accounted
from piece_kit import Scene, make_film, write_line
from PIL import Image
from test_cli import run, run_json

from studio.data import dataset, limits
from studio.data.importer import import_media
from studio.data.media.clips import film_bounds, probe_clip, read_frames
from studio.data.pieces import piece_facts as said
from studio.data.pieces.letters import find_letters
from studio.data.pieces.looking_through import look_through
from studio.data.pieces.moments import find_bars
from studio.data.pieces.piece_facts import MOMENTS_A_SECOND
from studio.data.pieces.piece_finder import find_pieces, find_stills
from studio.data.pieces.piece_report import WORDS, VideoReport, read_report
from studio.data.pieces.proposing import Wish, propose_pieces
from studio.data.pieces.whose import find_people

__all__ = ("run", "run_json")  # fixtures
MEDIA = Path(__file__).parent / "media"
PERSON_FACE, OTHER_FACE = (223.0, 120.0, 90.0), (0.0, 0.0, 0.0)  # centre and width
SIZE, FPS = (480, 270), 20.0


def picture(name):
    return np.asarray(Image.open(MEDIA / name).convert("RGB"))


@pytest.fixture(scope="session")
def film(tmp_path_factory, sight):
    """27 s: the person, cut, somebody else, cut, the person with held frames and subtitles, fade, the person between black bars."""
    person, other = picture("astronaut.png"), picture("impostor_1.jpg")
    face = sight.find(other)[0]
    there = (face.left + face.width / 2, face.top + face.height / 2, face.width)
    scenes = [
        Scene(person, 6.0, PERSON_FACE),
        Scene(other, 5.0, there),
        Scene(person, 9.0, PERSON_FACE, {"freeze": (1.0, 2.5), "subtitles": (6.5, 8.5)}),
        Scene(person, 7.0, PERSON_FACE, {"letterbox": (0.0, 7.0)}),
    ]
    path = tmp_path_factory.mktemp("film") / "holiday film.mp4"
    make_film(path, scenes, size=SIZE, fps=FPS, seed=3, fades=[3])
    return path


@pytest.fixture(scope="session")
def sight():
    from studio.models.eyes import find_face_eye

    return find_face_eye().open(None)


@pytest.fixture(scope="session")
def looked(film, sight, tmp_path_factory):
    """(Through, ClipInfo) of the film."""
    info = probe_clip(film)
    file = tmp_path_factory.mktemp("looked") / "film.jsonl"
    return look_through(film, info, file, sight, nobody, never, "film"), info


@pytest.fixture
def person_project(project):
    """A project that knows the person by a photo."""
    import_media(project, [MEDIA / "astronaut.png"])
    return project


def nobody(event, **fields):
    pass


def never():
    return False


def code_at(spans, second):
    return next(span.code for span in spans if span.start <= second < span.end)


@pytest.fixture
def proposal(looked, sight):
    through, info = looked
    reference = sight.embed_face(picture("astronaut.png"), sight.find(picture("astronaut.png"))[0])
    people = find_people(through.faces, through.cuts, reference[None], MOMENTS_A_SECOND)
    return propose_pieces(through, people, SIZE, info.seconds, Wish(16, 4, 81 / 16))


# -- what is found


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (6.0, said.CUT), (8.5, said.SOMEBODY_ELSE), (11.0, said.CUT), (12.8, said.FROZEN), (18.5, said.SUBTITLES), (20.4, said.BLEND),
    ],
)  # fmt: skip
def test_what_speaks_against_a_second_is_found_and_called_by_its_name(proposal, second, code):
    assert code_at(proposal.spans, second) == code


def test_pieces_lie_where_the_person_is_seen_and_nothing_speaks_against_it(proposal):
    assert [any(a <= p.start and p.end <= b for p in proposal.pieces) for a, b in ((0, 6), (6, 11), (11, 20), (20, 27))] == [
        True, False, False, True,
    ]  # fmt: skip
    for piece in proposal.pieces:
        assert 4 <= piece.seconds <= 8 and piece.fps == 16 and piece.num_frames % 4 == 1


def test_black_bars_are_cropped_away_where_they_are_and_nowhere_else(proposal):
    clean, barred = (next(p for p in proposal.pieces if a <= p.start < b) for a, b in ((0, 6), (20, 27)))
    assert clean.crop is None
    left, top, width, height = barred.crop
    assert (left, width) == (0.0, 1.0) and 0.11 < top < 0.14 and 0.72 < height < 0.77


def test_every_second_is_a_piece_or_left_out_for_a_reason(proposal, looked):
    spans, seconds = proposal.spans, looked[1].seconds
    assert spans[0].start == 0 and spans[-1].end == seconds and all(a.end == b.start for a, b in itertools.pairwise(spans))
    assert {span.code for span in spans} <= WORDS.keys()
    taken = [(span.start, span.end) for span in spans if span.code == said.TAKEN]
    assert taken == [(piece.start, piece.end) for piece in proposal.pieces]
    report = VideoReport(name="film", seconds=seconds, pieces=proposal.pieces, spans=spans)
    assert abs(report.seconds_taken + sum(s for _, s in report.left_out()) - seconds) < 1e-6


def test_a_look_that_was_stopped_goes_on_where_it_was_and_finds_the_same(looked, film, sight, tmp_path, monkeypatch):
    from studio.data.pieces import looking_through

    monkeypatch.setattr(looking_through, "STRETCH", 5 * MOMENTS_A_SECOND)
    whole, info = looked
    file, asked = tmp_path / "film.jsonl", []

    def stop_after_twelve_seconds():
        asked.append(1)
        return len(asked) > 12

    first = look_through(film, info, file, sight, nobody, stop_after_twelve_seconds, "film")
    assert not first.is_whole and first.count == 2 * 5 * MOMENTS_A_SECOND
    with open(file, "ab") as torn:  # a kill in the middle of a line
        torn.write(b'{"first": 160, "lum')
    told = []
    again = look_through(film, info, file, sight, lambda event, **fields: told.append(fields), never, "film")
    assert again.is_whole and told[0]["done"] >= 8 and again.cuts == whole.cuts and again.count == whole.count
    for name in ("luma", "drifted", "text", "top"):
        assert np.abs(again.values(name) - whole.values(name)).max() < 0.02, name
    assert [then.moment for then in again.faces] == [then.moment for then in whole.faces]


# -- into the dataset


def test_a_long_clip_becomes_items_of_its_own_and_one_undo_takes_all_of_it_back(person_project, film):
    added = import_media(person_project, [film])
    video = added.videos[0]
    whole = dataset.get_item(person_project, "clip-01")
    assert video.added == ("clip-02", "clip-03") and not whole.keep and whole.reason.endswith("items of their own: clip-02, clip-03")
    assert "somebody else is seen" in " ".join(video.sentences()) and "Black bars are cropped away." in video.sentences()
    for item_id in video.added:
        item = dataset.get_item(person_project, item_id)
        assert item.fps == 16 and item.num_frames == 65 and item.keep and item.original == film.name and len(item.part) == 2
    assert dataset.get_item(person_project, "clip-03").height < SIZE[1] * 0.8
    assert read_report(person_project, whole).added == video.added
    again = find_pieces(person_project, ["clip-01"])
    assert again.videos[0].added == () and again.videos[0].known == video.added
    assert dataset.undo(person_project).startswith("Undone: Cutting clip-01 into 2 pieces")
    left = dataset.list_items(person_project)
    assert [item.id for item in left] == ["0001", "clip-01"] and left[1].keep


def test_a_piece_holds_the_frames_of_its_seconds(person_project, film):
    import_media(person_project, [film])
    item = dataset.get_item(person_project, "clip-02")
    cut, original = read_frames(item.path, 65, 16), read_frames(film, 65, 16, start=item.part[0])
    assert np.abs(cut.astype(int) - original).mean() < 3


def test_a_film_that_is_too_long_for_an_item_is_kept_and_cut_and_never_trained_whole(person_project, film, monkeypatch):
    monkeypatch.setattr(limits, "MAX_CLIP_SECONDS", 10)
    found = import_media(person_project, [film])
    assert num_accounted(found) == found.num_given == 1 and found.films[0].name == film.name
    items = [item for item in dataset.list_items(person_project) if item.kind == "clip"]
    assert [item.id for item in items] == list(found.videos[0].added) and all(item.seconds < 8 for item in items)
    assert (person_project.originals_dir / film.name).read_bytes() == film.read_bytes()
    assert abs(sum(span.seconds for span in found.videos[0].spans) - probe_clip(film, film_bounds()).seconds) < 1e-6
    again = import_media(person_project, [film])
    assert not again.videos and again.duplicates[0].item_id == items[0].id


def test_a_long_clip_that_came_with_a_caption_stays_whole_and_it_is_said_what_of_it_is_trained(person_project, film, tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "walk.mp4").write_bytes(film.read_bytes())
    (folder / "walk.txt").write_text("ohwx, a person in a suit")
    found = import_media(person_project, [folder])
    assert found.added == ["clip-01"] and not found.videos
    assert any("its 27.0 s stay together; training takes the first of them" in note.words for note in found.notes)


def test_the_command_cuts_a_clip_and_says_what_is_left_out(person_project, film, run_json, tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "walk.mp4").write_bytes(film.read_bytes())
    (folder / "walk.txt").write_text("ohwx, a person in a suit")
    import_media(person_project, [folder])
    code, told = run_json("pieces", person_project.slug, "clip-01")
    assert code == 0 and told["videos"][0]["added"] == ["clip-02", "clip-03"]
    assert dataset.get_item(person_project, "clip-02").caption == "ohwx, a person in a suit"


def test_a_clip_that_is_no_clip_of_the_project_is_named(person_project):
    with pytest.raises(ValueError, match="there is no clip 'clip-77'"):
        find_pieces(person_project, ["clip-77"])


def test_a_clip_in_which_nobody_is_seen_stays_as_it_is(person_project):
    import_media(person_project, [MEDIA / "bigbuckbunny.mp4"])
    found = find_pieces(person_project, ["clip-01"]).videos[0]
    assert not found.added and found.left_out()[0][0] == said.NOBODY and dataset.get_item(person_project, "clip-01").keep
    assert found.sentences()[0] == "No piece of it could be found." and "nobody is seen" in found.sentences()[1]


def test_photos_come_out_of_a_clip_sharp_and_never_two_of_one_moment(person_project, film):
    import_media(person_project, [film])
    found = find_stills(person_project, "clip-01")
    stills = [dataset.get_item(person_project, item_id) for item_id in found.added]
    assert 2 <= len(stills) <= 6 and all(item.kind == "photo" and item.keep and (item.width, item.height) == SIZE for item in stills)
    seconds = sorted(item.part[0] for item in stills)
    assert all(b - a >= 2 for a, b in itertools.pairwise(seconds))
    assert not any(6 <= second < 11 or 17.5 <= second < 19.5 for second in seconds)  # somebody else; subtitles
    assert not set(find_stills(person_project, "clip-01").added) & set(found.added)
    assert dataset.get_item(person_project, "clip-02").kind == "clip"


# -- files of every kind


def reencode(source, target, *arguments):
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-i", str(source), *arguments, str(target)], check=True)
    return target


@pytest.mark.parametrize(
    "arguments",
    [
        ("-t", "6", "-g", "9999", "-keyint_min", "9999", "-sc_threshold", "0"),  # one keyframe alone
        ("-t", "6", "-vf", "select='not(mod(n,3))+lt(n,40)'", "-fps_mode", "vfr"),  # a varying rate
        ("-t", "6", "-vf", "transpose=1"),  # portrait
        ("-t", "6", "-vf", "scale=480:272,tinterlace=interleave_top,setfield=tff", "-x264-params", "tff=1", "-flags", "+ildct+ilme"),
    ],
    ids=["no keyframes", "varying rate", "portrait", "interlaced"],
)
def test_clips_of_every_kind_are_looked_through_to_their_last_moment(film, tmp_path, arguments):
    path = reencode(film, tmp_path / "other.mp4", *arguments)
    info = probe_clip(path)
    through = look_through(path, info, tmp_path / "x.jsonl", None, nobody, never, "other")
    assert through.is_whole and abs(through.count - info.seconds * MOMENTS_A_SECOND) <= 1
    proposal = propose_pieces(through, None, (info.width, info.height), info.seconds, Wish(16, 4, 81 / 16))
    assert proposal.spans[-1].end == info.seconds and len(proposal.pieces) == 1


def test_a_portrait_film_whose_file_is_turned_gives_upright_pieces(person_project, film, tmp_path):
    plain = reencode(film, tmp_path / "plain.mp4", "-t", "11", "-vf", "transpose=2")
    turned = tmp_path / "turned.mp4"
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-display_rotation", "-90", "-i", str(plain), "-c", "copy", str(turned)],
        check=True,
    )
    found = import_media(person_project, [turned]).videos[0]
    item = dataset.get_item(person_project, found.added[0])
    assert (item.width, item.height) == SIZE
    shown, original = read_frames(item.path, 1, 16)[0], read_frames(film, 1, 16, start=item.part[0])[0]
    assert np.abs(shown.astype(int) - original).mean() < 12


# -- parts of it


def test_letters_are_seen_with_their_place_and_not_where_there_are_none():
    photo = np.asarray(Image.open(MEDIA / "astronaut.png").convert("RGB").resize((640, 360)))
    found = find_letters(write_line(photo, "Where did you put the keys?"))
    assert found.width > 0.25 and 0.83 < found.at < 0.93
    assert find_letters(photo).width == 0


def test_bars_are_found_on_every_side_and_a_black_picture_has_none():
    grey = np.full((180, 320), 120, np.uint8)
    grey[:20] = grey[-20:] = 2
    assert find_bars(grey) == (20 / 180, 20 / 180, 0.0, 0.0)
    assert find_bars(np.zeros((180, 320), np.uint8)) == (0.0, 0.0, 0.0, 0.0)


def test_without_any_photo_whoever_is_seen_longest_is_taken_and_it_is_said(project, film):
    found = import_media(project, [film]).videos[0]
    assert found.is_guessed and len(found.added) == 2
    assert any("Nobody said who is meant" in sentence for sentence in found.sentences())
    assert "Nobody said" not in " ".join(replace(found, is_guessed=False).sentences())
