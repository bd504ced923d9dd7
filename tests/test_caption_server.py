"""Captions by a server on this computer: what it is sent, what stays here, and what is said when it is down, blind, slow or talks nonsense."""

import socket
import threading
import time

import pytest
from caption_server_kit import ANSWER, MODELS, asked, caption_server
from PIL import Image

from studio.errors import Problem
from studio.models.captioners.family import Interrupted
from studio.models.captioners.server.server_address import read_address
from studio.models.captioners.server.server_captioner import open_server
from studio.models.captioners.server.server_client import Patience

PICTURE = Image.new("RGB", (64, 48), "red")
QUICK = Patience(first=20.0, next=1.0, whole=30.0, reach=0.5)


def ask(address, model="", may_leave=False, pictures=(PICTURE,), fps=0.0, should_stop=lambda: False, patience=QUICK):
    captioner = open_server(address, model, may_leave, should_stop, patience)
    try:
        return captioner, captioner.answer(list(pictures), fps, "What is it?", 120)
    finally:
        captioner.close()


@pytest.mark.parametrize(
    ("program", "said", "model"),
    [
        ("llama.cpp", "llama.cpp b6500-abc", "Qwen3-VL-4B-Q4_K_M.gguf"),
        ("ollama", "Ollama 0.12.6", "qwen3-vl:8b"),
        ("lm_studio", "LM Studio", "a-vlm"),
        ("other", "a server", "some-model"),
    ],
)
def test_each_program_is_known_and_the_model_that_looks_at_pictures_is_asked(program, said, model, tmp_path):
    with caption_server(program, "", tmp_path / "log") as address:
        captioner, answer = ask(address)
    assert (captioner.served.program, captioner.name) == (said, model)
    assert captioner.version == f"{said} at {address.removeprefix('http://')}"
    assert (answer.text.strip(), answer.is_complete) == (ANSWER, True)
    [question] = asked(tmp_path / "log")
    assert (question["model"], question["sizes"], question["texts"]) == (model, [[64, 48]], ["What is it?"])
    assert question["temperature"] == 0.0


def test_a_clip_is_sent_as_pictures_each_behind_its_second(tmp_path):
    with caption_server("llama.cpp", "", tmp_path / "log") as address:
        ask(address, pictures=[PICTURE] * 4, fps=0.8)
    [question] = asked(tmp_path / "log")
    assert question["kinds"] == ["text", "image_url"] * 4 + ["text"]
    assert question["texts"][:4] == [f"The clip at {second} seconds:" for second in ("0.0", "1.2", "2.5", "3.8")]


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
def test_an_address_may_be_copied_from_any_programs_settings(end, tmp_path):
    with caption_server("llama.cpp", "", tmp_path / "log") as address:
        assert ask(address + end)[1].text.strip() == ANSWER


@pytest.mark.parametrize("behaviour", ["whole", "slow", "thinks"])
def test_an_answer_may_come_whole_slowly_or_after_thoughts(behaviour, tmp_path):
    with caption_server("llama.cpp", behaviour, tmp_path / "log") as address:
        assert ask(address)[1].text.strip() == ANSWER


def test_an_answer_that_was_cut_off_says_so(tmp_path):
    with caption_server("llama.cpp", "cut", tmp_path / "log") as address:
        assert ask(address)[1].is_complete is False


def test_a_server_that_still_loads_its_model_is_waited_for(tmp_path):
    with caption_server("llama.cpp", "loading", tmp_path / "log") as address:
        assert ask(address)[1].text.strip() == ANSWER
    assert len(asked(tmp_path / "log")) == 3


# -- what leaves this computer


@pytest.mark.parametrize("address", ["http://127.0.0.1:8080", "http://localhost:11434/v1", "http://[::1]:1234", "http://127.8.9.1"])
def test_on_this_computer_nothing_leaves(address):
    assert read_address(address).what_leaves() == "Nothing leaves this computer: the server runs on it."


@pytest.mark.parametrize(
    "address", ["http://192.168.1.20:8080", "https://api.example.com/v1", "http://localhost.example.com", "http://127.0.0.1.nip.io"]
)
def test_another_computer_is_used_only_if_the_person_insists_and_what_leaves_is_said(address):
    with pytest.raises(Problem) as refused:
        read_address(address)
    assert "Every photo and eight pictures of every clip" in refused.value.message
    assert refused.value.cost == "Nothing was sent."
    insisted = read_address(address, may_leave=True)
    assert insisted.where in insisted.what_leaves() and not insisted.is_here


@pytest.mark.parametrize(
    "address", ["", "8080", "ftp://127.0.0.1", "http://", "http://me:secret@127.0.0.1", "http://127.0.0.1:99999", "http://a b"]
)
def test_what_is_no_address_is_refused_with_an_example(address):
    with pytest.raises(Problem, match="can't be used") as refused:
        read_address(address)
    assert "secret" not in f"{refused.value.message}{refused.value.fix}"


def test_a_model_that_runs_at_its_makers_is_not_asked_unless_the_person_insists(tmp_path):
    cloud = "qwen3-vl:235b-cloud"
    with caption_server("ollama", "", tmp_path / "log") as address:
        with pytest.raises(Problem, match=r"does not run on this computer.*https://ollama.com"):
            ask(address, model=cloud)
        assert asked(tmp_path / "log") == []
        assert ask(address, model=cloud, may_leave=True)[0].name == cloud


def test_a_proxy_of_the_environment_gets_nothing(tmp_path, monkeypatch):
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        threading.Thread(target=lambda: heard.append(proxy.accept()), daemon=True).start()
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        with caption_server("llama.cpp", "", tmp_path / "log") as address:
            assert ask(address)[1].text.strip() == ANSWER
        assert heard == []


def test_a_server_that_sends_on_to_another_address_is_not_followed(tmp_path):
    with caption_server("llama.cpp", "redirects", tmp_path / "log") as address, pytest.raises(Problem, match="was not followed"):
        ask(address)


# -- what goes wrong


def test_no_server_at_the_address_is_said_with_what_to_start():
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with pytest.raises(Problem, match=f"No server answers at 127.0.0.1:{port}") as down:
        ask(f"http://127.0.0.1:{port}")
    assert "ollama serve" in down.value.fix


@pytest.mark.parametrize("program", MODELS)
def test_a_model_that_refuses_pictures_is_said_so(program, tmp_path):
    with caption_server(program, "refuses-pictures", tmp_path / "log") as address, pytest.raises(Problem, match="can't look at pictures"):
        ask(address)


def test_a_server_that_says_it_is_blind_is_not_sent_any_picture(tmp_path):
    with (
        caption_server("llama.cpp", "blind", tmp_path / "log") as address,
        pytest.raises(Problem, match="no model that can look at pictures"),
    ):
        ask(address)
    assert asked(tmp_path / "log") == []
    with caption_server("ollama", "", tmp_path / "log") as address, pytest.raises(Problem, match=r"llama3.2:3b can't look at pictures"):
        ask(address, model="llama3.2:3b")


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        ("wrong-model", Problem, "does not have the model"),
        ("context", Problem, "longer than the server"),
        ("html", ValueError, "something else than words"),
        ("empty", ValueError, "nothing that can be read"),
        ("breaks-off", ValueError, "broke off in the middle"),
        ("hangs", ValueError, "said nothing for 1 s"),
        ("fails-once", ValueError, "CUDA error: out of memory"),
    ],
)
def test_what_goes_wrong_is_told_in_words(behaviour, kind, words, tmp_path):
    with caption_server("llama.cpp", behaviour, tmp_path / "log") as address, pytest.raises(kind, match=words):
        ask(address)


def test_an_answer_without_end_is_cut_off(tmp_path):
    with caption_server("llama.cpp", "endless", tmp_path / "log") as address:
        answer = ask(address)[1]
    assert not answer.is_complete and len(answer.text) < 30_000


def test_a_model_that_is_not_there_is_answered_with_those_that_are(tmp_path):
    with caption_server("ollama", "", tmp_path / "log") as address, pytest.raises(Problem, match="no model named 'qwen9'") as unknown:
        ask(address, model="qwen9")
    assert "qwen3-vl:8b" in unknown.value.fix


def test_what_answers_but_serves_no_models_is_no_server_of_captions(tmp_path):
    with caption_server("other", "no-models", tmp_path / "log") as address, pytest.raises(Problem, match="lists no models"):
        ask(address)


def test_a_stop_is_seen_while_a_server_is_silent(tmp_path):
    stop = threading.Event()
    with caption_server("llama.cpp", "hangs", tmp_path / "log") as address:

        def press():
            while not asked(tmp_path / "log"):
                time.sleep(0.05)
            stop.set()

        threading.Thread(target=press, daemon=True).start()
        with pytest.raises(Interrupted):
            ask(address, should_stop=stop.is_set, patience=Patience(next=600.0))
