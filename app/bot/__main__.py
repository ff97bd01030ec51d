"""Runs the bot: `python -m bot`, or `python -m bot --check` to verify the installation without a token or a network."""

import argparse
import asyncio
import importlib
import logging
import os
import pkgutil
import signal
import sys

import discord

import bot
from bot import log
from bot.client import Bot
from bot.config import Config, ConfigError, read_config

# sysexits.h, EX_CONFIG: whoever restarts services must not try again before somebody has changed something.
EXIT_CONFIG = 78

logger = logging.getLogger("bot")


async def check(config: Config) -> str:
    """Imports every module and builds the commands; returns what was found in order."""
    modules = [module.name for module in pkgutil.walk_packages(bot.__path__, "bot.") if module.name != "bot.__main__"]
    for name in modules:
        importlib.import_module(name)
    async with Bot(config.guild_id, config.time_zone) as client:
        commands = sorted(command.name for command in client.tree.get_commands())
    return f"ok: {len(modules)} modules, commands {', '.join(commands)}, time zone {config.time_zone.key}"


async def serve(client: Bot, token: str) -> None:
    """Runs until the connection ends or SIGTERM or SIGINT asks for an orderly stop."""
    loop = asyncio.get_running_loop()
    connection = asyncio.create_task(client.start(token))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, connection.cancel)
    try:
        await connection
    except asyncio.CancelledError:
        logger.info("stopping")
    finally:
        await client.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bot", description="A small Discord bot.")
    parser.add_argument(
        "--check", action="store_true", help="verify the installation: no token, no network; exit code 0"
    )
    arguments = parser.parse_args()
    try:
        config = read_config(os.environ)
        if arguments.check:
            print(asyncio.run(check(config)))
            return 0
        token = config.require_token()
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_CONFIG
    log.set_up(config.log_level)
    try:
        asyncio.run(serve(Bot(config.guild_id, config.time_zone), token))
    except discord.LoginFailure:
        print(
            "error: Discord refuses DISCORD_TOKEN: it is mistyped, or was reset in the developer portal",
            file=sys.stderr,
        )
        return EXIT_CONFIG
    return 0


if __name__ == "__main__":
    sys.exit(main())
