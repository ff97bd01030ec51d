import { expect, test } from "../../tests/mocha";
import { refreshBefore, refreshOptions, changedSecrets } from "./refresh";

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

const target = ["--target", "urn:pulumi:local::p::t::n"];

test.each([
    ["without other files on GitHub", false, ["--yes"], undefined, ["--yes"]],
    ["with some", true, ["--yes", ...target], refreshOptions.files, ["--yes", ...target]],
    ["asked to look at all", true, ["--yes", "--refresh"], refreshOptions.all, ["--yes"]],
    ["asked so in another way", false, ["-r", "--diff"], refreshOptions.all, ["--diff"]],
    ["asked to look at one thing", true, ["--refresh", ...target], undefined, ["--refresh", ...target]],
])("an `up` %s refreshes before what it needs, never an index", (_, filesDiffer, args, refresh, rest) => {
    expect(refreshBefore(args, filesDiffer)).toEqual({ refresh, rest });
});
