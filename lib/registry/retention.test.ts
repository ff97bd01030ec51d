import fc from "fast-check";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import {
    type Named,
    type RetentionRules,
    type StoredManifest,
    freedBytes,
    isForeignTag,
    namesIn,
    retain,
    safety,
    subjectOfTag,
} from "./retention";

const hex = (digit: string, length = 64) => digit.repeat(length);
const digest = (digit: string) => `sha256:${hex(digit)}`;
const now = Date.parse("2026-11-27T12:00:00Z");
const daysAgo = (days: number) => now - days * 24 * 60 * 60 * 1000;
const nothing: Named = { digests: new Set(), tags: new Set() };
const rules: RetentionRules = { keepReleases: 2, keepDays: 30, images: 1, now };

const manifest = (digit: string, more: Partial<StoredManifest> = {}): StoredManifest => ({
    ...{ digest: digest(digit), tags: [], children: [], blobs: [], bytes: 100, since: daysAgo(90) },
    ...more,
});
const release = (digit: string, days: number, children: string[] = []) =>
    manifest(digit, { tags: [`r-${hex(digit, 12)}`], since: daysAgo(days), children: children.map(digest) });

/** The digits of what may be removed, in order. */
const removable = (manifests: readonly StoredManifest[], named = nothing, changed: Partial<RetentionRules> = {}) =>
    retain(manifests, named, { ...rules, ...changed })
        .removable.map(({ manifest: one }) => one.digest.at(-1))
        .join("");

describe("what is kept", () => {
    const cases: readonly [
        what: string,
        manifests: readonly StoredManifest[],
        removed: string,
        named?: Partial<Named>,
    ][] = [
        [
            "a tag that people or `tags` add",
            [manifest("a", { tags: ["2026-01-01-0123456789ab", "b-0123456789ab-amd64"] })],
            "",
        ],
        [
            "a tag that only resembles ours",
            [manifest("a", { tags: ["r-12"] }), manifest("b", { tags: ["b-side"] })],
            "",
        ],
        ["an old build that nothing names", [manifest("a", { tags: ["b-0123456789ab-amd64"] })], "a"],
        [
            "an old build whose digest a state names",
            [manifest("a", { tags: ["b-0123456789ab-amd64"] })],
            "",
            { digests: new Set([digest("a")]) },
        ],
        [
            "an old release whose tag a pin names",
            [release("a", 90), release("b", 80), release("c", 70)],
            "",
            { tags: new Set([`r-${hex("a", 12)}`]) },
        ],
        [
            "the cache that a state names, and not that of an image that is gone",
            [manifest("a", { tags: ["cache-amd64"] }), manifest("b", { tags: ["cache-old-amd64"] })],
            "b",
            { tags: new Set(["cache-amd64"]) },
        ],
        [
            "what is in an index that a tag names",
            [manifest("a", { tags: ["latest"], children: [digest("b")] }), manifest("b"), manifest("c")],
            "c",
        ],
        [
            "the newest releases, and the young ones",
            [release("a", 90), release("b", 80), release("c", 70), release("d", 29)],
            "ba",
        ],
        [
            "releases whose order is not known",
            [release("a", 90), release("b", 80), release("c", 80), release("d", 80)],
            "a",
        ],
        [
            "a release of unknown age",
            [{ ...release("a", 0), since: undefined as never }, release("b", 80), release("c", 70)],
            "b",
        ],
        [
            "what is younger than a job can run",
            [manifest("a", { since: now - safety + 1 }), manifest("b", { since: now - safety })],
            "b",
        ],
        [
            "what is about a kept manifest, by field and by tag",
            [
                manifest("a", { tags: ["latest"] }),
                manifest("b", { subject: digest("a") }),
                manifest("c", { tags: [`sha256-${hex("a")}.sig`] }),
                manifest("d", { tags: [`sha256-${hex("a")}`], children: [digest("e")] }),
                manifest("e"),
            ],
            "",
        ],
        [
            "nothing that is about a manifest which is gone",
            [manifest("b", { subject: digest("a") }), manifest("c", { tags: [`sha256-${hex("a")}.sig`] })],
            "cb",
        ],
    ];
    test.each(cases)("%s", (_, manifests, removed, named = {}) => {
        expect(removable(manifests, { ...nothing, ...named })).toBe(removed);
    });

    test("counts the newest releases for each image of a shared repository", () => {
        const releases = [release("a", 90), release("b", 80), release("c", 70)];
        expect([
            removable(releases, nothing, { keepReleases: 1 }),
            removable(releases, nothing, { keepReleases: 1, images: 3 }),
        ]).toEqual(["ba", ""]);
    });

    test("removes an index before its parts, and a signature before what it signs", () => {
        const all = [
            manifest("c"),
            release("a", 90, ["b", "c"]),
            manifest("b"),
            manifest("d", { subject: digest("a") }),
        ];
        const order = removable(all, nothing, { keepReleases: 0 });
        expect([
            order.indexOf("d") < order.indexOf("a"),
            order.indexOf("a") < order.indexOf("b"),
            order.indexOf("a") < order.indexOf("c"),
            order.length,
        ]).toEqual([true, true, true, 4]);
    });

    test("finds names in a state, in configuration and in Dockerfiles, and no hashes of packages", () => {
        const text =
            `{"digest":"${digest("a")}","ref":"reg:5000/x:r-0123456789ab@${digest("b")}"} FROM x:b-0123456789ab-arm64 cacheTo x:cache-bot-amd64"\n` +
            `pip --hash=${digest("c")} uv hash = "${digest("d")}" {"hash":"${digest("e")}"} not-r-0123456789ab ${digest("f")}0`;
        expect(namesIn(text)).toEqual({
            digests: new Set([digest("a"), digest("b")]),
            tags: new Set(["r-0123456789ab", "b-0123456789ab-arm64", "cache-bot-amd64"]),
        });
    });

    test("knows its own tags", () => {
        expect(
            ["latest", "v1", "r-0123456789ab", "b-0123456789ab-arm-v7", "cache-arm64", `sha256-${hex("a")}.att`].map(
                isForeignTag,
            ),
        ).toEqual([true, true, false, false, false, false]);
        expect(subjectOfTag(`sha256-${hex("a")}.sbom`)).toBe(digest("a"));
    });

    test("counts a blob once, and not if something kept has it", () => {
        const blob = (digit: string, size: number) => ({ digest: digest(digit), size });
        const sizes = freedBytes(
            [
                manifest("a", { blobs: [blob("1", 10), blob("2", 20)] }),
                manifest("b", { blobs: [blob("2", 20), blob("3", 30)] }),
            ],
            [manifest("c", { blobs: [blob("1", 10)] })],
        );
        expect(sizes).toEqual([120, 130]);
    });
});

/** Repositories with indexes over earlier manifests, statements about others, tags of all forms, and a set of names. */
const repositories = fc
    .record({
        drawn: fc.array(
            fc.record({
                tags: fc.array(fc.constantFrom("latest", "v1", "r", "b", "cache", "about"), { maxLength: 2 }),
                children: fc.array(fc.nat(30), { maxLength: 3 }),
                subject: fc.option(fc.nat(30), { nil: undefined }),
                age: fc.option(fc.nat(100), { nil: undefined }),
                named: fc.boolean().map((one) => one),
            }),
            { maxLength: 16 },
        ),
        keepReleases: fc.nat(3),
        keepDays: fc.nat(40),
    })
    .map(({ drawn, ...keep }) => {
        const at = (index: number) => `sha256:${index.toString(16).padStart(64, "0")}`;
        const short = (index: number) => index.toString(16).padStart(12, "0");
        const tagOf = (form: string, index: number) =>
            ({
                r: `r-${short(index)}`,
                b: `b-${short(index)}-amd64`,
                cache: `cache-${short(index)}`,
                about: `sha256-${at(index + 1).slice(7)}.sig`,
            })[form] ?? `${form}-${short(index)}`;
        const manifests = drawn.map(({ tags, children, subject, age }, index): StoredManifest => ({
            digest: at(index),
            tags: [...new Set(tags)].map((form) => tagOf(form, index)),
            // Only of earlier ones, or of none that is there: an index can't contain itself.
            children: children.filter((child) => child < index || child > drawn.length).map(at),
            ...(subject !== undefined && subject !== index && { subject: at(subject) }),
            blobs: [],
            bytes: 1,
            ...(age !== undefined && { since: daysAgo(age) }),
        }));
        const named: Named = {
            digests: new Set(drawn.flatMap((one, index) => (one.named && index % 3 === 0 ? [at(index)] : []))),
            tags: new Set(),
        };
        return { manifests, named, rules: { ...rules, ...keep } };
    });

/** What is reachable, said in another way: the smallest set that contains the roots and is closed. */
function reachable(
    manifests: readonly StoredManifest[],
    named: Named,
    { keepReleases, keepDays, now: time }: RetentionRules,
) {
    const releases = manifests.filter(({ tags }) => tags.some((tag) => /^r-[0-9a-f]{12}$/.test(tag)));
    const younger = (one: StoredManifest) => releases.filter(({ since = time }) => since > (one.since ?? time)).length;
    const root = (one: StoredManifest) =>
        one.tags.some((tag) => /^(latest|v1)/.test(tag)) ||
        named.digests.has(one.digest) ||
        one.since === undefined ||
        time - one.since < safety ||
        (releases.includes(one) && (younger(one) < keepReleases || time - one.since < keepDays * 24 * 60 * 60 * 1000));
    const found = new Set(manifests.filter(root).map((one) => one.digest));
    for (let size = -1; size !== found.size;) {
        size = found.size;
        for (const one of manifests) {
            const subjects = [one.subject, ...one.tags.map(subjectOfTag)];
            if (subjects.some((subject) => subject !== undefined && found.has(subject))) found.add(one.digest);
            if (found.has(one.digest)) for (const child of one.children) found.add(child);
        }
    }
    return found;
}

describe("for any repository", () => {
    test("nothing reachable is removable, and everything else is", () => {
        fc.assert(
            fc.property(repositories, ({ manifests, named, rules: drawn }) => {
                const expected = reachable(manifests, named, drawn);
                const { kept, removable: found } = retain(manifests, named, drawn);
                const gone = found.map(({ manifest: one }) => one.digest);
                expect(gone.filter((one) => expected.has(one))).toEqual([]);
                expect(new Set([...kept.keys(), ...gone])).toEqual(new Set(manifests.map((one) => one.digest)));
                expect(gone.length + kept.size).toBe(manifests.length);
            }),
        );
    });

    test("after a removal, also an interrupted one, nothing else becomes removable that was reachable", () => {
        fc.assert(
            fc.property(repositories, fc.nat(16), ({ manifests, named, rules: drawn }, count) => {
                const first = retain(manifests, named, drawn);
                const gone = new Set(first.removable.slice(0, count).map(({ manifest: one }) => one.digest));
                const second = retain(
                    manifests.filter((one) => !gone.has(one.digest)),
                    named,
                    drawn,
                );
                expect([...second.kept.keys()].sort()).toEqual([...first.kept.keys()].sort());
                expect(second.removable.length).toBe(first.removable.length - gone.size);
            }),
        );
    });
});
