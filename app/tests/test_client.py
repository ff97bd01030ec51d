import json
import logging
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.client import Bot, describe_latency, describe_uptime
from bot.log import JsonFormatter


def test_latency_is_told_in_milliseconds_and_left_out_before_it_is_known() -> None:
    assert describe_latency(0.0421) == "pong after 42 ms"
    assert describe_latency(float("nan")) == "pong"


def test_uptime_counts_hours_past_a_day() -> None:
    uptime = timedelta(days=1, hours=2, minutes=3, seconds=4)
    assert "up for 26:03:04, it is 12:30 UTC" in describe_uptime(uptime, datetime(2026, 1, 2, 12, 30, tzinfo=UTC))


async def test_the_slash_commands_are_registered_with_descriptions() -> None:
    async with Bot(None, ZoneInfo("UTC")) as client:
        commands = {command.name: command.to_dict(client.tree)["description"] for command in client.tree.get_commands()}
    assert set(commands) == {"ping", "about"}
    assert all(commands.values())


async def test_the_bot_reads_no_messages() -> None:
    async with Bot(None, ZoneInfo("UTC")) as client:
        assert not client.intents.message_content


def test_a_log_line_is_one_json_object_with_the_exception_inside() -> None:
    try:
        message = "boom\nwith a second line"
        raise ValueError(message)
    except ValueError as error:
        record = logging.LogRecord("bot", logging.ERROR, __file__, 1, "it %s", ("failed",), (ValueError, error, None))
    line = JsonFormatter().format(record)
    assert "\n" not in line
    entry = json.loads(line)
    assert (entry["level"], entry["message"]) == ("error", "it failed")
    assert "boom" in entry["exception"]
