"""What each score measures of a clip, as numbers that can be worked out by hand, and where it begins to measure."""

import numpy as np
import pytest

from studio.evaluation.judge.clip_look import Look
from studio.evaluation.judge.likeness import Copies, Likeness, thumbnail
from studio.evaluation.judge.score import Clips
from studio.evaluation.judge.scores import all_scores
from studio.evaluation.sweep_facts import Prompt
from studio.models.eyes import LikenessScale

SCORES = {score.name: score for score in all_scores()}


def still(picture, count=6):
    """A clip of one picture (H, W), in grey."""
    return grey(np.repeat(np.asarray(picture)[None], count, axis=0))


def grey(frames):
    """(F, H, W) -> (F, H, W, 3)."""
    return np.repeat(np.asarray(frames, np.uint8)[..., None], 3, axis=-1)


def plain(level, size=16):
    return np.full((size, size), level)


def spotted(share, below=100, above=101, cells=1000):
    """A row of pixels of which a share is a level brighter than the others, twice, since a picture has two sides."""
    row = np.full(cells, below)
    row[: round(cells * share)] = above
    return np.stack([row, row])


def of(name, frames, base):
    """What one score says of a clip beside the base's."""
    prompt = Prompt(label="", text="", kind="person")
    return dict(SCORES[name].measure(Look(frames, prompt, base=Look(base, prompt))))


# -- brightness


@pytest.mark.parametrize(
    ("colour", "brightness"), [((255, 0, 0), 0.2126), ((0, 255, 0), 0.7152), ((0, 0, 255), 0.0722), ((51, 51, 51), 0.2)]
)
def test_brightness_is_what_the_eye_takes_for_it(colour, brightness):
    look = Look(np.full((2, 4, 4, 3), colour, np.uint8), Prompt(label="", text="", kind="person"))
    assert look.luma == pytest.approx(np.full((2, 4, 4), brightness), abs=1e-6)


# -- change


def test_change_is_the_mean_distance_of_pixels_and_any_counts_as_applied():
    assert of("change", still(plain(151)), still(plain(100))) == {"change": 0.2, "applied": True}
    assert of("change", still(plain(100)), still(plain(151))) == {"change": 0.2, "applied": True}
    assert of("change", still(plain(101)), still(plain(100))) == {"change": 0.00392, "applied": True}
    assert of("change", still(plain(100)), still(plain(100))) == {"change": 0.0, "applied": False}


# -- clipping


@pytest.mark.parametrize(("level", "share"), [(0, 1.0), (2, 1.0), (3, 0.0), (128, 0.0), (252, 0.0), (253, 1.0), (255, 1.0)])
def test_crushed_is_up_to_two_and_burnt_out_from_253_on(level, share):
    assert of("clipping", still(plain(level)), still(plain(128))) == {"clipping": share}
    assert of("clipping", still(plain(128)), still(plain(level))) == {"clipping": -share}


def test_clipping_is_a_share_of_all_pixels():
    assert of("clipping", still(spotted(0.3333, 128, 255, 9999)), still(plain(128))) == {"clipping": 0.3333}


# -- flicker


@pytest.mark.parametrize(("levels", "flicker"), [
    ((100, 151, 100, 151, 100), 0.4),  # there and back by a fifth of full brightness
    ((100, 110, 120, 130, 140), 0.0),  # a fade
    ((100, 100, 101, 100), 0.00588),
    ((100, 151, 100), 0.4),
    ((100, 151), 0.0),
    ((100,), 0.0),
])  # fmt: skip
def test_flicker_is_how_far_brightness_jumps_back_and_forth(levels, flicker):
    frames, base = grey([plain(level) for level in levels]), still(plain(100))
    assert of("flicker", frames, base) == {"flicker": flicker, "base_flicker": 0.0}
    assert of("flicker", base, frames) == {"flicker": 0.0, "base_flicker": flicker}


# -- motion


def flashing(share, side=80):
    """A clip in which a share of each 8 x 8 cell is one level brighter in every other frame: so much of a level is what moves."""
    cell = np.zeros(64)
    cell[: round(64 * share)] = 1
    lit = 100 + np.tile(cell.reshape(8, 8), (side // 8, side // 8))
    return grey([plain(100, side) if i % 2 else lit for i in range(6)])


def test_motion_is_a_share_of_the_base_s_from_where_that_moves():
    assert of("motion", flashing(0.5), flashing(1.0)) == {"motion": 0.5}
    assert of("motion", flashing(0.25), flashing(0.75)) == {"motion": 0.3333}
    assert of("motion", flashing(1.0), flashing(0.5)) == {"motion": None}, "0.5 of 1/255 is below 0.002"
    assert of("motion", flashing(1.0), flashing(0.52)) == {"motion": 1.9394}, "33 of 64 of 1/255 lie above it"
    assert of("motion", flashing(0.5)[:2], flashing(1.0)) == {"motion": 0.5}
    assert of("motion", grey([plain(0)]), flashing(1.0)) == {"motion": 0.0}, "one picture does not move"
    assert of("motion", flashing(1.0), grey([plain(0)])) == {"motion": None}


def test_grain_is_not_motion():
    """Of a cell of the grid, its average does not change where half of its columns change places."""
    rng = np.random.default_rng(0)
    cells = np.stack([rng.permutation(np.tile([0, 60], 32)).reshape(8, 8) for _ in range(6)])
    assert of("motion", grey(100 + np.tile(cells, (1, 8, 8))), flashing(1.0)) == {"motion": 0.0}
    for small in (cells[:, :4], cells[:, :, :4]):
        assert of("motion", grey(100 + small), flashing(1.0, 8))["motion"] > 0, "a side shorter than a cell makes the cells smaller"


# -- sharpness


def test_sharpness_is_the_step_between_neighbours_through_the_contrast():
    stripes, halves = np.tile([0, 200], (8, 4)), np.repeat([[0, 200]], 9, axis=0).repeat([4, 5], axis=1)
    assert of("sharpness", still(stripes), still(stripes // 2)) == {"sharpness": 1.0}, "darkness is no blur"
    assert of("sharpness", still(stripes), still(stripes.T)) == {"sharpness": 1.0}, "along both sides"
    assert of("sharpness", still(halves), still(stripes)) == {"sharpness": 0.1258}, "an eighth through sqrt(20) / 9, by 1 through 1 / 2"


@pytest.mark.parametrize(("share", "is_flat"), [(0.062, True), (0.075, False)])
def test_a_picture_without_contrast_is_not_sharp(share, is_flat):
    """Its contrast is sqrt(p (1 - p)) / 255: at 0.067 that is 0.001."""
    stripes = np.tile([0, 200], (8, 4))
    assert (of("sharpness", still(spotted(share)), still(stripes))["sharpness"] == 0.0) == is_flat
    assert (of("sharpness", still(stripes), still(spotted(share)))["sharpness"] is None) == is_flat


@pytest.mark.parametrize(("width", "is_measured"), [(1951, True), (2101, False)])
def test_a_base_that_is_not_sharp_anywhere_says_nothing_about_sharpness(width, is_measured):
    """A single step from black to white over its width is 2 / (width - 1) of its contrast: at 2001 that is 0.001."""
    base = still(spotted(0.5, 0, 255, width), 1)
    assert (of("sharpness", base, base)["sharpness"] is not None) == is_measured


# -- what an eye sees


class ColourWatcher:
    """Whose eye takes a picture's mean colour for the person, who is red."""

    namer = None

    def __init__(self, likeness, copies):
        self.sight, self.likeness, self.copies = self, likeness, copies

    def embed(self, frames):
        colours = frames.mean((1, 2))
        return colours / np.linalg.norm(colours, axis=1, keepdims=True)


def clip_of(*colours):
    return np.stack([np.full((8, 8, 3), colour, np.uint8) for colour in colours])


RED = ColourWatcher(Likeness(np.eye(3)[[0, 0, 0]]), Copies(clip_of((0,) * 3, (100,) * 3, (200,) * 3)))
TURNING = clip_of(*[(200, 0, 0)] * 3, *[(200, 200, 0)] * 3, *[(100, 200, 0)] * 3)  # shares of 1, 1 / sqrt(2), 1 / sqrt(5)


@pytest.mark.parametrize(("kind", "name", "values"), [
    ("person", "identity", {"identity": 0.7071, "identity_fall": 0.5528}),
    ("class", "identity", {}),
    ("class", "resemblance", {"resemblance": 0.7071}),
    ("person", "resemblance", {}),
    ("class", "memorised", {}),
    ("person", "follows", {}),
])  # fmt: skip
def test_the_person_is_looked_for_in_the_clips_that_ask_for_it(kind, name, values):
    prompt = Prompt(label="", text="", kind=kind)
    assert SCORES[name].measure(Look(TURNING, prompt, RED)) == values
    assert SCORES[name].measure(Look(TURNING, prompt)) == {}
    assert SCORES[name].measure(Look(TURNING, prompt, ColourWatcher(None, None))) == {}


@pytest.mark.parametrize(("level", "nearness"), [(70, 3.3333), (50, 2.0), (100, 10.0)])
def test_a_copy_is_as_many_times_nearer_to_a_picture_as_those_are_to_each_other(level, nearness):
    """The pictures are 100 levels apart."""
    look = Look(clip_of((level,) * 3), Prompt(label="", text="", kind="person"), RED)
    assert SCORES["memorised"].measure(look) == {"memorised": nearness}


# -- likeness and nearness as numbers


def alike(count, cosine):
    """So many unit rows of which each two have that cosine."""
    return np.linalg.cholesky(np.full((count, count), cosine) + (1 - cosine) * np.eye(count))


@pytest.mark.parametrize(("count", "cosine", "scale", "is_one"), [
    (3, 0.15, {}, False), (3, 0.155, {}, True),  # each against the other two: c / sqrt((1 + c) / 2), .198 and .204 of at least .2
    (5, 0.18, {"floor": 0.1}, False), (5, 0.19, {"floor": 0.1}, True),  # c / sqrt((1 + 3 c) / 4), .290 and .303, less what strangers have
])  # fmt: skip
def test_photos_that_are_hardly_alike_do_not_show_one_person(count, cosine, scale, is_one):
    if is_one:
        assert Likeness(alike(count, cosine), scale=LikenessScale(**scale)).ceiling > 0.2
        return
    with pytest.raises(ValueError, match="do not show one person; leave out those of others"):
        Likeness(alike(count, cosine), scale=LikenessScale(**scale))


def test_frames_of_one_clip_are_not_compared_with_each_other_where_there_are_others():
    """Two frames of each of three clips, which are the same picture: each is as like the others' as .5 over sqrt(.75)."""
    rows = np.repeat(alike(3, 0.5), 2, axis=0)
    assert Likeness(rows, [0, 0, 1, 1, 2, 2]).ceiling == pytest.approx(0.5 / 0.75**0.5, abs=1e-6)
    assert Likeness(rows).ceiling > 0.7, "each frame for itself finds its own other"
    assert Likeness(rows[:4], [0, 0, 1, 1]).ceiling == Likeness(rows[:4]).ceiling, "of two clips each frame stands for itself"


@pytest.mark.parametrize(("shares", "share", "fall"), [
    ([1.0, 0.8, 0.2], 0.8, 0.8),
    ([0.9, 0.5], 0.7, 0.4),  # of so few each end is one frame
    ([0.6], 0.6, 0.0),
    ([1.0, 0.8, 0.6, 0.6, 0.6, 0.6, 0.3, 0.1], 0.6, 0.7),  # eight have two at each end
])  # fmt: skip
def test_the_share_of_a_clip_is_its_median_frame_and_its_fall_that_of_its_thirds(shares, share, fall):
    frames = [[value, (1 - value**2) ** 0.5, 0] for value in shares]
    assert Likeness(np.eye(3)[[0] * 3]).identity(frames) == pytest.approx((share, fall), abs=1e-6)


@pytest.mark.parametrize("is_wide", [True, False])
def test_a_thumbnail_is_of_the_middle_in_the_clip_s_shape(is_wide):
    """Twice as wide as high: of it a square takes the middle half, and what is as wide as itself all of it."""
    bands = np.repeat(np.array([[255, 0, 0], [0, 255, 0], [0, 255, 0], [0, 0, 255]], np.uint8), 16, axis=0)
    picture = np.broadcast_to(bands, (32, 64, 3)) if is_wide else np.broadcast_to(bands[:, None], (64, 32, 3))
    square, whole = thumbnail(np.ascontiguousarray(picture), 1.0), thumbnail(np.ascontiguousarray(picture), 2.0 if is_wide else 0.5)
    assert square.shape == whole.shape == (16, 16, 3)
    assert np.array_equal(square, np.broadcast_to(np.array([0, 1, 0], np.float32), (16, 16, 3)))
    assert whole.mean((0, 1)) == pytest.approx([0.25, 0.5, 0.25])
    ends = (whole[:, 0], whole[:, -1]) if is_wide else (whole[0], whole[-1])
    assert ends[0].mean(0) == pytest.approx([1, 0, 0]) and ends[1].mean(0) == pytest.approx([0, 0, 1])


@pytest.mark.parametrize(("groups", "nearness"), [(None, 5.0), ([0, 0, 1, 1], 45.0), ([7, 7, 7, 7], 5.0)])
def test_pictures_taken_together_do_not_make_each_other_usual(groups, nearness):
    """Levels 0 and 10, 100 and 110: neighbours are 10 apart, those of the other clip 90; the drawing is 2 from one of them."""
    copies = Copies(clip_of((0,) * 3, (10,) * 3, (100,) * 3, (110,) * 3), groups)
    assert copies.nearness(clip_of((2,) * 3)) == pytest.approx(min(nearness, 10.0), rel=1e-5)


def test_the_usual_picture_and_the_usual_frame_count_not_the_nearest():
    copies = Copies(clip_of((0,) * 3, (50,) * 3, (150,) * 3))  # the nearest of each is 50, 50 and 100 away: usually 50
    frames = clip_of((0,) * 3, (10,) * 3, (175,) * 3)  # 0, 10 and 25 away from the nearest: usually 10
    assert copies.nearness(frames) == pytest.approx(5.0, rel=1e-5)


# -- faces


FACES = LikenessScale(floor=0.1, least=5, sure=10)


class RedAlone(ColourWatcher):
    """Whose eye is one for faces, and sees nobody where nothing is red."""

    def find(self, picture):
        return []

    embed_face = mesh = mask = knows = find

    def embed(self, frames):
        return super().embed(np.maximum(frames, 1)) * (frames[..., 0].mean((1, 2)) > 0)[:, None]


@pytest.mark.parametrize(("count", "is_about"), [(5, True), (9, True), (10, False)])
def test_a_share_begins_where_strangers_lie_and_is_said_about_below_ten_photos(count, is_about):
    """A cosine of .7071 between a floor of .1 and the photos' own 1."""
    likeness = Likeness(np.eye(3)[[0] * count], scale=FACES)
    assert likeness.is_about == is_about
    assert likeness.shares([[0.7071, 0.7071, 0], [0.1, 0.99, 0], [1, 0, 0]]) == pytest.approx([0.6746, 0, 1], abs=1e-4)
    with pytest.raises(ValueError, match="at least 5 pictures"):
        Likeness(np.eye(3)[[0] * 4], scale=FACES)


def test_a_clip_in_which_the_face_is_lost_speaks_against_its_pair_unless_the_base_shows_none_either():
    watcher = RedAlone(Likeness(np.eye(3)[[0] * 6], scale=FACES), None)
    prompt = Prompt(label="", text="", kind="person")
    person, nobody = clip_of((200, 0, 0), (200, 0, 0)), clip_of((0, 200, 0), (0, 200, 0))
    base, empty = Look(person, prompt, watcher), Look(nobody, prompt, watcher)
    lost = SCORES["identity"].measure(Look(nobody, prompt, watcher, base))
    assert lost == {"identity": 0.0, "identity_fall": None, "identity_about": True}
    assert SCORES["identity"].measure(Look(nobody, prompt, watcher, empty)) == {}
    assert SCORES["identity"].measure(base)["identity"] == pytest.approx(1, abs=0.02)
    assert [SCORES["visible"].measure(look) for look in (base, empty)] == [{"visible": 1.0}, {"visible": 0.0}]


# -- rows


def test_a_row_is_the_median_or_mean_of_its_clips_to_four_digits():
    clips = Clips([{"a": 0.1}, {"a": 0.33333}, {"a": 0.9}], [{"a": 0.5}, {"a": None}, {}])
    assert clips.median("a", clips.person) == 0.3333
    assert clips.median("a") == 0.4167
    assert clips.mean("a") == 0.4583
    assert (clips.median("b"), clips.mean("b")) == (None, None)


PERSON = ({"change": 0.3, "applied": False} | dict.fromkeys(("motion", "sharpness", "clipping", "identity", "memorised"), 0.5),) * 2
OTHERS = ({"change": 0.1, "applied": True} | dict.fromkeys(("resemblance", "follows"), 0.25),)
SUMMARIES = {
    "change": {"applied": True, "change": 0.3, "drift": 0.1, "drift_share": 0.333},
    "clipping": {"clipping": 0.5},
    "flicker": {},
    "follows": {"follows": 0.25},
    "identity": {"identity": 0.5, "identity_fall": None},
    "memorised": {"memorised": 0.5},
    "motion": {"motion": 0.5},
    "resemblance": {"resemblance": 0.25},
    "sharpness": {"sharpness": 0.5},
    "visible": {},
}


def test_what_a_score_says_of_a_row():
    assert {name: score.summarize(Clips(PERSON, OTHERS)) for name, score in SCORES.items()} == SUMMARIES


@pytest.mark.parametrize("name", ["clipping", "motion", "sharpness"])
def test_what_pixels_say_of_a_row_is_said_of_the_person_s_clips(name):
    assert SCORES[name].summarize(Clips([{name: 0.5}], [{name: 0.9}, {name: 0.9}])) == {name: 0.5}


def test_without_a_change_there_is_no_share_of_it():
    none = {"applied": None, "change": None, "drift": None, "drift_share": None}
    assert SCORES["change"].summarize(Clips([], [])) == none
    nothing = Clips([{"change": 0.0, "applied": False}], [{"change": 0.1, "applied": False}])
    assert SCORES["change"].summarize(nothing) == {"applied": False, "change": 0.0, "drift": 0.1, "drift_share": None}
