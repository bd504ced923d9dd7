"""What the hub said of a repository that no preset tells of: its licence, and how much of it is fetched. Kept, so that it is shown before anything is. Torch-free."""

from dataclasses import dataclass
from pathlib import Path

from studio.facts import Facts, read_facts, write_facts
from studio.workspace import Workspace, model_dir_name, safe_join


@dataclass(frozen=True, kw_only=True)
class LookedUp(Facts):
    """bytes: of the files that are needed; licence: as the repository states it, "" where it does not."""

    ALWAYS_WRITTEN = ("repository", "licence", "bytes")
    repository: str
    licence: str = ""
    bytes: int = 0

    @property
    def licence_words(self) -> str:
        return self.licence or "none is stated: see its page before you use it"


def read_looked_up(name: str, workspace: Workspace) -> LookedUp | None:
    """None before it was asked for."""
    try:
        return read_facts(LookedUp, _file(name, workspace))
    except (OSError, ValueError):  # asked again then
        return None


def note_looked_up(name: str, found: LookedUp, workspace: Workspace) -> None:
    path = _file(name, workspace)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_facts(path, found)


def _file(name: str, workspace: Workspace) -> Path:
    return safe_join(workspace.models_dir / ".hub", f"{model_dir_name(name)}.json")
