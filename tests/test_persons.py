"""Embeddings as text, and the check as a whole: settled until something is new, and what can't look is said."""

import numpy as np

from studio.data import curation, persons
from studio.data.dataset import list_items, set_keep
from studio.data.importer import import_media
from studio.data.looking import looks
from studio.errors import Problem

DIMENSIONS = 96


def look_of(person, rng, spread=0.35):
    """An embedding of that person: pictures of one are alike (.9), those of two are not (0)."""
    own = np.zeros(DIMENSIONS)
    own[person] = 1
    noise = rng.normal(size=DIMENSIONS)
    row = own + spread * noise / np.linalg.norm(noise)
    return (row / np.linalg.norm(row)).astype(np.float32)


def test_an_embedding_is_kept_in_few_characters_and_comes_back_the_same():
    rng = np.random.default_rng(1)
    for _ in range(5):
        row = look_of(0, rng)
        text = persons.pack(row[None])
        assert len(text) <= 128 and isinstance(text, str)
        assert persons.unpack(text) @ row > 0.999 and abs(np.linalg.norm(persons.unpack(text)) - 1) < 1e-6


def test_the_frames_of_a_clip_are_one_embedding():
    rng = np.random.default_rng(2)
    rows = np.stack([look_of(0, rng) for _ in range(3)])
    mean = rows.mean(axis=0)
    assert persons.unpack(persons.pack(rows)) @ (mean / np.linalg.norm(mean)) > 0.999


# -- the whole way


def test_it_is_settled_until_something_is_new_or_decided_otherwise(workspace, media):
    project = workspace.create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b")
    assert curation.is_settled(project)
    import_media(project, [media / "astronaut.png"])
    assert not curation.is_settled(project)
    curation.curate(project)
    assert curation.is_settled(project)
    set_keep(project, "0001", not list_items(project)[0].keep, "my choice")
    assert curation.is_settled(project)


def test_a_damaged_observer_is_said_and_everything_else_is_judged(project, media, monkeypatch):
    def damaged(*args):
        raise Problem("the observer is damaged", fix="Fetch it again.")

    monkeypatch.setattr(looks, "_find_base", damaged)
    import_media(project, [media / "astronaut.png"])
    notes = []
    result = curation.curate(project, report=lambda event, **fields: notes.append(fields["message"]) if event == "note" else None)
    assert result.measured == 1 and "was not compared: the observer is damaged" in notes[0]
    assert list_items(project)[0].measurements.are_there
