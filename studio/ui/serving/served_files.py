"""The only files a browser may read: thumbnails, faces, previews, comparison clips and their posters, reports. Reading changes nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

from studio.data.cropping.face_pictures import face_picture
from studio.data.dataset import get_item
from studio.data.media.thumbnails import find_thumbnail, preview, thumbnail
from studio.data.pieces.trained_view import trained_view
from studio.ui.dataset.clip_view import excerpt_of
from studio.workspace import Workspace, safe_join

TYPES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp", ".mp4": "video/mp4", ".webm": "video/webm", ".html": "text/html"}
SHOWN = (".jpg", ".png", ".webp", ".mp4", ".webm")
CACHED = {"cache-control": "private, max-age=86400"}
FRESH = {"cache-control": "private, no-cache"}
REPORT_POLICY = (
    "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; sandbox allow-scripts"
)


def media_routes(workspace: Workspace) -> APIRouter:
    router = APIRouter(prefix="/media")

    @router.get("/{slug}/thumbnails/{item_id}")
    def get_thumbnail(slug: str, item_id: str, v: str = "") -> FileResponse:
        with found():
            project = workspace.project(slug)
            return send(find_thumbnail(project, v) or thumbnail(project, get_item(project, item_id)))

    @router.get("/{slug}/previews/{item_id}")
    def get_preview(slug: str, item_id: str) -> FileResponse:
        with found():
            project = workspace.project(slug)
            return send(preview(project, get_item(project, item_id)))

    @router.get("/{slug}/faces/{item_id}")
    def get_face(slug: str, item_id: str, face: int = 0) -> FileResponse:
        with found():
            project = workspace.project(slug)
            return send(face_picture(project, get_item(project, item_id), face))

    @router.get("/{slug}/trained/{item_id}")
    def get_trained(slug: str, item_id: str) -> FileResponse:
        with found():
            project = workspace.project(slug)
            item = get_item(project, item_id)
            return send(trained_view(project, item, excerpt_of(project, item)))

    @router.get("/{slug}/sweeps/{sweep}/cells/{name}")
    def get_cell(slug: str, sweep: str, name: str) -> FileResponse:
        with found():
            return send(safe_join(workspace.project(slug).sweep_dir(sweep) / "cells", name), (".mp4", ".jpg"))

    @router.get("/{slug}/sweeps/{sweep}/comparisons/{name}")
    def get_comparison(slug: str, sweep: str, name: str) -> FileResponse:
        with found():
            return send(safe_join(workspace.project(slug).sweep_dir(sweep) / "comparisons", name), (".mp4",), FRESH)

    @router.get("/{slug}/sweeps/{sweep}/report.html")
    def get_report(slug: str, sweep: str) -> FileResponse:
        with found():
            return send(
                workspace.project(slug).sweep_dir(sweep) / "report.html", (".html",), FRESH | {"content-security-policy": REPORT_POLICY}
            )

    return router


class found:
    """A wrong name or a missing file is 404, in one sentence."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if isinstance(error, (ValueError, OSError)):
            raise HTTPException(404, "There is no such picture, clip or report.") from None


def send(path: Path, allowed: Sequence[str] = SHOWN, headers: Mapping[str, str] = CACHED) -> FileResponse:
    """The file with range requests and an etag; addresses carry a version, so that a browser may keep it."""
    if path.suffix.lower() not in allowed or not path.is_file():
        raise FileNotFoundError(path.name)
    return FileResponse(path, media_type=TYPES[path.suffix.lower()], headers=headers)
