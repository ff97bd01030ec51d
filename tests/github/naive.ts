const workflow = (name: string, on: string, dockerfile: string, image: string) => `
name: ${name}
on:
  workflow_dispatch: {}
${on}
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: docker/build-push-action@v6
        with:
          file: ${dockerfile}
          tags: ghcr.io/cs24-1/${image}:latest
          push: true
`;

const push = (...paths: string[]) => `
  push:
    branches: [main]
    paths:
${paths.map((one) => `      - "${one}"`).join("\n")}
`;

const afterBase = `
  workflow_run:
    workflows: [Build Base Docker Image]
    types: [completed]
    branches: [main]
`;

const check = (name: string) => `
name: ${name}
on:
  pull_request: {}
jobs:
  check:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: make check
`;

/**
 * The five workflows that a repository of this kind usually has: one workflow per image, each with its path filters and
 * a build FROM the parent's `latest`, with the children rebuilt after the base; and two check workflows. They are the
 * baseline for this repository's workflows.
 */
export const naiveWorkflows: Readonly<Record<string, string>> = {
    "build-base-image.yml": workflow(
        "Build Base Docker Image",
        push("docker/Dockerfile.base", "requirements/requirements-torch.txt"),
        "docker/Dockerfile.base",
        "base",
    ),
    "ci-image.yml": workflow(
        "Build CI Docker Image",
        push("docker/Dockerfile.ci", "requirements/requirements*.txt") + afterBase,
        "docker/Dockerfile.ci",
        "ci",
    ),
    "deploy.yml": workflow(
        "Deploy Discord Bot",
        push("docker/Dockerfile", "app/**", "requirements/requirements.txt") + afterBase,
        "docker/Dockerfile",
        "bot",
    ),
    "test.yml": check("Testing Checks"),
    "lint.yml": check("Linting Checks"),
};
