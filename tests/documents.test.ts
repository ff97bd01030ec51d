import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { packageRoot } from "../lib/system/paths";
import { expect, test } from "./mocha";

/* What the documentation refers to exists: files, headings, and the messages that its table of situations quotes. */

const read = (file: string): string => readFileSync(path.join(packageRoot, file), "utf8");
const documents = ["README.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"].concat(
    readdirSync(path.join(packageRoot, "docs"))
        .filter((file) => file.endsWith(".md"))
        .map((file) => `docs/${file}`),
);

/** Returns a Markdown text without its code blocks. */
const withoutCode = (text: string): string => text.replace(/^( *)(```+|~~~+)[^]*?^\1\2/gm, "");

/** Returns the anchors that GitHub gives to the headings of a document: those of equal headings are numbered. */
function anchorsOf(text: string): Set<string> {
    const anchors = new Set<string>();
    for (const [, heading = ""] of withoutCode(text).matchAll(/^#+ +(.*?) *#*$/gm)) {
        const plain = heading
            .toLowerCase()
            .replace(/[^\p{L}\p{N} _-]/gu, "")
            .replaceAll(" ", "-");
        let anchor = plain;
        for (let count = 1; anchors.has(anchor); count++) anchor = `${plain}-${count}`;
        anchors.add(anchor);
    }
    return anchors;
}

test.each(documents.map((file) => [file]))("every link of %s leads to a file and heading that exist", (document) => {
    const targets = [...withoutCode(read(document)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
    const lost = targets.filter((target) => {
        if (/^[a-z]+:/i.test(target)) return false;
        const [file = "", anchor = ""] = target.split("#");
        const found = file === "" ? document : path.posix.join(path.posix.dirname(document), file);
        if (!existsSync(path.join(packageRoot, found))) return true;
        return anchor !== "" && !anchorsOf(read(found)).has(anchor);
    });
    expect(lost).toEqual([]);
});

/** The texts of the package's sources, without tests. */
function sources(folder: string): string {
    return readdirSync(path.join(packageRoot, folder), { withFileTypes: true })
        .map((entry) => {
            const file = path.posix.join(folder, entry.name);
            if (entry.isDirectory()) return sources(file);
            return /(?<!\.test)\.ts$/.test(file) ? read(file) : "";
        })
        .join("\n");
}

test("what the table of situations quotes is what the program says", () => {
    const text = read("docs/operations.md");
    const [, table = ""] = /^### At a glance$([^]*?)^### /m.exec(text) ?? [];
    const seen = table
        .split("\n")
        .filter((line) => /^\| (?!situation|-)/.test(line))
        .map((line) => line.split(" | ")[1] ?? "");
    expect(seen.length).toBeGreaterThan(15);
    const quoted = seen.flatMap((cell) =>
        [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, quote = ""]) => quote.split("…")),
    );
    // What the engine, a registry or GitHub says is known to the sources as well: they look for it.
    const said = ["cli", "components", "lib"].map(sources).join("\n");
    expect(quoted.map((part) => part.trim()).filter((part) => !said.includes(part))).toEqual([]);
});
