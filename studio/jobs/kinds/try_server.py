"""Test a server of captioners: whether it answers, which of its models looks at pictures, and what it says of a drawn one."""

import time
from dataclasses import dataclass

from studio.facts import Facts
from studio.jobs.kind import PROCESSOR, JobConfig, Work
from studio.models.captioners.server.server_captioner import open_server

TITLE = "Test the captioner"
QUEUE = PROCESSOR
QUESTION = "What is in the middle of this picture, and of which color is it? Answer in one short sentence."
MOST_TOKENS, SHOWN_CHARACTERS = 60, 160


@dataclass(frozen=True, kw_only=True)
class TryServerJob(JobConfig):
    """address, model, may_leave: as the settings of captions have them."""

    KIND = "try_server"
    ALWAYS_WRITTEN = (*JobConfig.ALWAYS_WRITTEN, "address", "model", "may_leave")
    address: str
    model: str = ""
    may_leave: bool = False


@dataclass(frozen=True, kw_only=True)
class ServerTrial(Facts):
    """What the server said. models: the names of those it has; seconds: until the answer was whole; leaves: what goes where, in a sentence."""

    ALWAYS_WRITTEN = ("program", "model", "answer", "seconds")
    program: str = ""
    model: str = ""
    models: tuple[str, ...] = ()
    answer: str = ""
    seconds: float = 0.0
    leaves: str = ""


Config = TryServerJob
Result = ServerTrial


def run(config: TryServerJob, work: Work) -> ServerTrial:
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (224, 224), "white")
    ImageDraw.Draw(picture).ellipse((56, 56, 168, 168), fill="red")
    captioner = open_server(config.address, config.model, config.may_leave, work.recorder.should_stop)
    try:
        started = time.monotonic()
        answer = captioner.answer([picture], 0.0, QUESTION, MOST_TOKENS)
        seconds = time.monotonic() - started
    finally:
        captioner.close()
    return ServerTrial(
        program=captioner.served.program,
        model=captioner.name,
        models=tuple(model.id for model in captioner.served.models),
        answer=" ".join(answer.text.split())[:SHOWN_CHARACTERS],
        seconds=round(seconds, 1),
        leaves=captioner.client.address.what_leaves(),
    )


def describe_end(result: ServerTrial) -> str:
    said = f"was shown a red disc and said: {result.answer}" if result.answer else "was shown a red disc and said nothing"
    return f"{result.program} answers. {result.model} {said} ({result.seconds:g} s). {result.leaves}"
