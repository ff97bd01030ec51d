import { mkdirSync } from "node:fs";
import path from "node:path";
import { ensureToolchain } from "../../lab/toolchain/build";
import { pulumiHome } from "../../lab/toolchain/pulumiHome";
import { refreshOptions } from "../../lib/engine/refresh";
import { labPaths } from "../../lib/system/paths";
import { run } from "../../lib/system/process";
import { expect, test } from "../mocha";
import { tree } from "../tree";

const prefix = "urn:pulumi:ci::layered-images::";
const stack = `${prefix}pulumi:pulumi:Stack::layered-images-ci`;
/** A resource of a type with children, without a provider: a refresh reads it without a request to any provider. */
const resource = (parentType: string, type: string, name: string) => ({
    urn: `${prefix}${parentType}$${type}::${name}`,
    custom: false,
    type,
    parent: stack,
});
const resources = [
    { urn: stack, custom: false, type: "pulumi:pulumi:Stack" },
    resource("layered-images:components:WorkflowFiles", "github:index/repositoryFile:RepositoryFile", "deploy.yml"),
    resource("layered-images:components:RepositorySecrets", "github:index/actionsSecret:ActionsSecret", "a-secret"),
    resource("layered-images:components:Promotion", "docker-build:index:Index", "base-index"),
    resource("layered-images:components:ImageLayer", "docker-build:index:Image", "base-amd64"),
];

/**
 * Writes a state with these resources and returns the command that refreshes it; the command returns the names of the
 * refreshed resources.
 */
async function stateOf(known: readonly object[]) {
    const { cache } = labPaths();
    const toolchain = await ensureToolchain(cache);
    const home = pulumiHome(cache, toolchain, process.env);
    const cwd = tree({ "Pulumi.yaml": "name: layered-images\nruntime: nodejs\n" });
    mkdirSync(path.join(cwd, "state"));
    const env = {
        ...process.env,
        PATH: `${path.join(home, "bin")}:${process.env.PATH ?? ""}`,
        PULUMI_HOME: home,
        PULUMI_BACKEND_URL: `file://${path.join(cwd, "state")}`,
        PULUMI_CONFIG_PASSPHRASE: "test",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_STACK: "ci",
    };
    const pulumi = (...args: string[]) => run("pulumi", [...args, "--non-interactive"], { cwd, env });
    await pulumi("stack", "init", "ci", "--no-select");
    const exported = JSON.parse(await pulumi("stack", "export")) as { deployment: { resources?: readonly object[] } };
    exported.deployment.resources = known;
    const file = path.join(tree({ "state.json": JSON.stringify(exported) }), "state.json");
    await pulumi("stack", "import", "--file", file);
    return async (...options: string[]) => {
        const output = await pulumi("refresh", "--yes", "--skip-preview", ...options);
        return [...output.matchAll(/ (\S+) refreshing /g)].map(([, name]) => name).sort();
    };
}

test("before an `up` the workflow files and nothing else are refreshed; nothing where there are none", async () => {
    const refresh = await stateOf(resources);
    expect(await refresh(...refreshOptions.files)).toEqual(["deploy.yml"]);
    const without = await stateOf(resources.filter(({ urn }) => !urn.endsWith("deploy.yml")));
    expect(await without(...refreshOptions.files)).toEqual([]);
});

test("asked to look into the registry, `up` refreshes everything but the indexes", async () => {
    const refresh = await stateOf(resources);
    const names = ["a-secret", "base-amd64", "deploy.yml", "layered-images-ci"];
    expect(await refresh(...refreshOptions.all)).toEqual(names);
});
