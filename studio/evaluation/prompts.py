"""What a sweep draws: the standard prompts of a base model, a project's own prompts file, and [trigger] and [class] filled in."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.config import list_presets, load_preset
from studio.data.captions.rules import fill
from studio.data.captions.whole_words import whole_word
from studio.data.incoming.matching import TEST_FLAGS
from studio.errors import Problem
from studio.evaluation.sweep_facts import CLASS, PERSON, Prompt
from studio.models.preset import model_preset
from studio.project_facts import clean_line
from studio.workspace import Project

PICTURE = re.compile(r"\s*\[picture ([\w-]+)\]")  # in a prompt: the photo or clip that its clips begin with
MAX_PROMPTS = 100
MAX_LENGTH = 2000
DEFAULT_SETS = {False: "person", True: "person-from-picture"}  # by whether the base model draws from a first picture


def standard_prompts(project: Project, base_model: str) -> tuple[str, ...]:
    """The prompts used when none are given, as "Label | text": the project's prompts.toml or prompts.txt, else the set for this base model."""
    for name in ("prompts.toml", "prompts.txt"):
        if (project.root / name).is_file():
            return read_prompts_file(project.root / name)
    fitting = (s for s in list_presets("prompts") if base_model in load_preset("prompts", s).get("models", ()))
    name = next(fitting, None) or DEFAULT_SETS[model_preset(base_model).takes_first_picture]
    return _from_toml(load_preset("prompts", name), f"presets/prompts/{name}.toml")


def read_prompts_file(path: Path | str) -> tuple[str, ...]:
    """Prompts of a text file (one a line, "Label | text" or text, # for remarks) or of a TOML file with [[prompts]] label, text.

    Flags of kohya's and musubi's test prompts (--w 832) are no part of a prompt; `flags_in` tells them.
    """
    path = Path(path)
    text = _read(path)
    if path.suffix.lower() == ".toml":
        try:
            return _from_toml(tomllib.loads(text), path.name)
        except (tomllib.TOMLDecodeError, RecursionError) as e:
            raise ValueError(f"{path.name} is not readable as TOML: {e}") from None
    return _checked(tuple(TEST_FLAGS.sub("", line).strip() for line in _prompt_lines(text)), path.name)


def flags_in(path: Path | str) -> tuple[str, ...]:
    """What a text file asks for beside the prompts, in the way of kohya and musubi; a comparison has settings of its own for it."""
    found = [match[0].strip() for line in _prompt_lines(_read(Path(path))) if (match := TEST_FLAGS.search(line))]
    return () if Path(path).suffix.lower() == ".toml" else tuple(dict.fromkeys(found))


def _prompt_lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ValueError(f"there is no prompts file {path.name!r}; give a text file with one prompt a line") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path.name} is not a text file; save it as UTF-8 with one prompt a line") from None
    except OSError as e:
        raise ValueError(f"{path.name} can't be read ({e.strerror or e}); give a text file with one prompt a line") from None


def resolve_prompts(prompts: Sequence[str], trigger: str, class_noun: str) -> tuple[Prompt, ...]:
    """With placeholders filled; of the person's kind if the trigger is asked for, else of the class's."""
    resolved = []
    for line in _checked(tuple(prompts), "prompts"):
        label, text = _split(line)
        named = PICTURE.search(text)
        text = PICTURE.sub("", text).strip()
        if "[trigger]" in text and not trigger:
            raise Problem(
                "This project has no trigger word, and the test prompts need one.",
                fix="Set the project's trigger.",
                action="open-dataset",
            )
        text = fill(text, trigger, class_noun)
        kind = PERSON if trigger and whole_word(trigger, any_case=True).search(text) else CLASS
        resolved.append(Prompt(label=label or _short(text), text=text, kind=kind, picture=named[1] if named else ""))
    return tuple(resolved)


def _from_toml(data: Mapping[str, Any], where: str) -> tuple[str, ...]:
    entries = data.get("prompts")
    if not isinstance(entries, list) or not all(isinstance(e, dict) and isinstance(e.get("text"), str) for e in entries):
        raise ValueError(f"{where} needs [[prompts]] tables, each with a text, and a label if you like")
    return _checked(tuple(f"{e['label']} | {e['text']}" if e.get("label") else e["text"] for e in entries), where)


def _checked(lines: tuple[str, ...], where: str) -> tuple[str, ...]:
    if not lines:
        raise ValueError(f"{where}: there is no prompt; write at least one line, for example: [trigger], a [class], smiling")
    if len(lines) > MAX_PROMPTS:
        raise ValueError(f"{where}: {len(lines)} prompts are more than the {MAX_PROMPTS} a comparison can hold; keep the telling ones")
    for number, line in enumerate(lines, 1):
        if not PICTURE.sub("", _split(line)[1]):
            raise ValueError(f"{where}: prompt {number} is empty; write what is to be drawn or remove it")
        if len(line) > MAX_LENGTH:
            raise ValueError(f"{where}: prompt {number} has {len(line)} characters; use at most {MAX_LENGTH}")
    return lines


def _split(line: str) -> tuple[str, str]:
    label, bar, text = line.partition("|")
    return (clean_line(label), clean_line(text)) if bar else ("", clean_line(line))


def _short(text: str, length: int = 40) -> str:
    return text if len(text) <= length else text[: length - 3].rsplit(" ", 1)[0].rstrip(",") + "..."
