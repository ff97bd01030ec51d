"""The connection to Discord and the slash commands."""

import logging
import time
from datetime import datetime, timedelta
from typing import override
from zoneinfo import ZoneInfo

import discord
from discord import app_commands

from bot import VERSION
from bot.config import ConfigError

log = logging.getLogger(__name__)


def describe_latency(seconds: float) -> str:
    """Discord reports NaN before the first heartbeat."""
    return "pong" if seconds != seconds else f"pong after {seconds * 1000:.0f} ms"  # noqa: PLR0124


def describe_uptime(uptime: timedelta, now: datetime) -> str:
    hours, rest = divmod(int(uptime.total_seconds()), 3600)
    minutes, seconds = divmod(rest, 60)
    return f"version {VERSION}, up for {hours}:{minutes:02}:{seconds:02}, it is {now:%H:%M %Z}"


class Bot(discord.Client):
    def __init__(self, guild_id: int | None, time_zone: ZoneInfo) -> None:
        # Otherwise every start warns of missing voice packages, which this bot does not use.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        # Slash commands need no privileged intents: the bot reads no messages.
        super().__init__(intents=discord.Intents.default())
        self.guild = discord.Object(guild_id) if guild_id else None
        self.time_zone = time_zone
        self.started = time.monotonic()
        self.tree = app_commands.CommandTree(self)
        self.tree.command(name="ping", description="Is the bot there, and how quickly?")(self.ping)
        self.tree.command(name="about", description="Which version runs, and since when?")(self.about)

    async def ping(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(describe_latency(self.latency), ephemeral=True)

    async def about(self, interaction: discord.Interaction) -> None:
        uptime = timedelta(seconds=time.monotonic() - self.started)
        text = describe_uptime(uptime, datetime.now(self.time_zone))
        await interaction.response.send_message(text, ephemeral=True)

    @override
    async def setup_hook(self) -> None:
        if self.guild:
            self.tree.copy_global_to(guild=self.guild)
        try:
            commands = await self.tree.sync(guild=self.guild)
        except discord.Forbidden as error:
            if self.guild is None:
                raise
            message = f"GUILD_ID is '{self.guild.id}': the bot may not add commands there: invite it, or correct the id"
            raise ConfigError(message) from error
        log.info("slash commands registered: %s", ", ".join(command.name for command in commands))

    async def on_ready(self) -> None:
        log.info("connected as %s", self.user)
