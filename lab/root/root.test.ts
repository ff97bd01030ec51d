import { hostPlatform } from "../../lib/platform";
import { expect, test } from "../../tests/mocha";
import { planRoot } from "./root";

const host = hostPlatform();
const other = host === "linux/amd64" ? "linux/arm64" : "linux/amd64";
const known = {
    roots: { "python:3.12-slim": "r@sha256:0" },
    rootsByPlatform: {},
    standIn: "then",
    standInPlatforms: [host],
};
const none = { roots: {}, rootsByPlatform: {}, standIn: "", standInPlatforms: [] };
const choice = { known, needed: [host], renew: false, wanted: true } as const;

test.each<[string, Partial<Parameters<typeof planRoot>[0]>, ReturnType<typeof planRoot>]>([
    ["a lab's root stays while it serves", {}, { keeps: true, making: [] }],
    [
        "a platform that it lacks is added, and the root stays",
        { needed: [host, other] },
        { keeps: true, making: [other] },
    ],
    [
        "a root for both platforms stays",
        { known: { ...known, standInPlatforms: [host, other] }, needed: [host, other] },
        { keeps: true, making: [] },
    ],
    [
        "a platform that nothing needs any longer stays",
        { known: { ...known, standInPlatforms: [host, other] } },
        { keeps: true, making: [] },
    ],
    [
        "a new root is made where there is none, for what is needed",
        { known: undefined },
        { keeps: false, making: [host] },
    ],
    [
        "and for this machine first",
        { known: undefined, needed: [other, host] },
        { keeps: false, making: [host, other] },
    ],
    [
        "a new root is made when a Dockerfile names it for the first time",
        { known: none },
        { keeps: false, making: [host] },
    ],
    [
        "a new root is made on request, for all that is needed",
        { renew: true, needed: [host, other] },
        { keeps: false, making: [host, other] },
    ],
    [
        "even if no Dockerfile names it",
        { known: undefined, wanted: false, renew: true },
        { keeps: false, making: [host] },
    ],
    ["a root that no Dockerfile names is not made", { known: undefined, wanted: false }, { keeps: true, making: [] }],
    ["and stays if it is there", { wanted: false }, { keeps: true, making: [] }],
])("%s", (_case, changes, expected) => {
    expect(planRoot({ ...choice, ...changes })).toEqual(expected);
});
