import { execFileSync } from "node:child_process";
import { rmSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { stopLab } from "../../../lab/labState";
import { makePairs, startEngine } from "../../engine";
import { unmountBelow } from "../../lab";
import {
    type Case,
    type Play,
    type Scene,
    adding,
    asking,
    buildForBoth,
    configure,
    failed,
    limitTimes,
    moment,
    reacting,
    replacing,
    strike,
    update,
} from "./plays";

/** A smoke test or a step that failed: the update says which image waits. */
const leftToDo = /left to do:[^]*leaf/;

/** Where the kernel has the interpreter of the platform that is emulated. */
const emulator = "qemu-aarch64";

/** Runs an update whose build loses the emulation when it asks for `moment`; the machine has it again afterwards. */
const withoutEmulation: Play = async (scene) => {
    try {
        return await strike("github", moment, "meanwhile", () => {
            writeFileSync(`/proc/sys/fs/binfmt_misc/${emulator}`, "-1");
        })(scene);
    } finally {
        execFileSync("update-binfmts", ["--enable", emulator]);
    }
};

/** Has the stack build each platform on an engine of its own, and ends that of arm64 when its build asks for `moment`. */
const withoutEngine: Play = async (scene) => {
    const { lab } = scene.world;
    const folder = path.join(lab.paths.state, "engines");
    const pairs = await makePairs(path.join(folder, "tls"));
    const [cert, key] = pairs.client;
    const platforms = ["linux/amd64", "linux/arm64"] as const;
    const engines = await Promise.all(
        platforms.map((platform) => {
            const place = path.join(folder, platform.replace("/", "-"));
            return startEngine(lab, place, { platforms: [platform], pairs });
        }),
    );
    try {
        const nodes = platforms.map((platform, index) => ({
            endpoint: engines[index]?.endpoint,
            platforms: [platform],
            tls: { ca: pairs.ca, cert, key },
        }));
        configure(scene, "builder", { driver: "remote", nodes });
        return await strike("github", moment, "before", () => engines[1]?.kill())(scene);
    } finally {
        for (const engine of engines) await engine.kill();
    }
};

/** Adds a step to the leaf's build that asks for `moment` where it is built for arm64, and builds for both platforms. */
function askOnArm64(scene: Scene): void {
    buildForBoth(scene);
    // A process that runs goes on; the next program of that platform can't start.
    adding((url, fresh) => `RUN : ${fresh}; if [ "$(uname -m)" = aarch64 ]; then ${asking(url)}; fi; /bin/true`)(scene);
}

/** Stops the lab's servers, and returns the folder of the builder's store, with nothing mounted in it. */
async function stoppedStore({ world }: Scene): Promise<string> {
    await stopLab(world.lab.paths);
    const store = path.join(world.lab.paths.state, "buildkit", "root");
    unmountBelow(store);
    return store;
}

/** What is wrong with a build, its smoke test, or the builder, and changes of the hierarchy. */
export const buildCases: readonly Case[] = [
    {
        name: "an image is renamed, and gets its name back",
        change: replacing("images.ts", "/leaf:latest", "/renamed:latest"),
        play: update,
    },
    {
        name: "an image is removed, and comes back",
        change: replacing("images.ts", /\n {4}leaf: \{[^]*?\n {4}\},/, ""),
        play: update,
    },
    {
        name: "a platform is added, and removed",
        change: buildForBoth,
        play: update,
    },
    {
        name: "a smoke test fails on one of two platforms",
        change: (scene) => {
            buildForBoth(scene);
            replacing("smoke/leaf.sh", "test -s /leaf.txt", 'test "$(uname -m)" = x86_64')(scene);
            scene.repository.write("leaf.txt", `${scene.fresh()}\n`);
        },
        play: update,
        code: failed,
        says: leftToDo,
    },
    {
        name: "a smoke test fails",
        chosen: "in a row",
        change: (scene) => {
            replacing("smoke/leaf.sh", "test -s", "test ! -s")(scene);
            scene.repository.write("leaf.txt", `${scene.fresh()}\n`);
        },
        play: update,
        code: failed,
        says: leftToDo,
    },
    {
        name: "a smoke test hangs",
        change: (scene) => {
            limitTimes(scene);
            replacing("smoke/leaf.sh", "test -s /leaf.txt", "sleep 3600")(scene);
            scene.repository.write("leaf.txt", `${scene.fresh()}\n`);
        },
        play: update,
        code: failed,
    },
    {
        name: "a smoke test wants the network",
        change: (scene) => {
            const url = `http://127.0.0.1:${scene.world.github.port.toString()}/`;
            replacing("smoke/leaf.sh", "test -s /leaf.txt", asking(url))(scene);
            scene.repository.write("leaf.txt", `${scene.fresh()}\n`);
        },
        play: update,
        code: failed,
        says: leftToDo,
    },
    {
        name: "a step of a Dockerfile fails after it printed the secrets",
        chosen: "in a row",
        change: (scene) => {
            const mounts = "--mount=type=secret,id=TOKEN --mount=type=secret,id=KEY";
            const step = `RUN ${mounts} cat /run/secrets/*; echo ${scene.fresh()}; false\n`;
            scene.repository.write("leaf.Dockerfile", `${scene.repository.read("leaf.Dockerfile")}${step}`);
        },
        play: update,
        code: failed,
        says: leftToDo,
    },
    {
        name: "the builder's store is lost",
        play: async (scene) => {
            rmSync(await stoppedStore(scene), { recursive: true });
            return await scene.run(["up"]);
        },
    },
    {
        name: "a database of the builder is cut, and its store is removed as the command says",
        play: async (scene) => {
            const store = await stoppedStore(scene);
            truncateSync(path.join(store, "runc-overlayfs", "containerdmeta.db"), 1000);
            const met = await scene.run(["up"]);
            rmSync(await stoppedStore(scene), { recursive: true });
            return met;
        },
        code: failed,
        says: /next: BuildKit's store is damaged[^]*Remove it: rm -r/,
    },
    {
        name: "a package of pip is not to be had",
        change: adding((url, fresh) => `RUN : ${fresh}; python -m pip install --index-url ${url}/ not-to-be-had`),
        play: reacting("github", moment, { kind: "answer", status: 404 }),
        code: failed,
        says: /No matching distribution found for not-to-be-had[^]*left to do:[^]*leaf/,
    },
    {
        name: "a server of Debian packages fails",
        change: adding(
            (url, fresh) =>
                `RUN : ${fresh}; rm -rf /etc/apt/sources.list*; echo "deb [trusted=yes] ${url} ./" > /etc/apt/sources.list; ` +
                "apt-get -o Acquire::Retries=0 -o APT::Update::Error-Mode=any update",
        ),
        play: reacting("github", moment, { kind: "answer", status: 503 }),
        code: failed,
        says: /503[^]*left to do:[^]*leaf/,
    },
    {
        name: "a file that is downloaded has another hash than ADD says",
        chosen: "in a row",
        change: adding(
            (url, fresh) => `ADD --checksum=sha256:${"0".repeat(64)} ${url}/${fresh.replace(" ", "-")} /added`,
        ),
        play: reacting("github", moment, { kind: "answer", status: 200, body: "another file" }),
        code: failed,
        says: /digest mismatch[^]*left to do:[^]*leaf/,
    },
    {
        name: "a file that is downloaded breaks off",
        change: adding((url, fresh) => `ADD ${url}/${fresh.replace(" ", "-")} /added`),
        play: reacting("github", moment, { kind: "cut" }),
        code: failed,
        says: leftToDo,
    },
    {
        name: "the engine of one platform ends in the middle of its build",
        change: askOnArm64,
        play: withoutEngine,
        code: failed,
        says: /next: [^]*start the engine of the node that ended[^]*left to do:[^]*leaf/,
    },
    {
        name: "the emulation of a platform goes away in the middle of its build",
        change: askOnArm64,
        play: withoutEmulation,
        code: failed,
        says: /next: the builder's machine can't run programs of this platform/,
    },
];
