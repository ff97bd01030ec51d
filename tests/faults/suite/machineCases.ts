import { chmodSync, readFileSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import path from "node:path";
import { updatesFile } from "./world";
import { expect } from "../../mocha";
import { type Case, type Play, failed, mounting, nothing } from "./plays";

const day = 24 * 3600;

/** Has all files of a folder, but not those that links lead to, changed so many seconds after now. */
function date(folder: string, seconds: number): void {
    const time = Date.now() / 1000 + seconds;
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const file = path.join(folder, entry.name);
        if (entry.isDirectory()) date(file, seconds);
        if (entry.isDirectory() || entry.isFile()) utimesSync(file, time, time);
    }
}

/** Previews a stack whose files and recorded updates have the dates that a clock left which was so many seconds ahead. */
const afterClock =
    (seconds: number): Play =>
    async ({ world, repository, run }) => {
        date(repository.root, seconds);
        const records = updatesFile(world, repository);
        const known = readFileSync(records, "utf8");
        const moved = known.replace(/(?<="start": ?")[^"]+/g, (start) =>
            new Date(Date.parse(start) + seconds * 1000).toISOString(),
        );
        expect(moved).not.toBe(known);
        writeFileSync(records, moved);
        return await run(["preview", "--expect-no-changes"]);
    };

/** Runs an update as a user to whom nothing belongs. */
const asAnother: Play = async ({ world, run }) => {
    const folder = path.dirname(world.lab.paths.state);
    const { mode } = statSync(folder);
    chmodSync(folder, 0o755);
    try {
        // The shell becomes the other user's command, instead of its own.
        return await run(["up"], { first: 'exec setpriv --reuid=65534 --regid=65534 --clear-groups -- "$0" "$@"' });
    } finally {
        chmodSync(folder, mode);
    }
};

/** What is wrong with the machine that runs the command. */
export const machineCases: readonly Case[] = [
    {
        name: "the checkout can't be written",
        play: mounting(({ repository }) => ({
            at: repository.root,
            commands: [
                ["--bind", repository.root],
                ["--options", "remount,bind,ro"],
            ],
        })),
        code: [0, ...failed],
    },
    {
        name: "the temporary folder is full",
        play: mounting(
            ({ world }) => ({
                at: path.join(world.lab.paths.state, "full"),
                commands: [["--types", "tmpfs", "--options", "size=4k", "tmpfs"]],
            }),
            (at) => ({ env: { TMPDIR: at } }),
        ),
        code: [0, ...failed],
    },
    {
        name: "64 open files are all that a process may have",
        play: ({ run }) => run(["up"], { first: "ulimit -n 64" }),
        code: [0, ...failed],
    },
    {
        name: "another user runs it, who may read what the first one made and write nothing of it",
        play: asAnother,
        code: failed,
    },
    {
        name: "HOME is not set, and the locale is C",
        play: ({ run }) => run(["up"], { first: "unset HOME", env: { LC_ALL: "C" } }),
    },
    {
        name: "the clock was a day ahead: files and recorded updates are of tomorrow",
        change: nothing,
        play: afterClock(day),
    },
    {
        name: "the clock was ten years behind: files and recorded updates are as old",
        change: nothing,
        play: afterClock(-3650 * day),
    },
    {
        name: "the clock goes back: a file changes, and has the date and the size that it had",
        change: nothing,
        play: async ({ repository, run }) => {
            const file = path.join(repository.root, "leaf.txt");
            const { atime, mtime } = statSync(file);
            const text = repository.read("leaf.txt");
            repository.write(
                "leaf.txt",
                text.replace(/^./, (first) => (first === "C" ? "c" : "C")),
            );
            utimesSync(file, atime, mtime);
            const planned = await run(["preview", "--expect-no-changes"]);
            expect(planned.code, planned.output).not.toBe(0);
            return await run(["up"]);
        },
    },
];
