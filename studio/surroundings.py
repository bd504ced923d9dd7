"""What a person's environment says to other programs. The window talks to this computer only: a proxy, a file of certificates or another
server's settings can do nothing for it but keep it from starting. A download wants the first two, and so does a browser. So the window
puts them aside under other names, and what it starts gets them back.
"""

from collections.abc import Mapping, MutableMapping

APART = "STUDIO_APART"  # set in a process that put them aside
_ASIDE = "STUDIO_ASIDE_"
_NAMES = (
    *("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy", "ws_proxy", "wss_proxy"),
    *("ssl_cert_file", "ssl_cert_dir", "sslkeylogfile", "requests_ca_bundle", "curl_ca_bundle"),
    *("web_concurrency", "forwarded_allow_ips"),
)
_PREFIXES = ("gradio_", "uvicorn_")
OWN = {"NO_PROXY": "*", "GRADIO_ANALYTICS_ENABLED": "False"}  # "*": not the one in Windows' settings either


def put_aside(environ: MutableMapping[str, str]) -> None:
    """Take what is for other programs out of this process's environment. Before gradio is imported: it reads them then."""
    if APART in environ:
        return
    for name in [name for name in environ if _is_for_others(name)]:
        environ[_ASIDE + name] = environ.pop(name)
    environ.update(OWN, **{APART: "1"})


def as_found(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment as the person has it, for a process that may go online."""
    if APART not in environ:
        return dict(environ)
    found = {name: value for name, value in environ.items() if name != APART and not _is_for_others(name) and not name.startswith(_ASIDE)}
    return found | {name.removeprefix(_ASIDE): value for name, value in environ.items() if name.startswith(_ASIDE)}


def _is_for_others(name: str) -> bool:
    return name.casefold() in _NAMES or name.casefold().startswith(_PREFIXES)
