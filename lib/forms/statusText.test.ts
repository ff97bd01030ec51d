import { expect, test } from "../../tests/mocha";
import type { StatusReport } from "../status/status";
import { statusHtml } from "./statusHtml";
import { statusText } from "./statusText";

const digest = `sha256:${"a".repeat(64)}`;
const dirty = { commit: "0123456789abcdef", uncommitted: ["a"] };
const report: StatusReport = {
    stack: "ci",
    verdict: "drift",
    images: [
        {
            image: "base",
            parents: [],
            otherTags: [],
            builds: [
                { platform: "linux/amd64", digest, present: true, size: 45_000_000, built: "2026-11-01T10:00:00Z" },
                { platform: "linux/arm64", digest, present: false, from: "ci-arm64" },
            ],
        },
        {
            image: "app",
            parents: ["base"],
            otherTags: [],
            builds: [
                {
                    platform: "linux/amd64",
                    digest,
                    sharedSize: 4_100,
                    sharedLayers: 2,
                    layers: 3,
                    seconds: 61.4,
                    ...dirty,
                },
            ],
        },
    ],
    roots: [],
    findings: [
        { kind: "drift", about: "image base", text: "linux/arm64: <gone>", command: "pulumi up --replace 'a$b'" },
        { kind: "unknown", about: "GitHub", text: "no answer" },
    ],
    repairs: ["pulumi up --replace 'a$b'"],
};

test("text has a line for each build, and each command alone on its line", () => {
    expect(statusText(report, false)).toBe(`stack ci: state and reality differ in 1 thing

image  platform     in registry  size   shared with parent   built              took  commit
base   linux/amd64  there        45 MB                       2026-11-01 10:00Z
       linux/arm64  MISSING                                  by stack ci-arm64
app    linux/amd64  not known           4.1 kB (2/3 layers)                     61 s  0123456789-dirty

drift
  image base: linux/arm64: <gone>
      pulumi up --replace 'a$b'

could not be asked
  GitHub: no answer
`);
});

test("how all drift is repaired at once is said in both forms, where there is more than one difference", () => {
    const other = { kind: "drift", about: "image app", text: "moved", command: "pulumi up --replace 'c'" } as const;
    const repairs = ["pulumi up --replace 'a$b' --replace 'c'"];
    const both = { ...report, findings: [...report.findings, other], repairs };
    expect(statusText(both, false)).toMatch(/\nall drift at once\n +pulumi up --replace 'a\$b' --replace 'c'\n$/);
    expect(statusHtml(both)).toMatch(
        /<h2>all drift at once<\/h2>\n<pre>pulumi up --replace &#39;a\$b&#39; --replace &#39;c&#39;<\/pre>/,
    );
    expect(statusText(report, false) + statusHtml(report)).not.toContain("all drift at once");
});

test("colour is there only when asked for", () => {
    expect(statusText(report, true)).toContain("\x1b[31mdrift\x1b[0m");
    expect(statusText(report, false)).not.toContain("\x1b");
});

test("the page escapes what it says", () => {
    const page = statusHtml(report);
    expect(page).toContain(`linux/arm64: &#60;gone&#62;<pre>pulumi up --replace &#39;a$b&#39;</pre>`);
    expect(page).not.toContain("<gone>");
});

test("a build that is there and lacks a layer stands out as one that is not there does", () => {
    const [base] = report.images;
    const [amd64, ...others] = base?.builds ?? [];
    if (!base || !amd64) throw new Error("the report has no build");
    const broken = { ...report, images: [{ ...base, builds: [{ ...amd64, lostBlobs: [digest] }, ...others] }] };
    expect(statusText(broken, true)).toMatch(/\x1b\[31mbase +linux\/amd64 +INCOMPLETE +45 MB/);
    expect(statusHtml(broken)).toMatch(/<td class="action drift"[^>]*>INCOMPLETE<\/td>/);
    expect(statusHtml(report)).not.toContain("INCOMPLETE");
});
