import {
    appendFileSync,
    chmodSync,
    mkdirSync,
    readFileSync,
    renameSync,
    rmSync,
    symlinkSync,
    utimesSync,
} from "node:fs";
import path from "node:path";
import { after, before as beforeAll } from "mocha";
import { openCheckout } from "../../lib/context/checkout";
import { stageContext } from "../../lib/context/stage";
import { type PreparedImage, readHierarchy, sourceDateEpoch } from "../../lib/hierarchy/prepare";
import { hostPlatform } from "../../lib/platform";
import { type TestLab, runIn, startTestLab } from "../lab";
import { expect, test } from "../mocha";
import { writeTree } from "../writeTree";

/*
 * Compares the BuildKit output of the repository as it is with the output of the staged context: both have the same
 * bits. The input hash changes when the digest changes. Each row starts from the state that the previous row left.
 */

let lab: TestLab;
let repository: string;

const at = (file: string) => path.join(repository, file);
const write = (file: string, text: string) => () => {
    writeTree(repository, { [file]: text });
};
const edit = (file: string, from: string, to: string) => () => {
    const text = readFileSync(at(file), "utf8");
    expect(text).toContain(from);
    writeTree(repository, { [file]: text.replace(from, to) });
};

/** Returns the digest of an image, built either without this program or from the context that this program stages. */
async function build(context: string, dockerfile: string, buildArgs: PreparedImage["buildArgs"]): Promise<string> {
    const metadata = path.join(lab.paths.state, "metadata.json");
    const [root = ""] = Object.values(lab.instance.roots);
    const given = Object.entries({ ...buildArgs, SOURCE_DATE_EPOCH: sourceDateEpoch });
    const { code, output } = await runIn(lab, repository, "buildx", [
        ...["build", "--provenance=false", "--file", dockerfile, "--metadata-file", metadata],
        ...["--build-context", `python:3.12-slim=docker-image://${root}`],
        ...given.flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]),
        ...["--output", `type=oci,rewrite-timestamp=true,dest=${path.join(lab.paths.state, "image.tar")}`, context],
    ]);
    expect(code, output).toBe(0);
    const { "containerimage.digest": digest } = JSON.parse(readFileSync(metadata, "utf8")) as Record<string, string>;
    return digest ?? "";
}

interface Built {
    readonly inputHash: string;
    /** Digest of the build from the repository as it is. */
    readonly plain: string;
    /** Digest of the build from the staged context. */
    readonly staged: string;
}

const buildArgs = { GREETING: "hello", UNUSED: "x" };

async function buildBoth(): Promise<Built> {
    const [found] = readHierarchy(
        openCheckout(repository),
        { images: { app: { description: "app", dockerfile: "Dockerfile", platforms: [hostPlatform()], buildArgs } } },
        { platforms: "all", roots: {}, buildArgs: {} },
    ).images;
    if (!found) throw new Error("there is one image");
    const { inputHash, inputs: files, meaning } = found;
    const request = { root: repository, stageRoot: ".stage", image: "app", inputHash, files, dockerfile: meaning };
    const { context, dockerfile } = stageContext(request);
    return {
        inputHash,
        plain: await build(".", "Dockerfile", buildArgs),
        staged: await build(context, dockerfile, found.buildArgs),
    };
}

let before: Built;

beforeAll(async () => {
    lab = await startTestLab("host");
    repository = path.join(lab.paths.state, "repository");
    writeTree(repository, {
        Dockerfile: `ARG UNUSED
FROM python:3.12-slim AS tools
COPY tools /tools
RUN --mount=type=bind,source=notes.txt,target=/notes.txt cp -r /tools /out && rm /out/unread.txt
FROM scratch AS unused
COPY docs /docs
FROM scratch
ARG GREETING
COPY --from=0 /out /out
COPY app /app
COPY docs/*.md docs/none*.md /docs/
COPY --parents app/./*/c.txt /parents/
COPY <<EOF /greeting
# $GREETING
EOF
`,
        ".dockerignore": ".stage\n**/.env\n!app\n*/*.log\n",
        "app/a.txt": "a\n",
        "app/b/c.txt": "c\n",
        "app/.env": "TOKEN=secret\n",
        "docs/a.md": "a\n",
        "docs/a.txt": "a\n",
        "notes.txt": "notes\n",
        "tools/x.txt": "x\n",
        "tools/unread.txt": "x\n",
    });
    before = await buildBoth();
});
after(async () => {
    await lab.close();
});

/**
 * Effect of a change: the image changes, only the build changes (a file is read without a trace in the image), or
 * nothing changes.
 */
type Moves = "image" | "build" | "nothing";

test.each<[string, () => void, Moves]>([
    ["a file's content", write("app/a.txt", "b\n"), "image"],
    [
        "a file's executable bit",
        () => {
            chmodSync(at("app/a.txt"), 0o755);
        },
        "image",
    ],
    [
        "a file's name",
        () => {
            renameSync(at("app/a.txt"), at("app/d.txt"));
        },
        "image",
    ],
    ["a file more in a copied folder", write("app/e.txt", "e\n"), "image"],
    ["a file that a wildcard matches", write("docs/b.md", "b\n"), "image"],
    [
        "a file that a wildcard matches no longer",
        () => {
            rmSync(at("docs/b.md"));
        },
        "image",
    ],
    ["a file that a wildcard, which matched nothing, matches", write("docs/none1.md", "1\n"), "image"],
    ["a file beside those that a wildcard matches", write("docs/a.txt", "b\n"), "nothing"],
    ["a file that --parents takes", write("app/b/c.txt", "d\n"), "image"],
    [
        "a link that leads out of the tree",
        () => {
            symlinkSync("/dev/stdout", at("app/log"));
        },
        "image",
    ],
    [
        "a link's target",
        () => {
            rmSync(at("app/log"));
            symlinkSync("../nowhere", at("app/log"));
        },
        "image",
    ],
    ["a file that another stage copies and that is copied from there", write("tools/x.txt", "y\n"), "image"],
    ["a file that another stage copies and nothing takes from there", write("tools/unread.txt", "y\n"), "build"],
    ["a file that is mounted", write("notes.txt", "more\n"), "build"],
    ["an ignored file", write("app/.env", "TOKEN=other\n"), "nothing"],
    ["an ignored file more, below a folder that an exception names", write("app/b/.env", "TOKEN=x\n"), "nothing"],
    ["the folder of an ignored file", write("app/secrets/.env", "TOKEN=x\n"), "image"],
    ["a file that nothing reads", write("README.md", "x\n"), "nothing"],
    [
        "an ignore rule that changes nothing",
        () => {
            appendFileSync(at(".dockerignore"), "# x\nnowhere\n");
        },
        "nothing",
    ],
    [
        "an ignore rule that leaves a file out",
        () => {
            appendFileSync(at(".dockerignore"), "app/e.txt\n");
        },
        "image",
    ],
    ["a comment", edit("Dockerfile", "FROM scratch\n", "# x\n\nFROM scratch\n"), "nothing"],
    ["case and blanks", edit("Dockerfile", "COPY app /app", "copy   app  /app"), "nothing"],
    ["an unused stage", edit("Dockerfile", "COPY docs /docs\n", "COPY docs/a.txt /docs\n"), "nothing"],
    [
        "a stage less, before that which is copied from by number",
        edit("Dockerfile", "FROM scratch AS unused\nCOPY docs/a.txt /docs\n", ""),
        "nothing",
    ],
    ["a here-document", edit("Dockerfile", "# $GREETING", "# $GREETING!"), "image"],
    ["an instruction that is about the image", edit("Dockerfile", "ARG GREETING\n", "ARG GREETING\nUSER 1\n"), "image"],
])("%s", async (_name, change, moves) => {
    change();
    const after = await buildBoth();
    expect(after.staged).toBe(after.plain);
    expect(after.plain !== before.plain).toBe(moves === "image");
    expect(after.inputHash !== before.inputHash).toBe(moves !== "nothing");
    before = after;
});

test("what git does not keep moves nothing of ours: times, and permissions of others", async () => {
    utimesSync(at("app/b/c.txt"), 1, 1);
    chmodSync(at("app/b/c.txt"), 0o664);
    mkdirSync(at("tools"), { recursive: true });
    chmodSync(at("tools"), 0o700);
    const after = await buildBoth();
    expect(after.plain).not.toBe(before.plain);
    expect([after.staged, after.inputHash]).toEqual([before.staged, before.inputHash]);
});
