import { InputError } from "../lib/errors";
import type { PreparedImage } from "../lib/hierarchy/prepare";
import type { Step, Steps, Workflow } from "./document";
import { imageOf } from "./images";
import { installRequirements } from "./requirements";
import { checkout } from "./steps";

/** The image that tests and linters run in. */
const testImage = "ci";

/** Later steps run although one failed, so that one run says everything. */
const afterFailure = "${{ !cancelled() }}";

/**
 * The app's tests and linters, on pull requests, in exactly the image that the last `up` published. Not on those from forks:
 * GitHub hands their runs no variables, so they take what `latest` is at the moment.
 */
export function checkWorkflows(images: readonly PreparedImage[]): Workflow[] {
    const image = imageOf(images, testImage);
    const { name: published } = image.definition;
    if (published === undefined) {
        throw new InputError({
            problem: `image ${testImage} is never pushed; tests and linters run in it`,
            next: "name it",
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
