import { writeFileSync } from "node:fs";
import path from "node:path";
import { packageRoot } from "../../../lib/system/paths";
import type { Run } from "./world";

/** A case that has passed. */
export interface Row {
    readonly name: string;
    /** The command that met the fault. */
    readonly met: Run;
    /** The commands after which all was well. */
    readonly recovery: readonly (readonly string[])[];
    /** Of everything: the fault, the recovery, and what was checked. */
    readonly seconds: number;
}

const cell = (text: string) => text.replaceAll("|", "\\|");

/** Returns what a command ended with, in words. */
function ending({ typed, code }: Run): string {
    if (code === 0) return `\`${typed}\` is done`;
    if (code === 2) return `\`${typed}\` says what differs (2)`;
    return `\`${typed}\` fails (${code.toString()})`;
}

/** Returns the first next step that a command named, without ports and folders of this run; "" if it named none. */
function nextStep({ output }: Run, folder: string): string {
    const [, next = ""] = /\bnext: (.*)/.exec(output) ?? [];
    return next
        .replaceAll(folder, "…")
        .replace(/registry\.localhost:\d+/g, "the registry")
        .replace(/https?:\/\/127\.0\.0\.1:\d+/g, "GitHub");
}

/** A case that was not run, because the product lacks something. */
export interface NotRun {
    readonly name: string;
    readonly lacking?: string;
}

/**
 * Writes docs/reliability.md: what each fault came to when all of them were last tried.
 *
 * @param folder that of the lab
 */
export function writeReliability(rows: readonly Row[], notRun: readonly NotRun[], folder: string): void {
    const lines = rows.map(({ name, met, recovery, seconds }) => {
        const next = nextStep(met, folder);
        const commands = recovery.map(
            (args) => `\`${args[0] ?? ""}${args.includes("--replace") ? " --replace …" : ""}\``,
        );
        const cells = [name, ending(met), next, commands.join(", then "), seconds.toFixed(0)];
        return `| ${cells.map(cell).join(" | ")} |`;
    });
    const text = `# Reliability

<!-- Written by \`npm run test:faults\`. -->

What happens to a stack when something fails, as it was last tried: two images on each other, in a folder whose name has a space
and an accent, with the real engine, providers, BuildKit and registry, and a proxy that strikes at a chosen request. After each of the ${rows.length.toString()} cases:

- the command succeeded, or said what to do next, and revealed no secret;
- every digest that was ever good could be pulled, with its configuration and layers;
- every promoted tag named a release whose smoke tests had passed;
- the commands in the fourth column brought the stack back, with no operation pending, and an update had nothing left to do.

| what happens | what the command comes to | the first next step that it names | all is well after | seconds |
| --- | --- | --- | --- | --- |
${lines.join("\n")}
${notRun.map(({ name, lacking = "" }) => `\nNot run, for lack of ${lacking}: ${name}.\n`).join("")}
\`npm run test:faults -- --fuzz\` changes random hierarchies with random faults, and compares each update with a model of what must be built.
`;
    writeFileSync(path.join(packageRoot, "docs", "reliability.md"), text);
}
