"""Those who carry on find a map of all files, and it is true."""

from map_of_files import README, STUDIO, first_sentence, with_map


def test_the_map_of_files_is_up_to_date():
    text = README.read_text(encoding="utf-8")
    assert text == with_map(text), "run .venv/bin/python tests/map_of_files.py"


def test_every_module_says_in_a_sentence_what_it_is_for():
    silent = [path.relative_to(STUDIO).as_posix() for path in STUDIO.rglob("*.py") if not first_sentence(path).endswith((".", "?"))]
    assert not silent
