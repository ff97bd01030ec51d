import { InputError } from "../lib/errors";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import type { Step, Steps, Workflow } from "./document";
import { imageOf } from "./images";
import { installRequirements } from "./requirements";
import { checkout } from "./steps";

/** Key of the image in which tests and linters run. */
const testImage = "ci";

/** Condition that runs a step even after another step failed, so that one run reports all problems. */
const afterFailure = "${{ !cancelled() }}";

/**
 * Returns the workflows that run the app's tests and linters on pull requests, in exactly the image that the last `up` published. Pull
 * requests from forks use the current `latest` instead, because GitHub does not give their runs any variables.
 *
 * @throws InputError if the image does not exist or is never pushed
 */
export function checkWorkflows(images: readonly PreparedImage[]): Workflow[] {
    const image = imageOf(images, testImage);
    const { name: published } = image.definition;
    if (published === undefined) {
        throw new InputError({
            problem: `image ${testImage} is never pushed; tests and linters run in it`,
            next: "give it a name, so that it is pushed",
        });
    }
    const workflow = (file: string, name: string, job: string, steps: readonly Step[]): Workflow => ({
        file,
        name,
        on: { pull_request: {}, workflow_dispatch: {} },
        concurrency: { group: "${{ github.workflow }}-${{ github.ref }}", "cancel-in-progress": true },
        jobs: {
            [job]: {
                name,
                "runs-on": "ubuntu-latest",
                "timeout-minutes": 20,
                permissions: { contents: "read", packages: "read" },
                container: {
                    image: `\${{ vars.CI_IMAGE || '${published}' }}`,
                    credentials: { username: "${{ github.actor }}", password: "${{ github.token }}" },
                },
                steps: [checkout(), ...installRequirements(images, image), ...steps] as Steps,
            },
        },
    });
    return [
        workflow("test.yml", "Testing Checks", "test", [
            {
                name: "Run the tests",
                run: 'python -m pytest --cov=app/bot --cov-report=term --cov-report="markdown-append:$GITHUB_STEP_SUMMARY"',
            },
        ]),
        workflow("lint.yml", "Linting Checks", "lint", [
            { name: "Lint", run: "ruff check --output-format=github app" },
            { name: "Check the format", if: afterFailure, run: "ruff format --check app" },
            { name: "Check the types", if: afterFailure, run: "mypy" },
        ]),
    ];
}
