"""Who a picture shows, from embeddings: a stranger is left out in words, and where several people are as frequent nobody is."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from studio.data import curation, persons, quality
from studio.data.dataset import list_items, set_keep
from studio.data.importer import import_media
from studio.data.item_record import Item, Measurements, Sighting

DIMENSIONS = 96


def look_of(person, rng, spread=0.35):
    """An embedding of that person: pictures of one are alike (.9), those of two are not (0)."""
    own = np.zeros(DIMENSIONS)
    own[person] = 1
    noise = rng.normal(size=DIMENSIONS)
    row = own + spread * noise / np.linalg.norm(noise)
    return (row / np.linalg.norm(row)).astype(np.float32)


def looks(*people):
    """{"0001": embedding, ...} of pictures that show these people."""
    rng = np.random.default_rng(0)
    return {f"{number:04d}": look_of(person, rng) for number, person in enumerate(people, 1)}


def item(item_id, embedding, observer="a", **changes):
    """A measured photo without any other fault, unlike every other."""
    seed = int(item_id)
    person = Sighting(observer=observer, embedding=persons.pack(embedding[None]))
    measurements = Measurements(
        version=quality.VERSION, blur=0.3, luma=120.0, blown=0.0, phash=f"{seed * 0x0123456789ABCDEF % 2**64:016x}",
        colours=bytes([seed * 67 % 256] * 48).hex(), person=person,
    )  # fmt: skip
    values = dict(kind="photo", width=1024, height=1024, num_frames=1, fps=0.0, seconds=0.0, caption="", caption_source="", keep=True)
    plain = Item(id=item_id, path=Path(f"{item_id}.jpg"), original="", sha256=item_id, measurements=measurements, **values)
    return dataclasses.replace(plain, **changes)


def measured_as(item, **changes):
    return dataclasses.replace(item, measurements=dataclasses.replace(item.measurements, **changes))


def left_out(items):
    return {item_id: proposal.reason for item_id, proposal in quality.propose(items).items() if not proposal.keep}


# -- the rule


def test_a_stranger_is_found_and_the_words_say_how_unlike():
    found, warning = persons.find_strangers(looks(0, 0, 0, 1, 0, 0))
    assert list(found) == ["0004"] and warning is None
    assert found["0004"].words.startswith("shows a different person than the other pictures (likeness 0.0")
    assert "the others 0.8" in found["0004"].words or "the others 0.9" in found["0004"].words


def test_two_strangers_are_found_whether_they_are_one_person_or_two():
    for other in (1, 2):
        assert list(persons.find_strangers(looks(0, 0, 0, 0, 0, 0, 1, other))[0]) == ["0007", "0008"]


def test_one_person_in_all_pictures_is_no_matter():
    assert persons.find_strangers(looks(*[0] * 12)) == ({}, None)


@pytest.mark.parametrize("people", [(0, 1) * 3, (0,) * 5 + (1,) * 4, (0, 1, 2) * 3, (0, 1, 2, 3)])
def test_where_several_people_are_as_frequent_nobody_is_left_out_but_it_is_said(people):
    found, warning = persons.find_strangers(looks(*people))
    assert found == {} and "several people" in warning.words


@pytest.mark.parametrize("people", [(), (0,), (0, 1), (0, 0, 1)])
def test_with_fewer_than_three_others_nobody_is_judged(people):
    assert persons.find_strangers(looks(*people)) == ({}, None)
    assert persons.find_strangers(looks(0, 0, 0, 1))[0].keys() == {"0004"}


def test_somebody_only_a_little_less_alike_is_no_stranger():
    """A hard picture of the right person, where all are hard: .40 against .53 is not far below."""
    rows = {name: np.eye(8, dtype=np.float32)[number] * 0.7 for number, name in enumerate(("0001", "0002", "0003", "0004", "0005"))}
    for row in rows.values():
        row[7] = 0.73
    rows["0005"][7] = 0.55
    rows = {name: row / np.linalg.norm(row) for name, row in rows.items()}
    likeness = persons.measure_likeness(rows)
    assert likeness["0005"] < persons.SAME_LEAST < likeness["0001"]
    assert persons.find_strangers(rows) == ({}, None)


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


# -- the proposal


def test_the_proposal_leaves_a_stranger_out():
    assert left_out([item(name, row) for name, row in looks(0, 0, 0, 1, 0).items()]).keys() == {"0004"}


def test_the_stranger_among_clips_is_measured_against_photos_and_clips():
    items = [item(name, row) for name, row in looks(0, 0, 0, 0, 1).items()]
    items[3:] = [dataclasses.replace(i, kind="clip") for i in items[3:]]
    assert left_out(items).keys() == {"0005"}


def test_spoilt_pictures_are_no_reference():
    """Four blurred pictures of somebody else outnumber three good ones, and say nothing about them."""
    items = [item(name, row) for name, row in looks(0, 0, 0, 0, 1, 1, 1, 1).items()]
    items[4:] = [measured_as(i, blur=0.95) for i in items[4:]]
    assert all("blurred" in reason and "person" not in reason for reason in left_out(items).values())
    assert left_out(items).keys() == {"0005", "0006", "0007", "0008"}


def test_what_was_left_out_by_hand_is_no_reference():
    items = [item(name, row) for name, row in looks(0, 0, 0, 0, 1, 1, 1).items()]
    assert not left_out(items)
    items[5:] = [dataclasses.replace(i, keep=False, decided_by="hand") for i in items[5:]]
    assert left_out(items).keys() == {"0005"}


def test_several_people_are_a_warning_of_every_picture_that_was_compared():
    proposals = quality.propose([item(name, row) for name, row in looks(0, 0, 0, 1, 1, 1).items()])
    assert all(proposal.keep and persons.SEVERAL in proposal.warnings for proposal in proposals.values())


def test_what_different_observers_saw_is_not_compared():
    items = [item(name, row, observer="old" if name > "0004" else "new") for name, row in looks(0, 0, 0, 0, 1, 1).items()]
    assert not left_out(items)


def test_without_embeddings_nothing_changes():
    items = [item(name, row) for name, row in looks(0, 0, 0, 1, 0).items()]
    assert not left_out([measured_as(i, person=None) for i in items])


# -- the whole way


def test_whom_a_photo_shows_is_seen_for_a_model_without_an_observer_too(workspace, media):
    project = workspace.create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b")
    import_media(project, [media / "astronaut.png"])
    curation.curate(project)
    person = list_items(project)[0].measurements.person
    assert person is not None and len(persons.unpack(person.embedding)) == 128
    assert curation.is_settled(project)


def test_it_is_settled_until_something_is_new_or_decided_otherwise(workspace, media):
    project = workspace.create_project("Anna", trigger="ohwx", base_model="wan22-t2v-a14b")
    assert curation.is_settled(project)
    import_media(project, [media / "astronaut.png"])
    assert not curation.is_settled(project)
    curation.curate(project)
    assert curation.is_settled(project)
    set_keep(project, "0001", not list_items(project)[0].keep, "my choice")
    assert curation.is_settled(project)


def test_a_damaged_observer_is_said_and_everything_else_is_judged(project, media, tmp_path, monkeypatch):
    folder = tmp_path / "observer"
    folder.mkdir()
    (folder / "config.json").write_text("{", encoding="utf-8")
    monkeypatch.setattr(
        "studio.data.looking.looks._find_base", lambda *args: SimpleNamespace(folder=tmp_path, preset=SimpleNamespace(observer="observer"))
    )
    import_media(project, [media / "astronaut.png"])
    notes = []
    result = curation.curate(project, report=lambda event, **fields: notes.append(fields["message"]) if event == "note" else None)
    assert result.measured == 1 and "was not compared" in notes[0]
    assert list_items(project)[0].measurements.version == quality.VERSION
