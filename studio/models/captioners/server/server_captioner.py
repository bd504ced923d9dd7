"""A captioner that a server has: each question goes there with its pictures, a clip's each behind its second."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.models.captioners.family import Answer
from studio.models.captioners.server.served import Served, ServedModel, choose_model, look_at
from studio.models.captioners.server.server_address import read_address
from studio.models.captioners.server.server_client import USUAL, Patience, ServerClient

if TYPE_CHECKING:
    from PIL import Image

JPEG_QUALITY = 92
TEMPERATURE = 0.7  # of an answer that is asked for anew


@dataclass
class ServerCaptioner:
    """A model of a server, as a captioner."""

    client: ServerClient
    served: Served
    model: ServedModel
    sees_movement: bool = True

    @property
    def name(self) -> str:
        return self.model.id

    @property
    def version(self) -> str:
        return f"{self.served.program} at {self.client.address.where}"

    def answer(self, pictures: Sequence[Image.Image], fps: float, instruction: str, max_new_tokens: int, attempt: int = 0) -> Answer:
        content = [*_parts(pictures, fps), {"type": "text", "text": instruction}]
        body = {
            "model": self.model.id,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": max_new_tokens,
            "temperature": TEMPERATURE if attempt else 0.0,
            "seed": attempt,
        }
        return self.client.answer(body)

    def close(self) -> None:
        self.client.close()


def open_server(
    address: str, model: str, may_leave: bool, should_stop: Callable[[], bool] = lambda: False, patience: Patience = USUAL
) -> ServerCaptioner:
    """The model of that name at an address, else the first one there that looks at pictures. Problem in words if there is none."""
    client = ServerClient(read_address(address, may_leave), should_stop, patience)
    try:
        served = look_at(client)
        return ServerCaptioner(client, served, choose_model(served, model, may_leave, client.address.where))
    except BaseException:
        client.close()
        raise


def _parts(pictures: Sequence[Image.Image], fps: float) -> list[dict[str, Any]]:
    parts = []
    for i, picture in enumerate(pictures):
        if fps:
            parts.append({"type": "text", "text": f"The clip at {i / fps:.1f} seconds:"})
        parts.append({"type": "image_url", "image_url": {"url": _as_data(picture)}})
    return parts


def _as_data(picture: Image.Image) -> str:
    """The picture alone, without what its file said of place and camera."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
