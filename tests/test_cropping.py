"""What is cut off a photo: training keeps the head and enlarges nothing; a closer part, turning and mirroring come on request and can be undone."""

import numpy as np
import pytest
from people_kit import crowd
from PIL import Image

from studio.data import dataset
from studio.data.buckets import choose_bucket, choose_corner, cover_size
from studio.data.cropping.closer import LEAST_SIDE, crop_closer, part_closer
from studio.data.cropping.head import head_of
from studio.data.cropping.person_heads import person_heads
from studio.data.cropping.trained_photo import choose_photo, is_small
from studio.data.cropping.turning import MIRROR, TURN_LEFT, TURN_RIGHT, turn_photo
from studio.data.importer import import_media
from studio.data.looking import looks
from studio.data.looking.look import CLOSE, UPPER, FaceLook, Look
from studio.data.media.photos import load_photo
from studio.data.people.answers import say_it_is_them


def look(width, height, left, top, face_width, face_height):
    face = FaceLook(left=left, top=top, width=face_width, height=face_height, score=0.9, landmarks=(1.0,) * 10)
    return Look(eye="e", width=width, height=height, faces=(face,))


def head(seen, face=0):
    return head_of(seen, seen.faces[face])


def holds(part, head):
    return (
        part.left <= head.left + 1e-9
        and part.top <= head.top + 1e-9
        and part.right >= head.right - 1e-9
        and part.bottom >= head.bottom - 1e-9
    )


@pytest.mark.parametrize("seed", range(40))
def test_training_s_crop_holds_the_head_wherever_it_is(seed):
    random = np.random.default_rng(seed)
    width, height = (int(side) for side in random.integers(300, 4000, 2))
    face = int(min(width, height) * random.uniform(0.05, 0.35))
    left, top = int(random.uniform(0, width - face)), int(random.uniform(0, height - face))
    seen = look(width, height, left, top, face, face)
    found = choose_photo(width, height, 768, 16, head(seen))
    assert holds(found.part, head(seen))
    assert found.size == choose_bucket(width, height, 768, 16) and found.scale <= 1


def test_a_head_at_the_edge_is_kept_where_the_middle_would_cut_it():
    seen = look(1000, 1015, 400, 5, 200, 250)
    middle, kept = choose_photo(1000, 1015, 1000, 64), choose_photo(1000, 1015, 1000, 64, head(seen))
    assert middle.part.top > 0 and middle.corner is None
    assert kept.part.top == 0 and kept.corner is not None and kept.size == middle.size


def test_without_a_face_and_with_one_in_the_middle_the_crop_is_the_one_it_always_was():
    """Its key must not change: what was encoded before is still right."""
    in_middle = look(1000, 1015, 400, 400, 200, 200)
    assert choose_photo(1000, 1015, 768, 16).corner is None and choose_photo(1000, 1015, 768, 16, head(in_middle)).corner is None


def test_a_head_larger_than_the_crop_lies_in_its_middle():
    assert choose_corner(100, 40, (64, 32), (0, 0, 100, 40)) == ((cover_size(100, 40, (64, 32))[0] - 64) // 2, 0)


def test_a_small_photo_is_told_and_never_enlarged():
    seen = look(500, 400, 200, 100, 50, 60)
    small = choose_photo(500, 400, 768, 16, head(seen))
    assert small.scale == 1 and is_small(500, 400, 768) and small.size[0] <= 500 and small.size[1] <= 400
    assert small.width_of(seen.faces[0], seen) == 50 and not is_small(2000, 2000, 768)


def test_the_face_s_size_is_said_as_training_sees_it():
    seen = look(4000, 3000, 1500, 500, 300, 400)
    assert choose_photo(4000, 3000, 768, 16, head(seen)).width_of(seen.faces[0], seen) == pytest.approx(300 * 768 / 3464, abs=3)


# -- whose head


def test_training_s_crop_keeps_the_person_s_head_and_not_the_largest_one(project):
    last = crowd(project)[-1]
    heads = person_heads(project)
    assert last.faces[0].width == 400 and heads["p6"] == head(last, 1) != head(last)
    kept, without = choose_photo(200, 300, 224, 64, heads["p6"]), choose_photo(200, 300, 224, 64, head(last))
    assert holds(kept.part, head(last, 1)) and not holds(without.part, head(last, 1))


def test_a_human_s_word_decides_whose_head_is_kept(project):
    last = crowd(project)[-1]
    say_it_is_them(project, ["p6"], last, 0)
    assert person_heads(project)["p6"] == head(last)


def test_where_nobody_is_known_the_largest_head_is_kept_and_without_a_look_none(project):
    seen = crowd(project)
    looks.looks_file(project).unlink()
    assert person_heads(project) == {}
    looks.add(looks.looks_file(project), dataset.get_item(project, "p6").sha256, [seen[-1]])
    assert person_heads(project) == {"p6": head(seen[-1])}


# -- closer


def test_a_closer_part_holds_the_head_and_has_the_framing_that_was_asked_for():
    seen = look(3000, 4000, 1300, 600, 240, 320)
    for framing, least, most in ((UPPER, 0.22, 0.38), (CLOSE, 0.38, 0.6)):
        part = part_closer(seen, seen.face, framing)
        assert holds(part, head(seen)) and least < 320 / (part.height * 4000) < most
        assert min(part.width * 3000, part.height * 4000) >= LEAST_SIDE and part.top >= 0 and part.right <= 1


def closer_of(seen):
    return part_closer(seen, seen.face, CLOSE)


def test_there_is_no_closer_part_of_a_close_up_nor_of_a_tiny_face():
    assert closer_of(look(1000, 1000, 250, 200, 400, 500)) is None
    assert closer_of(look(1000, 1000, 480, 100, 40, 50)) is None


def test_a_closer_part_is_a_photo_of_its_own_and_undo_takes_it_out(project, media):
    large = project.root / "large.png"
    with Image.open(media / "astronaut.png") as picture:
        picture.convert("RGB").resize((2000, 2000)).save(large)
    import_media(project, [large])
    item = dataset.list_items(project)[0]
    seen = look(item.width, item.height, 700, 150, 240, 320)
    added = crop_closer(project, item.id, seen, seen.face, UPPER)
    first, second = dataset.list_items(project)
    assert (first.id, first.sha256, second.id) == (item.id, item.sha256, added) and second.height < first.height
    dataset.undo(project)
    assert [one.id for one in dataset.list_items(project)] == [item.id]
    with pytest.raises(ValueError, match="no part that shows the person larger"):
        near = look(item.width, item.height, 500, 300, 900, 1100)
        crop_closer(project, item.id, near, near.face, CLOSE)


# -- turning


def halves(project):
    """A photo whose left half is red and whose right half is blue."""
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[:, :200, 0], picture[:, 200:, 2] = 220, 220
    path = project.root / "halves.png"
    Image.fromarray(picture).save(path)
    import_media(project, [path])
    return dataset.list_items(project)[0]


@pytest.mark.parametrize(
    "how, size, red", [(MIRROR, (400, 300), (390, 150)), (TURN_LEFT, (300, 400), (150, 390)), (TURN_RIGHT, (300, 400), (150, 10))]
)
def test_a_photo_is_turned_or_mirrored_as_asked_and_undo_gives_the_same_bytes(project, how, size, red):
    item = halves(project)
    before = item.path.read_bytes()
    turn_photo(project, item.id, how)
    changed = load_photo(dataset.get_item(project, item.id).path)
    assert changed.size == size and changed.getpixel(red)[0] > 150 > changed.getpixel(red)[2]
    assert not dataset.get_item(project, item.id).measurements.are_there
    dataset.undo(project)
    assert item.path.read_bytes() == before


def test_what_can_not_be_turned_is_a_sentence(project, media):
    item = halves(project)
    with pytest.raises(ValueError, match="can be changed by turn-left, turn-right, mirror, not by 'flip'"):
        turn_photo(project, item.id, "flip")
    import_media(project, [media / "bigbuckbunny.mp4"])
    with pytest.raises(ValueError, match="clip-01 is not a photo"):
        turn_photo(project, "clip-01", MIRROR)
