"""Where every file of a workspace lives, and the only ways it is written: slugs, safe joins, atomic writes, torn-proof logs."""

import json
import os
import re
import secrets
import shutil
import time
import unicodedata
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from studio.errors import Damaged

FORMAT = 1
RETRY_SECONDS = 2.0  # Windows: a virus scanner or a reader may hold a file for a moment
FOLDER_RETRY_SECONDS = 30.0  # it looks through a whole new folder for longer, and hours of training may lie in that
MAX_NAME_CHARACTERS, MAX_NOUN_CHARACTERS = 80, 40
MAX_SLUG_CHARACTERS = 24
_JOINERS = "\u200c\u200d"  # part of words in some scripts, and of emoji
_RESERVED = {"con", "prn", "aux", "nul", *(f"com{i}" for i in range(1, 10)), *(f"lpt{i}" for i in range(1, 10))}


def default_home():
    """The workspace folder: $STUDIO_HOME, else `workspace` beside app.py."""
    home = os.environ.get("STUDIO_HOME", "").strip()
    return Path(home).expanduser().resolve() if home else Path(__file__).resolve().parent.parent / "workspace"


@dataclass(frozen=True)
class Workspace:
    home: Path

    @property
    def file(self):
        return self.home / "workspace.json"

    def read(self):
        """workspace.json as a dict: what is remembered of the workspace as a whole; {} before anything was."""
        try:
            return read_json(self.file)
        except (FileNotFoundError, ValueError):  # damaged: nothing in it that can't be learned again
            return {}

    def update(self, **changes):
        """Change some fields of workspace.json; unknown fields in it are kept."""
        with locked(self.file):
            write_json(self.file, self.read() | changes)

    @property
    def models_dir(self):
        return self.home / "models"

    @property
    def downloads(self):
        """A workspace in this one, with the download jobs of each base model: they wait for the network, and no other job waits for them."""
        return Workspace(self.models_dir / ".downloads")

    def download_jobs(self, model):
        """The folder in which the download jobs of a base model lie, as those of a person lie in a project."""
        return Project(safe_join(self.downloads.projects_dir, model))

    @property
    def projects_dir(self):
        return self.home / "projects"

    def project(self, slug):
        """The project of that slug; ValueError lists the ones there are."""
        project = Project(safe_join(self.projects_dir, slug))
        if not project.file.is_file():
            names = ", ".join(p.slug for p in self.list_projects()) or "none yet"
            raise ValueError(f"there is no project {slug!r} (projects: {names})")
        return project

    def find_project(self, name):
        """By slug or by the name its owner gave it; ValueError where several people bear that name: never the wrong one's photos."""
        projects = self.list_projects()
        for project in projects:
            if project.slug == name:
                return project
        named = [project for project in projects if project.read()["name"] == name]
        if len(named) > 1:
            raise ValueError(f"{len(named)} projects are named {name!r}; give the folder: {', '.join(p.slug for p in named)}")
        return named[0] if named else self.project(slugify(name))

    def list_projects(self):
        """Projects sorted by name; a folder without a readable project.json is skipped."""
        found = [Project(p.parent) for p in self.projects_dir.glob("*/project.json")]
        readable = [(p.read_or_none(), p) for p in found]
        return [p for data, p in sorted(((d, p) for d, p in readable if d), key=lambda x: (x[0]["name"].casefold(), x[1].slug))]

    def list_slugs(self) -> list[str]:
        """The folder names of all projects: the readable ones by their names, then the damaged ones."""
        return [project.slug for project in self.list_projects()] + [damaged.name for damaged in self.damaged_projects()]

    def damaged_projects(self) -> list[Damaged]:
        """What is wrong with each project that `list_projects` leaves out, and what can be done; `name` is its folder's."""
        found = []
        for file in sorted(self.projects_dir.glob("*/project.json")):
            try:
                Project(file.parent).read()
            except Damaged as e:
                found.append(e)
            except OSError as e:
                fix = "Check who owns that file, and whether it is open elsewhere."
                found.append(
                    Damaged(file.parent.name, f"project.json of {file.parent.name} can't be read ({e.strerror or e}).", cost="", fix=fix)
                )
        return found

    def create_project(self, name, *, trigger="", class_noun="person", base_model="wan22-t2v-a14b", permission=None):
        """A new, empty project folder. Names may repeat in any script; folders never collide."""
        facts = _checked(dict(name=name, trigger=trigger, class_noun=class_noun, base_model=base_model, permission=permission))
        self.projects_dir.mkdir(parents=True, exist_ok=True)
        base, number = slugify(facts["name"]), 1
        while True:
            project = Project(self.projects_dir / (base if number == 1 else f"{base}-{number}"))
            try:
                project.root.mkdir()
                break
            except FileExistsError:
                number += 1
        try:
            write_json(project.file, facts | {"created": time.time()})
        except OSError:  # a full disk: an empty folder would keep the name taken
            shutil.rmtree(project.root, ignore_errors=True)
            raise
        return project


@dataclass(frozen=True)
class Project:
    root: Path

    @property
    def slug(self):
        return self.root.name

    @property
    def file(self):
        return self.root / "project.json"

    @property
    def originals_dir(self):
        return self.root / "originals"

    @property
    def dataset_dir(self):
        return self.root / "dataset"

    @property
    def curation_file(self):
        return self.root / "curation.json"

    @property
    def cache_dir(self):
        return self.root / "cache"

    @property
    def runs_dir(self):
        return self.root / "runs"

    @property
    def sweeps_dir(self):
        return self.root / "sweeps"

    @property
    def exports_dir(self):
        return self.root / "exports"

    @property
    def workspace(self):
        return Workspace(self.root.parent.parent)

    def read(self):
        """project.json as a dict: name, trigger, class_noun, base_model, permission, created. Damaged says what to do if it can't be used."""
        try:
            data = read_json(self.file)
        except ValueError:
            data = {}
        if not all(isinstance(data.get(key), str) for key in ("name", "trigger", "class_noun", "base_model")):
            raise Damaged(
                self.slug,
                f"project.json of {self.slug} is damaged.",
                cost="The photos, runs and clips are all there.",
                fix="Restore that file from a backup, or copy another project's there and write this person's name and trigger into it. "
                f"It lies in {self.root}.",
            )
        return data

    def read_or_none(self):
        try:
            return self.read()
        except (OSError, ValueError):
            return None

    def update(self, **changes):
        """Change some fields of project.json; unknown fields in it are kept."""
        with locked(self.file):
            data = self.read() | _checked(changes)
            write_json(self.file, data)
        return data

    def run_dir(self, name):
        return safe_join(self.runs_dir, name)

    def sweep_dir(self, name):
        return safe_join(self.sweeps_dir, name)

    def new_run_dir(self, kind):
        """Make and return runs/<kind>-<n>, n the next free number."""
        return new_numbered_dir(self.runs_dir, kind)

    def list_runs(self, kind=""):
        """Run folders oldest first; of one kind ("train", "caption", "sweep", ...) if given."""
        found = [p for p in self.runs_dir.glob(f"{kind or '*'}-*") if (p / "config.json").is_file()]
        return sorted(found, key=lambda p: (0 if kind else (p / "config.json").stat().st_mtime_ns, _number(p), p.name))


def project_of(run_dir):
    """The project that a folder runs/<run> or sweeps/<sweep> belongs to."""
    return Project(Path(run_dir).resolve().parent.parent)


def _checked(facts):
    """The same facts of a project, name and class noun cleaned; ValueError if one can't be used."""
    facts = dict(facts)
    if "name" in facts:
        facts["name"] = name = clean_line(facts["name"])
        if not name:
            raise ValueError("the name is empty; give the person a name, for example Anna")
        if len(name) > MAX_NAME_CHARACTERS:
            raise ValueError(f"the name has {len(name)} characters; use at most {MAX_NAME_CHARACTERS}")
    if "class_noun" in facts:
        facts["class_noun"] = noun = clean_line(facts["class_noun"]) or "person"
        if len(noun) > MAX_NOUN_CHARACTERS or not re.fullmatch(r"\w[\w' -]*", noun):
            raise ValueError(f"the class noun {noun[:40]!r} can't be used; say what the person is in a word or two, for example woman")
    return facts


def clean_line(text):
    """Text on one line, without what is not seen: control signs and marks that turn the direction of writing; emoji stay whole."""
    visible = (c for c in text if c in _JOINERS or unicodedata.category(c) not in ("Cf", "Cs", "Co"))
    return " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in visible).split())


def slugify(name):
    """A folder name for any name: ascii letters, digits and dashes, never empty, never reserved on Windows.

    At most MAX_SLUG_CHARACTERS: it is in the names of the LoRA files too, and Windows takes paths of 260 characters.
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name.casefold()).strip("-")[:MAX_SLUG_CHARACTERS].strip("-")
    return f"project-{slug}".rstrip("-") if not slug or slug in _RESERVED else slug


def safe_join(base, relative):
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


def new_numbered_dir(parent, prefix):
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


def _number(path):
    match = re.search(r"-(\d+)$", path.name)
    return int(match[1]) if match else 0


# -- writing


def write_atomic(path, data):
    """Write bytes so that a reader, a crash or a full disk never sees half a file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(path):
    """A hidden name beside `path` that nobody else has: not made of the time, which stands still for 15 ms on Windows, and short."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def replace(source, target):
    """os.replace, retried for a moment where Windows says that someone holds the file."""
    return patiently(lambda: os.replace(source, target), RETRY_SECONDS)


def patiently(action, seconds):
    """What `action` returns, tried again for so long where Windows says that someone holds the file."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return action()
        except PermissionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def write_json(path, data):
    """A JSON object, with `format`, written atomically."""
    write_atomic(path, (json.dumps({"format": FORMAT} | data, ensure_ascii=False, indent=1) + "\n").encode())


def parse_json(text):
    """What a text or its UTF-8 bytes hold; ValueError if that is no JSON, or nested so deeply that it can only be meant to do harm."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_json(path):
    """The JSON object in a file. OSError if it is not there, ValueError in words if it is damaged."""
    try:
        data = parse_json(patiently(Path(path).read_bytes, RETRY_SECONDS))
    except ValueError as e:
        raise ValueError(f"{_place(path)} is damaged ({e}); restore it from a backup or delete it") from None
    if not isinstance(data, dict):
        raise ValueError(f"{_place(path)} is damaged (not a JSON object); restore it from a backup or delete it")
    return data


def _place(path):
    """train-001/config.json: many folders have a file of that name."""
    return "/".join(Path(path).parts[-2:])


def read_path(path):
    """The folder that a text file names in its first line, saved by any editor: Notepad's and PowerShell's marks, quotes around it."""
    data = Path(path).read_bytes()
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        lines = data.decode(encoding).split("\n")
    except UnicodeDecodeError:
        raise ValueError(f"{Path(path).name} is no text in UTF-8; save it anew with the path of the folder in it") from None
    return Path(lines[0].strip().strip('"'))


def append_jsonl(path, record):
    """Append one JSON line. A line torn by a crash is closed first, so that only it is lost."""
    path = Path(path)
    line = json.dumps(record, ensure_ascii=False).encode() + b"\n"
    with patiently(lambda: open(path, "ab+"), RETRY_SECONDS) as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)


def read_jsonl(path, offset=0, max_bytes=-1):
    """(records, next offset) of the complete lines from a byte offset on; a torn line is left out. A missing file is empty.

    max_bytes: read about so much of a long file at once, up to the end of a line.
    """
    try:
        with patiently(lambda: open(path, "rb"), RETRY_SECONDS) as file:
            offset = offset if offset <= file.seek(0, os.SEEK_END) else 0  # shorter than it was: another file took its place
            file.seek(offset)
            data = file.read(max_bytes)
            data += file.readline() if max_bytes >= 0 else b""
    except FileNotFoundError:
        return [], offset
    end = data.rfind(b"\n") + 1
    records = []
    for line in data[:end].splitlines():
        try:
            record = parse_json(line)
        except ValueError:
            continue  # torn by a crash, and closed by append_jsonl
        if isinstance(record, dict):
            records.append(record)
    return records, offset + end


@contextmanager
def finished_dir(path):
    """A folder that appears whole or not at all: yields a temporary sibling, renamed to `path` at the end.

    One that is there already is renamed out of the way first, and removed last: if it can't be replaced, it stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _sync_file(file)
        _swap_in(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap_in(folder, path):
    """Rename a folder to `path`, in place of the one that may be there."""
    if not path.exists():
        patiently(lambda: os.replace(folder, path), FOLDER_RETRY_SECONDS)
        return
    former = _temporary(path)
    patiently(lambda: os.replace(path, former), FOLDER_RETRY_SECONDS)
    try:
        patiently(lambda: os.replace(folder, path), FOLDER_RETRY_SECONDS)
    except OSError:
        os.replace(former, path)
        raise
    shutil.rmtree(former, ignore_errors=True)


def _sync_file(path):
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path, timeout_seconds=20.0):
    """Hold an inter-process lock beside `path` for a read-change-write; freed by the system if the holder dies."""
    from filelock import FileLock, Timeout

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(path.with_name(f".{path.name}.lock")), timeout=timeout_seconds)
    try:
        lock.acquire()
    except Timeout:
        raise TimeoutError(f"{path.name} is in use by another program; close the other studio and try again") from None
    try:
        yield
    finally:
        lock.release()
