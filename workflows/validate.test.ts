import { describe } from "mocha";
import type { ImageDefinitions } from "../lib/hierarchy/definition";
import { expandImages } from "../lib/hierarchy/matrix";
import { invented } from "../tests/github/invented";
import { expect, test } from "../tests/mocha";
import { workflowProblems } from "./validate";

const { images, workflows = {} } = invented;
const { up = [], checks = [] } = workflows;
const [soil, shop] = up;
const [harvest] = checks;
const [plant] = harvest?.steps ?? [];

const problems = (changes: object, others: ImageDefinitions = images) =>
    workflowProblems({ images: others, workflows: { ...workflows, ...changes } });

/** Problems of the first workflow for updates, of the check, and of the check's first step, with changes. */
const ofUp = (changes: object) => problems({ up: [{ ...soil, ...changes }, shop] });
const ofCheck = (changes: object) => problems({ checks: [{ ...harvest, ...changes }] });
const ofStep = (changes: object) => ofCheck({ steps: [{ ...plant, ...changes }] });

test("correct definitions have no problems, and neither have none", () => {
    expect(problems({})).toEqual([]);
    expect(workflowProblems({ images, workflows: {} })).toEqual([]);
});

describe("each problem is one message that names the place and what is allowed:", () => {
    const pattern = "contains one of the characters * ? + [ ] ! \\, which GitHub reads as a pattern";
    const file = "is not a file name of letters, digits, - and _ that ends in .yml";
    test.each<[string, string[], string]>([
        [
            "an unknown image",
            ofCheck({ image: "cellar" }),
            'checks[0].image: images.ts has no image "cellar"; it has soil, greenhouse, shop',
        ],
        [
            "another one",
            ofUp({ images: ["soil", "greenhouse", "attic"] }),
            'up[0].images: images.ts has no image "attic"; it has soil, greenhouse, shop',
        ],
        ["a file twice", ofCheck({ file: "shop.yml" }), 'checks[0]: up[1] has the file "shop.yml" too'],
        [
            "a file that differs in its case",
            ofCheck({ file: "Shop.yml" }),
            'checks[0]: up[1] has the file "Shop.yml" too',
        ],
        ["the review's file", ofCheck({ file: "review.yml" }), 'checks[0]: the review has the file "review.yml" too'],
        ["a name twice", ofCheck({ name: "Shop" }), 'checks[0]: up[1] has the name "Shop" too'],
        ["the review's name", ofUp({ name: "Review" }), 'up[0]: the review has the name "Review" too'],
        [
            "the file that a review is given",
            problems({ review: { file: "shop.yml" } }),
            'up[1]: the review has the file "shop.yml" too',
        ],
        ["a file with another ending", ofUp({ file: "soil.yaml" }), `up[0].file: ${file}`],
        ["a file in a folder", ofCheck({ file: "a/b.yml" }), `checks[0].file: ${file}`],
        ["a file that can't be the key of a job", ofCheck({ file: "1st.yml" }), `checks[0].file: ${file}`],
        ["a name that is a pattern", ofUp({ name: "C++ images" }), `up[0].name: ${pattern}`],
        ["a name that is another pattern", ofUp({ name: "[soil] images" }), `up[0].name: ${pattern}`],
        [
            "a name of two lines",
            ofUp({ name: "a\nb" }),
            "up[0].name: begins or ends with a space, or has more than one line",
        ],
        [
            "a name with a space at its end",
            ofUp({ name: "a " }),
            "up[0].name: begins or ends with a space, or has more than one line",
        ],
        ["an empty command", ofStep({ run: " \n" }), "checks[0].steps[0].run: is empty"],
        ["a step without a name", ofStep({ name: undefined }), "checks[0].steps[0].name: is missing"],
        ["a check without steps", ofCheck({ steps: [] }), "checks[0].steps: is empty"],
        [
            "an expression in a command",
            ofStep({ run: "echo ${{ github.head_ref }}" }),
            "checks[0].steps[0].run: contains an expression ${{ … }}, which GitHub would replace",
        ],
        [
            "an expression in a variable",
            ofStep({ env: { TOKEN: "${{ secrets.TOKEN }}" } }),
            "checks[0].steps[0].env.TOKEN: contains an expression ${{ … }}, which GitHub would replace",
        ],
        ["a text for a switch", problems({ review: { build: "yes" } }), "review.build: is not true or false"],
        ["no time", ofUp({ minutes: 0 }), "up[0].minutes: is not between 1 and 360"],
        ["too much time", ofCheck({ minutes: 361 }), "checks[0].minutes: is not between 1 and 360"],
        ["time that is text", problems({ review: { minutes: "9" } }), "review.minutes: is not a whole number"],
        [
            "a schedule in words",
            problems({ review: { schedule: "weekly" } }),
            'review.schedule: is not a cron expression such as "23 4 * * 1"',
        ],
        [
            "a workflow after one that does not exist",
            problems({ up: [soil, { ...shop, after: "rain.yml" }] }),
            'up[1].after: "rain.yml" is not the file of a workflow before it in the list; allowed are soil.yml',
        ],
        [
            "a workflow after itself",
            ofUp({ after: "soil.yml" }),
            'up[0].after: "soil.yml" is not the file of a workflow before it in the list; there is none',
        ],
        [
            "an image that starts nothing",
            problems({ up: [soil] }),
            "up: no workflow starts when shop changes: list it in the images of one, or add a workflow without images, which every push starts",
        ],
        [
            "a misspelt field",
            ofCheck({ imaeg: "soil" }),
            'checks[0]: has an unknown field "imaeg"; known are file, name, image, steps, minutes',
        ],
        [
            "another misspelt field",
            problems({ check: [] }),
            'workflows: has an unknown field "check"; known are up, checks, review, preview, releases, cleanup, ghcr, dependabot',
        ],
        ["a text for a list", problems({ up: "soil.yml" }), "up: is not a list"],
        [
            "a text for an object",
            problems({ checks: ["make"] }),
            "checks[0]: is not an object with the fields file, name, image, steps, minutes",
        ],
        [
            "a folder that is not one of the repository",
            problems({ dependabot: { ecosystems: [{ ecosystem: "uv", directory: "x" }] } }),
            "dependabot.ecosystems[0].directory: does not begin with a slash",
        ],
    ])("%s", (_what, found, expected) => {
        expect(found).toEqual([expected]);
    });

    test("an entry with a matrix stands for its images, except where one image is needed", () => {
        const ground = { description: "", dockerfile: "images/soil.Dockerfile", platforms: ["linux/amd64"] as const };
        const matrix = { A: ["1", "2"] };
        const { images: expanded, matrices = {} } = expandImages({
            ...images,
            soil: { ...ground, name: "r.test/soil:{A}", matrix },
        });
        const of = (changes: object) =>
            workflowProblems({ images: expanded, matrices, workflows: { ...workflows, ...changes } });
        expect(of({})).toEqual([]);
        expect(of({ checks: [{ ...harvest, image: "soil-2" }] })).toEqual([]);
        expect(of({ checks: [{ ...harvest, image: "soil" }] })).toEqual([
            "checks[0].image: soil is a matrix; name one of its images: soil-1, soil-2",
        ]);
        expect(of({ up: [{ ...soil, images: ["soil-1", "greenhouse"] }, shop] })).toEqual([
            expect.stringMatching(/^up: no workflow starts when soil-2 changes/),
        ]);
        expect(of({ checks: [{ ...harvest, image: "soil-3" }] })).toEqual([
            'checks[0].image: images.ts has no image "soil-3"; it has soil, soil-1, soil-2, greenhouse, shop',
        ]);
    });

    test("an image that is never pushed", () => {
        const greenhouse = { description: "", dockerfile: "images/greenhouse.Dockerfile", platforms: "host" } as const;
        expect(problems({}, { ...images, greenhouse })).toEqual([
            "checks[0].image: image greenhouse is never pushed, so nothing can run in it: give it a name in images.ts",
        ]);
    });
});

test("all problems are reported at once", () => {
    expect(
        problems({ up: [{ ...soil, after: "x.yml" }], checks: [{ ...harvest, image: "x", name: "Review" }] }),
    ).toHaveLength(4);
});
