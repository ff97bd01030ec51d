import fc from "fast-check";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { channelOf, checkChannel, inChannel, isInChannel } from "./channel";
import type { Publication } from "./publication";

const published = (
    tags: readonly string[],
    releaseTags: readonly string[] = [],
    repository = "r.io/app",
): Publication => ({
    repository,
    tags,
    releaseTags,
    copies: [{ repository: "copy.io/app", tags }],
});

describe("a channel", () => {
    test("has tags of its own in the repository of the name, and none in other repositories", () => {
        expect(inChannel(published(["latest", "3.12"], ["{commit}"]), "pr-1")).toEqual({
            repository: "r.io/app",
            tags: ["pr-1", "pr-1_3.12"],
            releaseTags: ["pr-1_{commit}"],
            copies: [],
        });
    });

    test("may be named after its stack", () => {
        expect(channelOf("{stack}", "pr-12")).toBe("pr-12");
        expect(channelOf("try-{stack}", "pr-12")).toBe("try-pr-12");
        expect(channelOf("edge", "pr-12")).toBe("edge");
    });

    const tag = fc.constantFrom("latest", "edge", "3.12", "slim", "edge_slim", "v1", "edge_latest");
    test("never has a tag of images.ts, whatever tags there are, unless it is refused", () => {
        fc.assert(
            fc.property(
                fc.uniqueArray(tag, { minLength: 1 }),
                fc.uniqueArray(tag, { minLength: 1 }),
                tag,
                (a, b, channel) => {
                    const all = { a: published(a), b: published(b, [], "r.io/other") };
                    try {
                        checkChannel(channel, all);
                    } catch (error) {
                        expect(String(error)).toMatch(/channel "\S+" (would move r\.io\/|has "_" in it)/);
                        return;
                    }
                    for (const one of Object.values(all)) {
                        for (const name of inChannel(one, channel).tags) {
                            expect(one.tags).not.toContain(name);
                            expect(isInChannel(name, channel)).toBe(true);
                        }
                    }
                },
            ),
        );
    });

    test("has no tag in common with another one, whatever tags there are", () => {
        const part = fc.stringMatching(/^a([-_.]a){0,2}$/);
        const tags = fc.uniqueArray(fc.oneof(part, fc.constant("latest")), { minLength: 1, maxLength: 3 });
        const accepted = (channel: string, of: Publication) => {
            try {
                checkChannel(channel, { app: of });
                return true;
            } catch {
                return false;
            }
        };
        fc.assert(
            fc.property(part, part, tags, tags, (one, other, ofOne, ofOther) => {
                fc.pre(one !== other && accepted(one, published(ofOne)) && accepted(other, published(ofOther)));
                const met = inChannel(published(ofOne), one).tags;
                for (const tag of inChannel(published(ofOther), other).tags) {
                    expect(met).not.toContain(tag);
                    expect(isInChannel(tag, one)).toBe(false);
                }
            }),
            { numRuns: 2000 },
        );
    });

    const refused: readonly (readonly [channel: string, of: Publication, message: RegExp])[] = [
        ["pr_1", published(["latest"]), /has "_" in it, which separates a channel from an image's tag: pr_1_<tag>/],
        ["3.12", published(["latest", "3.12"]), /would move r\.io\/app:3\.12, which is a tag of image app/],
        ["r-000000000000", published(["latest"]), /its tag "r-000000000000" begins like the tags of builds/],
        ["cache-amd64", published(["latest"]), /begins like/],
        ["feature/x", published(["latest"]), /which is no tag/],
        ["-x", published(["latest"]), /which is no tag/],
        ["x".repeat(125), published(["latest", "3.12"]), /which is no tag/],
        ["{branch}", published(["latest"]), /has \{branch\}/],
    ];
    for (const [channel, of, message] of refused) {
        test(`is refused if it is ${channel.slice(0, 20)}`, () => {
            expect(() => {
                checkChannel(channel, { app: of });
            }).toThrow(message);
        });
    }

    test("is refused if a tag that names a release in images.ts can become one of its own", () => {
        expect(() => {
            checkChannel("v-0123456789ab", { app: published(["latest"], ["v-{release}"]) });
        }).toThrow(/would move r\.io\/app:v-0123456789ab, which is a tag of image app/);
    });
});
