"""Two processes that look at pictures, and the one that hands them out and writes down what was seen, so that a kill costs what is in hand."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from studio.data.buckets import fit_side
from studio.data.item_record import Item
from studio.data.looking import looks
from studio.data.looking.look import LOOK_SIDE, Look
from studio.data.media.clips import read_frames
from studio.data.media.photos import open_for_measuring
from studio.errors import Problem
from studio.models import eyes
from studio.workspace import Project

if TYPE_CHECKING:
    from studio.data.looking.observing import OpenEyes

NUM_PROCESSES = 2  # 269 MB each; a third would leave a home computer no core for its person
WORTH_PROCESSES = 6  # pictures: fewer are looked at here, since a process takes a second to start
MOMENTS = (0.2, 0.5, 0.8)  # of a clip
CLIP_SIDE = 1280
IN_HAND = 2  # pictures a process has waiting, so that it need not wait
Report = Callable[..., None]
Result = tuple[Look, ...] | str  # the looks of an item, or why there are none


@dataclass(frozen=True)
class Task:
    """One item to look at, as another process is told of it."""

    item_id: str
    sha256: str
    path: Path  # a photo's original while the dataset's copy is made of it: its own px and tables
    kind: str
    width: int
    height: int
    fps: float
    seconds: float


def look_at_all(project: Project, items: Sequence[Item], report: Report, should_stop: Callable[[], bool]) -> tuple[int, bool]:
    """Look at every item that was not looked at yet: (how many were, whether it was stopped).

    What can't be read is a note, and is tried again the next time."""
    who, file, known = looks.find_eyes(project), looks.looks_file(project), looks.looks_of(project)
    if who.trouble:
        _note_trouble(report, who.trouble)
    waiting = {item.sha256: item for item in items if not item.problem and item.sha256 not in known}
    tasks = [_task_of(project, item) for item in waiting.values()]
    done = num_looked = 0
    for task, result in _results(who, tasks, report, should_stop):
        done += 1
        report("progress", stage="curate", done=done, total=len(tasks), unit="items", message=task.item_id)
        if isinstance(result, str):
            report("note", message=f"{task.item_id} could not be measured: {result}")
        else:
            looks.add(file, task.sha256, result)
            num_looked += 1
    return num_looked, done < len(tasks)


def _task_of(project: Project, item: Item) -> Task:
    original = project.originals_dir / item.original
    is_own = item.kind == "photo" and item.is_original and original.is_file()
    path = original if is_own else item.path
    return Task(item.id, item.sha256, path, item.kind, item.width, item.height, item.fps, item.seconds)


def _results(who: looks.Eyes, tasks: Sequence[Task], report: Report, should_stop: Callable[[], bool]) -> Iterator[tuple[Task, Result]]:
    """(task, its looks or what went wrong), as they come. Drawn people are small pictures, and their eye is a large program: one process."""
    if len(tasks) >= WORTH_PROCESSES and who.drawn is None:
        left = list(tasks)
        while left and not should_stop():
            yield from _by_processes(who, left, should_stop)
        return
    sight = _open(who, report) if tasks else None
    for task in tasks:
        if sight is None or should_stop():
            return
        yield task, look_at(sight, task)


def _open(who: looks.Eyes, report: Report) -> "OpenEyes":
    sight = _open_face(who.face, who.face_key)
    try:
        return replace(sight, drawn=who.drawn.open(who.base), drawn_key=who.drawn_key) if who.drawn else sight
    except Problem as e:  # everything else about a picture can still be judged
        _note_trouble(report, e.in_words())
        return sight


def _note_trouble(report: Report, words: str) -> None:
    report("note", message=f"who the pictures show was not compared: {words}")


def _by_processes(who: looks.Eyes, left: list[Task], should_stop: Callable[[], bool]) -> Iterator[tuple[Task, Result]]:
    """Takes tasks out of `left` as their results come. Where a process dies, those in hand are looked at one by one, so that the one that
    kills it is known."""
    running: dict[Future[Result], Task] = {}
    try:
        with _pool() as pool:
            waiting = iter(list(left))
            while not should_stop():
                while len(running) < NUM_PROCESSES * IN_HAND and (task := next(waiting, None)):
                    running[pool.submit(look_in_process, who.face, who.face_key, task)] = task
                if not running:
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    task = running.pop(future)
                    left.remove(task)
                    yield task, result
            for future in [future for future in running if not future.cancel()]:  # what is in hand is finished
                left.remove(running[future])
                yield running[future], future.result()
    except BrokenProcessPool:
        for task in list(running.values()):
            left.remove(task)
            yield task, _look_alone(who, task)


def _look_alone(who: looks.Eyes, task: Task) -> Result:
    try:
        with _pool(1) as pool:
            return pool.submit(look_in_process, who.face, who.face_key, task).result()
    except BrokenProcessPool:
        return "looking at it needs more memory than there is"


@contextmanager
def _pool(num_processes: int = NUM_PROCESSES) -> Iterator[ProcessPoolExecutor]:
    """Processes of one thread each, started afresh (Windows knows no other way), which end with this one."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(num_processes, mp_context=context, initializer=_begin)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    import cv2  # in the process that looks only

    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that was killed can't tell its processes to end."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


# -- in the process that looks


def look_in_process(face: eyes.Eye, key: str, task: Task) -> Result:
    return look_at(_open_face(face, key), task)


def look_at(sight: "OpenEyes", task: Task) -> Result:
    """The looks of one item, or why there are none."""
    from studio.data.looking.observing import look_at_frames, look_at_photo  # loads OpenCV, which the window never needs

    try:
        if task.kind == "photo":
            return (look_at_photo(open_for_measuring(task.path, LOOK_SIDE), sight),)
        return look_at_frames(_frames(task), sight)
    except (OSError, ValueError) as e:
        return str(e)


def _frames(task: Task) -> list[np.ndarray]:
    """Three frames of a clip, of at most CLIP_SIDE px."""
    size = fit_side(task.width, task.height, CLIP_SIDE)
    return [read_frames(task.path, 1, task.fps, task.seconds * part, size)[0] for part in MOMENTS]


@cache
def _open_face(face: eyes.Eye, key: str) -> "OpenEyes":
    """Once in a process."""
    from studio.data.looking.observing import OpenEyes  # loads OpenCV

    sight = face.open(None)
    assert isinstance(sight, eyes.FaceSight), f"the eye {face.name!r} says that it gives faces, and has no method for it"
    return OpenEyes(sight, key)
