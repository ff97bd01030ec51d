import * as pulumi from "@pulumi/pulumi";

/** A resource as the program registered it with the engine. */
export interface Recorded {
    readonly type: string;
    readonly name: string;
    readonly inputs: Record<string, unknown>;
    readonly options: {
        readonly retainOnDelete: boolean;
        readonly dependencies: readonly string[];
        readonly ignoreChanges: readonly string[];
        readonly deleteBeforeReplace: boolean;
        /** The provider's ID of the object to import; empty if the resource imports nothing. */
        readonly importId: string;
        /** Names of hooks, by the SDK's name of the event that calls them. */
        readonly hooks: Readonly<Record<string, readonly string[]>>;
    };
}

/** Returns the mocked provider's digest of an image, derived from its name so that tests can recognise the image. */
export const digestOf = (name: string): string =>
    `sha256:${Buffer.from(name).toString("hex").padEnd(64, "0").slice(0, 64)}`;

/** Number that the mocked provider assigns to every pull request. */
export const pullRequestNumber = 12;

/** Returns the outputs of a resource type that the program uses; throws for every other type. */
function outputsOf(type: string, name: string, inputs: Record<string, unknown>): Record<string, unknown> {
    switch (type) {
        case "docker-build:index:Image": {
            const exports = JSON.stringify(inputs.exports);
            return { ...inputs, digest: exports.includes("cacheonly") ? "" : digestOf(name), contextHash: "", ref: "" };
        }
        case "docker-build:index:Index":
            return { ...inputs, ref: `${String(inputs.tag)}@${digestOf(`${name}-index`)}` };
        case "command:local:Command":
        case "command:remote:Command":
            return { ...inputs, stdout: "", stderr: "" };
        case "github:index/actionsSecret:ActionsSecret":
        case "github:index/dependabotSecret:DependabotSecret":
        case "github:index/codespacesSecret:CodespacesSecret":
        case "github:index/actionsVariable:ActionsVariable":
        case "github:index/repositoryFile:RepositoryFile":
        case "github:index/branch:Branch":
            return inputs;
        case "github:index/repositoryPullRequest:RepositoryPullRequest":
            return { ...inputs, number: pullRequestNumber };
        default:
            throw new Error(`the mocks know no ${type} (${name})`);
    }
}

/** The fields of a registration request that the harness reads and the SDK does not pass to mocks. */
interface Registration {
    getType(): string;
    getName(): string;
    getRetainondelete(): boolean;
    getDependenciesList(): string[];
    getIgnorechangesList(): string[];
    getDeletebeforereplace(): boolean;
    getImportid(): string;
    getHooks(): { toObject(): Readonly<Record<string, readonly string[]>> } | undefined;
}

type RegisterHook = (request: unknown, answer: (error: null, empty: object) => void) => void;

/** Returns a resource's key. Components and custom resources share names: a component's key is "<class> <name>". */
const keyOf = (type: string, name: string): string =>
    type.startsWith("layered-images:") ? `${type.split(":").at(-1) ?? ""} ${name}` : name;

/**
 * Runs `program` against recording mocks, as project layered-images and stack test. Returns the registered resources
 * after every registration has completed.
 *
 * @param left outputs of resources that the update leaves as they are, whatever the program wants: it has other targets
 */
export async function record(
    program: () => void,
    preview = false,
    left: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {},
): Promise<Record<string, Recorded>> {
    const inputs: Record<string, Record<string, unknown>> = {};
    const recorded: Record<string, Recorded> = {};
    const mocks: pulumi.runtime.Mocks = {
        newResource: (args) => {
            const given = args.inputs as Record<string, unknown>;
            inputs[keyOf(args.type, args.name)] = given;
            const state = args.type.startsWith("layered-images:")
                ? {}
                : (left[args.name] ?? outputsOf(args.type, args.name, given));
            return { id: `${args.name}-id`, state };
        },
        call: (args) => {
            throw new Error(`the mocks know no function ${args.token}`);
        },
    };
    await pulumi.runtime.setMocks(mocks, "layered-images", "test", preview, "organization");
    // The SDK does not pass a resource's options to mocks: the harness reads them from the registration request.
    const monitor = pulumi.runtime.getMonitor() as unknown as {
        registerResource: (request: Registration, answer: unknown) => Promise<void>;
    };
    // The SDK's mocks do not implement hooks.
    const accept: RegisterHook = (_request, answer) => {
        answer(null, {});
    };
    Object.assign(monitor, { registerResourceHook: accept, registerErrorHook: accept });
    const register = monitor.registerResource.bind(monitor);
    monitor.registerResource = async (request, answer) => {
        await register(request, answer);
        const [type, name] = [request.getType(), request.getName()];
        recorded[keyOf(type, name)] = {
            type,
            name,
            inputs: inputs[keyOf(type, name)] ?? {},
            options: {
                retainOnDelete: request.getRetainondelete(),
                dependencies: request.getDependenciesList().map((urn) => urn.split("::").at(-1) ?? ""),
                ignoreChanges: request.getIgnorechangesList(),
                deleteBeforeReplace: request.getDeletebeforereplace(),
                importId: request.getImportid(),
                hooks: request.getHooks()?.toObject() ?? {},
            },
        };
    };
    // The SDK takes a stack trace for every promise and every resource, which takes more time than the tests.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
        program();
        await pulumi.runtime.disconnect();
    } finally {
        Error.stackTraceLimit = stackTraceLimit;
    }
    return recorded;
}
