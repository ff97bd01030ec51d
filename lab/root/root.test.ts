import { expect, test } from "../../tests/mocha";
import { keepsRoot } from "./root";

const known = { roots: { "python:3.12-slim": "r@sha256:0" }, standIn: "then", standInPlatforms: ["linux/amd64"] };
const choice = { known, today: "today", needed: ["linux/amd64"], renew: false, wanted: true } as const;

test("a lab's root stays while it serves, whatever this machine would make today", () => {
    expect(keepsRoot(choice)).toBe(true);
    expect(keepsRoot({ ...choice, today: "then" })).toBe(true);
});

test.each<[string, Partial<Parameters<typeof keepsRoot>[0]>]>([
    ["it was asked for", { renew: true }],
    ["it was asked for, to put its tag back", { renew: true, today: "then" }],
    ["a platform is needed that it lacks", { needed: ["linux/amd64", "linux/arm64"] as const }],
    ["there is none", { known: undefined }],
    ["a Dockerfile names it for the first time", { known: { roots: {}, standIn: "", standInPlatforms: [] } }],
    ["no Dockerfile names it but it was asked for", { known: undefined, wanted: false, renew: true }],
])("a new root is made when %s", (_reason, changes) => {
    expect(keepsRoot({ ...choice, ...changes })).toBe(false);
});

test("a root that no Dockerfile names is not made, and stays if it is there", () => {
    expect(keepsRoot({ ...choice, known: undefined, wanted: false })).toBe(true);
    expect(keepsRoot({ ...choice, wanted: false })).toBe(true);
});
