"""The settings of captions; `studio.config` has them beside the others."""

from dataclasses import dataclass

from studio.config.sections import Section, setting


@dataclass(frozen=True, kw_only=True)
class CaptionConfig(Section):
    """By whom captions are written, and how."""

    captioner: str = setting(
        "",
        "The model that writes captions: its name, its folder, owner/name of the hub, or the address of a server. Empty: the one that suits this computer.",
        label="Captioner",
        term="VLM",
    )
    server_model: str = setting(
        "",
        "Which of a server's models is asked; empty: the first one that can look at pictures.",
        label="Model of the server",
        term="model",
    )
    may_leave: bool = setting(
        False, "Whether pictures may be sent to a captioner on another computer.", label="Pictures may leave this computer", term="remote"
    )
    style: str = setting(
        "standard",
        "How much a caption says; the wording of each style is a file in presets/captions.",
        label="Style of the captions",
        term="caption style",
    )
    max_new_tokens: int = setting(
        120, "Longest caption.", label="Longest caption", term="max new tokens", unit="tokens", minimum=8, maximum=512
    )
