import { z } from "zod";
import { type Definitions, imageNames, keysOf } from "../lib/hierarchy/definition";
import {
    type CheckDefinition,
    type CleanupDefinition,
    type DependabotDefinition,
    type PreviewDefinition,
    type ReleasesDefinition,
    type ReviewDefinition,
    type StepDefinition,
    type UpDefinition,
    type WorkflowDefinitions,
    defaultPreview,
    defaultReview,
    defaultUp,
} from "./definition";
import { longestMinutes } from "./timeLimits";

const is = (what: string) => ({
    error: ({ input }: { readonly input?: unknown }) => (input === undefined ? "is missing" : `is not ${what}`),
});
const text = z.string(is("text"));
const list = <T extends z.ZodType>(entry: T) => z.array(entry, is("a list"));

/** The schema of an object with exactly the fields of a type. */
function fields<T>(shape: Record<keyof Required<T>, z.ZodType>) {
    const known = Object.keys(shape).join(", ");
    return z.strictObject(shape, {
        error: (issue) =>
            issue.code === "unrecognized_keys"
                ? `has an unknown field ${issue.keys.map((key) => `"${key}"`).join(" and ")}; known are ${known}`
                : `is not an object with the fields ${known}`,
    });
}

const minutes = z
    .int(is("a whole number"))
    .min(1, `is not between 1 and ${longestMinutes}`)
    .max(longestMinutes, `is not between 1 and ${longestMinutes}`)
    .optional();

const natural = z
    .int(is("a whole number"))
    .min(0, "is below 0")
    .max(999_999_999, "has more than nine digits")
    .optional();

/**
 * A text without GitHub's expressions. Their values can come from a pull request and would be part of the command, so they have to go
 * through the environment; and checks are given none that are secret.
 */
const unchanged = text.refine(
    (value) => !value.includes("${{"),
    "contains an expression ${{ … }}, which GitHub would replace",
);
const plain = unchanged.regex(/\S/, "is empty");

const flag = z.boolean(is("true or false")).optional();

const step = fields<StepDefinition>({
    name: plain,
    run: plain,
    env: z.record(z.string(), unchanged, is("an object of texts")).optional(),
    always: flag,
});

/**
 * The name of a file, which without its ending is also the key of a check's job.
 * docs.github.com, "Workflow syntax", `jobs.<job_id>`.
 */
const file = text.regex(/^[A-Za-z_][\w-]*\.yml$/, "is not a file name of letters, digits, - and _ that ends in .yml");

/**
 * The name of a workflow. Other workflows name it as a pattern (`on.workflow_run.workflows`), in which these characters have a meaning:
 * with some of them GitHub starts nothing, and with a `+` it reports a failed run for every event (github.com/actions/runner, issue 3763).
 */
const name = plain
    .regex(/^\S(?:.*\S)?$/, "begins or ends with a space, or has more than one line")
    .regex(/^[^*?+[\]!\\]*$/, "contains one of the characters * ? + [ ] ! \\, which GitHub reads as a pattern");

/** Five fields of numbers, names, lists, ranges and steps. */
const schedule = text
    .regex(/^[\dA-Z*][\dA-Z*,/-]*(?: [\dA-Z*][\dA-Z*,/-]*){4}$/i, 'is not a cron expression such as "23 4 * * 1"')
    .optional();

const schema = fields<WorkflowDefinitions>({
    up: list(
        fields<UpDefinition>({ file, name, images: list(text).optional(), after: text.optional(), minutes }),
    ).optional(),
    checks: list(
        fields<CheckDefinition>({ file, name, image: text, steps: list(step).min(1, "is empty"), minutes }),
    ).optional(),
    review: fields<ReviewDefinition>({
        file: file.optional(),
        name: name.optional(),
        schedule,
        minutes,
        build: flag,
        bump: flag,
    }).optional(),
    preview: fields<PreviewDefinition>({ file: file.optional(), name: name.optional(), minutes }).optional(),
    releases: fields<ReleasesDefinition>({ provenance: flag, sbom: flag, signature: flag }).optional(),
    cleanup: fields<CleanupDefinition>({ keepReleases: natural, keepDays: natural }).optional(),
    ghcr: z.enum(["token", "login"], 'is not "token" or "login"').optional(),
    dependabot: z
        .literal(false)
        .or(
            fields<DependabotDefinition>({
                ecosystems: list(
                    fields<{ ecosystem: string; directory: string }>({
                        ecosystem: text.regex(/^[a-z][a-z-]*$/, "is not a name such as uv"),
                        directory: text.regex(/^\//, "does not begin with a slash"),
                    }),
                ).optional(),
                patchesOnly: list(plain).optional(),
            }),
        )
        .optional(),
});

/** Names a place in the definitions: `checks[0].steps[1].run`. */
const place = (path: readonly PropertyKey[]): string =>
    path.map((key, index) => (typeof key === "number" ? `[${key}]` : `${index > 0 ? "." : ""}${String(key)}`)).join("");

/** Returns the problems of values that must differ: each value that an earlier entry has. */
function repeated(what: string, entries: readonly (readonly [where: string, value: string])[]): string[] {
    return entries.flatMap(([where, value], index) => {
        const [first] = entries.slice(0, index).find(([, other]) => other.toLowerCase() === value.toLowerCase()) ?? [];
        return first === undefined ? [] : [`${where}: ${first} has the ${what} "${value}" too`];
    });
}

/** Returns the problems of the images that workflows name. */
function imageProblems({ up = [], checks = [] }: WorkflowDefinitions, definitions: Definitions): string[] {
    const { images, matrices = {} } = definitions;
    const known = Object.keys(images);
    const named = [
        ...up.flatMap(({ images: keys = [] }, index) => keys.map((key) => [`up[${index}].images`, key] as const)),
        ...checks.map(({ image }, index) => [`checks[${index}].image`, image] as const),
    ];
    const unknown = named.filter(([, key]) => keysOf(definitions, key).length === 0);
    const several = checks.flatMap(({ image }, index) =>
        image in matrices && !known.includes(image)
            ? [
                  `checks[${index}].image: ${image} is a matrix; name one of its images: ${keysOf(definitions, image).join(", ")}`,
              ]
            : [],
    );
    const unpublished = checks.flatMap(({ image }, index) =>
        known.includes(image) && images[image]?.name === undefined
            ? [
                  `checks[${index}].image: image ${image} is never pushed, so nothing can run in it: give it a name in images.ts`,
              ]
            : [],
    );
    return [
        ...unknown.map(
            ([where, key]) => `${where}: images.ts has no image "${key}"; it has ${imageNames(definitions).join(", ")}`,
        ),
        ...several,
        ...unpublished,
    ];
}

/**
 * Returns the problems of what starts updates. Every published image must start one, or its changes would stay unpublished until somebody
 * notices.
 */
function startProblems({ up }: WorkflowDefinitions, definitions: Definitions): string[] {
    const { images } = definitions;
    if (up === undefined) return [];
    const wrong = up.flatMap(({ after }, index) => {
        const earlier = up.slice(0, index).map((workflow) => workflow.file);
        if (after === undefined || earlier.includes(after)) return [];
        const allowed = earlier.length > 0 ? `allowed are ${earlier.join(", ")}` : "there is none";
        return [`up[${index}].after: "${after}" is not the file of a workflow before it in the list; ${allowed}`];
    });
    const watched = up.flatMap(({ images: names = [] }) => names.flatMap((name) => keysOf(definitions, name)));
    const isAlwaysStarted = up.some((workflow) => workflow.images === undefined);
    const forgotten = Object.keys(images).filter((key) => images[key]?.name !== undefined && !watched.includes(key));
    if (isAlwaysStarted || forgotten.length === 0) return wrong;
    return [
        ...wrong,
        `up: no workflow starts when ${forgotten.join(", ")} changes: list it in the images of one, or add a workflow ` +
            "without images, which every push starts",
    ];
}

/**
 * Returns the problems of the export of `workflows.ts`, one string per problem. If there is any, its type can't be relied on.
 *
 * @param definitions the exports of `workflows.ts` and of `images.ts`; problems of the images themselves are reported elsewhere
 */
export function workflowProblems({
    workflows,
    ...definitions
}: Definitions & { readonly workflows: WorkflowDefinitions }): string[] {
    const { error } = schema.safeParse(workflows);
    if (error) return error.issues.map(({ path, message }) => `${place(path) || "workflows"}: ${message}`);
    const { up = defaultUp, checks = [] } = workflows;
    const all = [
        { where: "the review", ...defaultReview, ...workflows.review },
        ...(workflows.preview ? [{ where: "the preview", ...defaultPreview, ...workflows.preview }] : []),
        ...up.map((workflow, index) => ({ where: `up[${index}]`, file: workflow.file, name: workflow.name })),
        ...checks.map((workflow, index) => ({ where: `checks[${index}]`, file: workflow.file, name: workflow.name })),
    ];
    return [
        ...repeated(
            "file",
            all.map((one) => [one.where, one.file] as const),
        ),
        ...repeated(
            "name",
            all.map((one) => [one.where, one.name] as const),
        ),
        ...imageProblems(workflows, definitions),
        ...startProblems(workflows, definitions),
    ];
}
