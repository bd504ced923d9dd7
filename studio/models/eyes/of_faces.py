"""The eye for photos of real people, with any base model: it comes with the studio, and sees faces, who they are and which way they look."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studio.models.eyes import EMBEDDINGS, FACES, FaceSight, LikenessScale
from studio.models.faces.face_files import HASHES, list_files, read_checked
from studio.models.preset import ModelPreset

if TYPE_CHECKING:
    from studio.models.catalogue import BaseModel


# of 33 people (FACTS.md): strangers .09 on average; shares of held-out photos scatter by 24 to 160 points with 3 references, 12 to 19 with 5, 8 to 11
# with 10, 7 to 8 with 20
SCALE = LikenessScale(floor=0.10, least=5, sure=10)


@dataclass(frozen=True)
class FaceEye:
    name: str = "faces"
    version: int = 2
    title: str = "The studio's own eye for faces"
    gives: frozenset[str] = frozenset((EMBEDDINGS, FACES))
    needs_base: bool = False
    milliseconds: float = 63.0  # 13 to find faces where one is large, 22 more where none is, 29 to tell who, 5 for the angle, 16 for the outline (FACTS.md, 960 px)
    licence: str = "MIT (YuNet), Apache-2.0 (SFace, MediaPipe's mesh and outline)"
    scale: LikenessScale = SCALE
    unseen: str = "no face is seen in most of the person's pictures; keep photos in which the face can be seen"

    def is_for(self, preset: ModelPreset) -> bool:
        return True

    def files(self, base: "BaseModel | None") -> list[Path]:
        return list_files()

    def open(self, base: "BaseModel | None") -> FaceSight:
        from studio.models.faces.sight import FaceSight as Opened  # OpenCV is loaded where somebody looks

        for name in HASHES:
            read_checked(name)
        return Opened()


EYE = FaceEye()
