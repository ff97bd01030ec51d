import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { run } from "../lib/system/process";
import { expect } from "./mocha";
import { readPng } from "./png";

/** Installs Debian's Chromium if it is missing. A lock lets only one suite install at a time. */
async function ensureChromium(): Promise<void> {
    const install = "DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends chromium";
    const script = `command -v chromium || { apt-get update --quiet && ${install}; }`;
    await run("flock", [path.join(tmpdir(), "layered-images-chromium.lock"), "sh", "-c", script]);
}

/** Opens a page in Chromium, with the profile in a folder next to the page, and returns Chromium's output. */
async function chromium(page: string, ...options: readonly string[]): Promise<string> {
    await ensureChromium();
    const usual = ["--headless", "--no-sandbox", "--disable-gpu", `--user-data-dir=${page}.profile`];
    return await run("chromium", [...usual, ...options, `file://${page}`]);
}

/** Returns a page's DOM as Chromium parsed it. */
export const shownPage = async (page: string): Promise<string> => await chromium(page, "--dump-dom");

/** Screen sizes and colour schemes for screenshots, with the page's expected background colour. */
const looks = {
    "a desktop in the light": { width: 1200, height: 800, options: [], page: "#ffffff" },
    "a phone in the dark": { width: 390, height: 844, options: ["--force-dark-mode"], page: "#111827" },
} as const;

/**
 * Takes screenshots of a page and stores them next to it. Expects of each screenshot: it has the size of the screen and
 * the background of the colour scheme, has more than 20 colours, and has empty margins, unlike a page that is too wide.
 */
export async function expectPictures(page: string): Promise<void> {
    for (const [name, { width, height, options, page: background }] of Object.entries(looks)) {
        const file = `${page}.${name.replaceAll(" ", "-")}.png`;
        const window = `--window-size=${width.toString()},${height.toString()}`;
        await chromium(page, ...options, "--hide-scrollbars", window, `--screenshot=${file}`);
        const picture = readPng(readFileSync(file));
        expect({ width: picture.width, height: picture.height }, name).toEqual({ width, height });
        const column = (x: number) => new Set(Array.from({ length: height }, (_, y) => picture.at(x, y)));
        const margins = [0, 1, 2, 3].flatMap((x) => [...column(x), ...column(width - 1 - x)]);
        expect(new Set(margins), name).toEqual(new Set([background]));
        const colours = new Set(Array.from({ length: width }, (_, x) => [...column(x)]).flat());
        expect(colours.size, name).toBeGreaterThan(20);
    }
}
