import { expect, test } from "vitest";
import { tree } from "../tests/tree";
import { type LabEnvironment, labVariables, stackExists } from "./environment";

test("the lab's stack is that of the project in Pulumi.yaml, whatever its name", () => {
    const state = tree({ "pulumi/.pulumi/stacks/ours/local.json": "{}" });
    const paths = { cache: state, state };
    expect(stackExists(paths, tree({ "Pulumi.yaml": "name: ours\n" }))).toBe(true);
    expect(stackExists(paths, tree({ "Pulumi.yaml": "name: theirs\n" }))).toBe(false);
});

test("what a user has set for other builders and proxies does not lead away from the lab", () => {
    const lab: LabEnvironment = {
        paths: { cache: "/c", state: "/s" },
        certificates: { ca: "/ca", certificate: "/certificate", key: "/key", bundle: "/bundle" },
        toolchain: {
            buildkit: undefined,
            buildx: undefined,
            pulumi: undefined,
            languageHost: undefined,
            dockerBuild: undefined,
            github: undefined,
        },
        home: "/h",
        instanceFile: "/s/instance.json",
        githubPort: undefined,
    };
    const env = { BUILDX_BUILDER: "theirs", HTTPS_PROXY: "http://proxy:3128", NO_PROXY: ".corp" };
    expect(labVariables(lab, env)).toMatchObject({
        BUILDX_CONFIG: "/s/buildx",
        BUILDX_BUILDER: "layered-images",
        NO_PROXY: ".corp,registry.localhost,localhost,127.0.0.1",
    });
    expect(labVariables(lab, {})).not.toHaveProperty("NO_PROXY");
});
