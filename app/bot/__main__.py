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

EXIT_FAILED = 1
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


def refuse(message: str) -> int:
    print(f"error: {message}", file=sys.stderr)
    return EXIT_CONFIG


def run(config: Config, token: str) -> int:
    """Runs the bot until it ends, and says in the exit code whether starting it again can help."""
    log.set_up(config.log_level)
    try:
        asyncio.run(serve(Bot(config.guild_id, config.time_zone), token))
    except ConfigError as error:
        return refuse(str(error))
    except discord.LoginFailure:
        return refuse("Discord refuses DISCORD_TOKEN: it is mistyped, or was reset in the developer portal")
    except OSError as error:
        # A stack trace would say nothing about the network.
        logger.error("cannot reach Discord: %s", error)  # noqa: TRY400
        return EXIT_FAILED
    except Exception:
        logger.exception("stopped by an unexpected error")
        return EXIT_FAILED
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bot",
        description="A small Discord bot. Environment: DISCORD_TOKEN, GUILD_ID (optional), LOG_LEVEL, TZ.",
        epilog="exit codes: 0 stopped in order, 1 failed, 2 wrong use, 78 the environment must be corrected first",
    )
    parser.add_argument(
        "--check", action="store_true", help="verify the installation: no token, no network; exit code 0"
    )
    arguments = parser.parse_args()
    try:
        config = read_config(os.environ)
        if not arguments.check:
            return run(config, config.require_token())
    except ConfigError as error:
        return refuse(str(error))
    print(asyncio.run(check(config)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
