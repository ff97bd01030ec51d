import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import type { UpdateRecord } from "../update/history";
import { makePlan } from "../plan/plan";
import { fileChanged, imagePlan, planOf, recordedPreview, sixtyImages } from "../../tests/previews";
import { htmlForm } from "./html";

const update = (index: number): UpdateRecord => ({
    start: `2026-11-23T10:${index.toString().padStart(2, "0")}:00.000Z`,
    seconds: 60,
    result: index === 1 ? "failed" : "succeeded",
    commit: "0123456789".repeat(4),
    images: [
        {
            image: "base",
            platform: "linux/amd64",
            kind: "build",
            operation: "update",
            seconds: 60,
            result: "succeeded",
        },
        { image: "gone", platform: "linux/amd64", kind: "build", operation: "delete", seconds: 0, result: "succeeded" },
    ],
});
/** Text of each cell, by row, of the table with this label. */
const rows = (page: string, label: string): string[][] => {
    const table = page.split(`aria-label="${label}"`)[1]?.split("</table>")[0] ?? "";
    const body = table.split("<tbody>")[1] ?? "";
    return body
        .split("<tr")
        .slice(1)
        .map((row) =>
            [...row.matchAll(/<td[^>]*>(.*?)<\/td>/gs)].map(([, cell = ""]) =>
                cell.replace(/<[^>]*>/g, "").replaceAll("\u00a0", " "),
            ),
        );
};
const base = makePlan({ stack: "local", preview: recordedPreview("base"), history: [update(0)] });

test("an image is a row: action, reason, platforms, time and size", () => {
    const sized = {
        ...base,
        images: base.images.map((image) => ({
            ...image,
            platforms: image.platforms.map((one) => ({ ...one, bytes: 3.4e9 })),
        })),
    };
    expect(rows(htmlForm(sized, []), "Images").slice(0, 2)).toEqual([
        ["base", "rebuild", "docker/Dockerfile.base changed", "amd64, arm64", "60 s", "3.4 GB"],
        ["├─ bot", "maybe", "only if the digest of base changes", "amd64, arm64", "", "3.4 GB"],
    ]);
});

test("the drawing has a box an image, linked to its row by the keyboard too", () => {
    const page = htmlForm(base, []);
    for (const { image, action } of base.images) {
        expect(page).toContain(`<a href="#image-${image}" class="${action}" aria-label="${image}: ${action}">`);
        expect(page).toContain(`<tr id="image-${image}">`);
    }
    expect(page.match(/<path /g)).toHaveLength(4);
});

test("the last twenty updates are listed: when, how, what was built, from which commit, how long", () => {
    const updates = Array.from({ length: 25 }, (_, index) => update(index));
    const listed = rows(htmlForm(base, updates), "Updates");
    expect(listed).toHaveLength(20);
    expect(listed[1]).toEqual(["2026-11-23 10:01:00 UTC", "failed", "base", "012345678901", "60 s"]);
});

test("dangers alarm, and nothing to do is said", () => {
    const lost = makePlan({ stack: "local", preview: recordedPreview("lost"), history: [] });
    expect(htmlForm(lost, []).match(/role="alert"><strong>Danger:<\/strong> deleting/g)).toHaveLength(2);
    expect(htmlForm(planOf([imagePlan("base")]), [])).toContain("<p>Nothing to do.</p>");
});

test("the page needs no network and runs no script", () => {
    const page = htmlForm(sixtyImages(), [update(0)]);
    expect(page).toContain("Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"");
    expect(page.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(
        /https?:|<script|<link|<img|url\(|@import/,
    );
});

test("the page is for light and dark, for phones and for the keyboard", () => {
    const page = htmlForm(sixtyImages(), []);
    expect(page).toMatch(/prefers-color-scheme: dark[\s\S]*max-width/);
    expect(page).toContain(":focus-visible");
    expect(page).toContain('name="viewport"');
});

describe("what comes from files is shown and never obeyed", () => {
    test("whatever part of the plan it is in", () => {
        const evil = `"><script>alert('1')</script><a href='javascript:x'>&amp;`;
        const plan = planOf(
            [imagePlan(evil, { action: "rebuild", causes: [fileChanged(evil)] }), imagePlan("b", { parent: evil })],
            {
                stack: evil,
                repository: [{ kind: "file", name: evil, action: "create" }],
                dangers: [evil],
                warnings: [evil],
            },
        );
        const page = htmlForm(plan, [{ ...update(0), commit: evil }]);
        expect(page).not.toMatch(/<script|<a href='|javascript:x'/);
        expect(page.match(/&#60;script&#62;/g)?.length).toBeGreaterThan(8);
        expect(page).toContain("&#38;amp;");
    });
});

test("sixty images are written in no time", () => {
    const start = performance.now();
    expect(
        rows(
            htmlForm(
                sixtyImages(),
                Array.from({ length: 50 }, (_, index) => update(index)),
            ),
            "Images",
        ),
    ).toHaveLength(60);
    expect(performance.now() - start).toBeLessThan(500);
});
