/*
 * Where Pulumi can keep the state, and what GitHub Actions needs for it. The workflows, `github-setup` and the messages of a run use this
 * table, and docs/operations.md is tested against it.
 */

/** A kind of backend, with a way to log in to it. */
interface BackendFacts {
    /** Its name in docs/operations.md. */
    readonly title: string;
    /** Start of its address in PULUMI_BACKEND_URL; absent for Pulumi Cloud, which needs no address. */
    readonly scheme?: string;
    /** Variables that its jobs need. */
    readonly variables: readonly string[];
    /** Secrets that its jobs need. */
    readonly secrets: readonly string[];
}

const passphrase = "PULUMI_CONFIG_PASSPHRASE";
const address = "PULUMI_BACKEND_URL";

/** The backends, by the names that `github-setup --backend` takes, in the order of docs/operations.md. */
export const backends = {
    "cloud-openid": {
        title: "Pulumi Cloud, trusting GitHub by OpenID",
        variables: ["PULUMI_ORGANIZATION"],
        secrets: [],
    },
    cloud: { title: "Pulumi Cloud, with a token", variables: [], secrets: ["PULUMI_ACCESS_TOKEN"] },
    "s3-openid": {
        title: "Amazon S3, trusting GitHub by OpenID",
        scheme: "s3://",
        variables: [address, "AWS_REGION", "AWS_ROLE_ARN"],
        secrets: [passphrase],
    },
    s3: {
        title: "Amazon S3 and compatible services, with a key",
        scheme: "s3://",
        variables: [address, "AWS_REGION"],
        secrets: ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", passphrase],
    },
    "azure-openid": {
        title: "Azure Blob Storage, trusting GitHub by OpenID",
        scheme: "azblob://",
        variables: [address, "AZURE_STORAGE_ACCOUNT", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"],
        secrets: [passphrase],
    },
    azure: {
        title: "Azure Blob Storage, with a key",
        scheme: "azblob://",
        variables: [address, "AZURE_STORAGE_ACCOUNT"],
        secrets: ["AZURE_STORAGE_KEY", passphrase],
    },
    "google-openid": {
        title: "Google Cloud Storage, trusting GitHub by OpenID",
        scheme: "gs://",
        variables: [address, "GOOGLE_WORKLOAD_IDENTITY_PROVIDER", "GOOGLE_SERVICE_ACCOUNT"],
        secrets: [passphrase],
    },
    google: {
        title: "Google Cloud Storage, with a key",
        scheme: "gs://",
        variables: [address],
        secrets: ["GOOGLE_CREDENTIALS", passphrase],
    },
    postgres: {
        title: "PostgreSQL",
        scheme: "postgres://",
        variables: [address],
        secrets: ["PGPASSWORD", passphrase],
    },
} as const satisfies Record<string, BackendFacts>;
/** A kind of backend. */
export type Backend = keyof typeof backends;

/** The names of the backends. */
export const backendNames = Object.keys(backends) as [Backend, ...Backend[]];

/** Returns a backend by its name. */
export const backendFacts = (name: Backend): BackendFacts => backends[name];

const all = (kind: "variables" | "secrets"): readonly string[] => [
    ...new Set(backendNames.flatMap((name) => backendFacts(name)[kind])),
];

/** The variables, and the secrets, of all backends. */
export const backendVariables = { variables: all("variables"), secrets: all("secrets") } as const;

/**
 * Returns the backend whose variables or secrets there are; undefined if they don't tell.
 *
 * @param names variables and secrets that have a value
 * @param url the backend's address; undefined if it is not known
 */
export function backendOf(names: ReadonlySet<string>, url: string | undefined): Backend | undefined {
    const isCloud = url === undefined || url.startsWith("https://");
    const fitting = backendNames.filter((name) => {
        const { scheme } = backendFacts(name);
        return scheme === undefined ? isCloud : url?.startsWith(scheme);
    });
    // What only this way to log in needs: the address and the passphrase are those of several.
    const own = (name: Backend) => {
        const others = fitting.filter((other) => other !== name);
        const { variables, secrets } = backendFacts(name);
        const shared = new Set(
            others.flatMap((other) => [...backendFacts(other).variables, ...backendFacts(other).secrets]),
        );
        return [...variables, ...secrets].filter((one) => !shared.has(one));
    };
    return fitting.find((name) => own(name).some((one) => names.has(one)));
}
