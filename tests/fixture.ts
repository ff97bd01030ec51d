import type { WorkflowDefinitions } from "../workflows/definition";

/**
 * A small hierarchy of the same shape as this repository's: two platforms, one of them emulated. Nothing in it takes
 * longer than a second on the emulated platform or comes from an external source.
 */
export const fixture: Readonly<Record<string, string>> = {
    "images.ts": `import type { ImageDefinitions } from "layered-images";

export const images: ImageDefinitions = {
    base: {
        description: "what the others stand on",
        name: "ghcr.io/fixture/base:latest",
        dockerfile: "docker/Dockerfile.base",
        platforms: ["linux/amd64", "linux/arm64"],
        smokeTest: "docker/smoke/base.sh",
    },
    ci: {
        description: "one platform",
        name: "ghcr.io/fixture/ci:latest",
        dockerfile: "docker/Dockerfile.ci",
        platforms: ["linux/amd64"],
        smokeTest: "docker/smoke/ci.sh",
    },
    bot: {
        description: "both platforms",
        name: "ghcr.io/fixture/bot:latest",
        dockerfile: "docker/Dockerfile",
        platforms: ["linux/amd64", "linux/arm64"],
        smokeTest: "docker/smoke/bot.sh",
    },
    devcontainer: {
        description: "never pushed",
        dockerfile: ".devcontainer/Dockerfile",
        platforms: "host",
    },
};
`,
    "docker/Dockerfile.base": `FROM python:3.12-slim
ARG GREETING=hello
ENV PYTHONDONTWRITEBYTECODE=1
RUN --mount=type=bind,source=requirements/base.txt,target=/tmp/base.txt \\
    grep == /tmp/base.txt > /packages.txt && seq 10000 > /installed.txt
RUN --mount=type=bind,source=docker/notes/base.txt,target=/tmp/notes.txt echo "$GREETING" > /greeting
`,
    "docker/Dockerfile.ci": `FROM ghcr.io/fixture/base:latest
RUN --mount=type=bind,source=docker/notes/ci.txt,target=/tmp/notes.txt touch /looked-at
COPY requirements/app.txt /app.txt
COPY requirements/dev.txt /dev.txt
`,
    "docker/Dockerfile": `FROM ghcr.io/fixture/base:latest
COPY requirements/app.txt /app.txt
COPY app/bot /app/bot
WORKDIR /app
USER 10001
CMD ["python", "-m", "bot"]
`,
    ".devcontainer/Dockerfile": `FROM ghcr.io/fixture/base:latest
COPY requirements/app.txt /app.txt
COPY requirements/dev.txt /dev.txt
RUN --mount=type=bind,source=docker/smoke/base.sh,target=/smoke.sh /smoke.sh
`,
    "docker/smoke/base.sh": `#!/bin/sh
set -eu
grep six /packages.txt
test -s /greeting
`,
    "docker/smoke/ci.sh": "#!/bin/sh\nset -eu\ntest -s /dev.txt\n",
    "docker/smoke/bot.sh": '#!/bin/sh\nset -eu\ntest "$(id -u)" -ne 0\npython -m bot\n',
    // A build reads these files and writes nothing from them: a change to a file leaves the image's digest unchanged.
    "docker/notes/base.txt": "read by the build\n",
    "docker/notes/ci.txt": "read by the build\n",
    "requirements/base.txt": "six==1.17.0\n",
    "requirements/app.txt": "# nothing yet\n",
    "requirements/dev.txt": "# nothing yet\n",
    "app/bot/__init__.py": "",
    "app/bot/__main__.py": 'print("hello from the bot")\n',
    "app/tests/test_bot.py": "def test_nothing() -> None: ...\n",
    // The stack may keep build arguments only for images that exist in the fixture.
    "Pulumi.local.yaml": `config:
  layered-images:lab: "true"
encryptionsalt: v1:DRDI6WCkP8w=:v1:29rKpGK4WbQtbVzr:tMXilMgD5kYYvf9gz1LaYzmkDMMHJQ==
`,
};

/** Two images of the fixture, on one platform and without smoke tests, for suites that look at nothing but files on GitHub. */
export const lightFixture: Readonly<Record<string, string>> = {
    "images.ts": `export const images = {
    base: {
        description: "what the other stands on",
        name: "ghcr.io/fixture/base:latest",
        dockerfile: "docker/Dockerfile.base",
        platforms: ["linux/amd64"],
    },
    ci: {
        description: "the other",
        name: "ghcr.io/fixture/ci:latest",
        dockerfile: "docker/Dockerfile.ci",
        platforms: ["linux/amd64"],
    },
};
`,
    "docker/Dockerfile.base": "FROM python:3.12-slim\nCOPY requirements/base.txt /\n",
    "docker/Dockerfile.ci": "FROM ghcr.io/fixture/base:latest\nCOPY requirements/dev.txt /\n",
    "requirements/base.txt": "six==1.17.0\n",
    "requirements/dev.txt": "# nothing yet\n",
    "Pulumi.local.yaml": fixture["Pulumi.local.yaml"] ?? "",
};

/** Workflows of the fixture, for suites that look at files on GitHub; the others do without a workflows.ts. */
export const fixtureWorkflows = {
    up: [
        { file: "base-image.yml", name: "Build Base", images: ["base"] },
        { file: "ci-image.yml", name: "Build CI Docker Image", images: ["ci"] },
        { file: "deploy.yml", name: "Deploy", after: "base-image.yml" },
    ],
    checks: [
        { file: "test.yml", name: "Testing Checks", image: "ci", steps: [{ name: "Test", run: "python -m pytest" }] },
        { file: "lint.yml", name: "Linting Checks", image: "ci", steps: [{ name: "Lint", run: "ruff check app" }] },
    ],
} satisfies WorkflowDefinitions;

/** Returns a workflows.ts with these definitions. */
export const workflowsFile = (workflows: WorkflowDefinitions = fixtureWorkflows): Readonly<Record<string, string>> => ({
    "workflows.ts": `export const workflows = ${JSON.stringify(workflows, undefined, 4)};\n`,
});

/** Returns the fixture's stack configuration with additional lines; the lines must be indented by two spaces. */
export const configWith = (lines: string): Readonly<Record<string, string>> => ({
    "Pulumi.local.yaml": (fixture["Pulumi.local.yaml"] ?? "").replace("encryptionsalt", `${lines}encryptionsalt`),
});

/** Returns the text of a stack's configuration file like the fixture's, with settings of the project. */
export const stackSettings = (settings: Readonly<Record<string, unknown>>): string =>
    configWith(
        Object.entries(settings)
            .map(([key, value]) => `  layered-images:${key}: ${JSON.stringify(value)}\n`)
            .join(""),
    )["Pulumi.local.yaml"] ?? "";
