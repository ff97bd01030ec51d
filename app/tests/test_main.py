"""The bot as a process: exit codes, signals, and what it prints."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import override

import pytest

APP = Path(__file__).parent.parent
EXIT_CONFIG = 78


def environment(**variables: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(APP), "PYTHONDONTWRITEBYTECODE": "1", **variables}


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bot", *arguments]
    return subprocess.run(
        command, cwd=APP, env=environment(**variables), capture_output=True, text=True, timeout=60, check=False
    )


def start_against(port: int) -> list[str]:
    """The command that runs the bot with a Discord at this port of this machine."""
    start = (
        "import sys, discord.http, bot.__main__ as m;"
        f"discord.http.Route.BASE = 'http://127.0.0.1:{port}';"
        "sys.argv = ['bot']; sys.exit(m.main())"
    )
    return [sys.executable, "-c", start]


def run_against(port: int, **variables: str) -> subprocess.CompletedProcess[str]:
    """With everything logged: what must not be shown would show."""
    env = environment(DISCORD_TOKEN="s3cret", LOG_LEVEL="DEBUG", **variables)
    return subprocess.run(
        start_against(port), cwd=APP, env=env, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def silent_server() -> Iterator[socket.socket]:
    """Accepts connections and never answers: a Discord that keeps the bot waiting."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


class Discord(BaseHTTPRequestHandler):
    """Answers as Discord's REST interface answers a bot that may not register commands."""

    accepted = "s3cret"

    def answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        user = {"id": "1", "username": "bot", "discriminator": "0", "avatar": None}
        application = {
            "id": "1",
            "name": "bot",
            "icon": None,
            "description": "",
            "verify_key": "",
            "flags": 0,
            "owner": user,
            "bot_public": True,
            "bot_require_code_grant": False,
        }
        if self.headers["Authorization"] != f"Bot {self.accepted}":
            self.answer(401, {"message": "401: Unauthorized", "code": 0})
        else:
            self.answer(200, user if self.path == "/users/@me" else application)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(403, {"message": "Missing Access", "code": 50001})

    @override
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def discord() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Discord) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_check_needs_no_token_and_names_the_commands() -> None:
    result = run("--check")
    assert (result.returncode, result.stderr) == (0, "")
    assert "commands about, ping" in result.stdout


def test_check_fails_on_a_wrong_environment() -> None:
    result = run("--check", GUILD_ID="nobody")
    assert result.returncode == EXIT_CONFIG
    assert "GUILD_ID is 'nobody'" in result.stderr


def test_without_a_token_it_says_so_and_exits_78() -> None:
    result = run()
    assert result.returncode == EXIT_CONFIG
    assert result.stderr.startswith("error: DISCORD_TOKEN is not set")


def test_an_unknown_argument_is_wrong_use() -> None:
    assert run("--chekc").returncode == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_connecting_stops_it_in_order(silent_server: socket.socket, number: signal.Signals) -> None:
    port = silent_server.getsockname()[1]
    process = subprocess.Popen(
        start_against(port),
        cwd=APP,
        env=environment(DISCORD_TOKEN="s3cret"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    connection, _ = silent_server.accept()
    with connection:
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stderr) == (0, "")
    assert '"message": "stopping"' in stdout
    assert "s3cret" not in stdout


def test_a_rejected_token_is_wrong_configuration_and_is_never_shown(
    discord: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Discord, "accepted", "another")
    result = run_against(discord)
    assert result.returncode == EXIT_CONFIG
    assert result.stderr.startswith("error: Discord refuses DISCORD_TOKEN")
    assert "s3cret" not in result.stdout + result.stderr


def test_a_guild_that_the_bot_is_not_in_is_wrong_configuration(discord: int) -> None:
    result = run_against(discord, GUILD_ID="42")
    assert result.returncode == EXIT_CONFIG
    assert result.stderr.startswith("error: GUILD_ID is '42'")
    assert "s3cret" not in result.stdout + result.stderr


def test_an_unreachable_discord_is_one_log_line_and_may_be_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    result = run_against(port)
    assert (result.returncode, result.stderr) == (1, "")
    last = json.loads(result.stdout.splitlines()[-1])
    assert (last["level"], "cannot reach Discord" in last["message"]) == ("error", True)
    assert "s3cret" not in result.stdout


def test_an_unexpected_error_is_logged_as_json(discord: int) -> None:
    result = run_against(discord)
    assert (result.returncode, result.stderr) == (1, "")
    last = json.loads(result.stdout.splitlines()[-1])
    assert (last["message"], "Missing Access" in last["exception"]) == ("stopped by an unexpected error", True)
    assert "voice" not in result.stdout
