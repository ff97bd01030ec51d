import type { StepDefinition, WorkflowDefinitions } from "./workflows/definition";

/**
 * Installs what a pull request requires in other versions than the image has. Installers skip what is already there, so this takes no time
 * if the pull request changes no requirements. The options are those of the Dockerfiles.
 */
const installRequirements: StepDefinition = {
    name: "Install the requirements",
    run: [
        "pip install --no-cache-dir --no-compile --root-user-action=ignore --require-hashes --requirement requirements/requirements-uv.txt",
        'uv pip install --index "$TORCH_INDEX_URL" --index-strategy unsafe-best-match --no-build --requirement requirements/requirements-torch.txt',
        "uv pip install --no-build --require-hashes --requirement requirements/requirements.txt --requirement requirements/requirements-dev.txt",
    ].join("\n"),
    env: { TORCH_INDEX_URL: "https://download.pytorch.org/whl/cpu" },
};

/** What GitHub Actions and Dependabot do for this repository. */
export const workflows: WorkflowDefinitions = {
    up: [
        { file: "build-base-image.yml", name: "Build Base Docker Image", images: ["base"] },
        { file: "ci-image.yml", name: "Build CI Docker Image", images: ["ci"] },
        { file: "deploy.yml", name: "Deploy Discord Bot", after: "build-base-image.yml" },
    ],
    checks: [
        {
            file: "test.yml",
            name: "Testing Checks",
            image: "ci",
            steps: [
                installRequirements,
                {
                    name: "Run the tests",
                    run: 'python -m pytest --cov=app/bot --cov-report=term --cov-report="markdown-append:$GITHUB_STEP_SUMMARY"',
                },
            ],
        },
        {
            file: "lint.yml",
            name: "Linting Checks",
            image: "ci",
            steps: [
                installRequirements,
                { name: "Lint", run: "ruff check --output-format=github app" },
                { name: "Check the format", run: "ruff format --check app", always: true },
                { name: "Check the types", run: "mypy", always: true },
            ],
        },
    ],
    review: { schedule: "23 4 * * 1" },
    releases: { provenance: true, sbom: true },
    dependabot: {
        // Not `pip`, which would recompile the files with a different program and for a single platform.
        ecosystems: [{ ecosystem: "uv", directory: "/requirements" }],
        // The requirements are compiled for one minor version of Python, so both are updated together, by hand.
        patchesOnly: ["python"],
    },
};
