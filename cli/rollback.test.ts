import { expect, test } from "../tests/mocha";
import { type RollbackReport, releasesText, rollbackText } from "./rollback";

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const pin = (image: string, digit: string) => ({
    ...{ image, from: "r-222222222222", release: `r-${digit.repeat(12)}`, digest: digest(digit) },
    platforms: { "linux/amd64": digest(digit) } as RollbackReport["pins"][number]["platforms"],
});
const report: RollbackReport = {
    ...{ stack: "ci", file: "/r/Pulumi.ci.yaml", written: true },
    pins: [{ ...pin("base", "1"), date: "2026-11-20T08:00:00.000Z", commit: "0123456789abcdef" }, pin("app", "3")],
    ...{ stay: ["worker"], rebuilt: [{ image: "tool", reason: "it is never pushed" }] },
    ...{ variables: ["BASE_IMAGE"], deployments: ["bot"] },
};

test("a rollback says where each image goes, what is built again, what follows, and the next step", () => {
    const text = rollbackText(report, ["npm run review"]);
    expect(text)
        .toBe(`stack ci: image base goes back from r-222222222222 to r-111111111111 (2026-11-20 08:00, commit 0123456789)

  base    pinned to r-111111111111 (2026-11-20 08:00, commit 0123456789): nothing is built, its tags move
  app     pinned to r-333333333333, which was built on that
  worker  stays as it is
  tool    is BUILT AGAIN on that: it is never pushed

variables BASE_IMAGE and deployments bot follow

wrote /r/Pulumi.ci.yaml
next:
  npm run review
`);
});

test("a dry run says that it wrote nothing, and no next step", () => {
    const text = rollbackText({ ...report, written: false }, ["npm run review"]);
    expect(text).toContain("wrote nothing; without --dry-run it writes /r/Pulumi.ci.yaml");
    expect(text).not.toContain("npm run review");
});

test("releases are a table for each image, with what is gone or not known", () => {
    const users = { tags: ["ghcr.io/us/base:latest"], children: ["app"], variables: ["BASE_IMAGE"], deployments: [] };
    const nobody = { tags: [], children: [], variables: [], deployments: [] };
    const one = { release: "r-111111111111", digest: digest("1"), current: true, pinned: true, present: true, users };
    const text = releasesText({
        stack: "ci",
        images: [
            {
                ...{ image: "base", repository: "ghcr.io/us/base" },
                releases: [
                    { ...one, date: "2026-11-20T08:00:00.000Z", commit: "0123456789abcdef" },
                    { ...one, digest: digest("2"), current: false, pinned: false, present: false, users: nobody },
                ],
            },
        ],
    });
    expect(text.split("\n").slice(2)).toEqual([
        "base  ghcr.io/us/base",
        "  release         promoted           commit      digest                         used by",
        "  r-111111111111  2026-11-20 08:00Z  0123456789  111111111111  current, pinned  tags: latest; children: app; variables: BASE_IMAGE",
        "  r-111111111111  not recorded                   222222222222  GONE",
        "",
    ]);
});
