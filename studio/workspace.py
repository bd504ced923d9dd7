"""Where every file of a workspace lives, and what its projects are called: slugs, safe joins, numbered folders."""

import dataclasses
import os
import re
import shutil
import time
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.disk import RETRY_SECONDS, locked, patiently
from studio.errors import Damaged, NewerFormat, Problem
from studio.facts import read_facts, write_facts
from studio.project_facts import Permission, ProjectFacts, WorkspaceFacts, checked

MAX_SLUG_CHARACTERS = 24
DOWNLOADS_DIR = ".downloads"
_RESERVED = {"con", "prn", "aux", "nul", *(f"com{i}" for i in range(1, 10)), *(f"lpt{i}" for i in range(1, 10))}


def default_home() -> Path:
    """The workspace folder: $STUDIO_HOME, else `workspace` beside app.py."""
    home = os.environ.get("STUDIO_HOME", "").strip()
    return Path(home).expanduser().resolve() if home else Path(__file__).resolve().parent.parent / "workspace"


@dataclass(frozen=True)
class Workspace:
    home: Path

    @property
    def file(self) -> Path:
        return self.home / "workspace.json"

    def facts(self) -> WorkspaceFacts:
        """What workspace.json remembers of the workspace as a whole; nothing before anything was."""
        try:
            return read_facts(WorkspaceFacts, self.file)
        except (FileNotFoundError, ValueError):  # damaged: nothing in it that can't be learned again
            return WorkspaceFacts()

    def update(self, **changes: Any) -> None:
        """Change some facts in workspace.json; fields in it that are not known here are kept."""
        with locked(self.file):
            write_facts(self.file, dataclasses.replace(self.facts(), **changes))

    @property
    def models_dir(self) -> Path:
        return self.home / "models"

    @property
    def downloads(self) -> "Workspace":
        """A workspace in this one, with the download jobs of each base model: they wait for the network, and no other job waits for them."""
        return Workspace(self.models_dir / DOWNLOADS_DIR)

    @property
    def is_downloads(self) -> bool:
        """Whether this is the workspace of another one's download jobs."""
        return self.home.name == DOWNLOADS_DIR

    def download_jobs(self, model: str) -> "Project":
        """The folder in which the download jobs of a base model lie, as those of a person lie in a project."""
        return Project(safe_join(self.downloads.projects_dir, model_dir_name(model)))

    @property
    def projects_dir(self) -> Path:
        return self.home / "projects"

    def project(self, slug: str) -> "Project":
        """The project of that slug; ValueError lists the ones there are."""
        project = Project(safe_join(self.projects_dir, slug))
        if not project.file.is_file():
            names = ", ".join(p.slug for p in self.list_projects()) or "none yet"
            raise ValueError(f"there is no project {slug!r} (projects: {names})")
        return project

    def find_project(self, name: str) -> "Project":
        """By slug or by the name its owner gave it; ValueError where several people bear that name: never the wrong one's photos."""
        projects = self.list_projects()
        for project in projects:
            if project.slug == name:
                return project
        named = [project for project in projects if project.facts().name == name]
        if len(named) > 1:
            raise ValueError(f"{len(named)} projects are named {name!r}; give the folder: {', '.join(p.slug for p in named)}")
        return named[0] if named else self.project(slugify(name))

    @property
    def deleted_dir(self) -> Path:
        """Where projects lie that were deleted and can be brought back."""
        return self.home / "deleted"

    def delete_project(self, project: "Project") -> "Project":
        """Move a project out of sight, whole; `restore_project` brings it back. Problem if another program holds a file in it."""
        self.deleted_dir.mkdir(parents=True, exist_ok=True)
        gone = _free_folder(self.deleted_dir, project.slug)
        try:
            patiently(lambda: os.replace(project.root, gone), RETRY_SECONDS)
        except PermissionError as e:
            raise Problem(
                f"{project.slug} can't be deleted now: another program has a file of it open.",
                cost="Nothing was changed.",
                fix="Close what shows its photos, clips or folder, then try again.",
            ) from e
        os.utime(gone)  # when it was deleted
        return Project(gone)

    def deleted_projects(self) -> list["Project"]:
        """The projects that can be brought back, the one deleted last first."""
        found = [Project(file.parent) for file in self.deleted_dir.glob("*/project.json")]
        return sorted(found, key=lambda project: (-project.root.stat().st_mtime, project.slug))

    def find_deleted(self, slug: str) -> "Project":
        """A deleted project by its folder's name; ValueError lists those there are."""
        for project in self.deleted_projects():
            if project.slug == slug:
                return project
        names = ", ".join(project.slug for project in self.deleted_projects()) or "none"
        raise ValueError(f"no deleted project is called {slug!r} (deleted: {names})")

    def restore_project(self, deleted: "Project") -> "Project":
        """Bring a deleted project back, under its own folder's name where that is free."""
        target = _free_folder(self.projects_dir, re.sub(r"\.\d+$", "", deleted.slug), between="-")
        patiently(lambda: os.replace(deleted.root, target), RETRY_SECONDS)
        return Project(target)

    def forget_deleted(self, deleted: "Project") -> None:
        """Delete a deleted project for good: its photos, runs and clips."""
        assert deleted.root.parent == self.deleted_dir, f"{deleted.root} was not deleted"
        shutil.rmtree(deleted.root)

    def projects_called(self, name: str) -> list["Project"]:
        """The projects whose owner gave them that name, as people compare names."""
        wanted = unicodedata.normalize("NFC", name).strip().casefold()
        return [p for p in self.list_projects() if unicodedata.normalize("NFC", p.facts().name).casefold() == wanted]

    def list_projects(self) -> list["Project"]:
        """Projects sorted by name; a folder without a readable project.json is skipped."""
        found = [Project(p.parent) for p in self.projects_dir.glob("*/project.json")]
        named = [(facts.name.casefold(), project.slug, project) for project in found if (facts := project.facts_or_none())]
        return [project for _, _, project in sorted(named, key=lambda entry: entry[:2])]

    def list_slugs(self) -> list[str]:
        """The folder names of all projects: the readable ones by their names, then the damaged ones."""
        return [project.slug for project in self.list_projects()] + [damaged.name for damaged in self.damaged_projects()]

    def damaged_projects(self) -> list[Damaged]:
        """What is wrong with each project that `list_projects` leaves out, and what can be done; `name` is its folder's."""
        found = []
        for file in sorted(self.projects_dir.glob("*/project.json")):
            try:
                Project(file.parent).facts()
            except Damaged as e:
                found.append(e)
            except OSError as e:
                fix = "Check who owns that file, and whether it is open elsewhere."
                found.append(
                    Damaged(file.parent.name, f"project.json of {file.parent.name} can't be read ({e.strerror or e}).", cost="", fix=fix)
                )
        return found

    def create_project(
        self,
        name: str,
        *,
        trigger: str = "",
        class_noun: str = "person",
        base_model: str = "wan22-t2v-a14b",
        permission: Permission | None = None,
    ) -> "Project":
        """A new, empty project folder. Names may repeat in any script; folders never collide."""
        words = checked(dict(name=name, class_noun=class_noun))
        facts = ProjectFacts(**words, trigger=trigger, base_model=base_model, permission=permission, created=time.time())
        self.projects_dir.mkdir(parents=True, exist_ok=True)
        base, number = slugify(facts.name), 1
        while True:
            project = Project(self.projects_dir / (base if number == 1 else f"{base}-{number}"))
            try:
                project.root.mkdir()
                break
            except FileExistsError:
                number += 1
        try:
            write_facts(project.file, facts)
        except OSError:  # a full disk: an empty folder would keep the name taken
            shutil.rmtree(project.root, ignore_errors=True)
            raise
        return project


@dataclass(frozen=True)
class Project:
    root: Path

    @property
    def slug(self) -> str:
        return self.root.name

    @property
    def file(self) -> Path:
        return self.root / "project.json"

    @property
    def originals_dir(self) -> Path:
        return self.root / "originals"

    @property
    def dataset_dir(self) -> Path:
        return self.root / "dataset"

    @property
    def curation_file(self) -> Path:
        return self.root / "curation.json"

    @property
    def cache_dir(self) -> Path:
        return self.root / "cache"

    @property
    def runs_dir(self) -> Path:
        return self.root / "runs"

    @property
    def sweeps_dir(self) -> Path:
        return self.root / "sweeps"

    @property
    def exports_dir(self) -> Path:
        return self.root / "exports"

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.root.parent.parent)

    def facts(self) -> ProjectFacts:
        """What project.json holds. Damaged says what to do if it can't be used."""
        try:
            return read_facts(ProjectFacts, self.file)
        except NewerFormat:
            raise Damaged(
                self.slug,
                f"project.json of {self.slug} was made by a newer version of the studio and can't be read here.",
                cost="Nothing in it was changed.",
                fix="Update the studio to open it.",
            ) from None
        except ValueError:
            raise Damaged(
                self.slug,
                f"project.json of {self.slug} is damaged.",
                cost="The photos, runs and clips are all there.",
                fix="Restore that file from a backup, or copy another project's there and write this person's name and trigger into it. "
                f"It lies in {self.root}.",
            ) from None

    def facts_or_none(self) -> ProjectFacts | None:
        try:
            return self.facts()
        except (OSError, ValueError):
            return None

    def update(self, **changes: Any) -> ProjectFacts:
        """Change some facts in project.json; fields in it that are not known here are kept."""
        self.require_ours()
        with locked(self.file):
            facts = dataclasses.replace(self.facts(), **checked(changes))
            write_facts(self.file, facts)
        return facts

    def require_ours(self) -> None:
        """NewerFormat if a newer version of the studio wrote the project: it can be looked at, and nothing is written to it."""
        try:
            facts = self.facts()
        except FileNotFoundError:  # no person's project, but the folder of the download jobs
            return
        if facts.is_newer:
            raise NewerFormat(facts.name)

    def run_dir(self, name: str) -> Path:
        return safe_join(self.runs_dir, name)

    def sweep_dir(self, name: str) -> Path:
        return safe_join(self.sweeps_dir, name)

    def new_run_dir(self, kind: str) -> Path:
        """Make and return runs/<kind>-<n>, n the next free number."""
        return new_numbered_dir(self.runs_dir, kind)

    def list_runs(self, kind: str = "") -> list[Path]:
        """Run folders oldest first; of one kind ("train", "caption", "sweep", ...) if given."""
        found = [p for p in self.runs_dir.glob(f"{kind or '*'}-*") if (p / "config.json").is_file()]
        return sorted(found, key=lambda p: (0 if kind else (p / "config.json").stat().st_mtime_ns, _number(p), p.name))


def project_of(run_dir: Path | str) -> Project:
    """The project that a folder runs/<run> or sweeps/<sweep> belongs to."""
    return Project(Path(run_dir).resolve().parent.parent)


def slugify(name: str) -> str:
    """A folder name for any name: ascii letters, digits and dashes, never empty, never reserved on Windows.

    At most MAX_SLUG_CHARACTERS: it is in the names of the LoRA files too, and Windows takes paths of 260 characters.
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name.casefold()).strip("-")[:MAX_SLUG_CHARACTERS].strip("-")
    return f"project-{slug}".rstrip("-") if not slug or slug in _RESERVED else slug


def model_dir_name(model: str) -> str:
    """What the folder of a model is called: "owner--name" for one that the hub calls owner/name."""
    return model.replace("/", "--")


def safe_join(base: Path | str, relative: Path | str) -> Path:
    """base / relative, or ValueError if that would leave base (absolute, drive, `..`, link, NUL, device name)."""
    text = str(relative).replace("\\", "/")
    parts = text.split("/")
    reserved = any(p.split(".")[0].strip().casefold() in _RESERVED for p in parts)
    if not text or "\0" in text or ":" in text or text.startswith("/") or reserved or any(p in ("", ".", "..") for p in parts):
        raise ValueError(f"{text[:100]!r} is not a safe file name")
    base = Path(base)
    path = base.joinpath(*parts)
    if not path.resolve().is_relative_to(base.resolve()):
        raise ValueError(f"{text[:100]!r} leads outside its folder")
    return path


def new_numbered_dir(parent: Path, prefix: str) -> Path:
    """Make parent/<prefix>-001, -002, ...: the first number above all there are. Safe when two processes ask at once."""
    parent.mkdir(parents=True, exist_ok=True)
    number = 1 + max((_number(p) for p in parent.glob(f"{prefix}-*")), default=0)
    while True:
        path = parent / f"{prefix}-{number:03d}"
        try:
            path.mkdir()
            return path
        except FileExistsError:
            number += 1


def free_slug(parent: Path, name: str) -> Path:
    """The folder of a new project of that name, or of one more of it; not made yet."""
    return _free_folder(parent, slugify(name), between="-")


def _free_folder(parent: Path, name: str, between: str = ".") -> Path:
    """parent/name, or with the first number behind it that is free."""
    path, number = parent / name, 1
    while path.exists():
        number += 1
        path = parent / f"{name}{between}{number}"
    return path


def _number(path: Path) -> int:
    match = re.search(r"-(\d+)$", path.name)
    return int(match[1]) if match else 0
