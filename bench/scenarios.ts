import { appendFileSync, chmodSync, utimesSync } from "node:fs";
import path from "node:path";

/** A change to a checkout before each tool runs on it. */
export interface Scenario {
    readonly name: string;
    /** Whether the builder starts with an empty cache, as on a CI runner. */
    readonly freshBuilder?: boolean;
    /** Whether the scenario runs only once: a first build cannot be repeated. */
    readonly once?: boolean;
    /** Changes the checkout at `root`; `mark` is unique, so that no tool finds the other tool's steps in the cache. */
    readonly change: (root: string, mark: string) => void;
}

const app = "app/bot/__main__.py";
const changeApp = (root: string, mark: string) => {
    appendFileSync(path.join(root, app), `# ${mark}\n`);
};
const nothing = () => undefined;

/** The scenarios in order: each starts from the state that the previous scenario left. */
export const scenarios: readonly Scenario[] = [
    { name: "first build", freshBuilder: true, once: true, change: nothing },
    { name: "nothing changed", change: nothing },
    {
        name: "another clone: other times and group bits",
        change: (root, mark) => {
            const isOdd = /[13579]$/.test(mark);
            chmodSync(path.join(root, app), isOdd ? 0o664 : 0o644);
            utimesSync(path.join(root, app), new Date(), new Date());
        },
    },
    { name: "the app changed", change: changeApp },
    {
        name: "a comment in the base's Dockerfile",
        change: (root, mark) => {
            appendFileSync(path.join(root, "docker/Dockerfile.base"), `# ${mark}\n`);
        },
    },
    { name: "fresh builder, nothing changed", freshBuilder: true, change: nothing },
    { name: "fresh builder, the app changed", freshBuilder: true, change: changeApp },
];
