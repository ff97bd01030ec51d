import { describe } from "mocha";
import { expect, test } from "../tests/mocha";
import { type Values, expressions } from "../tests/github/expressions";
import { nameProblem, registryLogin } from "../lib/github/names";
import { containerCredentials, logIns, registriesOf } from "./registries";

const published = (repository: string, ...copies: string[]) => ({
    publication: {
        repository,
        tags: ["latest"],
        releaseTags: [],
        copies: copies.map((copy) => ({ repository: copy, tags: [] })),
    },
});

test("the registries are those in the images' names, or the one that CI pushes to", () => {
    const images = [published("quay.io/us/a", "docker.io/us/a"), published("ghcr.io/us/b", "quay.io/us/b"), {}];
    expect(registriesOf(images, undefined)).toEqual(["ghcr.io", "docker.io", "quay.io"]);
    expect(registriesOf(images, "registry.example:5000/team")).toEqual(["registry.example:5000"]);
});

test.each([
    ["quay.io", "REGISTRY_QUAY_IO_USERNAME"],
    ["registry.example:5000", "REGISTRY_REGISTRY_EXAMPLE_5000_USERNAME"],
    ["123456789012.dkr.ecr.eu-west-1.amazonaws.com", "REGISTRY_123456789012_DKR_ECR_EU_WEST_1_AMAZONAWS_COM_USERNAME"],
])("the login for %s has names that GitHub accepts", (registry, username) => {
    const login = registryLogin(registry);
    expect(login.username).toBe(username);
    expect(Object.values(login).flatMap((name) => nameProblem(name) ?? [])).toEqual([]);
});

describe("a job logs in", () => {
    test("to ghcr.io with its own token", () => {
        for (const access of ["push", "read"] as const) {
            expect(logIns(["ghcr.io"], access)).toEqual([
                {
                    name: "Log in to ghcr.io",
                    uses: "docker/login-action",
                    with: { registry: "ghcr.io", username: "${{ github.actor }}", password: "${{ github.token }}" },
                },
            ]);
        }
    });

    test("to others with variable and secret: required for a push, used if they exist for reading", () => {
        const login = {
            name: "Log in to quay.io",
            uses: "docker/login-action",
            with: {
                registry: "quay.io",
                username: "${{ vars.REGISTRY_QUAY_IO_USERNAME }}",
                password: "${{ secrets.REGISTRY_QUAY_IO_PASSWORD }}",
            },
        };
        const [check, ...rest] = logIns(["quay.io"], "push");
        expect(rest).toEqual([login]);
        expect(check).toMatchObject({
            env: {
                REGISTRIES: "quay.io=REGISTRY_QUAY_IO_USERNAME=REGISTRY_QUAY_IO_PASSWORD",
                REGISTRY_QUAY_IO_USERNAME: "${{ vars.REGISTRY_QUAY_IO_USERNAME }}",
                REGISTRY_QUAY_IO_PASSWORD: "${{ secrets.REGISTRY_QUAY_IO_PASSWORD }}",
            },
        });
        expect(logIns(["quay.io"], "read")).toEqual([{ ...login, if: "vars.REGISTRY_QUAY_IO_USERNAME != ''" }]);
    });

    test("to Docker Hub without naming it, so that the login is stored where Docker's tools look for it", () => {
        expect(logIns(["docker.io"], "read")[0]?.with).toEqual({
            username: "${{ vars.REGISTRY_DOCKER_IO_USERNAME }}",
            password: "${{ secrets.REGISTRY_DOCKER_IO_PASSWORD }}",
        });
    });
});

describe("a job's container is pulled", () => {
    test("from ghcr.io with the workflow's token, and from nowhere else with it", () => {
        const login = { username: "${{ github.actor }}", password: "${{ github.token }}" };
        expect(containerCredentials("ghcr.io")).toEqual(login);
        expect(JSON.stringify(containerCredentials("quay.io"))).not.toContain("github.token");
    });

    const [username, password] = ["REGISTRY_QUAY_IO_USERNAME", "REGISTRY_QUAY_IO_PASSWORD"];
    test.each<[string, Values, Readonly<Record<string, string>>]>([
        [
            "with the login of the repository",
            { vars: { [username]: "me" }, secrets: { [password]: '{"0}\\' } },
            { username: "me", password: '{"0}\\' },
        ],
        ["without a login where there is none, as for forks", { vars: { A: "" }, secrets: { A: "" } }, {}],
        [
            "without a login that lacks its secret, as for Dependabot",
            { vars: { [username]: "me" }, secrets: { A: "" } },
            {},
        ],
        ["without a login that lacks its name", { vars: { A: "" }, secrets: { [password]: "x" } }, {}],
    ])("from another registry %s", async (_name, contexts, expected) => {
        const { expand } = await expressions();
        const credentials = containerCredentials("quay.io") as unknown as string;
        const asJson = credentials.replace(/^\$\{\{ (.*) \}\}$/, "${{ toJSON($1) }}");
        expect(JSON.parse(expand(asJson, contexts))).toEqual(expected);
    });
});
