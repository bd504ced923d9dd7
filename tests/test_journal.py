"""curation.json is not written anew for each file of an import: a journal beside it holds what came, and no kill loses or doubles anything."""

import itertools
import json
import random
import subprocess
import sys
import time

import pytest
from PIL import Image

from studio.data import dataset, records
from studio.data.importer import import_media
from studio.data.incoming import journal
from studio.data.incoming.intake import open_intake, put_away_journal
from studio.data.incoming.journal import Line, journal_file
from studio.data.item_record import Record
from studio.disk import locked
from studio.errors import NewerFormat, Problem


def make_photos(folder, count, first=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        Image.new("RGB", (64 + number, 48), (5 * number % 250, 90, 140)).save(folder / f"{number:03d}.png")
        (folder / f"{number:03d}.txt").write_text(f"ohwx, number {number}", encoding="utf-8")
    return folder


def what_is_there(project):
    """Everything that matters of each item, by the width that it was made with."""
    return {item.width - 64: (item.caption, item.caption_source, item.keep, item.problem) for item in dataset.list_items(project)}


def line_of(project, item_id, **fields):
    return Line(after=records.load(project).number, items={item_id: Record(kind="photo", file=f"{item_id}.jpg", **fields)})


def test_curation_json_is_written_once_for_many_files(project, tmp_path):
    written = set()
    import_media(
        project, [make_photos(tmp_path / "in", 12)], report=lambda event, **fields: written.add(records.stamp(project.curation_file))
    )
    assert len(written) <= 2  # before the import, and at its end
    assert not journal_file(project).exists() and len(json.loads(project.curation_file.read_bytes())["items"]) == 12


def test_a_line_for_each_file_and_its_size_does_not_grow(project, tmp_path):
    sizes = []
    import_media(project, [make_photos(tmp_path / "in", 15)], report=lambda event, **fields: sizes.append(size_of(journal_file(project))))
    steps = [b - a for a, b in itertools.pairwise(sizes[:-1])]
    assert len(steps) >= 13 and 0 < max(steps) < 1.2 * min(steps)


def size_of(path):
    return path.stat().st_size if path.exists() else 0


def test_the_page_sees_each_file_as_soon_as_it_is_in(project, tmp_path):
    seen = []
    import_media(project, [make_photos(tmp_path / "in", 4)], report=lambda event, **fields: seen.append(len(dataset.list_items(project))))
    assert seen == [0, 1, 2, 3, 4]


def test_what_a_person_changes_in_the_middle_of_an_import_stays(project, tmp_path):
    def change(event, done, **fields):
        if done == 2:
            dataset.set_caption(project, "0001", "by hand")
            dataset.set_keep(project, "0002", False, "blurred")
        if done == 4:
            dataset.remove_item(project, "0003")
        if done == 5:
            (project.dataset_dir / "0006.jpg").write_bytes((project.dataset_dir / "0001.jpg").read_bytes()[:-2] + b"\xff\xd9")

    import_media(project, [make_photos(tmp_path / "in", 7)], report=change)
    items = {item.id: item for item in dataset.list_items(project)}
    assert sorted(items) == ["0001", "0002", "0004", "0005", "0006", "0007", "0008"]
    assert items["0001"].caption == "by hand" and not items["0002"].keep and items["0006"].original == ""
    assert [what_is_there(project)[n][0] for n in (4, 6)] == ["ohwx, number 4", "ohwx, number 6"]
    assert dataset.undo(project).startswith("Undone: Removal of 0003") and len(dataset.list_items(project)) == 8


def test_a_torn_last_line_is_ignored_and_the_file_comes_in_again(project, tmp_path):
    folder = make_photos(tmp_path / "in", 3)
    records.save(project, records.load(project))
    with locked(project.curation_file):
        journal.append(project, line_of(project, "0001"))
    data = journal_file(project).read_bytes()
    journal_file(project).write_bytes(data + data[: len(data) // 2])
    assert list(records.load(project).items) == ["0001"]
    with locked(project.curation_file):
        journal.append(project, line_of(project, "0002"))
    assert list(records.load(project).items) == ["0001", "0002"]
    import_media(project, [folder])
    assert what_is_there(project).keys() == {0, 1, 2}


def test_lines_that_are_in_curation_json_already_are_no_news(project, tmp_path):
    """A kill between the writing of curation.json and the end of the journal."""
    import_media(project, [make_photos(tmp_path / "in", 1)])
    with locked(project.curation_file):
        records.add(project, records.load(project), line_of(project, "0009", added=1.0))
    left = journal_file(project).read_bytes()
    put_away_journal(project)
    with locked(project.curation_file):
        data = records.load(project)
        del data.items["0009"]
        records.save(project, data)
    journal_file(project).write_bytes(left)
    assert list(records.load(project).items) == ["0001"]
    import_media(project, [make_photos(tmp_path / "in", 1, first=1)])
    assert list(records.load(project).items) == ["0001", "0002"] and not journal_file(project).exists()


def test_a_file_of_a_studio_without_a_journal_is_read_and_goes_on(project, tmp_path):
    import_media(project, [make_photos(tmp_path / "in", 2)])
    data = json.loads(project.curation_file.read_bytes())
    del data["number"]
    project.curation_file.write_text(json.dumps(data), encoding="utf-8")
    import_media(project, [make_photos(tmp_path / "in", 2, first=2)])
    assert what_is_there(project).keys() == {0, 1, 2, 3}


@pytest.mark.parametrize(
    "line, error", [(b'{"format": 1, "after": 0, "items": {"0001": 3}}\n', Problem), (b'{"format": 99, "after": 0}\n', NewerFormat)]
)
def test_a_damaged_or_newer_journal_is_said_in_words(project, line, error):
    journal_file(project).write_bytes(line)
    with pytest.raises(error, match=r"curation\.journal"):
        dataset.list_items(project)


def test_a_long_journal_is_read_on_and_another_in_its_place_is_read_anew(project):
    """What was read of it before is not read again."""

    def add(name, numbers):
        for number in numbers:
            record = Record(kind="photo", file=f"{number}.jpg", original=f"{name} {number} {'x' * 1500}")
            journal.append(project, Line(items={str(number): record}))

    def names():
        return [record.original.split(" x")[0] for line in journal.read(project) for record in line.items.values()]

    project.root.mkdir(exist_ok=True)
    for part in range(3):
        add("photo", range(part * 60, part * 60 + 60))
        with open(journal_file(project), "ab") as file:
            file.write(b'{"after": 0, "items"')  # torn
        assert names() == [f"photo {number}" for number in range(part * 60 + 60)] and size_of(journal_file(project)) > 65_536
    journal_file(project).unlink()
    add("other", range(180))
    assert names() == [f"other {number}" for number in range(180)]
    journal_file(project).write_bytes(b"x" * 200_000)
    assert journal.read(project) == []


def test_an_edit_puts_the_journal_away(project, tmp_path):
    with open_intake(project):
        import_media(project, [make_photos(tmp_path / "in", 2)])
    with locked(project.curation_file):
        records.add(project, records.load(project), line_of(project, "0009"))
    dataset.set_keep(project, "0001", False)
    assert not journal_file(project).exists() and set(json.loads(project.curation_file.read_bytes())["items"]) == {"0001", "0002", "0009"}


# -- kills


KILLED = """
import os, sys
from pathlib import Path
from studio import disk
from studio.data import records
from studio.data.importer import import_media
from studio.data.incoming import intake, journal
from studio.workspace import Project
calls, last, how = [0], int(sys.argv[3]), sys.argv[4]
def dies(module, name):
    function = getattr(module, name)
    def wrapped(*args, **kwargs):
        calls[0] += 1
        if calls[0] == last and how == "before":
            os._exit(9)
        result = function(*args, **kwargs)
        if calls[0] == last:
            os._exit(9)
        return result
    setattr(module, name, wrapped)
for place in ((intake, "replace"), (intake, "write_caption"), (journal, "append"), (journal, "remove"), (records, "write_facts")):
    dies(*place)
import_media(Project(Path(sys.argv[1])), [Path(sys.argv[2])])
"""


@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize("moment", [1, 2, 3, 4, 6, 8, 9, 10])
def test_a_kill_at_any_write_loses_and_doubles_nothing(project, tmp_path, moment, how):
    folder = make_photos(tmp_path / "in", 2)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(project.root), str(folder), str(moment), how], check=False)
    assert killed.returncode == 9
    before = what_is_there(project)
    assert all(value == (f"ohwx, number {number}", "imported", True, "") for number, value in before.items())
    import_media(project, [folder])
    assert what_is_there(project).keys() == {0, 1} and len(list(project.originals_dir.iterdir())) == 2
    assert [item.id for item in dataset.list_items(project)][: len(before)] == ["0001", "0002"][: len(before)]


def test_kills_at_chance_moments_lose_and_double_nothing(project, tmp_path):
    folder, chance = make_photos(tmp_path / "in", 40), random.Random(0)
    command = [sys.executable, "-c", KILLED, str(project.root), str(folder), "0", "never"]
    for kill in range(4):
        process, wanted = subprocess.Popen(command), (kill + 1) * 8
        while process.poll() is None and count_media(project) < wanted:
            time.sleep(0.005)
        time.sleep(chance.random() * 0.02)
        process.kill()
        process.wait()
        for number, value in what_is_there(project).items():
            assert value == (f"ohwx, number {number}", "imported", True, "")
    import_media(project, [folder])
    assert what_is_there(project).keys() == set(range(40)) and len(list(project.originals_dir.iterdir())) == 40


def count_media(project):
    return len(list(project.dataset_dir.glob("*.jpg")))
