import { expect, test } from "vitest";
import { changedSecrets } from "./changedSecrets";

const at = (remoteUpdatedAt: string) => ({ updatedAt: "2026-01-01", remoteUpdatedAt });
const secret = (urn: string, outputs: Record<string, unknown>, type = "actionsSecret:ActionsSecret") => ({
    urn,
    type: `github:index/${type}`,
    outputs,
});

test("a secret was changed by others when GitHub's time of its last change is not ours", () => {
    const resources = [
        secret("ours", at("2026-01-01")),
        secret("theirs", at("2026-01-02")),
        secret("Dependabot's", at("2026-01-02"), "dependabotSecret:DependabotSecret"),
        secret("a variable", at("2026-01-02"), "actionsVariable:ActionsVariable"),
        { urn: "a component", type: "layered-images:components:RepositorySecrets" },
    ];
    expect(changedSecrets(resources)).toEqual(["theirs", "Dependabot's"]);
});
