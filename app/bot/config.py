"""The bot's environment, read and checked in one place."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class ConfigError(Exception):
    """Something in the environment is missing or wrong; the message says what to do."""


@dataclass(frozen=True)
class Config:
    # Not shown where the configuration is printed or logged.
    token: str | None = field(repr=False)
    guild_id: int | None
    log_level: int
    time_zone: ZoneInfo

    def require_token(self) -> str:
        if self.token is None:
            message = "DISCORD_TOKEN is not set: create a token in Discord's developer portal and pass it"
            raise ConfigError(message)
        return self.token


def _guild_id(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal():
        message = f"GUILD_ID is {text!r}: a guild's id has digits only (Discord, developer mode, Copy Server ID)"
        raise ConfigError(message)
    return int(text)


def _log_level(text: str) -> int:
    level = text.upper() or "INFO"
    if level not in LOG_LEVELS:
        message = f"LOG_LEVEL is {text!r}: allowed are {', '.join(LOG_LEVELS)}"
        raise ConfigError(message)
    return logging.getLevelNamesMapping()[level]


def _time_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError) as error:
        message = f"TZ is {name!r}: not a time zone such as Europe/Berlin"
        raise ConfigError(message) from error


def read_config(environment: Mapping[str, str]) -> Config:
    return Config(
        token=environment.get("DISCORD_TOKEN", "").strip() or None,
        guild_id=_guild_id(environment.get("GUILD_ID", "").strip()),
        log_level=_log_level(environment.get("LOG_LEVEL", "").strip()),
        time_zone=_time_zone(environment.get("TZ", "").strip()),
    )
