"""Looks through clips and films for the pieces worth training, cuts them out, and says what became of every second."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import numpy as np

from studio.data import dataset, persons, records
from studio.data.buckets import fit_side
from studio.data.item_record import Item, Record
from studio.data.looking import looks
from studio.data.looking.look import FaceLook
from studio.data.media import clips
from studio.data.media.kinds import sniff_file
from studio.data.media.photos import load_photo
from studio.data.people.person_faces import person_faces
from studio.data.pieces.adding import Source, add_pieces, without_known
from studio.data.pieces.clip_stills import LEAST_APART_SECONDS, add_stills, find_candidates
from studio.data.pieces.looking_through import FACES_SIDE, VERSION, Through, look_at_faces, look_through
from studio.data.pieces.piece_facts import LONGEST, MOMENTS_A_SECOND
from studio.data.pieces.piece_report import PiecesReport, StillsReport, VideoReport, report_file
from studio.data.pieces.proposing import Proposal, Wish, propose_pieces
from studio.data.pieces.whose import FoundPeople, find_people
from studio.disk import file_sha256
from studio.facts import write_facts
from studio.models import eyes
from studio.models.eyes import FaceSight
from studio.models.preset import model_preset
from studio.workspace import Project

MOST_REFERENCES = 40  # photos of the person that are looked at: the five best decide
Report = Callable[..., None]
Stop = Callable[[], bool]


def find_pieces(
    project: Project,
    names: Collection[str] = (),
    report: Report = lambda event, **fields: None,
    should_stop: Stop = lambda: False,
    *,
    films: Collection[str] = (),
) -> PiecesReport:
    """Look for pieces in the clips of those ids and the films (files of originals/) of those names, or in all that are longer than a piece.

    Pieces that are found are added, and their whole is left out. What was seen is kept by content, so that it may be stopped or killed at any
    moment and run again. ValueError if there is no such clip.
    """
    sources = _chosen(project, names, films)
    looker = _Looker(project, report, should_stop)
    videos: list[VideoReport] = []
    for source in sources:
        found = None if should_stop() else looker.look(source, is_asked=bool(names))
        if found is None:
            return PiecesReport(videos=tuple(videos), stopped=True)
        videos.append(found)
    return PiecesReport(videos=tuple(videos))


def find_stills(
    project: Project, name: str, report: Report = lambda event, **fields: None, should_stop: Stop = lambda: False
) -> StillsReport:
    """Take the sharpest frames with the person's face out of a clip, as photos. ValueError if there is no such clip."""
    source = _chosen(project, [name], ())[0]
    added = _Looker(project, report, should_stop).take_stills(source)
    return StillsReport(clip=name, added=tuple(added or ()), stopped=added is None)


# -- which clips


def _chosen(project: Project, names: Collection[str], films: Collection[str]) -> list[Source]:
    data = records.load(project)
    items = {item.id: item for item in dataset.list_items(project) if item.kind == "clip" and not item.problem}
    if unknown := [name for name in names if name not in items]:
        raise ValueError(f"there is no clip {unknown[0]!r} in this dataset that can be cut into pieces")
    if names or films:
        wanted = [items[name] for name in names]
    else:
        films = [name for name in sorted(data.originals) if _is_film(project.originals_dir / name)]
        cut = {record.original_sha256 for record in data.items.values() if len(record.part) == 2 and record.part[0] < record.part[1]}
        wanted = [i for i in items.values() if not i.part and i.seconds > LONGEST and data.items[i.id].original_sha256 not in cut]
    found = [_source_of(project, item, data.items[item.id]) for item in wanted]
    for name in films:
        path = project.originals_dir / name
        content = data.originals[name] if name in data.originals else file_sha256(path)
        found.append(Source(name, path, content, name, content))
    return found


def _source_of(project: Project, item: Item, record: Record) -> Source:
    """Pieces are cut from the original while the item is as it was made of it, and from the item itself after that."""
    original = project.originals_dir / record.original
    is_unchanged = bool(record.original) and record.sha256 == record.original_sha256 and original.is_file()
    return Source(item.id, original if is_unchanged else item.path, item.sha256, record.original, record.original_sha256, item)


def _is_film(path: Path) -> bool:
    try:
        return sniff_file(path) == "clip" and clips.is_film(path)
    except (OSError, ValueError):
        return False


# -- looking


class _Looker:
    """Looks through one source after the other; the eye and the person's photos are looked at when the first needs them."""

    def __init__(self, project: Project, report: Report, should_stop: Stop) -> None:
        self.project, self.report, self.should_stop = project, report, should_stop
        self._eye = eyes.find_face_eye()
        self._sight: FaceSight | None = None
        self._references: np.ndarray | None = None

    def look(self, source: Source, *, is_asked: bool) -> VideoReport | None:
        """What became of a source; None if it was stopped. is_asked: by its name, so that it is cut however short it is."""
        try:
            info = clips.probe_clip(source.path, clips.film_bounds())
            through = look_through(source.path, info, self._file(source), self._open(), self.report, self.should_stop, source.name)
            if not through.is_whole:
                return None
            proposal, guessed = self._propose(through, info)
            found = self._add(source, info, proposal, guessed, is_asked=is_asked)
        except InterruptedError:
            return None
        except ValueError as e:
            return VideoReport(name=source.name, seconds=source.item.seconds if source.item else 0.0, problem=str(e).rstrip("."))
        file = report_file(self.project, source.content)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_facts(file, found)
        return found

    def take_stills(self, source: Source) -> list[str] | None:
        """The ids of the photos that were taken out of a clip; None if it was stopped."""
        info = clips.probe_clip(source.path, clips.film_bounds())
        through = look_through(source.path, info, self._file(source), self._open(), self.report, self.should_stop, source.name)
        if not through.is_whole:
            return None
        people = self._people(through)
        size = fit_side(info.width, info.height, FACES_SIDE)
        known = [part[0] for part in known_parts(self.project, source).values() if part[0] == part[-1]]
        found = [c for c in find_candidates(through, people, size, info) if all(abs(c.second - at) >= LEAST_APART_SECONDS for at in known)]
        try:
            return add_stills(self.project, source, info, found, self.should_stop)
        except InterruptedError:
            return None

    def _file(self, source: Source) -> Path:
        key = eyes.key_of(self._eye, None)
        return self.project.cache_dir / "pieces" / f"{source.content[:32]}-{VERSION}-{key}.jsonl"

    def _open(self) -> FaceSight:
        if self._sight is None:
            opened = self._eye.open(None)
            assert isinstance(opened, FaceSight)
            self._sight = opened
        return self._sight

    def _people(self, through: Through) -> FoundPeople:
        """Who is who in a clip."""
        if self._references is None:
            self._references = read_references(self.project, self._open())
        return find_people(through.faces, through.cuts, self._references, MOMENTS_A_SECOND)

    def _propose(self, through: Through, info: clips.ClipInfo) -> tuple[Proposal, bool]:
        """(Proposal, whether nobody said who is meant)."""
        people = self._people(through)
        size = fit_side(info.width, info.height, FACES_SIDE)
        proposal = propose_pieces(through, people, size, info.seconds, wish_of(self.project))
        return proposal, people.guessed

    def _add(self, source: Source, info: clips.ClipInfo, proposal: Proposal, guessed: bool, *, is_asked: bool) -> VideoReport:
        parts = {item_id: part for item_id, part in known_parts(self.project, source).items() if part[0] < part[-1]}
        fresh = without_known(proposal.pieces, list(parts.values()))
        is_long = info.seconds > LONGEST or is_asked
        fits = source.item is not None and len(proposal.pieces) == 1 and proposal.pieces[0].seconds > info.seconds - 1.0
        added = add_pieces(self.project, source, info, fresh, self.should_stop) if fresh and is_long and not fits else []
        return VideoReport(
            name=source.name, seconds=info.seconds, item=source.item.id if source.item else "", pieces=proposal.pieces, spans=proposal.spans,
            added=tuple(added), known=tuple(parts), is_guessed=guessed,
        )  # fmt: skip


def known_parts(project: Project, source: Source) -> dict[str, tuple[float, ...]]:
    """{id: (start, end)} of the pieces that were cut of a source before and are there; of stills both are one."""
    data = records.load(project)
    there = {item.id for item in dataset.list_items(project)}
    mine = {item_id: record for item_id, record in data.items.items() if item_id in there and record.part}
    return {item_id: record.part for item_id, record in mine.items() if record.original_sha256 == source.original_sha256 != ""}


def wish_of(project: Project) -> Wish:
    """What the project's base model trains of a clip, as usual."""
    preset = model_preset(project.facts().base_model)
    return Wish(preset.fps, preset.shape.frames_per_latent, preset.train_config.data.clip_frames / preset.fps)


def read_references(project: Project, sight: FaceSight) -> np.ndarray:
    """(N, D) embeddings of the person's face in each photo that is kept, of the largest one where nobody knows: whom the clips are searched for.

    Strangers among them are few. A face that was seen before is not looked for again.
    """
    eye = looks.find_eyes(project).face_key
    known = {item_id: face for item_id, (look, face) in person_faces(project).items() if look.eye == eye}
    photos = [item for item in dataset.kept_items(project) if item.kind == "photo" and not item.problem]
    faces = [known[item.id] if item.id in known else _look_at_largest(item, sight) for item in _spread(photos, MOST_REFERENCES)]
    rows = [persons.unpack(face.embedding) for face in faces if face and face.embedding]
    return np.stack(rows) if rows else np.zeros((0, 1), np.float32)


def _spread(items: Sequence[Item], most: int) -> list[Item]:
    return [items[round(n * (len(items) - 1) / max(1, most - 1))] for n in range(most)] if len(items) > most else list(items)


def _look_at_largest(item: Item, sight: FaceSight) -> FaceLook | None:
    try:
        with load_photo(item.path, max_side=FACES_SIDE) as image:
            faces = look_at_faces(sight, np.ascontiguousarray(np.asarray(image.convert("RGB"))))
    except (OSError, ValueError):  # the item itself carries the reason in words
        return None
    return faces[0] if faces else None
