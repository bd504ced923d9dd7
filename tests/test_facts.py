"""What travels has a type, and a file keeps what this version does not know."""

from dataclasses import dataclass, field, replace

import pytest

from studio.disk import FORMAT, read_json, write_json
from studio.errors import NewerFormat
from studio.facts import IN_MEMORY, Facts, read_facts, write_facts


@dataclass(frozen=True, kw_only=True)
class Wheel(Facts):
    size_inches: float
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Car(Facts):
    ALWAYS_WRITTEN = ("title",)
    title: str = ""
    wheels: tuple[Wheel, ...] = ()
    spare: Wheel | None = None
    scores: dict[str, float | None] = field(default_factory=dict)


def test_what_is_not_known_is_kept_at_every_depth_when_it_is_written_again(tmp_path):
    file = tmp_path / "car.json"
    data = {"title": "Red", "wheels": [{"size_inches": 17, "tyre": "winter"}], "later": {"a": [1]}}
    write_json(file, data)
    car = read_facts(Car, file)
    assert (car.wheels[0].size_inches, car.spare, car.scores) == (17.0, None, {})
    write_facts(file, car)
    assert read_json(file) == {"format": FORMAT} | data


def test_a_default_is_not_written_but_where_others_look_for_it():
    assert Car().to_json() == {"title": ""}
    assert Car(spare=Wheel(size_inches=3), scores={"a": None}).to_json() == {
        "title": "",
        "spare": {"size_inches": 3},
        "scores": {"a": None},
    }


@dataclass(frozen=True, kw_only=True)
class Parked(Facts):
    place: str
    folder: str | None = field(default=None, metadata=IN_MEMORY)


def test_what_stands_beside_the_file_is_neither_written_nor_read():
    assert Parked(place="here", folder="there").to_json() == {"place": "here"}
    found = Parked.from_json({"place": "here", "folder": "there"}, "car.json")
    assert found.folder is None and found.to_json() == {"place": "here", "folder": "there"}


@pytest.mark.parametrize(("data", "words"), [
    ({"wheels": [{}]}, "car.json, wheels[0] is damaged: 'size_inches' is missing"),
    ({"wheels": 3}, "car.json, wheels is damaged: expected a list"),
    ({"wheels": [{"size_inches": "wide"}]}, "car.json, wheels[0], size_inches is damaged: expected float"),
    ({"wheels": [{"size_inches": True}]}, "expected float"),
    ({"scores": []}, "car.json, scores is damaged: expected a table"),
    ({"spare": 1}, "car.json, spare is damaged: expected a table of facts"),
    ({"title": None}, "car.json, title is damaged: expected str"),
    ({"format": "x"}, "its format is"),
])  # fmt: skip
def test_a_damaged_file_says_where(tmp_path, data, words):
    write_json(tmp_path / "car.json", data)
    with pytest.raises(ValueError) as e:
        read_facts(Car, tmp_path / "car.json")
    assert words in str(e.value)


def test_a_file_of_a_newer_studio_can_be_looked_at_and_is_not_written(tmp_path):
    file = tmp_path / "car.json"
    write_json(file, {"format": FORMAT + 1, "title": "Red", "doors": 4})
    before, car = file.read_bytes(), read_facts(Car, file)
    assert car.is_newer and car.title == "Red"
    with pytest.raises(NewerFormat) as e:
        write_facts(file, replace(car, title="Blue"))
    assert "newer version" in e.value.message and "Update the studio" in e.value.fix and file.read_bytes() == before


def test_a_file_of_a_newer_studio_that_is_not_understood_is_no_damaged_one(tmp_path):
    write_json(tmp_path / "car.json", {"format": FORMAT + 1, "title": ["Red", "Blue"]})
    with pytest.raises(NewerFormat, match="newer version"):
        read_facts(Car, tmp_path / "car.json")


@dataclass(frozen=True, kw_only=True)
class House(Facts):
    STEPS = {0: lambda data: data | {"rooms": len(data["names"])}}
    rooms: int
    names: tuple[str, ...] = ()


def test_a_file_of_an_older_format_is_brought_up_to_date_by_the_steps_of_its_kind(tmp_path):
    file = tmp_path / "house.json"
    file.write_text('{"format": 0, "names": ["hall", "attic"], "colour": "red"}', encoding="utf-8")
    house = read_facts(House, file)
    assert house.rooms == 2 and not house.is_newer
    write_facts(file, house)
    assert read_json(file) == {"format": FORMAT, "colour": "red", "rooms": 2, "names": ["hall", "attic"]}
    file.write_text('{"names": ["hall"]}', encoding="utf-8")  # of the time before formats were written
    assert read_facts(House, file).rooms == 1
    file.write_text('{"format": 1, "names": ["hall"]}', encoding="utf-8")
    with pytest.raises(ValueError, match="'rooms' is missing"):
        read_facts(House, file)


@dataclass(frozen=True, kw_only=True)
class Garage(Facts):
    best: Car = Car()


def test_what_is_not_known_of_a_part_that_equals_its_default_is_kept_too(tmp_path):
    write_json(tmp_path / "garage.json", {"best": {"title": "", "later": 1}})
    write_facts(tmp_path / "garage.json", read_facts(Garage, tmp_path / "garage.json"))
    assert read_json(tmp_path / "garage.json")["best"]["later"] == 1
