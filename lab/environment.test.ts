import { expect, test } from "../tests/mocha";
import { type LabEnvironment, labVariables } from "./environment";

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
