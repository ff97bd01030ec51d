import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "../../tests/mocha";
import { packageRoot } from "../system/paths";
import { type Backend, backendFacts, backendNames, backendOf } from "./backends";

test("docs/operations.md has people set the variables and secrets of this table, and no others", () => {
    const text = readFileSync(path.join(packageRoot, "docs", "operations.md"), "utf8");
    const [, chapter = ""] = text.split("### 1. Where the state is stored\n");
    const [table = ""] = (chapter.split("\n### ", 1)[0] ?? "")
        .split("\n\n")
        .filter((block) => block.includes("backend"));
    const rows = table.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| ---"));
    const cells = rows.slice(1).map((line) =>
        line
            .slice(1, -1)
            .split("|")
            .map((cell) => cell.trim()),
    );
    const names = (cell = "") => [...cell.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name);
    expect(cells.map(([title, key, variables, secrets]) => [title, key, names(variables), names(secrets)])).toEqual(
        backendNames.map((name) => {
            const { title, variables, secrets } = backendFacts(name);
            return [title, `\`${name}\``, variables, secrets];
        }),
    );
});

test.each<[string, string | undefined, string[], Backend | undefined]>([
    ["an organization", undefined, ["PULUMI_ORGANIZATION"], "cloud-openid"],
    ["an access token", undefined, ["PULUMI_ACCESS_TOKEN"], "cloud"],
    ["a bucket and a role", "s3://state", ["PULUMI_BACKEND_URL", "AWS_REGION", "AWS_ROLE_ARN"], "s3-openid"],
    ["a bucket and a key", "s3://state", ["PULUMI_BACKEND_URL", "AWS_ACCESS_KEY_ID"], "s3"],
    ["a bucket and another cloud's key", "gs://state", ["PULUMI_BACKEND_URL", "AWS_ACCESS_KEY_ID"], undefined],
    ["a database and its password", "postgres://up@db/state", ["PULUMI_BACKEND_URL", "PGPASSWORD"], "postgres"],
    ["only a bucket", "azblob://state", ["PULUMI_BACKEND_URL"], undefined],
    ["nothing", undefined, [], undefined],
])("%s tells the backend", (_, url, names, backend) => {
    expect(backendOf(new Set(names), url)).toBe(backend);
});
