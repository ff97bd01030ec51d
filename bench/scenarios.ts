import { appendFileSync, chmodSync, utimesSync } from "node:fs";
import path from "node:path";

/** What happens to a checkout before both tools are run on it. */
export interface Scenario {
    readonly name: string;
    /** Whether the builder starts without anything in its store, as on a machine of CI. */
    readonly freshBuilder?: boolean;
    /** Done once: there is no second first time. */
    readonly once?: boolean;
    /** Changes the checkout at `root`; `mark` is new each time, so that no tool finds the other's steps in the cache. */
    readonly change: (root: string, mark: string) => void;
}

const app = "app/bot/__main__.py";
const changeApp = (root: string, mark: string) => {
    appendFileSync(path.join(root, app), `# ${mark}\n`);
};
const nothing = () => undefined;

/** In this order: each starts where the one before ended. */
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
