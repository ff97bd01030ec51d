import * as pulumi from "@pulumi/pulumi";
import { UnreachableError } from "../lib/github/api";
import { record } from "../tests/harness";
import { expect, test } from "../tests/mocha";
import { tidy } from "./leftovers";

test("that GitHub refuses to remove a file is told as a message with the next step", async () => {
    await record(() => undefined);
    const failing = (reason: string) =>
        tidy(() => Promise.reject(new UnreachableError(reason)), "main", { quiet: true }).catch(
            (error: unknown) => error,
        );
    const refused = await failing("it answered 409: Changes must be made through a pull request.");
    expect(pulumi.RunError.isInstance(refused)).toBe(true);
    expect(refused).toMatchObject({
        message: expect.stringMatching(/next: .*github\.delivery pull-request/) as string,
    });
    expect(await failing("it answered 502")).toMatchObject({
        message: "it answered 502\n  next: run the same command again",
    });
});
