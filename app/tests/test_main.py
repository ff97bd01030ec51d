"""The bot as a process: exit codes, signals, and what it prints."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture
def silent_server() -> Iterator[socket.socket]:
    """Accepts connections and never answers: a Discord that keeps the bot waiting."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


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
    start = (
        "import sys, discord.http, bot.__main__ as m;"
        f"discord.http.Route.BASE = 'http://127.0.0.1:{port}';"
        "sys.argv = ['bot']; sys.exit(m.main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", start],
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
