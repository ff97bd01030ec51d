"""A small Discord bot: slash commands, structured logs, a graceful stop."""

VERSION = "1.0.0"
