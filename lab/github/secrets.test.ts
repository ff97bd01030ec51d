import { readFileSync } from "node:fs";
import { afterEach, beforeEach } from "mocha";
import { expect, test } from "../../tests/mocha";
import { revealSecret, seal } from "./sealedBox";
import { secretKinds } from "./state";
import { startTestStandIn, type TestStandIn } from "./testing";

let github: TestStandIn;
beforeEach(async () => {
    github = await startTestStandIn();
});
afterEach(async () => {
    await github.remove();
});

interface PublicKey {
    readonly key: string;
    readonly key_id: string;
}
const keyOf = async (kind: string) => (await github.repo("GET", `${kind}/secrets/public-key`)).body as PublicKey;

async function put(kind: string, name: string, value: string) {
    const { key, key_id } = await keyOf(kind);
    const body = { encrypted_value: seal(value, { publicKey: key }), key_id };
    return await github.repo("PUT", `${kind}/secrets/${name}`, body);
}

test.each(secretKinds)("what was sealed for %s is found again, and only there", async (kind) => {
    expect((await put(kind, "TOKEN", "größe\n")).status).toBe(201);
    expect((await put(kind, "TOKEN", "other")).status).toBe(204);
    for (const one of secretKinds) {
        const revealed = revealSecret(github.store.state, "acme/tool", one, "token");
        expect(revealed).toBe(one === kind ? "other" : undefined);
    }
    expect((await github.repo("GET", `${kind}/secrets`)).body).toMatchObject({
        total_count: 1,
        secrets: [{ name: "TOKEN" }],
    });
    expect((await github.repo("DELETE", `${kind}/secrets/TOKEN`)).status).toBe(204);
    expect((await github.repo("GET", `${kind}/secrets/TOKEN`)).status).toBe(404);
    expect((await github.repo("DELETE", `${kind}/secrets/TOKEN`)).status).toBe(404);
});

test("keys are Curve25519's, differ by kind and stay", async () => {
    const keys = await Promise.all(secretKinds.map(keyOf));
    expect(keys.map(({ key }) => Buffer.from(key, "base64").length)).toEqual([32, 32, 32]);
    expect(new Set(keys.map(({ key }) => key)).size).toBe(3);
    await github.close();
    const again = await startTestStandIn(github.file);
    expect((await again.repo("GET", "actions/secrets/public-key")).body).toEqual(keys[0]);
    await again.close();
});

test("no answer, no log and no state text says a secret's value", async () => {
    await put("actions", "TOKEN", "canary-value");
    const answers = await Promise.all(["", "/TOKEN"].map((path) => github.repo("GET", `actions/secrets${path}`)));
    const said = JSON.stringify(answers.map(({ body }) => body as unknown)) + github.log.join("\n");
    expect(said).toContain("TOKEN");
    expect(said + readFileSync(github.file, "utf8")).not.toContain("canary-value");
});

test("a value sealed with another key is refused", async () => {
    const { key_id } = await keyOf("actions");
    const { key } = await keyOf("dependabot");
    const body = { encrypted_value: seal("value", { publicKey: key }), key_id };
    expect(await github.repo("PUT", "actions/secrets/TOKEN", body)).toMatchObject({
        status: 422,
        body: { message: "improperly encrypted secret" },
    });
    const other = { ...body, key_id: "012345678912345678" };
    expect((await github.repo("PUT", "actions/secrets/TOKEN", other)).status).toBe(422);
});

test.each(["1ST", "WITH-DASH", "GITHUB_OWN", "github_own"])("the name %s is refused", async (name) => {
    expect((await put("actions", name, "value")).status).toBe(422);
    expect((await github.repo("POST", "actions/variables", { name, value: "value" })).status).toBe(422);
});

test("values may have 48 KB", async () => {
    const fits = "x".repeat(48 * 1024);
    expect((await put("actions", "FITS", fits)).status).toBe(201);
    expect((await put("actions", "TOO_BIG", `${fits}x`)).status).toBe(422);
    const variable = (name: string, value: string) => github.repo("POST", "actions/variables", { name, value });
    expect((await variable("FITS", fits)).status).toBe(201);
    expect((await variable("TOO_BIG", `${fits}x`)).status).toBe(422);
});

test("a secret that was changed outside has a later time, also within a second", async () => {
    await put("actions", "TOKEN", "ours");
    const updated = async () =>
        ((await github.repo("GET", "actions/secrets/TOKEN")).body as { updated_at: string }).updated_at;
    const before = await updated();
    await github.control("PUT", "repositories/acme/tool/secrets/actions/TOKEN", { value: "theirs" });
    expect(Date.parse(await updated())).toBeGreaterThan(Date.parse(before));
    expect(revealSecret(github.store.state, "acme/tool", "actions", "TOKEN")).toBe("theirs");
});

test("a variable is created once, read, changed, renamed and deleted", async () => {
    const at = (name: string) => `actions/variables/${name}`;
    expect((await github.repo("POST", "actions/variables", { name: "ci_image", value: "one" })).status).toBe(201);
    expect((await github.repo("POST", "actions/variables", { name: "CI_IMAGE", value: "two" })).status).toBe(409);
    expect((await github.repo("PATCH", at("CI_IMAGE"), { value: "three" })).status).toBe(204);
    expect((await github.repo("GET", at("CI_IMAGE"))).body).toMatchObject({ name: "CI_IMAGE", value: "three" });
    expect((await github.repo("PATCH", at("CI_IMAGE"), { name: "BOT_IMAGE" })).status).toBe(204);
    expect((await github.repo("GET", "actions/variables")).body).toMatchObject({
        total_count: 1,
        variables: [{ name: "BOT_IMAGE", value: "three" }],
    });
    expect((await github.repo("DELETE", at("BOT_IMAGE"))).status).toBe(204);
    expect((await github.repo("GET", at("BOT_IMAGE"))).status).toBe(404);
    expect((await github.repo("PATCH", at("BOT_IMAGE"), { value: "four" })).status).toBe(404);
});
