import { expect, test } from "vitest";
import { refreshBefore, refreshOptions } from "./refresh";

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
