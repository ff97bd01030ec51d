import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe } from "mocha";
import { expect, test } from "../../tests/mocha";
import { withPrograms } from "../../tests/programs";
import type { Platform } from "../platform";
import { readInspection, readyBuilder, removeBuilders } from "./instance";
import { type Driver, builderSchema, instancesFor } from "./settings";

/** What buildx 0.35 prints of an instance, before its engine runs and while it does. */
const inspection = (
    { node, endpoint = "tcp://a:1", options = "" }: { node: string; endpoint?: string; options?: string },
    rest = "Status:           running\nBuildKit version: v0.31.1\nPlatforms:        linux/amd64, linux/amd64/v2, linux/arm64\n",
    driver = "remote",
) => `Name:          x
Driver:        ${driver}
Last Activity: 2026-11-28 00:30:29 +0000 UTC

Nodes:
Name:             ${node}
Endpoint:         ${endpoint}
${options === "" ? "" : `Driver Options:   ${options}\n`}${rest}Labels:
 org.mobyproject.buildkit.worker.hostname: Name: other
GC Policy rule#0:
 All:            false
File#buildkitd.toml:
 > Name: other
`;
const down = "Status:   inactive\n";
const absent = 'echo "ERROR: no builder \\"$2\\" found" >&2; exit 1';
const say = (text: string) => `cat <<'END'\n${text}END`;

/** A machine with a buildx that does this, by subcommand ("boot" is inspect --bootstrap); returns what it was told, without the inspections. */
function machine(scripts: Readonly<Record<string, string>>): () => readonly string[] {
    const cases = Object.entries(scripts).map(([name, script]) => `${name})\n${script}\n;;`);
    const folder = withPrograms({
        buildx: `test "$1" = inspect || echo "$*" >> "$0.log"
what=$1
test "$1 $2" = "inspect --bootstrap" && what=boot
test "$1" = --builder && what=$3
case $what in
${cases.join("\n")}
esac`,
    });
    const log = path.join(folder, "buildx.log");
    return () => (existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : []);
}

const wantedOf = (setting: object, platforms: readonly Platform[] = ["linux/amd64"]) =>
    instancesFor(builderSchema.parse(setting), platforms, "/repository");
const engine = (more: object = {}, driver: Driver = "remote") =>
    wantedOf({ driver, nodes: [{ ...(driver === "remote" && { endpoint: "tcp://a:1" }), ...more }] });
const nameOf = (instances: ReturnType<typeof wantedOf>) => [...instances.values()][0]?.node ?? "";
const ready = (instances: ReturnType<typeof wantedOf>) => readyBuilder(instances, process.env);
/** Answers of an instance that is there only after it was made. */
const made = (text: string) => `if test -f "$0.log"; then\n${say(text)}\nelse ${absent}; fi`;

test("of an inspection only the lines of nodes count, not what is quoted below them", () => {
    const options = 'cacert="/a b/ca.pem" key="/k\\"\\u00e4"';
    const { driver, nodes } = readInspection(inspection({ node: "n", options }));
    expect(driver).toBe("remote");
    expect(nodes).toEqual([
        {
            ...{ name: "n", endpoint: "tcp://a:1", status: "running", error: undefined, isGivenPlatforms: false },
            options: { cacert: "/a b/ca.pem", key: '/k"ä' },
            platforms: ["linux/amd64", "linux/amd64/v2", "linux/arm64"],
        },
    ]);
});

describe("an instance", () => {
    test("that is missing is made", async () => {
        const wanted = engine();
        const name = nameOf(wanted);
        const told = machine({ inspect: made(inspection({ node: name })), create: "" });
        await ready(wanted);
        expect(told()).toEqual([`create --name ${name} --node ${name} --driver remote tcp://a:1`]);
    });

    test("that is there as wanted is left alone", async () => {
        const wanted = engine();
        const told = machine({ inspect: say(inspection({ node: nameOf(wanted) })) });
        await ready(wanted);
        expect(told()).toEqual([]);
    });

    test.each([
        ["another definition", { node: "layered-images-0123456789ab" }, undefined],
        ["another endpoint", { endpoint: "tcp://b:1" }, undefined],
        ["other certificates", { options: 'cacert="/elsewhere/ca.pem"' }, undefined],
        ["platforms that it was given", {}, "Status: running\nPlatforms: linux/arm64*, linux/amd64\n"],
    ])("of ours with %s is made anew", async (_name, changes, rest) => {
        const wanted = engine();
        const name = nameOf(wanted);
        const told = machine({ inspect: say(inspection({ node: name, ...changes }, rest)), create: "", rm: "" });
        await ready(wanted);
        expect(told()).toEqual([`rm ${name}`, `create --name ${name} --node ${name} --driver remote tcp://a:1`]);
    });

    test.each([
        ["the same", "/k1", "%2Fk1", []],
        ["none, which is the user's own", undefined, "", []],
        ["another", "/k2", "%2Fk1", ["rm --keep-daemon"]],
        ["one instead of none", "/k1", "", ["rm --keep-daemon"]],
        ["none any more", undefined, "%2Fk1", ["rm --keep-daemon"]],
    ])(
        "on Kubernetes is made anew where KUBECONFIG names %s, and the engine of the other cluster stays",
        async (_name, now, before, removed) => {
            const wanted = engine({}, "kubernetes");
            const name = nameOf(wanted);
            const endpoint = `kubernetes:///${name}?deployment=${name}&kubeconfig=${before}`;
            const told = machine({
                inspect: say(inspection({ node: name, endpoint }, undefined, "kubernetes")),
                create: "",
                rm: "",
            });
            await readyBuilder(wanted, { ...process.env, KUBECONFIG: now });
            expect(told()).toEqual(
                removed.flatMap((how) => [
                    `${how} ${name}`,
                    `create --name ${name} --node ${name} --driver kubernetes`,
                ]),
            );
        },
    );

    test("of somebody else is refused with the two ways, and stays", async () => {
        const told = machine({ inspect: say(inspection({ node: "farm0", endpoint: "tcp://c:1" })) });
        await expect(ready(engine({ name: "farm" }))).rejects.toThrow(
            /builder farm is on this machine already, and was not made by this program \(driver remote, tcp:\/\/c:1\)\s+next: .*another `name` in the setting\s+or, .*docker buildx rm farm$/,
        );
        expect(told()).toEqual([]);
    });

    test("that buildx refuses is told with its reason", async () => {
        machine({ inspect: absent, create: 'echo "ERROR: unrecognized url scheme x" >&2; exit 1' });
        await expect(ready(engine())).rejects.toThrow(/can't be made: unrecognized url scheme x\s+next: correct/);
    });

    test("can't be made where there is no buildx", async () => {
        machine({ inspect: 'echo "docker: unknown command: docker buildx" >&2; exit 1' });
        await expect(ready(engine())).rejects.toThrow(
            /can't be inspected: .*unknown command.*\s+next: .*install Docker's buildx plugin/,
        );
    });
});

describe("an engine", () => {
    test.each([
        [
            "that is down",
            'dial tcp 127.0.0.1:9: connect: connection refused"',
            /node tcp:\/\/a:1 can't be used: .*connection refused"\s+next: start its BuildKit/,
        ],
        [
            "that refuses this machine",
            "remote error: tls: certificate required",
            /next: the engine ends the connection: set `tls\.cert`/,
        ],
        [
            "that refuses this machine, seen a moment later",
            "write tcp 1->2: write: broken pipe",
            /next: the engine ends the connection/,
        ],
        [
            "that is not trusted",
            "tls: failed to verify certificate: x509: unknown authority",
            /next: set `tls\.ca` of this node/,
        ],
        ["whose certificate is missing", "open /a/ca.pem: no such file or directory", /next: correct the paths/],
    ])("%s is refused with the reason and the next step", async (_name, reason, message) => {
        const wanted = engine();
        machine({
            inspect: say(inspection({ node: nameOf(wanted) }, down)),
            du: `echo 'ERROR: ${reason}' >&2; exit 1`,
        });
        await expect(ready(wanted)).rejects.toThrow(message);
    });

    test.each<Driver>(["docker-container", "kubernetes"])("of driver %s is started, and waited for", async (driver) => {
        const wanted = engine({}, driver);
        const seen = { node: nameOf(wanted), endpoint: "unix:///var/run/docker.sock" };
        const told = machine({
            inspect: say(inspection(seen, down, driver)),
            boot: `echo booted >> "$0.log"\n${say(inspection(seen, undefined, driver))}`,
        });
        await ready(wanted);
        expect(told()).toEqual(["booted"]);
    });

    test.each([
        // What an API server of Kubernetes 1.36 says through buildx 0.35.
        [
            "where no container may be privileged",
            'error while calling Create for "a": Deployment.apps "a" is invalid: spec.template.spec.containers[0].securityContext.privileged: Forbidden: disallowed by cluster policy',
            /disallowed by cluster policy\s+next: the cluster lets no container run privileged: set `rootless: true`/,
        ],
        [
            "in a namespace that is missing",
            'error while calling Create for "a": namespaces "nowhere" not found',
            /next: make the namespace/,
        ],
        [
            "for a user without rights",
            'error for bootstrap "a": deployments.apps "a" is forbidden: User "weak" cannot get resource "deployments"',
            /next: let the user in KUBECONFIG get, create, update and delete deployments, .* and create pods\/exec/,
        ],
        [
            "for a user that the cluster does not know",
            'error for bootstrap "a": Unauthorized',
            /next: let the user in KUBECONFIG/,
        ],
        [
            "whose pods do not start",
            "expected 1 replicas to be ready, got 0",
            /next: see why its pods don't start, .* --selector app=layered-images-[0-9a-f]{12}\. .*`nodeselector`/,
        ],
        [
            "on a cluster that does not answer",
            'error for bootstrap "a": Get "https://127.0.0.1:26999/apis": dial tcp 127.0.0.1:26999: connect: connection refused',
            /next: correct what buildx says/,
        ],
    ])("that can't be started %s is told with buildx's reason and the next step", async (_where, reason, message) => {
        const wanted = engine({}, "kubernetes");
        machine({
            inspect: say(inspection({ node: nameOf(wanted) }, down, "kubernetes")),
            boot: `cat >&2 <<'END'\nERROR: ${reason}\nEND\nexit 1`,
        });
        await expect(ready(wanted)).rejects.toThrow(/can't be started: /);
        await expect(ready(wanted)).rejects.toThrow(message);
    });

    test("that does not offer its platform is refused with what it offers", async () => {
        const wanted = wantedOf({ driver: "remote", nodes: [{ endpoint: "tcp://a:1" }] }, [
            "linux/amd64",
            "linux/riscv64",
        ]);
        machine({ inspect: say(inspection({ node: nameOf(wanted) })) });
        await expect(ready(wanted)).rejects.toThrow(
            /node tcp:\/\/a:1 is to build linux\/riscv64, which its engine does not offer\s+allowed: linux\/amd64, linux\/amd64\/v2, linux\/arm64\s+next: add a node/,
        );
    });
});

test("only instances of ours are removed", async () => {
    const own = "layered-images-0123456789ab";
    const line = (name: string, ...nodes: string[]) =>
        JSON.stringify({ Name: name, Nodes: nodes.map((Name) => ({ Name })) });
    const lines = [
        ...[line(own, own), line("farm", own), line("default", ""), line("layered-images", "layered-images0")],
        line("layered-images-ba9876543210", own, "added"),
    ];
    const told = machine({ ls: say(`${lines.join("\n")}\n`), rm: "" });
    expect(await removeBuilders(process.env)).toEqual([own, "farm"]);
    expect(told()).toEqual(["ls --format json", `rm ${own}`, "rm farm"]);
});
