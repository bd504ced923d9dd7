"""The guests of a project on disk: a folder each, with one LoRA file an expert in our own names, and what is known of it. Free of torch."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from studio.config import EXPERTS
from studio.errors import Problem
from studio.facts import Facts, read_facts
from studio.training.pairs import Manifest, Pair, SavedExpert
from studio.workspace import Project, safe_join

GUESTS = "guests"  # the folder in a project, and what the id of a guest begins with


@dataclass(frozen=True, kw_only=True)
class GuestFacts(Facts):
    """guest.json. title: what people read; trigger: the word that calls its person, "" where it has none; trigger_from: "header", "project" or
    "person", who said so; experts: its files; files: the names of those it was made of; for_both: whether one file serves both experts;
    notes: what is odd about it, in sentences.
    """

    ALWAYS_WRITTEN = ("title", "trigger", "created")
    title: str
    trigger: str
    trigger_from: str = ""
    created: float
    base_model: str
    experts: dict[str, SavedExpert]
    files: tuple[str, ...] = ()
    for_both: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Guest:
    """A guest, with its files as a pair: whatever draws pairs draws it."""

    facts: GuestFacts
    pair: Pair

    @property
    def id(self) -> str:
        return self.pair.id


def guests_dir(project: Project) -> Path:
    return project.root / GUESTS


def list_guests(project: Project) -> list[Guest]:
    """Oldest first; a folder that can't be read is left out."""
    folders = sorted(guests_dir(project).glob("guest-*"), key=lambda folder: (len(folder.name), folder.name))
    return [guest for folder in folders if (guest := _read(folder))]


def find_guest(project: Project, guest_id: str) -> Guest:
    """By its id, "guests/guest-001", or what stands behind the bar."""
    known = list_guests(project)
    for guest in known:
        if guest_id in (guest.id, guest.pair.folder.name):
            return guest
    raise ValueError(f"there is no guest {guest_id!r} (guests: {', '.join(guest.id for guest in known) or 'none'})")


def is_guest(pair_id: str) -> bool:
    return pair_id.startswith(f"{GUESTS}/")


def remove_guest(project: Project, guest_id: str) -> None:
    """Delete the copy of its files; clips that were drawn with it stay."""
    shutil.rmtree(find_guest(project, guest_id).pair.folder)


def _read(folder: Path) -> Guest | None:
    try:
        facts = read_facts(GuestFacts, folder / "guest.json")
        files = {expert: safe_join(folder, saved.file) for expert, saved in facts.experts.items() if expert in EXPERTS}
    except (OSError, ValueError, Problem):
        return None
    if not files or not all(path.is_file() for path in files.values()):
        return None
    manifest = Manifest(experts=facts.experts, base_model=facts.base_model, created=facts.created)
    return Guest(facts, Pair(GUESTS, 0, folder, files.get("high_noise"), files.get("low_noise"), manifest))
