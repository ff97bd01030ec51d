import logging

import pytest

from bot.config import ConfigError, read_config


def test_an_empty_environment_gives_the_defaults() -> None:
    config = read_config({})
    assert (config.token, config.guild_id, config.log_level, config.time_zone.key) == (None, None, logging.INFO, "UTC")


def test_every_variable_is_read() -> None:
    config = read_config({"DISCORD_TOKEN": " t ", "GUILD_ID": "42", "LOG_LEVEL": "debug", "TZ": "Europe/Berlin"})
    assert config.require_token() == "t"
    assert (config.guild_id, config.log_level, config.time_zone.key) == (42, logging.DEBUG, "Europe/Berlin")


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"GUILD_ID": "my guild"}, "GUILD_ID is 'my guild'"),
        ({"LOG_LEVEL": "loud"}, "DEBUG, INFO, WARNING, ERROR"),
        ({"TZ": "Mars/Base"}, "TZ is 'Mars/Base'"),
        ({"TZ": "../etc/passwd"}, "TZ is"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(environment: dict[str, str], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        read_config(environment)


def test_a_missing_token_is_asked_for() -> None:
    with pytest.raises(ConfigError, match="DISCORD_TOKEN is not set"):
        read_config({}).require_token()


def test_the_token_is_not_shown_with_the_configuration() -> None:
    assert "s3cret" not in repr(read_config({"DISCORD_TOKEN": "s3cret"}))
