import {
    type PolicyConfigSchema,
    PolicyPack,
    type ResourceValidationArgs,
    type ResourceValidationPolicy,
} from "@pulumi/policy";
import {
    type ImageInputs,
    componentTypes,
    dockerTypes,
    imageAbove,
    isMainTag,
    isSmokeTest,
    listIn,
    namedImages,
    nameOf,
    readImage,
    textsIn,
} from "../engine/resources";
import { type JudgedImage, type Violation, refusal, tooLarge, violationsOf } from "./rules";
import { type Rule, rules } from "./settings";
import { layerBytes } from "./sizes";

/* The rules as a pack, for `--policy-pack` and for an organisation that demands them of all its stacks. The engine shows a pack each
   resource before it makes it, and shows it neither deletions nor retainOnDelete: `no-loss` needs the state, so `up` alone has it. */

/** The rules that can be told from a resource before it is made. */
type PackRule = Exclude<Rule, "no-loss">;

/** What the file of `--policy-pack-config` may set for a rule, in addition to `enforcementLevel`. */
interface RuleConfig {
    /** Of no-credentials: build arguments that are public although they look like secrets. */
    readonly plainArguments?: readonly string[];
    /** Of max-size: the budget of images whose entry in images.ts has none. */
    readonly maxSize?: string;
}

const configSchemas: Readonly<Partial<Record<PackRule, PolicyConfigSchema>>> = {
    "no-credentials": { properties: { plainArguments: { type: "array", items: { type: "string" } } } },
    "max-size": { properties: { maxSize: { type: "string" } } },
};

/** The inputs of the components that the engine has shown so far, by image: it shows a component before the resources in it. */
const components = new Map<string, ImageInputs>();

/** Reads properties. In a preview some are unknown, and the SDK throws when they are read: `otherwise` is returned instead. */
function ifKnown<T>(read: () => T, otherwise: T): T {
    try {
        return read();
    } catch (error) {
        if (error instanceof Error && error.constructor.name === "UnknownValueError") return otherwise;
        throw error;
    }
}

/** Returns the image of a build, with what the rules read of it; undefined for any other resource. */
function buildIn(resource: ResourceValidationArgs): JudgedImage | undefined {
    const { type, props, opts } = resource;
    const image = imageAbove(opts.parent ?? "");
    const inputs = components.get(image ?? "");
    if (type !== dockerTypes.image || image === undefined || !inputs || isSmokeTest(props)) return undefined;
    const { plainArguments = [] } = resource.getConfig<RuleConfig>();
    const tags: unknown = props.tags;
    return {
        ...{ image, inputs, plainArguments },
        // The tags themselves are unknown while the parents are.
        isPublished: Array.isArray(tags) && tags.length > 0,
        contexts: ifKnown(() => namedImages(props), {}),
        buildArgs: textsIn(props.buildArgs),
    };
}

/** Returns the violations of a promotion whose builds are too large: in a preview of those that exist, in an update also of new ones. */
async function sizesIn(resource: ResourceValidationArgs): Promise<readonly Violation[]> {
    const { type, urn, props, opts } = resource;
    const image = imageAbove(opts.parent ?? "");
    if (type !== dockerTypes.index || image === undefined || !isMainTag({ name: nameOf(urn), image })) return [];
    const budget = components.get(image)?.maxSize ?? resource.getConfig<RuleConfig>().maxSize;
    if (budget === undefined) return [];
    const found = ifKnown(() => listIn(props.sources), []).map(async (ref) => {
        const bytes = await layerBytes(ref);
        return bytes === undefined ? [] : tooLarge(image, { ref, bytes }, budget);
    });
    return (await Promise.all(found)).flat();
}

async function violationsIn(resource: ResourceValidationArgs): Promise<readonly Violation[]> {
    if (resource.type === componentTypes.image) components.set(nameOf(resource.urn), readImage(resource.props));
    const build = buildIn(resource);
    return build ? violationsOf(build) : await sizesIn(resource);
}

const policy = (name: PackRule): ResourceValidationPolicy => ({
    name,
    description: `Refuses: ${rules[name]}`,
    enforcementLevel: "mandatory",
    ...(configSchemas[name] && { configSchema: configSchemas[name] }),
    validateResource: async (resource, report) => {
        for (const violation of await violationsIn(resource)) if (violation.rule === name) report(refusal(violation));
    },
});

const packRules: readonly PackRule[] = ["smoke-test", "parent-by-digest", "no-credentials", "max-size"];

/** Makes the pack: it then serves the engine until the engine ends this process. */
export const makePack = (): PolicyPack => new PolicyPack("layered-images", { policies: packRules.map(policy) });
