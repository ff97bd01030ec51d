import { existsSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { InputError } from "../errors";
import { stackPlaceholder } from "../hierarchy/channel";
import { replaceFile } from "../system/files";
import { type ConfigFile, configFileOf, openConfigFile, textSettingIn } from "./configFile";
import { projectName } from "./stacks";

/*
 * A stack of a pull request has the settings of another stack's file. Pulumi reads a stack's settings only from the file of its name, so the file is
 * copied, with the salt of its secrets: the same passphrase reads them.
 */

const mark = "layered-images";
const startOf = (from: string): string =>
    `# Written by ${mark} from ${from}, and written anew by each command with --settings-of: change that file.\n`;
const copied = new RegExp(`^# Written by ${mark} from (Pulumi\\.[^,]*),`);
const isCopy = (text: string): boolean => copied.test(text);

/**
 * Refuses to change a stack's file that is a copy: the next command with --settings-of would undo it.
 *
 * @throws InputError with the file to change instead
 */
export function refuseCopy({ file }: Pick<ConfigFile, "file">): void {
    const from = copied.exec(readFileSync(file, "utf8"))?.[1];
    if (from === undefined) return;
    throw new InputError({
        problem: `it is a copy of ${from}, and the next command with --settings-of would undo what is written here`,
        where: file,
        next: `change ${from}; or make the file the stack's own: remove its first line, and leave --settings-of out from then on`,
    });
}

/** Returns the text of a stack's file, from that of the file it is copied from. */
export const copiedText = (text: string, from: string): string => `${startOf(from)}${text}`;

/** Whether a stack has a file that is no copy: it is no stack with the settings of another one. */
export function hasOwnFile(root: string, stack: string): boolean {
    const file = path.join(root, configFileOf(stack));
    return existsSync(file) && !isCopy(readFileSync(file, "utf8"));
}

/** Refuses to touch a stack's file that is somebody's own. */
function refuseOwn(root: string, stack: string): void {
    if (!hasOwnFile(root, stack)) return;
    const file = path.join(root, configFileOf(stack));
    throw new InputError({
        problem: "the stack has settings of its own, which --settings-of would overwrite",
        where: file,
        next: "leave --settings-of out, or remove the file",
    });
}

/**
 * Refuses settings for several stacks without a channel of each stack's own: they would move each other's tags, or those of images.ts.
 *
 * @throws InputError that names the file
 */
export function requireOwnChannel(config: ConfigFile): void {
    const channel = textSettingIn(config, "channel");
    if (channel?.includes(stackPlaceholder)) return;
    const where = path.basename(config.file);
    const found = channel === undefined ? "not set" : `"${channel}"`;
    throw new InputError({
        problem: `its channel is ${found}, and each stack with these settings needs one of its own: it would move tags of other stacks`,
        where,
        allowed: [`a channel with ${stackPlaceholder} in it`],
        next: `write channel: "${stackPlaceholder}" into ${where}, or name a stack whose settings have that`,
    });
}

/**
 * Writes a stack's file as a copy of another stack's.
 *
 * @param root the repository's root
 * @param settingsOf the stack with the settings; it needs to exist as a file only
 * @throws InputError if there is no such file or it has no channel for each stack, and if the stack has a file that is no copy
 */
export function copySettings(root: string, stack: string, settingsOf: string): void {
    const [from, to] = [configFileOf(settingsOf), configFileOf(stack)];
    if (from === to) {
        throw new InputError({
            problem: `--settings-of ${settingsOf} names the file of stack ${stack} itself`,
            next: "name the stack whose settings are to be copied, or leave --settings-of out",
        });
    }
    const source = path.join(root, from);
    if (!existsSync(source)) {
        throw new InputError({
            problem: `--settings-of ${settingsOf}: there is no such file`,
            where: source,
            next: "write it with the settings of such stacks, or name another stack",
        });
    }
    requireOwnChannel(openConfigFile(root, settingsOf, projectName(root)));
    refuseOwn(root, stack);
    replaceFile(path.join(root, to), copiedText(readFileSync(source, "utf8"), from));
}

/** Removes a stack's file if it is a copy. Returns whether it was one. */
export function removeCopy(root: string, stack: string): boolean {
    const file = path.join(root, configFileOf(stack));
    if (!existsSync(file) || !isCopy(readFileSync(file, "utf8"))) return false;
    rmSync(file);
    return true;
}
